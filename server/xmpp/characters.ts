/** Which bytes and code points XML 1.0 allows where: tables and checks for the scanner (XML 1.0 §2.2 Char, §2.3 Name; RFC 3629 UTF-8). */

import { FramerError } from './framing-error.ts'

export const TAB = 0x09
export const LINE_FEED = 0x0a
export const CARRIAGE_RETURN = 0x0d
export const SPACE = 0x20
export const EXCLAMATION = 0x21
export const DOUBLE_QUOTE = 0x22
export const AMPERSAND = 0x26
export const SINGLE_QUOTE = 0x27
export const HYPHEN = 0x2d
export const SLASH = 0x2f
export const COLON = 0x3a
export const SEMICOLON = 0x3b
export const LESS_THAN = 0x3c
export const EQUALS = 0x3d
export const GREATER_THAN = 0x3e
export const QUESTION = 0x3f
export const RIGHT_BRACKET = 0x5d

/** What a byte means inside a name. */
export const NAME_NONE = 0
export const NAME_PART = 1
export const NAME_START = 2
export const NAME_COLON = 3
export const NAME_WIDE = 4

/** What a byte means inside text and attribute values; PLAIN bytes are passed over without a second look. */
export const PLAIN = 0
export const QUOTE = 1
export const BLANK = 2
export const REFERENCE = 3
export const WIDE = 4
export const MARKUP = 5
export const FORBIDDEN = 6

/** Class of each byte in a name: NAME_START and NAME_PART by XML 1.0 §2.3, the colon apart (XML-NAMES §4), NAME_WIDE begins a UTF-8 sequence. */
export const nameClass = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte)
  if (byte >= 0x80) return NAME_WIDE
  if (byte === COLON) return NAME_COLON
  if (/[A-Za-z_]/.test(character)) return NAME_START
  return /[-.0-9]/.test(character) ? NAME_PART : NAME_NONE
})

/** Class of each byte in character data: '<', '&' and '>' (because of `]]>`) need a look, C0 controls but tab, LF, CR are forbidden. */
export const textClass = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0x80) return WIDE
  if (byte === AMPERSAND) return REFERENCE
  if (byte === LESS_THAN || byte === GREATER_THAN) return MARKUP
  return byte < SPACE && !isBlank(byte) ? FORBIDDEN : PLAIN
})

/** Class of each byte in an attribute value: as text, but '<' is forbidden, '>' is plain, quotes end it, blanks are normalised (XML 1.0 §3.3.3). */
export const valueClass = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE) return QUOTE
  if (byte === LESS_THAN) return FORBIDDEN
  if (byte === GREATER_THAN || byte === SPACE) return PLAIN
  return isBlank(byte) ? BLANK : (textClass[byte] as number)
})

/** White space by XML 1.0 §2.3: space, tab, line feed, carriage return. */
export function isBlank(byte: number): boolean {
  return byte === SPACE || byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === TAB
}

/**
 * Proves the UTF-8 sequence that begins at `position` (a byte ≥ 0x80): strict by RFC 3629 §4, and an XML 1.0 Char.
 * Returns its length in bytes (2 to 4), or 0 when it is unfinished at `end`. Throws FramerError: unsupported-encoding for bytes that are not UTF-8
 * (overlong, surrogate, above U+10FFFF, cut short), not-well-formed for U+FFFE and U+FFFF.
 */
export function sequenceLength(bytes: Uint8Array, position: number, end: number): number {
  const lead = bytes[position] as number
  const length = lead < 0xc2 ? -1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : -1
  if (length < 0) throw notUtf8()
  if (position + 1 >= end) return 0
  const second = bytes[position + 1] as number
  // RFC 3629 §4: the second byte is what tells overlong forms, surrogates and values above U+10FFFF apart.
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  if (second < low || second > high) throw notUtf8()
  if (length === 2) return 2
  for (let offset = 2; offset < length; offset++) {
    if (position + offset >= end) return 0
    if (((bytes[position + offset] as number) & 0xc0) !== 0x80) throw notUtf8()
  }
  if (lead === 0xef && second === 0xbf && (bytes[position + 2] as number) >= 0xbe) {
    throw new FramerError('not-well-formed', 'U+FFFE and U+FFFF are not allowed in XML.')
  }
  return length
}

/** The code point of a sequence that sequenceLength has proved. `length` is what it returned, or 1 for an ASCII byte. */
export function codePointAt(bytes: Uint8Array, position: number, length: number): number {
  let codePoint = bytes[position] as number
  if (length > 1) codePoint &= 0xff >> (length + 1)
  for (let offset = 1; offset < length; offset++) {
    codePoint = (codePoint << 6) | ((bytes[position + offset] as number) & 0x3f)
  }
  return codePoint
}

