/** The short way through what nearly all traffic is made of: text and start tags that are whole, ASCII and without references. */

import type { Buffer } from 'node:buffer'
import * as characters from './characters.ts'
import type { StartTags } from './start-tags.ts'

// The compiler folds constants of this module into the code, imported ones it loads each time: a fifth of the time per stanza (measured).
const { EQUALS, GREATER_THAN, SLASH, SPACE } = characters
const { NAME_COLON, NAME_NONE, NAME_PART, NAME_START, nameClass } = characters
const { PLAIN, QUOTE, textClass, valueClass } = characters

/**
 * Reads the start tag whose '<' stands at `start` into `tags` and returns the offset of its '>'. Whatever is not plain (cut off at `end`, wide characters,
 * references, blanks other than spaces, faults) returns `start`: the scanner then reads the tag again, state by state. `origin` is where the stanza begins.
 */
export function readPlainStartTag(tags: StartTags, bytes: Buffer, origin: number, start: number, end: number): number {
  const nameEnd = endOfPlainName(tags, bytes, origin, start + 1, end)
  if (nameEnd < 0) return start
  tags.open(start + 1 - origin, nameEnd - origin, tags.plainColon)
  let at = nameEnd
  for (;;) {
    const byte = bytes[at] as number
    if (byte === GREATER_THAN) return at
    if (byte === SLASH) return at + 1 < end && bytes[at + 1] === GREATER_THAN ? at + 1 : start
    if (byte !== SPACE) return start
    do at++
    while (at < end && bytes[at] === SPACE)
    if (nameClass[bytes[at] as number] === NAME_START) at = readPlainAttribute(tags, bytes, origin, at, end)
    if (at < 0 || at >= end) return start
  }
}

/** Where the run of plain text ends that begins at `from`. Text and Base64 come in long runs: eight bytes a turn. */
export function endOfPlainText(bytes: Buffer, from: number, end: number): number {
  let at = from
  for (const stop = end - 8; at <= stop; at += 8) {
    const kinds =
      (textClass[bytes[at] as number] as number) |
      (textClass[bytes[at + 1] as number] as number) |
      (textClass[bytes[at + 2] as number] as number) |
      (textClass[bytes[at + 3] as number] as number) |
      (textClass[bytes[at + 4] as number] as number) |
      (textClass[bytes[at + 5] as number] as number) |
      (textClass[bytes[at + 6] as number] as number) |
      (textClass[bytes[at + 7] as number] as number)
    if (kinds !== PLAIN) break
  }
  while (at < end && textClass[bytes[at] as number] === PLAIN) at++
  return at
}

/**
 * Where the run of UTF-8 sequences ends that begins at `from`, as far as they are the two and three bytes long ones of living languages
 * (U+0080 to U+07FF, U+1000 to U+CFFF); what comes next may still be a sequence.
 */
export function endOfWideText(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at + 2 < end) {
    const lead = bytes[at] as number
    const second = bytes[at + 1] as number
    if ((second & 0xc0) !== 0x80) return at
    if (lead >= 0xc2 && lead <= 0xdf) at += 2
    else if (lead >= 0xe1 && lead <= 0xec && ((bytes[at + 2] as number) & 0xc0) === 0x80) at += 3
    else return at
  }
  return at
}

// Returns the offset behind the closing quote, which is at most `end`, or -1.
function readPlainAttribute(tags: StartTags, bytes: Buffer, origin: number, start: number, end: number): number {
  const nameEnd = endOfPlainName(tags, bytes, origin, start, end)
  if (nameEnd < 0 || nameEnd + 1 >= end || bytes[nameEnd] !== EQUALS) return -1
  const quote = bytes[nameEnd + 1] as number
  if (valueClass[quote] !== QUOTE) return -1
  const valueStart = nameEnd + 2
  let at = valueStart
  for (; at < end; at++) {
    const byte = bytes[at] as number
    const kind = valueClass[byte] as number
    if (kind === PLAIN) continue
    if (byte === quote) break
    if (kind !== QUOTE) return -1
  }
  if (at >= end) return -1
  tags.attribute(start - origin, nameEnd - origin, tags.plainColon)
  tags.value(valueStart - origin, at - origin)
  return at + 1
}

// Returns where an ASCII name ends, which is before `end`, or -1 for anything else; its colon is noted in `tags.plainColon`.
function endOfPlainName(tags: StartTags, bytes: Buffer, origin: number, start: number, end: number): number {
  if (start >= end || nameClass[bytes[start] as number] !== NAME_START) return -1
  let colon = -1
  for (let at = start; at < end; at++) {
    const kind = nameClass[bytes[at] as number] as number
    if (kind === NAME_START || kind === NAME_PART) continue
    if (kind === NAME_NONE) {
      tags.plainColon = colon
      return at
    }
    if (kind !== NAME_COLON || colon >= 0 || at + 1 === end) return -1
    if (nameClass[bytes[at + 1] as number] !== NAME_START) return -1
    colon = at - origin
  }
  return -1
}
