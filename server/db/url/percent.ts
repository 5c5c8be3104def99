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
  const broken = [...text.matchAll(/(?:%[0-9a-f]{2})+/gi)].find(([codes]) => !isText(codes))
  if (broken) {
    const at = item.at + broken.index
    throw new DatabaseUrlFault(
      `The ${part} in the database URL has a % code ${atCharacter(at)} that stands for no character: codes are those of UTF-8, %C3%A9 for é.`,
      at,
    )
  }
  return decodeURIComponent(text)
}

/** Whether a row of codes is UTF-8 without NUL. */
function isText(codes: string): boolean {
  try {
    return !decodeURIComponent(codes).includes('\0')
  } catch {
    return false // decodeURIComponent throws for bytes that are no UTF-8, and for nothing else here
  }
}

/** Encodes everything but letters, digits and - . _ ~, so that the result stands safely in URLs, shells and configuration files. */
export function encodePercent(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
