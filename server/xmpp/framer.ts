/** Cuts a byte stream into stanzas and proves each well-formed while it arrives: RFC 6120 §4 and §11 over TCP, RFC 7395 §3.3 over WebSocket. */

import { Buffer } from 'node:buffer'
import { GREATER_THAN, isBlank, LESS_THAN, QUESTION, SLASH } from './characters.ts'
import { escapeAttribute } from './element.ts'
import { FramerError } from './framing-error.ts'
import { readStartTag, withoutSpans } from './markup.ts'
import { NS_CLIENT, NS_FRAMING } from './namespaces.ts'
import { Scanner } from './scanner.ts'
import { isContentNamespace, kindOf, Stanza } from './stanza.ts'
import { type FramerLimits, LIMITS, StartTags } from './start-tags.ts'
import { declarationLength } from './xml-declaration.ts'

export { FramerError } from './framing-error.ts'
export type { FramerLimits } from './start-tags.ts'

/** The attributes of a stream header (RFC 6120 §4.7); `defaultNs` is its xmlns, which is the content namespace of the stream. */
export interface StreamHeader {
  readonly to: string | undefined
  readonly from: string | undefined
  readonly id: string | undefined
  readonly version: string | undefined
  readonly lang: string | undefined
  readonly defaultNs: string | undefined
}

export type FramerEvent =
  | {
      readonly type: 'open'
      /** Local name: 'stream', or 'open' over WebSocket. */
      readonly name: string
      readonly ns: string
      /** The prefix of the header's own name, '' when it has none. */
      readonly prefix: string
      /** All prefixes that the header declares. */
      readonly prefixes: ReadonlyMap<string, string>
      readonly header: StreamHeader
    }
  | { readonly type: 'stanza'; readonly stanza: Stanza }
  | { readonly type: 'close' }

export type Emit = (event: FramerEvent) => void

/** 'stream': one long document over TCP. 'document': each push is one whole WebSocket message with exactly one element. */
export type FramerMode = 'stream' | 'document'

export interface FramerOptions {
  readonly mode: FramerMode
  readonly limits?: Partial<FramerLimits>
}

type Phase = 'prolog' | 'root' | 'header' | 'between' | 'element' | 'end-tag' | 'closed'

const PREFIXES_OF_HEADER_MAX = 16
const BUFFERED_BYTES_MAX = 1_048_576
const CAPACITY_MIN = 256
const EMPTY = Buffer.alloc(0)

/**
 * One connection's framer. `push` what arrived; each open, stanza and close is handed to `emit` at once and in order. `pause` (from inside `emit` or later)
 * stops before the next event, what arrived stays buffered until `resume`. After a thrown FramerError it is closed and ignores what comes.
 */
export class Framer {
  readonly #mode: FramerMode
  readonly #scanner: Scanner
  readonly #tags: StartTags
  #phase: Phase = 'prolog'
  #bytes: Buffer = EMPTY
  // Bytes before #position are done with; those from #origin on belong to the element being read.
  #position = 0
  #origin = 0
  #length = 0
  #isOwn = false
  #isPaused = false
  #isBusy = false
  #endTag: Buffer = EMPTY
  #matched = 0
  #waiting: Buffer[] = []

  constructor(options: FramerOptions) {
    this.#mode = options.mode
    this.#tags = new StartTags({ ...LIMITS, ...options.limits })
    this.#scanner = new Scanner(this.#tags)
  }

