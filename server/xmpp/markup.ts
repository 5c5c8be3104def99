/** Finds its way through markup that the framer has proved: where tags, attributes and children begin and end. Nothing is checked again. */

import { Buffer } from 'node:buffer'
import { EQUALS, EXCLAMATION, GREATER_THAN, isBlank, LESS_THAN, SLASH } from './characters.ts'
import { words } from './interning.ts'

/** One attribute of a start tag; offsets into the bytes, `end` behind the closing quote. */
export interface AttributeSpan {
  readonly name: string
  readonly start: number
  readonly valueStart: number
  readonly valueEnd: number
  readonly end: number
}

/** A start tag; `close` is where its '>' or '/>' stands, `end` is behind it. */
export interface StartTag {
  readonly name: string
  readonly nameEnd: number
  readonly attributes: readonly AttributeSpan[]
  readonly close: number
  readonly end: number
  readonly isEmpty: boolean
}

/** Reads the start tag whose '<' stands at `start`. */
export function readStartTag(bytes: Buffer, start: number): StartTag {
  const nameEnd = endOfName(bytes, start + 1)
  const attributes: AttributeSpan[] = []
  let position = skipBlanks(bytes, nameEnd)
  while (bytes[position] !== GREATER_THAN && bytes[position] !== SLASH && position < bytes.length) {
    const attribute = readAttribute(bytes, position)
    attributes.push(attribute)
    position = skipBlanks(bytes, attribute.end)
  }
  const isEmpty = bytes[position] === SLASH
  const name = words.text(bytes, start + 1, nameEnd)
  return { name, nameEnd, attributes, close: position, end: position + (isEmpty ? 2 : 1), isEmpty }
}

/** The local part of a qualified name. */
export function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}

/** The prefix of a qualified name, '' when it has none. */
export function prefixOf(name: string): string {
  return name.slice(0, Math.max(0, name.indexOf(':')))
}

/** The value of an attribute as XML means it: references resolved, white space normalised (XML 1.0 §3.3.3). */
export function decodeValue(bytes: Buffer, start: number, end: number): string {
  const text = words.text(bytes, start, end)
  return NEEDS_DECODING.test(text) ? decodeText(text.replace(/\r\n|[\t\n\r]/g, ' ')) : text
}

/** Resolves the references of proved text: the five predefined entities and character references. */
export function decodeText(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(
    /&(?:#(\d+)|#x([0-9A-Fa-f]+)|(\w+));/g,
    (_, decimal?: string, hexadecimal?: string, name?: string) => {
      if (decimal !== undefined) return String.fromCodePoint(Number.parseInt(decimal, 10))
      if (hexadecimal !== undefined) return String.fromCodePoint(Number.parseInt(hexadecimal, 16))
      return PREDEFINED[name ?? ''] ?? ''
    },
  )
}

const NEEDS_DECODING = /[&\t\n\r]/
const PREDEFINED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** Calls `found` with the start and end of each element directly between `position` and `end`; text and CDATA are passed over. */
export function eachElement(
  bytes: Buffer,
  position: number,
  end: number,
  found: (start: number, end: number) => void,
): void {
  let start = bytes.indexOf(LESS_THAN, position)
  while (start >= 0 && start < end && bytes[start + 1] !== SLASH) {
    const after = bytes[start + 1] === EXCLAMATION ? bytes.indexOf(']]>', start) + 3 : endOfElement(bytes, start)
    if (bytes[start + 1] !== EXCLAMATION) found(start, after)
    start = bytes.indexOf(LESS_THAN, after)
  }
}

/** Offset behind the element whose start tag's '<' stands at `start`. */
export function endOfElement(bytes: Buffer, start: number): number {
  let depth = 0
  let position = start
  do {
    const next = bytes[position + 1]
    if (next === EXCLAMATION) {
      position = bytes.indexOf(']]>', position) + 3
    } else {
      const end = endOfTag(bytes, position)
      if (next === SLASH) depth--
      else if (bytes[end - 2] !== SLASH) depth++
      position = end
    }
    if (depth > 0) position = bytes.indexOf(LESS_THAN, position)
  } while (depth > 0 && position >= 0)
  return position
}

// A '>' inside an attribute value does not end the tag.
function endOfTag(bytes: Buffer, start: number): number {
  let quote = 0
  for (let position = start + 1; position < bytes.length; position++) {
    const byte = bytes[position] as number
    if (quote !== 0) {
      if (byte === quote) quote = 0
    } else if (byte === GREATER_THAN) {
      return position + 1
    } else if (byte === 0x22 || byte === 0x27) {
      quote = byte
    }
  }
  return bytes.length
}

function readAttribute(bytes: Buffer, start: number): AttributeSpan {
  const nameEnd = endOfName(bytes, start)
  const quoteAt = skipBlanks(bytes, skipBlanks(bytes, nameEnd) + 1)
  const valueEnd = bytes.indexOf(bytes[quoteAt] as number, quoteAt + 1)
  return { name: words.text(bytes, start, nameEnd), start, valueStart: quoteAt + 1, valueEnd, end: valueEnd + 1 }
}

function endOfName(bytes: Buffer, start: number): number {
  let position = start
  for (; position < bytes.length; position++) {
    const byte = bytes[position] as number
    if (byte <= 0x20 || byte === GREATER_THAN || byte === SLASH || byte === EQUALS) break
  }
  return position
}

function skipBlanks(bytes: Buffer, start: number): number {
  let position = start
  while (isBlank(bytes[position] as number)) position++
  return position
}

/** A copy of the bytes without these attributes of the start tag (and the white space before each). */
export function withoutSpans(bytes: Buffer, tag: StartTag, spans: readonly AttributeSpan[]): Buffer {
  const pieces: Buffer[] = []
  let position = 0
  for (const span of spans) {
    let start = span.start
    while (start > tag.nameEnd && isBlank(bytes[start - 1] as number)) start--
    pieces.push(bytes.subarray(position, start))
    position = span.end
  }
  pieces.push(bytes.subarray(position))
  return Buffer.concat(pieces)
}
