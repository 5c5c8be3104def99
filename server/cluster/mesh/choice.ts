/**
 * Which connection of two nodes is their link. Both dial, so there can be several at once; the node with the lower number chooses, and tells the other
 * with `use`. No other rule is needed, and nothing flaps: a second connection replaces the first only when one of both has given the first one up.
 */
import type { Hello } from './hello.ts'
import type { Use } from './link.ts'

/** What the node that chooses knows when a connection has said hello. */
export interface Situation {
  /** There is a link, and its peer was heard a moment ago. */
  readonly isHealthy: boolean
  /** Neither gone nor away: what waits in the channel may still be delivered. */
  readonly isReachable: boolean
  /** Of the link that is there or was there last. */
  readonly serial: number
  readonly life: string | undefined
  readonly epoch: number
  readonly channel: { readonly id: string; readonly knows: string | undefined; readonly received: number }
}

/** `use` it; `refuse` it with a sentence for the other side; or just `end` it. */
export type Choice = { readonly use: Use } | { readonly refuse: string } | { readonly end: string }

/**
 * Decides about one connection.
 * @param said what this node has said on it
 * @param theirs what the other one has said
 * @param nowMs milliseconds since 1970: serials of a later life of this node are higher
 */
export function choose(now: Situation, said: Hello, theirs: Hello, nowMs: number): Choice {
  const { channel } = now
  const refuse = secondProcess(now, theirs)
  if (refuse !== undefined) return { refuse }
  if (now.isHealthy && theirs.life === now.life && theirs.over < now.serial) return { end: 'there is a link already' }
  if (isStale(said, channel)) return { end: 'the channel has begun anew meanwhile' }
  const isSame = theirs.channel === channel.knows && (theirs.knows ?? channel.id) === channel.id
  const serial = Math.max(now.serial + 1, nowMs)
  return { use: { serial, isFresh: !now.isReachable || !isSame, received: channel.received } }
}

/** @returns a sentence when this can be no later life of the process that is linked now: two of them would take the link from each other for ever */
export function secondProcess(now: Situation, theirs: Hello): string | undefined {
  if (!now.isHealthy || theirs.life === now.life || theirs.epoch > now.epoch) return undefined
  return `a second Lanthorn says that it is ${theirs.name}: was its data folder copied?`
}

/** Whether a channel is another one than when this hello was said. */
export function isStale(said: Hello, channel: Situation['channel']): boolean {
  return said.channel !== channel.id || said.knows !== channel.knows
}
