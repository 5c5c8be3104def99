/** Percent-encoding in URLs, as libpq reads it: every byte but NUL, UTF-8, a plus sign is a plus sign. */
import type { Item } from './draft.ts'
import { atCharacter, DatabaseUrlFault } from './fault.ts'

/**
 * Decodes the %XX of a piece.
 * @param part what it is, for the sentence: “password”
 * @param plus what a plus sign means: Java's URLs write a space so
 * @throws DatabaseUrlFault
 */
export function decodePercent(item: Item, part: string, plus: '+' | ' ' = '+'): string {
  const text = plus === ' ' ? item.text.replaceAll('+', ' ') : item.text
  const wrong = text.search(/%(?![0-9a-f]{2})/i)
  if (wrong >= 0) {
    const at = item.at + wrong
    throw new DatabaseUrlFault(
      `The ${part} in the database URL has a % that begins no code ${atCharacter(at)}: write a plain % as %25.`,
      at,
    )
  }
  const nul = text.indexOf('%00')
  try {
    if (nul < 0) return decodeURIComponent(text)
  } catch {
    // The codes are whole but their bytes are no UTF-8: said below, without what was written.
  }
  const at = item.at + (nul < 0 ? text.indexOf('%') : nul)
  throw new DatabaseUrlFault(
    `The ${part} in the database URL has a % code ${atCharacter(at)} that stands for no character: codes are those of UTF-8, %C3%A9 for é.`,
    at,
  )
}

/** Encodes everything but letters, digits and - . _ ~, so that the result stands safely in URLs, shells and configuration files. */
export function encodePercent(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
