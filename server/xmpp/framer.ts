/** Cuts a byte stream into stanzas and proves each well-formed while it arrives: RFC 6120 §4 and §11 over TCP, RFC 7395 §3.3 over WebSocket. */

import { Buffer } from 'node:buffer'
import { Arrivals } from './arrivals.ts'
import { canonicalStanza } from './canonical.ts'
import { GREATER_THAN, isBlank, LESS_THAN, QUESTION, SLASH } from './characters.ts'
import { FramerError } from './framing-error.ts'
import { NS_FRAMING } from './namespaces.ts'
import { Scanner } from './scanner.ts'
import type { Stanza } from './stanza.ts'
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

/**
 * One connection's framer. `push` what arrived; each open, stanza and close is handed to `emit` at once and in order. `pause` (from inside `emit` or later)
 * stops before the next event, what arrived stays buffered until `resume`. After a thrown FramerError it is closed and ignores what comes.
 */
export class Framer {
  readonly #mode: FramerMode
  readonly #scanner: Scanner
  readonly #tags: StartTags
  #phase: Phase = 'prolog'
  readonly #arrivals = new Arrivals()
  // Where the element being read begins.
  #origin = 0
  #isPaused = false
  #isBusy = false
  #endTag = Buffer.alloc(0)
  #matched = 0
  #waiting: Buffer[] = []

  constructor(options: FramerOptions) {
    this.#mode = options.mode
    this.#tags = new StartTags({ ...LIMITS, ...options.limits })
    this.#scanner = new Scanner(this.#tags)
  }

  /** Bytes that arrived and are not part of an event that was emitted: an unfinished stanza, and everything behind a pause. */
  get buffered(): number {
    return this.#arrivals.length - this.#start() + this.#waiting.reduce((sum, document) => sum + document.length, 0)
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
    else if (this.#arrivals.length === this.#start()) this.#arrivals.take(chunk)
    else this.#origin -= this.#arrivals.append(chunk, this.#start())
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
    this.#arrivals.clear()
    this.#waiting = []
    return dropped
  }

  #drain(emit: Emit): void {
    if (this.#isBusy) return
    this.#isBusy = true
    try {
      for (;;) {
        this.#read(emit)
        if (this.#mode === 'document' && !this.#isPaused) this.#proveDocumentEnded()
        const next = this.#isPaused ? undefined : this.#waiting.shift()
        if (next === undefined) break
        this.#arrivals.take(next)
      }
      this.#origin -= this.#arrivals.settle(this.#start())
    } catch (error) {
      throw error instanceof FramerError ? this.#fail(error) : error
    } finally {
      this.#isBusy = false
    }
  }

  #read(emit: Emit): void {
    let goesOn = true
    while (goesOn && !this.#isPaused && this.#arrivals.position < this.#arrivals.length) goesOn = this.#advance(emit)
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
        this.#arrivals.position = this.#arrivals.length
        return false
    }
  }

  // XML 1.0 §2.8. White space before the declaration is let pass: it may be a keepalive from before a stream restart.
  #readProlog(): boolean {
    if (!this.#skipBlanks()) return false
    const at = this.#arrivals.position
    if (this.#arrivals.bytes[at] !== LESS_THAN)
      throw new FramerError('not-well-formed', 'This is not XML: it does not begin with "<".')
    if (at + 1 === this.#arrivals.length) return false
    if (this.#arrivals.bytes[at + 1] === QUESTION && this.#phase === 'prolog') {
      const length = declarationLength(this.#arrivals.bytes, at, this.#arrivals.length)
      this.#arrivals.position += length
      if (length > 0) this.#phase = 'root'
      return length > 0
    }
    this.#beginElement(this.#mode === 'stream' ? 'header' : 'element')
    return true
  }

  #readBetween(): boolean {
    if (!this.#skipBlanks()) return false
    const at = this.#arrivals.position
    if (this.#arrivals.bytes[at] !== LESS_THAN) {
      throw new FramerError('bad-format', 'Text stands between two stanzas.')
    }
    if (at + 1 === this.#arrivals.length) return false
    if (this.#arrivals.bytes[at + 1] === SLASH) {
      this.#phase = 'end-tag'
      this.#arrivals.position = at + 2
      this.#matched = 0
    } else {
      this.#beginElement('element')
    }
    return true
  }

  #beginElement(phase: 'header' | 'element'): void {
    this.#phase = phase
    this.#origin = this.#arrivals.position
    this.#scanner.begin(phase === 'header')
  }

  #readElement(emit: Emit): boolean {
    // No further than the limit: a stanza that is too large is refused as it passes it, however it was cut into chunks.
    const limit = this.#origin + this.#tags.limits.stanzaBytes
    this.#arrivals.position = this.#scanner.scan(
      this.#arrivals.bytes,
      this.#origin,
      this.#arrivals.position,
      Math.min(this.#arrivals.length, limit),
    )
    if (this.#scanner.isDone) {
      if (this.#phase === 'header') this.#finishHeader(emit)
      else this.#finishElement(emit)
      return true
    }
    if (this.#arrivals.length >= limit) {
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
    const name = this.#arrivals.bytes.subarray(this.#origin + nameStart, this.#origin + nameStart + nameLength)
    this.#endTag = copyAlone(name)
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
    const isDocument = this.#mode === 'document'
    const { ns, name } = this.#tags
    const isFraming = isDocument && ns === NS_FRAMING
    const end = this.#arrivals.position
    if (isDocument && this.#skipBlanks()) {
      throw new FramerError('not-well-formed', 'A message holds more than one element.')
    }
    if (isFraming && (name === 'open' || name === 'close')) {
      this.#startDocument()
      emit(name === 'open' ? this.#openEvent() : { type: 'close' })
      return
    }
    const stanza = canonicalStanza(this.#tags, this.#arrivals, this.#origin, end)
    if (isDocument) this.#startDocument()
    else this.#phase = 'between'
    emit({ type: 'stanza', stanza })
  }

  #startDocument(): void {
    this.#phase = 'prolog'
    this.#arrivals.clear()
  }

  #readEndTag(emit: Emit): boolean {
    while (this.#arrivals.position < this.#arrivals.length) {
      const byte = this.#arrivals.bytes[this.#arrivals.position++] as number
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

  #proveDocumentEnded(): void {
    if (this.#arrivals.length > 0 && this.#phase !== 'closed') {
      throw new FramerError('not-well-formed', 'A message is not one complete element.')
    }
  }

  // Returns false when there is nothing but white space.
  #skipBlanks(): boolean {
    while (
      this.#arrivals.position < this.#arrivals.length &&
      isBlank(this.#arrivals.bytes[this.#arrivals.position] as number)
    )
      this.#arrivals.position++
    return this.#arrivals.position < this.#arrivals.length
  }

  // Where the bytes begin that are still needed.
  #start(): number {
    return this.#phase === 'header' || this.#phase === 'element' ? this.#origin : this.#arrivals.position
  }

  #fail(error: FramerError): FramerError {
    this.#phase = 'closed'
    this.#arrivals.clear()
    this.#waiting = []
    return error
  }
}

function badEndTag(): FramerError {
  return new FramerError('not-well-formed', 'The end tag of the stream does not match its start tag.')
}

/** A copy with memory of its own: a slice of node's shared pool would keep 8 KiB alive for every idle stream. */
function copyAlone(bytes: Buffer): Buffer<ArrayBuffer> {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}
