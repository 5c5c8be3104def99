/** Whether two programs can carry one office: neighbouring versions can, others are told so before anything else. */
import { areNeighbours, numbersOf } from '../../versions.ts'

/** Of the conversation on `lanthorn-join`. */
export const joinProtocol = 1

/** What one side runs. */
export interface Running {
  readonly protocol: number
  /** Of the program: '0.1.0'. */
  readonly version: string
}

/**
 * What speaks against two versions in one office, as a sentence with both and what to do. Undefined when nothing does: the same
 * first number, and the second one at most one apart.
 * @param there what the other one runs, and what it is called: 'FRONT-DESK'
 * @param here what this one runs
 */
export function versionTrouble(there: Running & { readonly name: string }, here: Running): string | undefined {
  const [theirs, ours] = [numbersOf(there.version), numbersOf(here.version)]
  if (areNeighbours(there.version, here.version) && there.protocol === here.protocol) return undefined
  const both = `${there.name} runs Lanthorn ${there.version}, this PC runs ${here.version}`
  if (!theirs || !ours) return `${both}: whether they work together cannot be told. Install the same version on both.`
  const isOlderHere =
    ours[0] < theirs[0] ||
    (ours[0] === theirs[0] && (ours[1] < theirs[1] || (ours[1] === theirs[1] && here.protocol < there.protocol)))
  const update = isOlderHere ? `Update this PC to ${there.version}` : `Update ${there.name} to ${here.version}`
  return `${both}: these are too far apart to carry one office. ${update}, then try again.`
}
