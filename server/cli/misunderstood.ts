/** What is said when the command line cannot be understood. */
import { editDistance } from '../nearest.ts'

/** What was typed cannot be understood; the message is a sentence. */
export interface Misunderstood {
  name: 'misunderstood'
  sentence: string
}

/** Makes one of a sentence. */
export const misunderstood = (sentence: string): Misunderstood => ({ name: 'misunderstood', sentence })

/** The end of a sentence that offers the nearest known word, if one is near. */
export function nearest(typed: string, words: readonly string[]): string {
  const [best] = words.toSorted((a, b) => editDistance(typed, a) - editDistance(typed, b))
  const isNear = best !== undefined && editDistance(typed, best) <= Math.max(2, Math.floor(typed.length / 3))
  return isNear ? `; the nearest is ${best}` : `; see --help`
}
