/** The words of a spelling: those that say something, those that change nothing for us, those that ask for what we do not have. */
import { editDistance, nearestTo } from '../../nearest.ts'
import type { Setting } from './draft.ts'
import { atCharacter, DatabaseUrlFault } from './fault.ts'

/** A spelling's words, each as its own documentation writes it. */
export interface Words {
  readonly known: Readonly<Record<string, Setting>>
  /** Read and not looked at; with a list: these values only (small letters), because another one would change what we do. */
  readonly harmless: Readonly<Record<string, true | readonly string[]>>
  /** Refused: what it asks for, as the end of “… asks for”. */
  readonly refused: Readonly<Record<string, string>>
}

/** Finds the meaning of a word. */
export interface Vocabulary {
  /**
   * The setting that `name` stands for; undefined for a word that changes nothing.
   * @param at where the word begins
   * @throws DatabaseUrlFault that names the word or the nearest known one
   */
  meaningOf(name: string, value: string, at: number): Setting | undefined
  /** Whether the word is one of this spelling, whatever it does. */
  has(name: string): boolean
}

/**
 * A vocabulary of words.
 * @param fold what makes two ways of writing a word the same (small letters, no spaces)
 */
export function makeVocabulary(words: Words, fold: (name: string) => string): Vocabulary {
  const known = new Map(Object.entries(words.known).map(([name, setting]) => [fold(name), setting]))
  const harmless = new Map(Object.entries(words.harmless).map(([name, values]) => [fold(name), { name, values }]))
  const refused = new Map(Object.entries(words.refused).map(([name, what]) => [fold(name), { name, what }]))
  return {
    has: name => known.has(fold(name)) || harmless.has(fold(name)) || refused.has(fold(name)),
    meaningOf(name, value, at) {
      const word = fold(name)
      const setting = known.get(word)
      if (setting) return setting
      const nothing = harmless.get(word)
      if (nothing && (nothing.values === true || nothing.values.includes(value.toLowerCase()))) return undefined
      if (nothing && nothing.values !== true) {
        throw new DatabaseUrlFault(
          `The database URL has ${nothing.name} ${atCharacter(at)}, of which only ${nothing.values.join(', ')} can be used here: take it away.`,
          at,
        )
      }
      const asked = refused.get(word)
      if (asked) {
        throw new DatabaseUrlFault(
          `The database URL has ${asked.name} ${atCharacter(at)}, which asks for ${asked.what}.`,
          at,
        )
      }
      throw unknownWord(name, Object.keys(words.known), at)
    },
  }
}

/** Names the nearest known word when one is near, else all; never what was written, which may be a part of a password. */
function unknownWord(name: string, known: readonly string[], at: number): DatabaseUrlFault {
  const nearest = nearestTo(name, known)
  const isNear = nearest !== undefined && editDistance(name, nearest) <= Math.max(2, nearest.length / 3)
  const help = isNear ? `did you mean "${nearest}"?` : `known are ${known.join(', ')}.`
  return new DatabaseUrlFault(`The database URL has a parameter ${atCharacter(at)} that is not known; ${help}`, at)
}
