/** Proves one element byte by byte while it arrives (XML 1.0, XML-NAMES, the restrictions of RFC 6120 §11.1) and notes what is on its top level. */

import type { Buffer } from 'node:buffer'
import * as characters from './characters.ts'
import { FramerError } from './framing-error.ts'
import { endOfPlainText, endOfWideText, readPlainStartTag } from './plain-tags.ts'
import type { StartTags } from './start-tags.ts'

// The compiler folds constants of this module into the code, imported ones it loads each time: a fifth of the time per stanza (measured).
const { EQUALS, EXCLAMATION, GREATER_THAN, HYPHEN, LESS_THAN, QUESTION, RIGHT_BRACKET, SLASH } = characters
const { NAME_COLON, NAME_NONE, NAME_WIDE, nameClass } = characters
const { BLANK, PLAIN, QUOTE, REFERENCE, WIDE, textClass, valueClass } = characters
const { codePointAt, isBlank, isNamePart, isNameStartAt, referenceLength, sequenceLength } = characters

// Where in the markup the next byte stands.
const CONTENT = 0
const AFTER_LESS_THAN = 1
const ELEMENT_NAME = 2
const AFTER_TOKEN = 3 // behind a name or a value in a start tag: a blank, '/' or '>' must follow
const BETWEEN_ATTRIBUTES = 4
const ATTRIBUTE_NAME = 5
const BEFORE_EQUALS = 6
const BEFORE_QUOTE = 7
const VALUE = 8
const AFTER_SLASH = 9
const END_NAME = 10
const AFTER_END_NAME = 11
const AFTER_EXCLAMATION = 12
const CDATA_KEYWORD = 13
const CDATA = 14

const CDATA_OPENING = Uint8Array.from('[CDATA[', character => character.charCodeAt(0))

/**
 * A resumable state machine: each byte is looked at once, however the bytes are cut into chunks (but for a UTF-8 sequence or a reference that was cut,
 * at most 32 bytes). All offsets it keeps are relative to the '<' of the element, so the bytes may move between two calls of `scan`.
 */
export class Scanner {
  /** True when the element (or, with `headerOnly`, its start tag) is complete. */
  isDone = false
  /** With `headerOnly`: whether the element ended with its start tag. */
  isEmpty = false
  readonly tags: StartTags
  #state = CONTENT
  #origin = 0
  #headerOnly = false
  // The name, value or keyword being read; relative offsets.
  #start = 0
  #colon = -1
  #quote = 0

  constructor(tags: StartTags) {
    this.tags = tags
  }

  /** Gets ready for an element whose '<' will be the first byte of the next scan. With `headerOnly` it stops behind the start tag. */
  begin(headerOnly: boolean): void {
    this.isDone = false
    this.#headerOnly = headerOnly
    this.#state = CONTENT
    this.tags.begin()
  }

  /**
   * Goes on with the element that begins at `origin` from `position` to at most `end`; returns where it stopped: behind the element when `isDone`,
   * else where to go on when more bytes are there. Throws FramerError.
   */
  scan(bytes: Buffer, origin: number, position: number, end: number): number {
    this.#origin = origin
    let at = position
    while (at < end && !this.isDone) {
      const next = this.#step(bytes, at, end)
      // A sequence or reference that is cut by the end of the bytes: read it again when more are there.
      if (next < 0) return ~next
      at = next
    }
    return at
  }

