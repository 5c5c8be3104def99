/** A stanza is its bytes (RFC 6120 §8), a decoded header and an index of its children; a tree is built only when somebody asks for one. */

import { Buffer } from 'node:buffer'
import { LESS_THAN } from './characters.ts'
import { Element, escapeAttribute, parseElement, replaceForbidden } from './element.ts'
import {
  type AttributeSpan,
  decodeValue,
  eachElement,
  localName,
  prefixOf,
  readStartTag,
  type StartTag,
  withoutSpans,
} from './markup.ts'
import { NS_CLIENT, NS_COMPONENT_ACCEPT, NS_SERVER } from './namespaces.ts'

/** A direct child of a stanza; `start` and `end` are byte offsets in `stanza.bytes`. */
export interface ChildIndex {
  readonly name: string
  readonly ns: string
  readonly start: number
  readonly end: number
}

export type StanzaKind = 'message' | 'presence' | 'iq' | 'other'

/** The common attributes of a stanza (RFC 6120 §8.1), decoded; `lang` is xml:lang. */
export interface Header {
  to?: string | undefined
  from?: string | undefined
  id?: string | undefined
  type?: string | undefined
  lang?: string | undefined
}

/** What a Stanza is made of; the framer fills this in while it proves the bytes. */
export interface StanzaParts {
  readonly kind: StanzaKind
  readonly name: string
  readonly ns: string
  readonly to: string | undefined
  readonly from: string | undefined
  /** Decoded, or undefined when there is none or when it stands in `bytes` from `idStart` to `idEnd`. */
  readonly id: string | undefined
  readonly type: string | undefined
  readonly lang: string | undefined
  readonly bytes: Buffer
  /** Where a plain id stands; 0 when `id` says it all. Most ids are never asked for. */
  readonly idStart: number
  readonly idEnd: number
}

const HEADER_KEYS = ['to', 'from', 'id', 'type', 'lang'] as const

/** True for the namespaces whose stanzas are the same stanzas on another kind of stream: all become 'jabber:client' (RFC 6120 §4.8.3, XEP-0114). */
export function isContentNamespace(ns: string): boolean {
  return ns === NS_CLIENT || ns === NS_SERVER || ns === NS_COMPONENT_ACCEPT
}

/** The kind of a first-level element. */
export function kindOf(name: string, ns: string): StanzaKind {
  return (name === 'message' || name === 'presence' || name === 'iq') && isContentNamespace(ns) ? name : 'other'
}

/**
 * One first-level element of a stream, immutable. `bytes` is the whole element in the canonical context: for message, presence and iq the content
 * namespace is the default and is not written; every prefix used is declared inside. Of kind 'other' the bytes stand alone, with their xmlns.
 */
export class Stanza {
  readonly kind: StanzaKind
  readonly name: string
  /** 'jabber:client' for message, presence and iq of any stream. */
  readonly ns: string
  readonly to: string | undefined
  readonly from: string | undefined
  readonly type: string | undefined
  readonly lang: string | undefined
  readonly bytes: Buffer
  #id: string | undefined
  #idStart: number
  #idEnd: number
  /** Undefined until somebody asks: who only hands a stanza on never does. */
  #children: readonly ChildIndex[] | undefined
  #shift: number
  #element: Element | undefined

  /** For the framer and this file; everyone else uses buildStanza, from or fromBytes. `shift` is added to the offsets of `children`; without them they are looked for. */
  constructor(parts: StanzaParts, children: readonly ChildIndex[] | undefined, shift = 0) {
    this.kind = parts.kind
    this.name = parts.name
    this.ns = parts.ns
    this.to = parts.to
    this.from = parts.from
    this.type = parts.type
    this.lang = parts.lang
    this.bytes = parts.bytes
    this.#id = parts.id
    this.#idStart = parts.idStart
    this.#idEnd = parts.idEnd
    this.#children = children
    this.#shift = shift
  }

  /** A stanza out of a tree of our own. Characters that XML cannot carry become U+FFFD. */
  static from(element: Element): Stanza {
    return Stanza.fromBytes(Buffer.from(replaceForbidden(element.toString())))
  }

