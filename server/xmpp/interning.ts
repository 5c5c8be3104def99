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

  /** The string of the ASCII bytes from `start` to `end` (end not included). */
  word(bytes: Buffer, start: number, end: number): string {
    const length = end - start
    if (length > LENGTH_MAX) return bytes.toString('latin1', start, end)
    let hash = length
    for (let index = start; index < end; index++) hash = (Math.imul(hash, 31) + (bytes[index] as number)) | 0
    return this.hashed(bytes, start, end, hash)
  }

  /** The same when a hash of the bytes is known already. */
  hashed(bytes: Buffer, start: number, end: number, hash: number): string {
    const slot = (hash ^ (hash >>> 10) ^ (hash >>> 20)) & (SLOTS - 1)
    const known = this.#words[slot] as string
    if (known.length === end - start && isSame(known, bytes, start)) return known
    const word = bytes.toString('latin1', start, end)
    if (word.length <= LENGTH_MAX) this.#words[slot] = word
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

function isSame(word: string, bytes: Buffer, start: number): boolean {
  for (let index = 0; index < word.length; index++) {
    if (word.charCodeAt(index) !== bytes[start + index]) return false
  }
  return true
}

/** The one cache that all framers of a process share; words repeat across connections, not within one. */
export const words = new Interner()
