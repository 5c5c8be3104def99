/** What follows from the looks at several servers together: which is the main database, and which copies it waits for. */
import { placeOf } from '../address.ts'
import type { HostFacts, HostLook } from './host-facts.ts'
import type { HostInspection } from './inspection.ts'

/** A server that answered. */
export interface Reached {
  readonly place: string
  readonly host: string
  readonly facts: HostFacts
}

/** The servers that answered, in the order of the URL. */
export function reachedOf(looks: readonly HostLook[]): Reached[] {
  return looks.flatMap(({ connection, facts }) =>
    facts ? [{ place: placeOf(connection), host: connection.host, facts }] : [],
  )
}

/** Those that call themselves the main database; of several ways to the same server only the first. */
export function mainsOf(looks: readonly HostLook[]): Reached[] {
  const mains = reachedOf(looks).filter(one => !one.facts.isCopy)
  return mains.filter((one, index) => mains.findIndex(other => isSameServer(one, other)) === index)
}

/** Two names, or two proxies, for one server. */
export const isSameServer = (a: Reached, b: Reached): boolean =>
  a.facts.systemId === b.facts.systemId && a.facts.bornAt === b.facts.bornAt

/** Those that are copies. */
export const copiesOf = (looks: readonly HostLook[]): Reached[] => reachedOf(looks).filter(one => one.facts.isCopy)

/** The main database that Lanthorn would use: the one with the highest timeline, then the first of the URL. */
export function chosenMain(looks: readonly HostLook[]): Reached | undefined {
  const [first, ...others] = mainsOf(looks)
  return others.reduce(
    (best, one) => (best && timelineOf(one) > timelineOf(best) ? one : best),
    first as Reached | undefined,
  )
}

/** A timeline that is not known counts as the lowest. */
export const timelineOf = ({ facts }: Reached): number => facts.timeline ?? 0

/** How many copies a commit waits for, as `synchronous_standby_names` says (manual 20.6.2); 0: none. */
export function standbysWanted(standbyNames: string): number {
  const text = standbyNames.trim()
  if (text === '') return 0
  return Number(/^(?:(?:ANY|FIRST)\s+)?(\d+)\s*\(/i.exec(text)?.[1] ?? 1)
}

/** Whether commits of our user wait for any copy at all. */
export const waitsForCopies = ({ standbyNames, synchronousCommit }: HostFacts): boolean =>
  standbysWanted(standbyNames) > 0 && synchronousCommit !== 'local' && synchronousCommit !== 'off'

/** What of a main database's copies it waits for at the moment. */
export const waitedFor = ({ copies }: HostFacts): number =>
  copies.filter(({ state, syncState }) => state === 'streaming' && (syncState === 'sync' || syncState === 'quorum'))
    .length

/**
 * How a copy gets its changes from its main database.
 * @returns undefined when our user may not see it, or it is not clear which of the main database's copies this is
 */
export function replicationOf(copy: Reached, main: Reached | undefined): HostInspection['replication'] {
  if (!main) return undefined
  const { copies, synchronousCommit } = main.facts
  if (!waitsForCopies(main.facts)) return 'asynchronous'
  const named = copies.filter(({ name }) => name !== undefined && name === copy.facts.copyName)
  const candidates = named.length > 0 ? named : copies
  const states = new Set(candidates.map(({ syncState }) => syncState))
  const [state, other] = states
  if (state === undefined || other !== undefined) return undefined
  if (state !== 'sync' && state !== 'quorum') return 'asynchronous'
  return synchronousCommit === 'remote_apply' ? 'applied' : 'synchronous'
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(words: readonly string[]): string {
  const last = words.at(-1) ?? ''
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`
}

/** Milliseconds as people read them: `0.4 ms`, `12 ms`, `4.2 s`, `3 minutes`, `5 hours`. */
export function readableMs(milliseconds: number): string {
  const ms = Math.abs(milliseconds)
  if (ms < 10) return `${Number(ms.toFixed(1))} ms`
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 120_000) return `${Number((ms / 1_000).toFixed(1))} s`
  if (ms < 2 * 3_600_000) return `${Math.round(ms / 60_000)} minutes`
  return `${Math.round(ms / 3_600_000)} hours`
}

/** A name as SQL wants it. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
