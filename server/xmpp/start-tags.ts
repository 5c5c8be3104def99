/** What the scanner knows of the elements that are open: names, attributes, namespaces (XML-NAMES), and the header and children of a stanza. */

import { Buffer } from 'node:buffer'
import { FramerError } from './framing-error.ts'
import { words } from './interning.ts'
import { decodeValue } from './markup.ts'
import { NS_CLIENT, NS_XML, NS_XMLNS } from './namespaces.ts'
import { Scope } from './scope.ts'
import { type ChildIndex, kindOf } from './stanza.ts'

/** What one element may cost. `stanzaBytes` counts from '<' to '>' of a first-level element or a stream header. */
export interface FramerLimits {
  readonly stanzaBytes: number
  /** Nesting; the stanza itself is 1. */
  readonly depth: number
  readonly attributesPerElement: number
  /** Prefix declarations in scope at one place, those of the stream header included. */
  readonly prefixes: number
  /** Direct children of a stanza. */
  readonly children: number
}

export const LIMITS: FramerLimits = {
  stanzaBytes: 262_144,
  depth: 100,
  attributesPerElement: 256,
  prefixes: 64,
  children: 1000,
}

// Open elements: start and end of the name, prefixes in scope outside.
const OPEN_FIELDS = 3
// Attributes of the start tag being read: name start, name end, colon or -1, value start, value end, 1 when the value needs no decoding.
const FIELDS = 6
const NAME_END = 1
const NAME_COLON = 2
const VALUE_START = 3
const VALUE_END = 4
const IS_PLAIN = 5
const TYPE = fourOf('type')
const FROM = fourOf('from')
const VERS = fourOf('vers')
const SION = fourOf('sion')
const LANG = fourOf('lang')
const XMLN = fourOf('xmln')
const XML_COLON = fourOf('xml:')
const USUAL_ATTRIBUTES = 8
const USUAL_DEPTH = 8

/** Start tags of one element that is being scanned. Offsets are relative to its '<'. What it holds is reused for the next element. */
export class StartTags {
  limits: FramerLimits
  readonly scope = new Scope()
  /** The default namespace around first-level elements. */
  outerDefaultNs = ''
  depth = 0
  /** Where the name of the innermost open element stands. */
  nameStart = 0
  nameLength = 0
  /** Where the colon of the name that plain-tags.ts read last stands, or -1. */
  plainColon = -1
  /** False as soon as the value being read has a reference, non-ASCII or white space to normalise. */
  isValuePlain = true

  // The first-level element.
  name = ''
  prefix = ''
  ns = ''
  nameEnd = 0
  /** Its own default namespace declaration, undefined when it has none; and where that attribute ends, 0 when there is none. */
  declaredNs: string | undefined
  xmlnsStart = 0
  xmlnsEnd = 0
  to: string | undefined
  from: string | undefined
  /** Decoded only when it is not plain; else it stands from `idStart` to `idEnd`. */
  id: string | undefined
  idStart = 0
  idEnd = 0
  type: string | undefined
  lang: string | undefined
  version: string | undefined
  children: ChildIndex[] = []
  /** Declarations of the stream header that this element uses, as bits by their index in the scope. */
  usedOuter = 0

  #outerPrefixes = 0
  #open = new Int32Array(OPEN_FIELDS * USUAL_DEPTH)
  #attributes = new Int32Array(FIELDS * USUAL_ATTRIBUTES)
  #count = 0
  #colon = -1
  #pendingStart = 0
  #pendingEnd = 0
  #childDefaultNs = ''
  #childName = ''
  #childNs = ''
  #childStart = 0

  constructor(limits: FramerLimits) {
    this.limits = limits
  }

