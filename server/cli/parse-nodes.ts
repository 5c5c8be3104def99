/** The grammar of `nodes`, `join-code`, `join` and `drain`: the PCs of the office. */
import { type Misunderstood, misunderstood } from './misunderstood.ts'
import type { Common, Values } from './parse-database.ts'

export type NodesCommand = { name: 'nodes'; isDiscovery: boolean } & Common
export type JoinCodeCommand = { name: 'join-code' } & Common
/** `to`: a join code, or the address of a PC of the office; `-` stands for a code on standard input. */
export type JoinCommand = { name: 'join'; to: string } & Common
/** `node` undefined: the PC itself. */
export type DrainCommand = { name: 'drain'; node?: string; isResumed: boolean } & Common

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

/** `drain [NAME] [--resume]`. */
export function parseDrain(
  common: Common,
  values: Values,
  [node, stray]: readonly string[],
): DrainCommand | Misunderstood {
  if (stray !== undefined) return misunderstood(`drain takes the name of one PC, but there is ${stray} behind it.`)
  return { name: 'drain', ...common, ...(node !== undefined && { node }), isResumed: values.resume === true }
}
