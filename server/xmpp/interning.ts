/** Turns the bytes of short, often repeated words (element names, namespaces, JIDs) into strings without making the same string again and again. */

import type { Buffer } from 'node:buffer'

const SLOTS = 1024
const LENGTH_MAX = 96

/**
 * A cache of short ASCII strings: one slot per hash value, the newest word wins. It holds at most 1024 strings of 96 characters,
 * so a flood of new words makes it slower, never larger. What it returns is the same as without it.
 */
export class Interner {
  readonly #words: string[] = new Array<string>(SLOTS).fill('')
  // The bytes of each word: comparing bytes is three times faster than comparing characters of a string.
  readonly #bytes = new Uint8Array(SLOTS * LENGTH_MAX)

  /** The string of the ASCII bytes from `start` to `end` (end not included). */
  word(bytes: Buffer, start: number, end: number): string {
    const length = end - start
    if (length > LENGTH_MAX || length === 0) return bytes.toString('latin1', start, end)
    const slot = slotOf(bytes, start, end)
    const known = this.#words[slot] as string
    const kept = this.#bytes
    const offset = slot * LENGTH_MAX
    if (known.length === length) {
      let index = 0
      while (index < length && kept[offset + index] === bytes[start + index]) index++
      if (index === length) return known
    }
    const word = bytes.toString('latin1', start, end)
    this.#words[slot] = word
    for (let index = 0; index < length; index++) kept[offset + index] = bytes[start + index] as number
    return word
  }

  /** The string of any UTF-8 bytes; ASCII ones come from the cache. */
  text(bytes: Buffer, start: number, end: number): string {
    for (let index = start; index < end; index++) {
      if ((bytes[index] as number) >= 0x80) return bytes.toString('utf8', start, end)
    }
    return this.word(bytes, start, end)
  }
}

// The first eight bytes and the last four tell most words apart; where they do not, the cache only helps less.
function slotOf(bytes: Buffer, start: number, end: number): number {
  const length = end - start
  let hash = length
  const head = length > 12 ? start + 8 : end
  for (let index = start; index < head; index++) hash = (Math.imul(hash, 31) + (bytes[index] as number)) | 0
  if (length > 12) {
    for (let index = end - 4; index < end; index++) hash = (Math.imul(hash, 31) + (bytes[index] as number)) | 0
  }
  return (hash ^ (hash >>> 10) ^ (hash >>> 20)) & (SLOTS - 1)
}

/** The one cache that all framers of a process share; words repeat across connections, not within one. */
export const words = new Interner()
