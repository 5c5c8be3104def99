/** One server of a URL in a sentence and figures. */
import { placeOf } from '../address.ts'
import { type HostFacts, type HostLook, VERSION_MIN } from './host-facts.ts'
import type { HostInspection, Verdict } from './inspection.ts'
import { chosenMain, isSameServer, type Reached, readableMs, replicationOf } from './looks.ts'

/** A copy that is further behind than this is of little use when the main database dies. */
export const LAG_MAX_MS = 10_000

/**
 * The row of one look.
 * @param all the looks at all hosts of the same URL: what a copy is worth depends on its main database
 */
export function rowOf(look: HostLook, all: readonly HostLook[]): HostInspection {
  const { connection, facts, fault } = look
  const host = placeOf(connection)
  if (!facts) return { host, state: 'bad', sentence: fault?.sentence ?? `${host} did not answer.` }
  const main = chosenMain(all)
  const own: Reached = { place: host, host: connection.host, facts }
  const replication = facts.isCopy ? replicationOf(own, mainOfCluster(main, facts)) : undefined
  return {
    host,
    ...judge(facts, { own, main, replication }),
    role: facts.isCopy ? 'copy' : 'main',
    version: facts.version,
    ...given('systemId', facts.systemId),
    ...given('timeline', facts.timeline),
    ...given('lagMs', facts.lagMs),
    ...given('replication', replication),
    ...given('isFollowing', facts.isFollowing),
    mayCreate: facts.mayCreate,
    maySeeReplication: facts.maySeeReplication,
    tls: facts.tls,
    roundTripMs: facts.roundTripMs,
    ...given('freeConnections', facts.freeConnections && Math.max(0, facts.freeConnections)),
    clockAheadMs: facts.clockAheadMs,
  }
}

/** The main database, if it carries the same data as a copy. */
function mainOfCluster(main: Reached | undefined, { systemId }: HostFacts): Reached | undefined {
  return main && main.facts.systemId === systemId ? main : undefined
}

interface Surroundings {
  readonly own: Reached
  readonly main: Reached | undefined
  readonly replication: HostInspection['replication']
}

function judge(facts: HostFacts, around: Surroundings): { state: Verdict; sentence: string } {
  const { version, roundTripMs } = facts
  const role = facts.isCopy ? 'Copy' : 'Main database'
  const where = `${role}, PostgreSQL ${version}, ${readableMs(roundTripMs)} away`
  if (facts.versionNumber < VERSION_MIN * 10_000)
    return { state: 'bad', sentence: `${where}; too old: Lanthorn needs ${VERSION_MIN} or newer.` }
  const [state, note] = facts.isCopy ? judgeCopy(facts, around) : judgeMain(facts, around)
  return { state, sentence: `${where}${note}.` }
}

function judgeMain(facts: HostFacts, { own, main }: Surroundings): [Verdict, string] {
  if (main && main.facts.systemId !== facts.systemId) return ['bad', `; it carries other data than ${main.place}`]
  if (main && !isSameServer(main, own))
    return ['bad', `; not to be used: ${main.place} has taken over from it, or both were made main`]
  if (facts.isReadOnly) return ['bad', '; it lets nobody write (default_transaction_read_only is on)']
  if (facts.encoding !== 'UTF8') return ['bad', `; its encoding is ${facts.encoding}, not UTF8`]
  if (!facts.mayCreate) return ['bad', `; the user ${facts.user} may not make tables there`]
  return ['ok', '']
}

function judgeCopy(facts: HostFacts, { main, replication }: Surroundings): [Verdict, string] {
  if (main && facts.systemId !== undefined && main.facts.systemId !== facts.systemId)
    return ['bad', `; it copies something else than ${main.place}`]
  if (facts.isFollowing === false) return ['bad', '; it follows nobody, so it gets older and older']
  if (facts.isPaused) return ['warn', '; it receives changes, but somebody has paused applying them']
  if (facts.lagMs !== undefined && facts.lagMs > LAG_MAX_MS) return ['warn', `; ${readableMs(facts.lagMs)} behind`]
  const lag =
    facts.lagMs === undefined ? '' : facts.lagMs === 0 ? '; has everything' : `; ${readableMs(facts.lagMs)} behind`
  switch (replication) {
    case 'applied':
    case 'synchronous':
      return ['ok', `${lag}; the main database waits for it`]
    case 'asynchronous':
      return ['ok', `${lag}; the main database does not wait for it`]
    case undefined:
      return ['ok', lag]
    default:
      return replication satisfies never
  }
}

function given<K extends keyof HostInspection>(key: K, value: HostInspection[K] | undefined): Partial<HostInspection> {
  return value === undefined ? {} : { [key]: value }
}