/** XML 1.0 §2.2: Char. Used for character references, which can name any number. */
export function isCharacter(codePoint: number): boolean {
  if (codePoint < SPACE) return isBlank(codePoint)
  return (
    codePoint <= 0xd7ff ||
    (codePoint >= 0xe000 && codePoint <= 0xfffd) ||
    (codePoint >= 0x10000 && codePoint <= 0x10ffff)
  )
}

/** XML 1.0 §2.3: NameStartChar without the colon. */
function isNameStart(codePoint: number): boolean {
  if (codePoint < 0x80) return nameClass[codePoint] === NAME_START
  return (
    (codePoint >= 0xc0 && codePoint <= 0x2ff && codePoint !== 0xd7 && codePoint !== 0xf7) ||
    (codePoint >= 0x370 && codePoint <= 0x1fff && codePoint !== 0x37e) ||
    codePoint === 0x200c ||
    codePoint === 0x200d ||
    (codePoint >= 0x2070 && codePoint <= 0x218f) ||
    (codePoint >= 0x2c00 && codePoint <= 0x2fef) ||
    (codePoint >= 0x3001 && codePoint <= 0xd7ff) ||
    (codePoint >= 0xf900 && codePoint <= 0xfdcf) ||
    (codePoint >= 0xfdf0 && codePoint <= 0xfffd) ||
    (codePoint >= 0x10000 && codePoint <= 0xeffff)
  )
}

/** Whether a name may begin with the character at this offset; wide ones have been proved by sequenceLength. */
export function isNameStartAt(bytes: Uint8Array, position: number, end: number): boolean {
  const byte = bytes[position] as number
  if (byte < 0x80) return nameClass[byte] === NAME_START
  return isNameStart(codePointAt(bytes, position, sequenceLength(bytes, position, end)))
}

/** XML 1.0 §2.3: NameChar without the colon. */
export function isNamePart(codePoint: number): boolean {
  if (codePoint < 0x80) return nameClass[codePoint] === NAME_START || nameClass[codePoint] === NAME_PART
  return (
    isNameStart(codePoint) ||
    codePoint === 0xb7 ||
    (codePoint >= 0x300 && codePoint <= 0x36f) ||
    codePoint === 0x203f ||
    codePoint === 0x2040
  )
}

// A reference longer than this is refused: leading zeros are legal in XML without end, and nobody writes them.
const REFERENCE_BYTES_MAX = 32

/**
 * Proves the reference that begins with '&' at `position`: one of the five predefined entities, or a character reference to an XML Char.
 * Returns its length in bytes with the semicolon, or 0 when it is unfinished at `end`.
 * Throws FramerError: restricted-xml for other entities (RFC 6120 §11.1), not-well-formed for anything else.
 */
export function referenceLength(bytes: Uint8Array, position: number, end: number): number {
  const known = predefinedLength(bytes, position, end)
  if (known > 0) return known
  const stop = Math.min(end, position + REFERENCE_BYTES_MAX)
  let last = position + 1
  for (; last < stop; last++) {
    const byte = bytes[last] as number
    if (byte === SEMICOLON) break
    const kind = nameClass[byte] as number
    if (kind === NAME_NONE && byte !== 0x23)
      throw new FramerError('not-well-formed', 'An "&" is not followed by a reference.')
  }
  if (last === stop) {
    if (stop === position + REFERENCE_BYTES_MAX) throw new FramerError('not-well-formed', 'A reference is too long.')
    return 0
  }
  const name = String.fromCharCode(...bytes.subarray(position + 1, last))
  if (name !== 'amp' && name !== 'lt' && name !== 'gt' && name !== 'quot' && name !== 'apos')
    proveCharacterReference(name)
  return last + 1 - position
}

const PREDEFINED = ['&amp;', '&lt;', '&gt;', '&quot;', '&apos;'].map(text =>
  Uint8Array.from(text, character => character.charCodeAt(0)),
)

// Length of the predefined entity at this position, 0 when there is none that is whole.
function predefinedLength(bytes: Uint8Array, position: number, end: number): number {
  for (const entity of PREDEFINED) {
    let index = 1
    while (index < entity.length && bytes[position + index] === entity[index]) index++
    if (index === entity.length) return position + index <= end ? index : 0
  }
  return 0
}

function proveCharacterReference(name: string): void {
  const digits = /^#(?:([0-9]+)|x([0-9A-Fa-f]+))$/.exec(name)
  if (digits === null) {
    if (/^[A-Za-z_][-.\w]*$/.test(name)) {
      throw new FramerError('restricted-xml', `The entity "&${name};" is not one of the five that XMPP allows.`)
    }
    throw new FramerError('not-well-formed', 'An "&" is not followed by a reference.')
  }
  const codePoint = digits[1] === undefined ? Number.parseInt(digits[2] ?? '', 16) : Number.parseInt(digits[1], 10)
  if (!isCharacter(codePoint))
    throw new FramerError('not-well-formed', `"&${name};" is not a character that XML allows.`)
}

function notUtf8(): FramerError {
  return new FramerError('unsupported-encoding', 'The bytes are not UTF-8.')
}