  /** A stanza out of bytes that were proved before (the archive, another node). The content namespace may be written or not. */
  static fromBytes(source: Buffer): Stanza {
    const root = readStartTag(source, 0)
    const xmlns = root.attributes.find(attribute => attribute.name === 'xmlns')
    const declared = xmlns === undefined ? undefined : decodeValue(source, xmlns.valueStart, xmlns.valueEnd)
    const name = localName(root.name)
    if (root.name === name && kindOf(name, declared ?? NS_CLIENT) !== 'other') {
      if (xmlns !== undefined) return Stanza.fromBytes(withoutSpans(source, root, [xmlns]))
      return build(source, root, kindOf(name, NS_CLIENT), NS_CLIENT)
    }
    const ns = root.name === name ? (declared ?? '') : declarationOf(source, root, prefixOf(root.name))
    return build(source, root, 'other', ns ?? '')
  }

  get id(): string | undefined {
    if (this.#idStart > 0) {
      this.#id = this.bytes.toString('latin1', this.#idStart, this.#idEnd)
      this.#idStart = 0
    }
    return this.#id
  }

  /** Direct children in document order. */
  get children(): readonly ChildIndex[] {
    const shift = this.#shift
    if (this.#children === undefined) this.#children = this.#found()
    else if (shift !== 0)
      this.#children = this.#children.map(child => ({ ...child, start: child.start + shift, end: child.end + shift }))
    this.#shift = 0
    return this.#children
  }

  /** Whether there is such a direct child; no tree is built. */
  has(name: string, ns: string): boolean {
    return (this.#children ?? this.children).some(child => child.name === name && child.ns === ns)
  }

  /** The first such direct child as a tree, made anew on each call. Its namespaces resolve as they did inside the stanza. */
  child(name: string, ns: string): Element | undefined {
    const found = this.children.find(child => child.name === name && child.ns === ns)
    return found === undefined ? undefined : this.tree(found)
  }

  /** One child of the index as a tree, made anew on each call. */
  tree(child: ChildIndex): Element {
    const element = parseElement(this.bytes.subarray(child.start, child.end))
    const root = readStartTag(this.bytes, 0)
    const context = new Element(root.name, { xmlns: this.kind === 'other' ? '' : NS_CLIENT })
    for (const { name, valueStart, valueEnd } of root.attributes) {
      if (name !== 'xmlns' && !name.startsWith('xmlns:')) continue
      const uri = decodeValue(this.bytes, valueStart, valueEnd)
      context.attrs[name] = uri
      // The child may be printed elsewhere: the prefixes that it may use go with it.
      if (name !== 'xmlns') element.attrs[name] ??= uri
    }
    element.parent = context
    return element
  }

  /** The whole stanza as a tree with its xmlns written, made once: do not change it. */
  get element(): Element {
    this.#element ??= this.#parse()
    return this.#element
  }

  /** A copy with another header: keys that are present are set, or taken away when undefined; all other attributes and bytes stay as they are. */
  with(header: Header): Stanza {
    const to = 'to' in header ? header.to : this.to
    const from = 'from' in header ? header.from : this.from
    const type = 'type' in header ? header.type : this.type
    const lang = 'lang' in header ? header.lang : this.lang
    const isIdKept = !('id' in header)
    const id = isIdKept ? this.#id : header.id
    if (
      isOther(this.to, to) ||
      isOther(this.from, from) ||
      isOther(this.type, type) ||
      isOther(this.lang, lang) ||
      !(isIdKept || this.id === undefined || this.id === id)
    ) {
      return this.#rebuilt(header)
    }
    const added =
      change('to', this.to, to) +
      change('from', this.from, from) +
      (isIdKept ? '' : change('id', this.id, id)) +
      change('type', this.type, type) +
      change('xml:lang', this.lang, lang)
    if (added === '') return this
    const bytes = this.#inserted(added)
    const shift = bytes.length - this.bytes.length
    const idStart = isIdKept && this.#idStart > 0 ? this.#idStart + shift : 0
    const { kind, name, ns } = this
    const parts = { kind, name, ns, to, from, id, type, lang, bytes, idStart, idEnd: this.#idEnd + shift }
    return new Stanza(parts, this.#children, this.#shift + shift)
  }

  /** A copy with more children (text: one or more elements that need no context but the canonical one) before the end tag. */
  append(childXml: string | Element): Stanza {
    const added = typeof childXml === 'string' ? childXml : childXml.toString()
    if (added === '') return this
    const child = Buffer.from(replaceForbidden(added))
    const { bytes } = this
    const root = readStartTag(bytes, 0)
    const at = root.isEmpty ? root.close : bytes.lastIndexOf(LESS_THAN)
    const before = root.isEmpty ? [bytes.subarray(0, at), Buffer.from('>')] : [bytes.subarray(0, at)]
    const after = root.isEmpty ? Buffer.from(`</${root.name}>`) : bytes.subarray(at)
    const whole = Buffer.concat([...before, child, after])
    const children = [...this.children]
    const start = root.isEmpty ? at + 1 : at
    const defaultNs = this.kind === 'other' ? (declarationOf(bytes, root, '') ?? '') : NS_CLIENT
    eachElement(whole, start, start + child.length, (from, to) =>
      children.push(index(whole, root, from, to, defaultNs)),
    )
    return new Stanza({ ...this.#parts(), bytes: whole }, children)
  }

  /** A copy without the children for which `matches` is true; the stanza itself when there are none. */
  without(matches: (child: ChildIndex) => boolean): Stanza {
    const pieces: Buffer[] = []
    const kept: ChildIndex[] = []
    let position = 0
    let cut = 0
    for (const child of this.children) {
      if (matches(child)) {
        pieces.push(this.bytes.subarray(position, child.start))
        position = child.end
        cut += child.end - child.start
      } else {
        kept.push(cut === 0 ? child : { ...child, start: child.start - cut, end: child.end - cut })
      }
    }
    if (cut === 0) return this
    pieces.push(this.bytes.subarray(position))
    return new Stanza({ ...this.#parts(), bytes: Buffer.concat(pieces) }, kept)
  }

  /** The decoded value of an attribute (by its qualified name) in the start tag of a child; no tree is built. */
  attribute(child: ChildIndex, name: string): string | undefined {
    const found = readStartTag(this.bytes, child.start).attributes.find(attribute => attribute.name === name)
    return found === undefined ? undefined : decodeValue(this.bytes, found.valueStart, found.valueEnd)
  }

  /** The bytes as a document of their own, with xmlns='jabber:client': for WebSocket frames (RFC 7395 §3.3.3) and inside `<forwarded/>`. */
  toDocument(): Buffer {
    return this.kind === 'other' ? this.bytes : this.#inserted(` xmlns='${NS_CLIENT}'`)
  }

  /** The bytes as text, for logs and tests. */
  toString(): string {
    return this.bytes.toString('utf8')
  }

  #found(): ChildIndex[] {
    const { bytes } = this
    const root = readStartTag(bytes, 0)
    const defaultNs = this.kind === 'other' ? (declarationOf(bytes, root, '') ?? '') : NS_CLIENT
    const children: ChildIndex[] = []
    if (root.isEmpty) return children
    eachElement(bytes, root.end, bytes.length, (from, to) => children.push(index(bytes, root, from, to, defaultNs)))
    return children
  }

  #parse(): Element {
    const element = parseElement(this.bytes)
    if (this.kind !== 'other') element.attrs.xmlns = NS_CLIENT
    return element
  }

  // The seldom way: attributes that are there are to be something else, so they are taken out of the start tag first.
  #rebuilt(header: Header): Stanza {
    const removed: string[] = []
    for (const key of HEADER_KEYS) {
      if (key in header && isOther(this[key], header[key])) removed.push(key === 'lang' ? 'xml:lang' : key)
    }
    const root = readStartTag(this.bytes, 0)
    const spans = root.attributes.filter(({ name }) => removed.includes(name))
    return Stanza.fromBytes(withoutSpans(this.bytes, root, spans)).with(header)
  }

  // The bytes with a text behind the name in the start tag.
  #inserted(text: string): Buffer {
    const { bytes } = this
    const isOther = this.kind === 'other'
    const nameEnd = isOther ? readStartTag(bytes, 0).nameEnd : this.name.length + 1
    const head = (isOther ? bytes.toString('utf8', 0, nameEnd) : `<${this.name}`) + text
    const length = Buffer.byteLength(head)
    const whole = Buffer.allocUnsafe(bytes.length + length - nameEnd)
    // One copy of all, then the head over its beginning: cheaper than copying two parts.
    whole.set(bytes, length - nameEnd)
    whole.write(head, 0, length === head.length ? 'latin1' : 'utf8')
    return whole
  }

  #parts(): StanzaParts {
    const { kind, name, ns, to, from, id, type, lang, bytes } = this
    return { kind, name, ns, to, from, id, type, lang, bytes, idStart: 0, idEnd: 0 }
  }
}

/** A message, presence or iq of our own; children are elements or text of elements in the canonical context. */
export function buildStanza(
  kind: Exclude<StanzaKind, 'other'>,
  header: Header,
  ...childrenXml: readonly (string | Element)[]
): Stanza {
  let text = `<${kind}`
  for (const key of HEADER_KEYS) {
    const value = header[key]
    if (value !== undefined) text += ` ${key === 'lang' ? 'xml:lang' : key}='${escapeAttribute(value)}'`
  }
  const content = childrenXml.map(child => (typeof child === 'string' ? child : child.toString())).join('')
  text += content === '' ? '/>' : `>${replaceForbidden(content)}</${kind}>`
  return Stanza.fromBytes(Buffer.from(text))
}

function build(bytes: Buffer, root: StartTag, kind: StanzaKind, ns: string): Stanza {
  let to: string | undefined
  let from: string | undefined
  let id: string | undefined
  let type: string | undefined
  let lang: string | undefined
  for (const { name, valueStart, valueEnd } of root.attributes) {
    if (name === 'to') to = decodeValue(bytes, valueStart, valueEnd)
    else if (name === 'from') from = decodeValue(bytes, valueStart, valueEnd)
    else if (name === 'id') id = decodeValue(bytes, valueStart, valueEnd)
    else if (name === 'type') type = decodeValue(bytes, valueStart, valueEnd)
    else if (name === 'xml:lang') lang = decodeValue(bytes, valueStart, valueEnd)
  }
  // All parts have the same keys in the same order: the constructor then sees one shape.
  const name = localName(root.name)
  return new Stanza({ kind, name, ns, to, from, id, type, lang, bytes, idStart: 0, idEnd: 0 }, undefined)
}

function index(bytes: Buffer, root: StartTag, start: number, end: number, defaultNs: string): ChildIndex {
  const tag = readStartTag(bytes, start)
  const prefix = prefixOf(tag.name)
  const inherited = prefix === '' ? defaultNs : declarationOf(bytes, root, prefix)
  return { name: localName(tag.name), ns: declarationOf(bytes, tag, prefix) ?? inherited ?? '', start, end }
}

function declarationOf(bytes: Buffer, tag: StartTag, prefix: string): string | undefined {
  return attributeOf(bytes, tag.attributes, prefix === '' ? 'xmlns' : `xmlns:${prefix}`)
}

function attributeOf(bytes: Buffer, attributes: readonly AttributeSpan[], name: string): string | undefined {
  const found = attributes.find(attribute => attribute.name === name)
  return found === undefined ? undefined : decodeValue(bytes, found.valueStart, found.valueEnd)
}

function isOther(is: string | undefined, shall: string | undefined): boolean {
  return is !== undefined && is !== shall
}

// The text of an attribute that is to be written, '' when it is there already or shall not be.
function change(name: string, is: string | undefined, shall: string | undefined): string {
  return shall === undefined || is === shall ? '' : ` ${name}='${escapeAttribute(shall)}'`
}