  #step(bytes: Buffer, at: number, end: number): number {
    switch (this.#state) {
      case CONTENT:
        return this.#content(bytes, at, end)
      case AFTER_LESS_THAN:
        return this.#afterLessThan(bytes, at)
      case ELEMENT_NAME:
        return this.#elementName(bytes, at, end)
      case AFTER_TOKEN:
      case BETWEEN_ATTRIBUTES:
        return this.#betweenAttributes(bytes, at, end)
      case ATTRIBUTE_NAME:
        return this.#attributeName(bytes, at, end)
      case BEFORE_EQUALS:
        return this.#beforeEquals(bytes, at, end)
      case BEFORE_QUOTE:
        return this.#beforeQuote(bytes, at, end)
      case VALUE:
        return this.#value(bytes, at, end)
      case AFTER_SLASH:
        return this.#afterSlash(bytes, at)
      case END_NAME:
        return this.#endName(bytes, at, end)
      case AFTER_END_NAME:
        return this.#afterEndName(bytes, at, end)
      case AFTER_EXCLAMATION:
        return this.#afterExclamation(bytes, at)
      case CDATA_KEYWORD:
        return this.#cdataKeyword(bytes, at)
      default:
        return this.#cdata(bytes, at, end)
    }
  }

  // Stays here as long as tags are complete and plain, which is nearly always.
  #content(bytes: Buffer, from: number, end: number): number {
    let at = from
    while (at < end) {
      at = endOfPlainText(bytes, at, end)
      if (at === end) return at
      const byte = bytes[at] as number
      if (byte === LESS_THAN) {
        const next = bytes[at + 1] === SLASH ? this.#plainEndTag(bytes, at, end) : this.#plainStartTag(bytes, at, end)
        if (next === at) {
          this.#state = AFTER_LESS_THAN
          return at + 1
        }
        if (this.isDone) return next
        at = next
      } else if (byte === GREATER_THAN) {
        // XML 1.0 §2.4. The bytes before a text are '>' or part of it, so looking back needs no bounds.
        if (bytes[at - 1] === RIGHT_BRACKET && bytes[at - 2] === RIGHT_BRACKET) throw malformed('"]]>" stands in text.')
        at++
      } else {
        if (byte >= 0x80) at = endOfWideText(bytes, at, end)
        if (at === end || (byte >= 0x80 && (bytes[at] as number) < 0x80)) continue
        const length = this.#special(bytes, at, end, textClass[bytes[at] as number] as number)
        if (length === 0) return ~at
        at += length
      }
    }
    return at
  }

  // An end tag that is whole, right and has no blanks; else returns `start` and leaves it to the states below.
  #plainEndTag(bytes: Buffer, start: number, end: number): number {
    const { tags } = this
    const length = tags.nameLength
    const close = start + 2 + length
    if (close >= end || bytes[close] !== GREATER_THAN || tags.depth === 0) return start
    const offset = this.#origin + tags.nameStart - start - 2
    for (let at = start + 2; at < close; at++) {
      if (bytes[at] !== bytes[at + offset]) return start
    }
    this.isDone = tags.leave(close + 1 - this.#origin)
    return close + 1
  }

  // The same for a start tag: faults, too, are left to the states below.
  #plainStartTag(bytes: Buffer, start: number, end: number): number {
    const close = readPlainStartTag(this.tags, bytes, this.#origin, start, end)
    if (close === start) return start
    this.#endStartTag(bytes, close, bytes[close - 1] === SLASH)
    return close + 1
  }

  // Length of the sequence or reference at this byte, 0 when it is unfinished.
  #special(bytes: Buffer, at: number, end: number, kind: number): number {
    if (kind === WIDE) return sequenceLength(bytes, at, end)
    if (kind === REFERENCE) return referenceLength(bytes, at, end)
    throw malformed(`The byte 0x${(bytes[at] as number).toString(16).padStart(2, '0')} is not allowed here.`)
  }

  #afterLessThan(bytes: Buffer, at: number): number {
    const byte = bytes[at] as number
    if (byte === SLASH) {
      if (this.tags.depth === 0) throw malformed('An end tag has no start tag.')
      this.#state = END_NAME
      this.#start = at + 1 - this.#origin
      return at + 1
    }
    if (byte === EXCLAMATION) {
      this.#state = AFTER_EXCLAMATION
      return at + 1
    }
    if (byte === QUESTION) throw restricted('Processing instructions')
    this.#beginName(at)
    this.#state = ELEMENT_NAME
    return at
  }

  #beginName(at: number): void {
    this.#start = at - this.#origin
    this.#colon = -1
  }

  // Returns where the name ends, or ~position when the bytes end inside it.
  #name(bytes: Buffer, from: number, end: number): number {
    let at = from
    while (at < end) {
      const byte = bytes[at] as number
      const kind = nameClass[byte] as number
      if (kind === NAME_NONE) {
        this.#proveName(bytes, at)
        return at
      }
      let length = 1
      if (kind === NAME_COLON) {
        if (this.#colon >= 0) throw malformed('A name has two colons.')
        this.#colon = at - this.#origin
      } else if (kind === NAME_WIDE) {
        length = sequenceLength(bytes, at, end)
        if (length === 0) break
        if (!isNamePart(codePointAt(bytes, at, length))) throw badName()
      }
      at += length
    }
    return ~at
  }

  #proveName(bytes: Buffer, end: number): void {
    const start = this.#origin + this.#start
    if (start === end || !isNameStartAt(bytes, start, end)) throw badName()
    if (this.#colon < 0) return
    const second = this.#origin + this.#colon + 1
    if (second === start + 1 || second === end || !isNameStartAt(bytes, second, end)) throw badName()
  }

  #elementName(bytes: Buffer, from: number, end: number): number {
    const at = this.#name(bytes, from, end)
    if (at >= 0) {
      this.tags.open(this.#start, at - this.#origin, this.#colon)
      this.#state = AFTER_TOKEN
    }
    return at
  }

  #betweenAttributes(bytes: Buffer, from: number, end: number): number {
    let at = from
    while (at < end) {
      const byte = bytes[at] as number
      if (byte === GREATER_THAN) {
        this.#endStartTag(bytes, at, false)
        return at + 1
      }
      if (byte === SLASH) {
        this.#state = AFTER_SLASH
        return at + 1
      }
      if (!isBlank(byte)) {
        if (this.#state === AFTER_TOKEN) throw malformed('A blank is missing between two attributes or behind a name.')
        this.#beginName(at)
        this.#state = ATTRIBUTE_NAME
        return at
      }
      this.#state = BETWEEN_ATTRIBUTES
      at++
    }
    return at
  }

  #attributeName(bytes: Buffer, from: number, end: number): number {
    const at = this.#name(bytes, from, end)
    if (at >= 0) {
      this.tags.attribute(this.#start, at - this.#origin, this.#colon)
      this.#state = BEFORE_EQUALS
    }
    return at
  }

  #beforeEquals(bytes: Buffer, from: number, end: number): number {
    for (let at = from; at < end; at++) {
      const byte = bytes[at] as number
      if (byte === EQUALS) {
        this.#state = BEFORE_QUOTE
        return at + 1
      }
      if (!isBlank(byte)) throw malformed('An attribute has no value.')
    }
    return end
  }

  #beforeQuote(bytes: Buffer, from: number, end: number): number {
    for (let at = from; at < end; at++) {
      const byte = bytes[at] as number
      if (valueClass[byte] === QUOTE) {
        this.#quote = byte
        this.#start = at + 1 - this.#origin
        this.#state = VALUE
        return at + 1
      }
      if (!isBlank(byte)) throw malformed('An attribute value has no quotes.')
    }
    return end
  }

  #value(bytes: Buffer, from: number, end: number): number {
    const quote = this.#quote
    let at = from
    while (at < end) {
      const byte = bytes[at] as number
      const kind = valueClass[byte] as number
      if (kind === PLAIN) {
        at++
      } else if (byte === quote) {
        this.tags.value(this.#start, at - this.#origin)
        this.#state = AFTER_TOKEN
        return at + 1
      } else if (kind === QUOTE) {
        at++
      } else {
        this.tags.isValuePlain = false
        const length = kind === BLANK ? 1 : this.#special(bytes, at, end, kind)
        if (length === 0) return ~at
        at += length
      }
    }
    return at
  }

  #afterSlash(bytes: Buffer, at: number): number {
    if (bytes[at] !== GREATER_THAN) throw malformed('A "/" in a tag is not followed by ">".')
    this.#endStartTag(bytes, at, true)
    return at + 1
  }

  #endStartTag(bytes: Buffer, at: number, isEmpty: boolean): void {
    this.tags.close(bytes, this.#origin)
    if (this.#headerOnly) {
      this.isDone = true
      this.isEmpty = isEmpty
      return
    }
    this.#state = CONTENT
    if (isEmpty) this.isDone = this.tags.leave(at + 1 - this.#origin)
  }

  #endName(bytes: Buffer, from: number, end: number): number {
    const length = this.tags.nameLength
    let known = this.#origin + this.tags.nameStart + from - this.#origin - this.#start
    const stop = this.#origin + this.tags.nameStart + length
    let at = from
    while (at < end && known < stop) {
      if (bytes[at] !== bytes[known]) throw malformed('An end tag does not match its start tag.')
      at++
      known++
    }
    if (known === stop) this.#state = AFTER_END_NAME
    return at
  }

  #afterEndName(bytes: Buffer, from: number, end: number): number {
    for (let at = from; at < end; at++) {
      const byte = bytes[at] as number
      if (byte === GREATER_THAN) {
        this.#state = CONTENT
        this.isDone = this.tags.leave(at + 1 - this.#origin)
        return at + 1
      }
      if (!isBlank(byte)) throw malformed('An end tag does not match its start tag.')
    }
    return end
  }

  #afterExclamation(bytes: Buffer, at: number): number {
    const byte = bytes[at] as number
    if (byte === HYPHEN) throw restricted('Comments')
    if (byte === 0x44) throw restricted('Document type declarations')
    if (this.tags.depth === 0) throw new FramerError('bad-format', 'Text stands between two stanzas.')
    this.#start = at - this.#origin
    this.#state = CDATA_KEYWORD
    return at
  }

  #cdataKeyword(bytes: Buffer, at: number): number {
    const index = at - this.#origin - this.#start
    if (bytes[at] !== CDATA_OPENING[index]) throw malformed('"<!" begins nothing that XML knows here.')
    if (index === CDATA_OPENING.length - 1) this.#state = CDATA
    return at + 1
  }

  #cdata(bytes: Buffer, from: number, end: number): number {
    let at = from
    while (at < end) {
      const byte = bytes[at] as number
      const kind = textClass[byte] as number
      if (byte === GREATER_THAN && bytes[at - 1] === RIGHT_BRACKET && bytes[at - 2] === RIGHT_BRACKET) {
        this.#state = CONTENT
        return at + 1
      }
      // '<' and '&' mean nothing in CDATA.
      const length = kind === WIDE || (kind !== PLAIN && byte < 0x20) ? this.#special(bytes, at, end, kind) : 1
      if (length === 0) return ~at
      at += length
    }
    return at
  }
}

function badName(): FramerError {
  return malformed('A name has a character that is not allowed in it, or none at all.')
}

function restricted(what: string): FramerError {
  return new FramerError('restricted-xml', `${what} are not allowed in XMPP.`)
}

function malformed(text: string): FramerError {
  return new FramerError('not-well-formed', text)
}