  /** Bytes that arrived and are not part of an event that was emitted: an unfinished stanza, and everything behind a pause. */
  get buffered(): number {
    return this.#length - this.#start() + this.#waiting.reduce((sum, document) => sum + document.length, 0)
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Other limits from now on; those not named stay. */
  setLimits(limits: Partial<FramerLimits>): void {
    this.#tags.limits = { ...this.#tags.limits, ...limits }
  }

  /**
   * Takes what arrived. The chunk is the framer's from now on: stanzas may be views of it. Throws FramerError with the stream error to answer with;
   * events before the fault have been emitted.
   */
  push(chunk: Buffer, emit: Emit): void {
    if (this.#phase === 'closed' || chunk.length === 0) return
    if (this.#mode === 'document' && (this.#isPaused || this.#isBusy)) this.#waiting.push(chunk)
    else if (this.#length === this.#start()) this.#take(chunk)
    else this.#append(chunk)
    if ((this.#isPaused || this.#isBusy) && this.buffered > BUFFERED_BYTES_MAX) {
      throw this.#fail(new FramerError('policy-violation', 'Too much was sent while the stream was busy.'))
    }
    this.#drain(emit)
  }

  /** Emits nothing more until `resume`; the event being emitted is the last. */
  pause(): void {
    this.#isPaused = true
  }

  /** Goes on with what is buffered. Throws FramerError as push does. */
  resume(emit: Emit): void {
    this.#isPaused = false
    this.#drain(emit)
  }

  /**
   * A new stream header comes next (after STARTTLS or SASL, RFC 6120 §4.3.3). Bytes that are buffered are dropped, and their number returned (after STARTTLS
   * they were sent in the clear: RFC 6120 §5.4.3.3), unless `keepBuffered`.
   */
  reset(options: { readonly keepBuffered?: boolean } = {}): number {
    this.#phase = 'prolog'
    this.#tags.reset()
    if (options.keepBuffered === true) return 0
    const dropped = this.buffered
    this.#take(EMPTY)
    this.#waiting = []
    return dropped
  }

  #drain(emit: Emit): void {
    if (this.#isBusy) return
    this.#isBusy = true
    try {
      for (;;) {
        while (!this.#isPaused && this.#position < this.#length && this.#advance(emit));
        if (this.#mode === 'document' && !this.#isPaused) this.#endDocument()
        const next = this.#isPaused ? undefined : this.#waiting.shift()
        if (next === undefined) break
        this.#take(next)
      }
      this.#settle()
    } catch (error) {
      throw error instanceof FramerError ? this.#fail(error) : error
    } finally {
      this.#isBusy = false
    }
  }

  // One step; returns false when more bytes are needed.
  #advance(emit: Emit): boolean {
    switch (this.#phase) {
      case 'prolog':
      case 'root':
        return this.#readProlog()
      case 'header':
      case 'element':
        return this.#readElement(emit)
      case 'between':
        return this.#readBetween()
      case 'end-tag':
        return this.#readEndTag(emit)
      default:
        this.#position = this.#length
        return false
    }
  }

  // XML 1.0 §2.8. White space before the declaration is let pass: it may be a keepalive from before a stream restart.
  #readProlog(): boolean {
    if (!this.#skipBlanks()) return false
    const at = this.#position
    if (this.#bytes[at] !== LESS_THAN)
      throw new FramerError('not-well-formed', 'This is not XML: it does not begin with "<".')
    if (at + 1 === this.#length) return false
    if (this.#bytes[at + 1] === QUESTION && this.#phase === 'prolog') {
      const length = declarationLength(this.#bytes, at, this.#length)
      this.#position += length
      if (length > 0) this.#phase = 'root'
      return length > 0
    }
    this.#beginElement(this.#mode === 'stream' ? 'header' : 'element')
    return true
  }

  #readBetween(): boolean {
    if (!this.#skipBlanks()) return false
    const at = this.#position
    if (this.#bytes[at] !== LESS_THAN) {
      throw new FramerError('bad-format', 'Text stands between two stanzas.')
    }
    if (this.#mode === 'document') throw new FramerError('not-well-formed', 'A message holds more than one element.')
    if (at + 1 === this.#length) return false
    if (this.#bytes[at + 1] === SLASH) {
      this.#phase = 'end-tag'
      this.#position = at + 2
      this.#matched = 0
    } else {
      this.#beginElement('element')
    }
    return true
  }

  #beginElement(phase: 'header' | 'element'): void {
    this.#phase = phase
    this.#origin = this.#position
    this.#scanner.begin(phase === 'header')
  }

  #readElement(emit: Emit): boolean {
    // No further than the limit: a stanza that is too large is refused as it passes it, however it was cut into chunks.
    const limit = this.#origin + this.#tags.limits.stanzaBytes
    this.#position = this.#scanner.scan(this.#bytes, this.#origin, this.#position, Math.min(this.#length, limit))
    if (this.#scanner.isDone) {
      if (this.#phase === 'header') this.#finishHeader(emit)
      else this.#finishElement(emit)
      return true
    }
    if (this.#length >= limit) {
      throw new FramerError('policy-violation', `A stanza is larger than ${this.#tags.limits.stanzaBytes} bytes.`)
    }
    return false
  }

  #finishHeader(emit: Emit): void {
    const tags = this.#tags
    tags.enter()
    if (tags.scope.size > PREFIXES_OF_HEADER_MAX) {
      throw new FramerError(
        'policy-violation',
        `A stream header declares more than ${PREFIXES_OF_HEADER_MAX} prefixes.`,
      )
    }
    const { nameStart, nameLength } = tags
    const name = this.#bytes.subarray(this.#origin + nameStart, this.#origin + nameStart + nameLength)
    this.#endTag = Buffer.from(name)
    this.#phase = this.#scanner.isEmpty ? 'closed' : 'between'
    emit(this.#openEvent())
    if (this.#scanner.isEmpty) emit({ type: 'close' })
  }

  #openEvent(): FramerEvent {
    const { name, ns, prefix, to, from, id, version, lang, declaredNs, scope } = this.#tags
    const prefixes = new Map<string, string>()
    for (let index = 0; index < scope.size; index++) prefixes.set(scope.prefix(index), scope.uri(index))
    return { type: 'open', name, ns, prefix, prefixes, header: { to, from, id, version, lang, defaultNs: declaredNs } }
  }

  #finishElement(emit: Emit): void {
    const { ns, name } = this.#tags
    this.#phase = 'between'
    if (this.#mode === 'document' && ns === NS_FRAMING && (name === 'open' || name === 'close')) {
      emit(name === 'open' ? this.#openEvent() : { type: 'close' })
    } else {
      emit({ type: 'stanza', stanza: this.#stanza() })
    }
  }

  #stanza(): Stanza {
    const tags = this.#tags
    const { to, from, type, lang, name, children } = tags
    const kind = kindOf(name, tags.ns)
    if (tags.prefix !== '' && isContentNamespace(tags.ns)) {
      throw new FramerError('bad-namespace-prefix', `<${tags.prefix}:${name}/> must be written without a prefix.`)
    }
    if (kind !== 'other' && tags.ns !== tags.outerDefaultNs && isContentNamespace(tags.outerDefaultNs)) {
      throw new FramerError('invalid-namespace', `The namespace of a stanza is not that of the stream: ${tags.ns}`)
    }
    const ns = kind === 'other' ? tags.ns : NS_CLIENT
    const bytes = this.#canonical(kind === 'other')
    const shift = bytes.length - (this.#position - this.#origin)
    // With an attribute cut out of the tag the id may not have moved as the rest has.
    const isIdLeft = tags.idStart > 0 && tags.xmlnsEnd === 0
    const id = tags.idStart > 0 && !isIdLeft ? this.#text(tags.idStart, tags.idEnd) : tags.id
    const idStart = isIdLeft ? tags.idStart + shift : 0
    const parts = { kind, name, ns, to, from, id, type, lang, bytes, idStart, idEnd: tags.idEnd + shift }
    const stanza = new Stanza(parts, children, shift)
    return kind !== 'other' && tags.ns !== NS_CLIENT ? withoutRestated(stanza, tags.ns) : stanza
  }

  #text(start: number, end: number): string {
    return this.#bytes.toString('latin1', this.#origin + start, this.#origin + end)
  }

  // The bytes of the element in the canonical context: what it inherits from the stream header is written into its start tag, or taken out.
  #canonical(standsAlone: boolean): Buffer {
    const tags = this.#tags
    const bytes = this.#bytes
    let added = ''
    for (let index = 0, used = tags.usedOuter; used !== 0; index++, used >>>= 1) {
      if ((used & 1) === 1) added += ` xmlns:${tags.scope.prefix(index)}='${escapeAttribute(tags.scope.uri(index))}'`
    }
    // Without any xmlns the bytes of a <message/> would look like those of a stanza.
    if (standsAlone && tags.declaredNs === undefined && (tags.outerDefaultNs !== '' || tags.prefix === '')) {
      added += ` xmlns='${escapeAttribute(tags.outerDefaultNs)}'`
    }
    const isCut = !standsAlone && tags.xmlnsEnd > 0
    if (added === '' && !isCut) return this.#own(this.#origin, this.#position)
    const nameEnd = this.#origin + tags.nameEnd
    let cutStart = isCut ? this.#origin + tags.xmlnsStart : nameEnd
    while (isCut && isBlank(bytes[cutStart - 1] as number)) cutStart--
    const cutEnd = isCut ? this.#origin + tags.xmlnsEnd : nameEnd
    return Buffer.concat([
      bytes.subarray(this.#origin, nameEnd),
      Buffer.from(added),
      bytes.subarray(nameEnd, cutStart),
      bytes.subarray(cutEnd, this.#position),
    ])
  }

  // A view when the stanza is most of what the view would keep in memory, else a copy.
  #own(start: number, end: number): Buffer {
    const bytes = this.#bytes
    if ((end - start) * 2 >= bytes.buffer.byteLength) return bytes.subarray(start, end)
    const copy = Buffer.allocUnsafe(end - start)
    bytes.copy(copy, 0, start, end)
    return copy
  }

  #readEndTag(emit: Emit): boolean {
    while (this.#position < this.#length) {
      const byte = this.#bytes[this.#position++] as number
      if (this.#matched < this.#endTag.length) {
        if (byte !== this.#endTag[this.#matched++]) throw badEndTag()
      } else if (byte === GREATER_THAN) {
        this.#phase = 'closed'
        emit({ type: 'close' })
        return true
      } else if (!isBlank(byte)) throw badEndTag()
    }
    return false
  }

  #endDocument(): void {
    if (this.#length === 0 || this.#phase === 'closed') return
    if (this.#phase !== 'between') throw new FramerError('not-well-formed', 'A message is not one complete element.')
    this.#phase = 'prolog'
    this.#take(EMPTY)
  }

  // Returns false when there is nothing but white space.
  #skipBlanks(): boolean {
    while (this.#position < this.#length && isBlank(this.#bytes[this.#position] as number)) this.#position++
    return this.#position < this.#length
  }

  // Where the bytes begin that are still needed.
  #start(): number {
    return this.#phase === 'header' || this.#phase === 'element' ? this.#origin : this.#position
  }

  #take(bytes: Buffer): void {
    this.#bytes = bytes
    this.#position = 0
    this.#origin = 0
    this.#length = bytes.length
    this.#isOwn = false
  }

  // Written bytes are never moved or written over: stanzas may be views of them.
  #append(chunk: Buffer): void {
    const start = this.#start()
    const needed = this.#length - start + chunk.length
    if (!this.#isOwn || this.#length + chunk.length > this.#bytes.length) this.#move(start, needed + (needed >> 1))
    chunk.copy(this.#bytes, this.#length)
    this.#length += chunk.length
  }

  #move(start: number, capacity: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(CAPACITY_MIN, capacity))
    this.#bytes.copy(larger, 0, start, this.#length)
    this.#bytes = larger
    this.#isOwn = true
    this.#position -= start
    this.#origin -= start
    this.#length -= start
  }

  // What remains of a large chunk must not keep the whole of it; nothing remaining keeps nothing.
  #settle(): void {
    const start = this.#start()
    const remaining = this.#length - start
    if (remaining === 0) this.#take(EMPTY)
    else if (!this.#isOwn && remaining * 2 < this.#bytes.buffer.byteLength) this.#move(start, remaining)
  }

  #fail(error: FramerError): FramerError {
    this.#phase = 'closed'
    this.#take(EMPTY)
    this.#waiting = []
    return error
  }
}

// On a server or component stream a child may say again that it is in the content namespace; in the canonical context that would be another namespace.
function withoutRestated(stanza: Stanza, contentNs: string): Stanza {
  const restated = stanza.children.filter(child => child.ns === contentNs)
  if (restated.length === 0) return stanza
  let { bytes } = stanza
  for (const child of restated.reverse()) {
    const tag = readStartTag(bytes, child.start)
    bytes = withoutSpans(
      bytes,
      tag,
      tag.attributes.filter(({ name }) => name === 'xmlns'),
    )
  }
  return Stanza.fromBytes(bytes)
}

function badEndTag(): FramerError {
  return new FramerError('not-well-formed', 'The end tag of the stream does not match its start tag.')
}
