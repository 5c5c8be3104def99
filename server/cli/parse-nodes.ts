/** The grammar of `nodes`, `join-code`, `join` and `drain`: the PCs of the office. */
import { pauseMinutesMax } from '../admin/contract/desktop.ts'
import { type Misunderstood, misunderstood } from './misunderstood.ts'
import type { Common, Values } from './parse-database.ts'

export type NodesCommand = { name: 'nodes'; isDiscovery: boolean } & Common
export type JoinCodeCommand = { name: 'join-code' } & Common
/** `to`: a join code, or the address of a PC of the office; `-` stands for a code on standard input. */
export type JoinCommand = { name: 'join'; to: string } & Common
/** `node` undefined: the PC itself. `minutes` undefined: until it is resumed. */
export type DrainCommand = { name: 'drain'; node?: string; isResumed: boolean; minutes?: number } & Common

/** `nodes [--discover]`. */
export function parseNodes(common: Common, values: Values, [stray]: readonly string[]): NodesCommand | Misunderstood {
  if (stray !== undefined) return misunderstood(`nodes takes no name, but there is ${stray} behind it.`)
  return { name: 'nodes', ...common, isDiscovery: values.discover === true }
}

/** `join-code`. */
export function parseJoinCode(common: Common, [stray]: readonly string[]): JoinCodeCommand | Misunderstood {
  if (stray !== undefined)
    return misunderstood(`join-code takes no name: it makes a code; join CODE is said on the other PC.`)
  return { name: 'join-code', ...common }
}

/** `join CODE | join ADDRESS`. */
export function parseJoin(common: Common, [to, stray]: readonly string[]): JoinCommand | Misunderstood {
  if (to === undefined) return misunderstood('join needs a join code behind it, or the address of a PC of the office.')
  if (stray !== undefined) return misunderstood(`join takes one code or address, but there is ${stray} behind it.`)
  return { name: 'join', ...common, to }
}

/** `drain [NAME] [--resume]`, `drain --minutes N`. */
export function parseDrain(
  common: Common,
  values: Values,
  [node, stray]: readonly string[],
): DrainCommand | Misunderstood {
  if (stray !== undefined) return misunderstood(`drain takes the name of one PC, but there is ${stray} behind it.`)
  const isResumed = values.resume === true
  if (values.minutes === undefined) return { name: 'drain', ...common, ...(node !== undefined && { node }), isResumed }
  const minutes = Number(values.minutes)
  if (!Number.isInteger(minutes) || minutes < 1 || minutes > pauseMinutesMax)
    return misunderstood(`--minutes needs a number from 1 to ${pauseMinutesMax} behind it.`)
  if (node !== undefined || isResumed)
    return misunderstood('--minutes is for this PC alone: without a name, without --resume.')
  return { name: 'drain', ...common, isResumed, minutes }
}