  /** Forgets the last element; declarations of the stream header stay. */
  begin(): void {
    this.depth = 0
    this.#count = 0
    this.children = []
    this.usedOuter = 0
    this.isValuePlain = true
    this.scope.truncate(this.#outerPrefixes)
    if (this.#attributes.length > FIELDS * USUAL_ATTRIBUTES * 4)
      this.#attributes = new Int32Array(FIELDS * USUAL_ATTRIBUTES)
  }

  /** Makes the element just scanned (a stream header) the surroundings of those that follow. */
  enter(): void {
    this.outerDefaultNs = this.declaredNs ?? ''
    this.#outerPrefixes = this.scope.size
  }

  /** Forgets the surroundings: a new stream header comes. */
  reset(): void {
    this.outerDefaultNs = ''
    this.#outerPrefixes = 0
    this.begin()
  }

  /** The name of a start tag was read. */
  open(start: number, end: number, colon: number): void {
    this.#pendingStart = start
    this.#pendingEnd = end
    this.#colon = colon
    this.#count = 0
  }

  /** The name of an attribute was read. */
  attribute(start: number, end: number, colon: number): void {
    if (this.#count === this.limits.attributesPerElement) {
      throw new FramerError('policy-violation', `An element has more than ${this.#count} attributes.`)
    }
    const at = this.#count++ * FIELDS
    if (at === this.#attributes.length) this.#attributes = grown(this.#attributes)
    const attributes = this.#attributes
    attributes[at] = start
    attributes[at + NAME_END] = end
    attributes[at + NAME_COLON] = colon
    this.isValuePlain = true
  }

  /** The value of the last attribute was read. */
  value(start: number, end: number): void {
    const at = (this.#count - 1) * FIELDS
    this.#attributes[at + VALUE_START] = start
    this.#attributes[at + VALUE_END] = end
    this.#attributes[at + IS_PLAIN] = this.isValuePlain ? 1 : 0
  }

  /** A start tag is complete: proves its attributes unique and its prefixes declared, and notes what is on the first two levels. */
  close(bytes: Buffer, origin: number): void {
    const { scope } = this
    if (this.depth >= this.limits.depth) {
      throw new FramerError('policy-violation', `Elements are nested deeper than ${this.limits.depth}.`)
    }
    const at = this.depth++ * OPEN_FIELDS
    if (at === this.#open.length) this.#open = grown(this.#open)
    this.#open[at] = this.nameStart = this.#pendingStart
    this.#open[at + 1] = this.#pendingEnd
    this.#open[at + 2] = scope.size
    this.nameLength = this.#pendingEnd - this.#pendingStart
    if (this.#count > USUAL_ATTRIBUTES) this.#proveManyUnique(bytes, origin)
    else if (this.#count > 1) this.#proveUnique(bytes, origin)
    if (this.depth === 1) this.#clearHeader()
    const declaredNs = this.#count > 0 ? this.#readAttributes(bytes, origin) : undefined
    if (this.depth > 2 && this.#colon < 0) return
    const prefix = this.#colon < 0 ? '' : this.#word(bytes, origin, this.#pendingStart, this.#colon)
    const prefixNs = prefix === '' ? undefined : this.#uriOf(prefix)
    if (this.depth > 2) return
    const name = this.#localName(bytes, origin)
    if (this.depth === 1) {
      this.name = name
      this.prefix = prefix
      this.nameEnd = this.#pendingEnd
      this.declaredNs = declaredNs
      this.ns = prefixNs ?? declaredNs ?? this.outerDefaultNs
      this.#childDefaultNs = kindOf(name, this.ns) === 'other' ? (declaredNs ?? this.outerDefaultNs) : NS_CLIENT
    } else {
      this.#childName = name
      this.#childNs = prefixNs ?? declaredNs ?? this.#childDefaultNs
      this.#childStart = this.#pendingStart - 1
    }
  }

  /** The innermost element ended, its '>' is before `end`. Returns true when it was the first-level one. */
  leave(end: number): boolean {
    const depth = --this.depth
    const at = depth * OPEN_FIELDS
    this.scope.truncate(this.#open[at + 2] as number)
    if (depth === 0) return true
    if (depth === 1) {
      if (this.children.length === this.limits.children) {
        throw new FramerError('policy-violation', `A stanza has more than ${this.limits.children} children.`)
      }
      const child = { name: this.#childName, ns: this.#childNs, start: this.#childStart, end }
      if (this.children.length === 0) this.children = [child]
      else this.children.push(child)
    }
    this.nameStart = this.#open[at - OPEN_FIELDS] as number
    this.nameLength = (this.#open[at - OPEN_FIELDS + 1] as number) - this.nameStart
    return false
  }

  #localName(bytes: Buffer, origin: number): string {
    const start = this.#colon < 0 ? this.#pendingStart : this.#colon + 1
    return this.#word(bytes, origin, start, this.#pendingEnd)
  }

  #clearHeader(): void {
    this.to = this.from = this.id = this.type = this.lang = this.version = undefined
    this.xmlnsStart = this.xmlnsEnd = this.idStart = this.idEnd = 0
  }

  // Returns the default namespace that the tag declares; its string only where somebody will ask for it (levels 1 and 2).
  #readAttributes(bytes: Buffer, origin: number): string | undefined {
    let declaredNs: string | undefined
    let prefixed = 0
    for (let index = 0; index < this.#count; index++) {
      const at = index * FIELDS
      const start = this.#attributes[at] as number
      const length = (this.#attributes[at + NAME_END] as number) - start
      const colon = this.#attributes[at + NAME_COLON] as number
      if (colon < 0) {
        if (length === 5 && isXmlns(bytes, origin + start)) {
          declaredNs = this.#declareDefault(bytes, origin, at)
        } else if (this.depth === 1) {
          this.#readHeader(bytes, origin, at, length)
        }
      } else if (colon - start === 5 && isXmlns(bytes, origin + start)) {
        this.#declare(bytes, origin, at)
      } else if (colon - start === 3 && fourBytes(bytes, origin + start) === XML_COLON) {
        if (this.depth === 1 && length === 8 && fourBytes(bytes, origin + start + 4) === LANG)
          this.lang = this.#text(bytes, origin, at)
      } else {
        prefixed++
      }
    }
    if (prefixed > 0) this.#provePrefixed(bytes, origin, prefixed)
    return declaredNs
  }

  #readHeader(bytes: Buffer, origin: number, at: number, length: number): void {
    const start = origin + (this.#attributes[at] as number)
    if (length === 2) {
      const first = bytes[start]
      const second = bytes[start + 1]
      if (first === 0x74 && second === 0x6f) this.to = this.#text(bytes, origin, at)
      else if (first === 0x69 && second === 0x64) this.#readId(bytes, origin, at)
    } else if (length === 4) {
      const name = fourBytes(bytes, start)
      if (name === TYPE) this.type = this.#text(bytes, origin, at)
      else if (name === FROM) this.from = this.#text(bytes, origin, at)
    } else if (length === 7 && fourBytes(bytes, start) === VERS && fourBytes(bytes, start + 3) === SION) {
      this.version = this.#text(bytes, origin, at)
    }
  }

  #readId(bytes: Buffer, origin: number, at: number): void {
    if (this.#attributes[at + IS_PLAIN] === 0) {
      this.id = this.#text(bytes, origin, at)
    } else {
      this.idStart = this.#attributes[at + VALUE_START] as number
      this.idEnd = this.#attributes[at + VALUE_END] as number
    }
  }

  #declareDefault(bytes: Buffer, origin: number, at: number): string {
    if (this.depth === 1) {
      this.xmlnsStart = this.#attributes[at] as number
      this.xmlnsEnd = (this.#attributes[at + VALUE_END] as number) + 1
    }
    const length = (this.#attributes[at + VALUE_END] as number) - (this.#attributes[at + VALUE_START] as number)
    const isPlain = this.#attributes[at + IS_PLAIN] === 1
    // Nobody asks for the namespace of what lies deeper.
    if (this.depth > 2 && isPlain && length !== NS_XML.length && length !== NS_XMLNS.length) return ''
    const uri = this.#text(bytes, origin, at)
    if (uri === NS_XML || uri === NS_XMLNS) throw malformed('A reserved namespace cannot be the default one.')
    return uri
  }

  // XML-NAMES §3: reserved prefixes and namespaces.
  #declare(bytes: Buffer, origin: number, at: number): void {
    const colon = this.#attributes[at + NAME_COLON] as number
    const prefix = this.#word(bytes, origin, colon + 1, this.#attributes[at + NAME_END] as number)
    const uri = this.#text(bytes, origin, at)
    if (prefix === 'xmlns' || uri === NS_XMLNS) throw malformed('The prefix "xmlns" cannot be declared.')
    if ((prefix === 'xml') !== (uri === NS_XML)) throw malformed('The prefix "xml" and its namespace belong together.')
    if (uri === '') throw malformed(`The prefix "${prefix}" has no namespace.`)
    if (prefix === 'xml') return
    if (this.scope.size === this.limits.prefixes) {
      throw new FramerError('policy-violation', `More than ${this.limits.prefixes} namespace prefixes are declared.`)
    }
    this.scope.declare(prefix, uri)
  }

  #uriOf(prefix: string): string {
    if (prefix === 'xml') return NS_XML
    const index = this.scope.find(prefix)
    if (index < 0) throw malformed(`The namespace prefix "${prefix}" is not declared.`)
    if (index < this.#outerPrefixes) this.usedOuter |= 1 << index
    return this.scope.uri(index)
  }

  #proveUnique(bytes: Buffer, origin: number): void {
    const attributes = this.#attributes
    for (let one = FIELDS; one < this.#count * FIELDS; one += FIELDS) {
      const start = attributes[one] as number
      const length = (attributes[one + NAME_END] as number) - start
      for (let other = 0; other < one; other += FIELDS) {
        const otherStart = attributes[other] as number
        if ((attributes[other + NAME_END] as number) - otherStart !== length) continue
        if (isSame(bytes, origin + start, origin + otherStart, length)) throw twice()
      }
    }
  }

  #proveManyUnique(bytes: Buffer, origin: number): void {
    const names = new Set<string>()
    for (let index = 0; index < this.#count; index++) names.add(this.#name(bytes, origin, index * FIELDS))
    if (names.size < this.#count) throw twice()
  }

  // XML-NAMES §6.3: no two attributes with the same local name in the same namespace.
  #provePrefixed(bytes: Buffer, origin: number, prefixed: number): void {
    const names = new Set<string>()
    for (let at = 0; at < this.#count * FIELDS; at += FIELDS) {
      const colon = this.#attributes[at + NAME_COLON] as number
      if (colon < 0) continue
      const prefix = this.#word(bytes, origin, this.#attributes[at] as number, colon)
      if (prefix === 'xml' || prefix === 'xmlns') continue
      const local = bytes.toString('utf8', origin + colon + 1, origin + (this.#attributes[at + NAME_END] as number))
      names.add(`${local}\n${this.#uriOf(prefix)}`)
    }
    if (names.size < prefixed) throw twice()
  }

  #name(bytes: Buffer, origin: number, at: number): string {
    return bytes.toString(
      'utf8',
      origin + (this.#attributes[at] as number),
      origin + (this.#attributes[at + NAME_END] as number),
    )
  }

  #text(bytes: Buffer, origin: number, at: number): string {
    const start = origin + (this.#attributes[at + VALUE_START] as number)
    const end = origin + (this.#attributes[at + VALUE_END] as number)
    return this.#attributes[at + IS_PLAIN] === 0 ? decodeValue(bytes, start, end) : words.word(bytes, start, end)
  }

  #word(bytes: Buffer, origin: number, start: number, end: number): string {
    return words.text(bytes, origin + start, origin + end)
  }
}

function isXmlns(bytes: Buffer, at: number): boolean {
  return fourBytes(bytes, at) === XMLN && bytes[at + 4] === 0x73
}

// Four bytes as one number, to be compared with 'type' and its like: a loop over the characters costs more than the rest of the attribute.
function fourBytes(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  )
}

function fourOf(word: string): number {
  return Buffer.from(word, 'latin1').readInt32BE()
}

function isSame(bytes: Buffer, one: number, other: number, length: number): boolean {
  for (let index = 0; index < length; index++) {
    if (bytes[one + index] !== bytes[other + index]) return false
  }
  return true
}

function grown(fields: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(fields.length * 2)
  larger.set(fields)
  return larger
}

function twice(): FramerError {
  return malformed('An attribute is given twice.')
}

function malformed(text: string): FramerError {
  return new FramerError('not-well-formed', text)
}
