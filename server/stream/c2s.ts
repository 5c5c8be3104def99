/** One stream of a client (RFC 6120 §4): bytes in, stanzas to the router; stanzas out, bytes in one write per turn of the event loop. */
import type { Outlet, Session } from '../core/session.ts'
import { StreamError } from '../xmpp/errors.ts'
import type { FramerEvent } from '../xmpp/framer.ts'
import { tryJid } from '../xmpp/jid.ts'
import { NS_STREAM } from '../xmpp/namespaces.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import { type ClientHeader, featuresElement, headerFault, readHeader, streamEnd, streamHeader } from './header.ts'
import { Intake, type IntakeOwner } from './intake.ts'
import type { Management } from './management.ts'
import { featuresFor, negotiate } from './negotiation.ts'
import type { Flushable } from './outlet.ts'
import type { Login } from './sasl.ts'
import type { Streams } from './streams.ts'
import type { Transport, TransportListener } from './transport.ts'

/**
 * unsecured (STARTTLS comes first) → unauthenticated (SASL) → unbound (bind or resume) → bound → closing (our end of the
 * stream is written) → closed (the connection is gone).
 */
export type Phase = 'unsecured' | 'unauthenticated' | 'unbound' | 'bound' | 'closing' | 'closed'

const NOTHING: ClientHeader = { from: undefined, lang: undefined }

/** The outlet of its session, the listener of its connection. */
export class ClientStream implements Outlet, Flushable, TransportListener, IntakeOwner {
  readonly streams: Streams
  readonly wire: Transport
  phase: Phase
  /** What the client's last stream header said. */
  header: ClientHeader = NOTHING
  /** Who has logged in. */
  username: string | undefined
  session: Session | undefined
  /** Present while logging in. */
  login: Login | undefined
  /** Present once stream management is on (XEP-0198). */
  management: Management | undefined
  bindFailures = 0
  readonly startedAt: number
  receivedAt: number
  endedAt = 0
  // What the sweep remembers of this stream, see keepalive.ts.
  probe: 'none' | 'blank' | 'ping' = 'none'
  probedAt = 0
  writtenBytes = 0
  takenBytes = 0
  stalledSweeps = 0
  /** Stanzas the client sends again after a resume although they were handled: passed over. */
  repeated = 0
  readonly #intake: Intake
  /** The header of this stream has been answered. */
  #isOpen = false
  /** Nothing is written before the answer to the bind request. */
  #isHeld = false
  #parts: Buffer[] = []
  /** Stanzas in the chunk being read. */
  #stanzas = 0
  /** Bytes received before login. */
  #strangeBytes = 0

  constructor(streams: Streams, wire: Transport) {
    const { bytesBeforeLogin, depth } = streams.settings
    this.streams = streams
    this.wire = wire
    this.phase = wire.isSecure || wire.isPlaintextAllowed ? 'unauthenticated' : 'unsecured'
    this.startedAt = streams.parts.now()
    this.receivedAt = this.startedAt
    this.#intake = new Intake(this, streams.alarms, { stanzaBytes: bytesBeforeLogin, depth })
    streams.add(this)
  }

  get transport(): Outlet['transport'] {
    return this.wire.kind
  }

  get address(): string {
    return this.wire.address
  }

  get isSecure(): boolean {
    return this.wire.isSecure
  }

  /** Our end of the stream is written, or the connection is gone. */
  get isOver(): boolean {
    return this.phase === 'closing' || this.phase === 'closed'
  }

  /** Bytes that arrived behind the element that is being handled. */
  get bufferedBytes(): number {
    return this.#intake.bufferedBytes
  }

  send(stanza: Stanza): void {
    this.#gather(this.wire.mode === 'stream' ? stanza.bytes : stanza.toDocument())
  }

  sendRaw(xml: string): void {
    this.#gather(Buffer.from(xml))
  }

  /** Sends a constant that is prepared once. */
  sendBytes(element: Buffer): void {
    this.#gather(element)
  }

  end(error?: StreamError): void {
    if (this.isOver) return
    // RFC 6120 §4.9.1.2: also an error in the header is preceded by our header.
    if (!this.#isOpen) this.#open()
    // RFC 7395 §3.6.1: where else to go stands in the end of the stream.
    const uri = this.wire.mode === 'document' && error?.condition === 'see-other-host' ? error.host : undefined
    if (error && uri === undefined) this.sendRaw(error.toXml())
    this.sendRaw(streamEnd(this.wire.mode, uri))
    this.#isHeld = false
    this.#write()
    this.phase = 'closing'
    this.endedAt = this.streams.parts.now()
    this.login = undefined
    // What still arrives is thrown away, so that the goodbye is not lost in a reset.
    this.#intake.close()
    this.wire.finish()
  }

  /** Ends stream and session: the client broke a rule. */
  fail(error: StreamError): void {
    this.streams.parts.log.info(
      { address: this.address, jid: this.session?.jid.full, condition: error.condition, text: error.text },
      'stream failed',
    )
    this.end(error)
    this.#endSession()
  }

  /** Ends the stream; a session that can be resumed rests. */
  abandon(error: StreamError): void {
    this.end(error)
    if (this.session) this.streams.parts.sessions.lost(this.session, this)
  }

  /** The connection takes nothing any more: what waits for it is given up, a session that can be resumed rests. */
  cut(text: string): void {
    if (this.session && this.session.resumableMs > 0) this.wire.destroy()
    else this.abandon(new StreamError('resource-constraint', text))
  }

  get waitingBytes(): number {
    return this.wire.waitingBytes
  }

  flush(): void {
    if (this.#isHeld || this.isOver) return
    const request = this.management?.request()
    if (request) this.#parts.push(request)
    if (this.#parts.length === 0) return
    this.#write()
    if (this.wire.waitingBytes > this.streams.settings.writeBufferBytes) this.cut('Too much waits to be read.')
  }

  received(chunk: Buffer): void {
    // After a standstill all connections end unread: what is in them may have been sent again on another node.
    if (this.isOver || this.streams.parts.bus.hasStoodStill()) return
    this.receivedAt = this.streams.parts.now()
    const { length } = chunk
    try {
      if (this.phase === 'bound') {
        this.#intake.push(chunk)
        if (this.isOver) return
        this.#intake.keepPace(this.streams.settings, this.#stanzas, length, this.receivedAt)
        this.#stanzas = 0
      } else {
        this.#strangeBytes += length
        if (this.#strangeBytes > this.streams.settings.bytesBeforeLogin && !this.username) {
          throw new StreamError('policy-violation', 'Too much was sent before login.')
        }
        this.#intake.push(chunk)
      }
    } catch (error) {
      this.stumble(error)
    }
  }

  heard(): void {
    this.receivedAt = this.streams.parts.now()
  }

  violated(text: string): void {
    this.fail(new StreamError('policy-violation', text))
  }

  closed(): void {
    if (this.phase === 'closed') return
    this.phase = 'closed'
    this.#parts = []
    this.login = undefined
    const { streams, session } = this
    this.#intake.close()
    this.management?.close()
    streams.throttle.disconnected(this.address)
    if (session) streams.parts.sessions.lost(session, this)
    streams.remove(this)
  }

  /** A new stream header comes next on the same connection (§4.3.3). */
  restart(phase: Phase, options: { keepBuffered: boolean }): void {
    this.phase = phase
    this.#isOpen = false
    this.header = NOTHING
    this.#intake.restart(options)
  }

  /** Login is done: longer stanzas may come. */
  trust(username: string): void {
    const { maxStanzaBytes } = this.streams.settings
    this.username = username
    this.login = undefined
    this.#intake.setLimits({ stanzaBytes: maxStanzaBytes })
  }

  /** The session begins, or goes on here. */
  attach(session: Session): void {
    this.session = session
    this.phase = 'bound'
  }

  /** Everything that arrives from now on waits until `work` is done. Its failure ends the stream. */
  wait(work: Promise<void>): void {
    const done = this.#intake.wait(work)
    if (this.management && this.session) this.streams.working(this.session, done)
  }

  /** Gathers what is sent without writing it, until `release`. */
  holdWrites(): void {
    this.#isHeld = true
  }

  /** Writes `first`, then what was gathered. */
  releaseWrites(first: string): void {
    this.#isHeld = false
    this.#parts.unshift(Buffer.from(first))
    this.streams.batch.add(this)
  }

  /** There may be something to write without anything new being sent. */
  wake(): void {
    if (this.#parts.length === 0) this.streams.batch.add(this)
  }

  take(event: FramerEvent): void {
    if (this.isOver) return
    switch (event.type) {
      case 'stanza':
        if (this.phase === 'bound' && this.session) this.#handle(event.stanza, this.session)
        else if (this.#isOpen) negotiate(this, event.stanza)
        else this.#notOpened(event.stanza)
        return
      case 'open':
        this.#opened(event)
        return
      case 'close':
        this.end()
        this.#endSession()
        return
      default:
        event satisfies never
    }
  }

  stumble(error: unknown): void {
    if (error instanceof StreamError) this.fail(error)
    else {
      this.streams.parts.log.error({ err: error, jid: this.session?.jid.full }, 'stream stumbled over a bug')
      this.fail(new StreamError('internal-server-error'))
    }
  }

  #gather(element: Buffer): void {
    if (this.isOver) return
    this.writtenBytes += element.length
    if (this.#parts.push(element) === 1) this.streams.batch.add(this)
  }

  #write(): void {
    const parts = this.#parts
    this.#parts = []
    this.wire.write(parts)
  }

  #opened(event: Extract<FramerEvent, { type: 'open' }>): void {
    if (this.#isOpen) throw new StreamError('policy-violation', 'This stream is open already.')
    this.header = readHeader(event)
    const fault = headerFault(event, this.wire.mode, this.streams.parts.domain)
    this.#open()
    if (fault) throw fault
    const sentAway = this.streams.sentAway(this.wire.kind)
    if (sentAway) throw sentAway
    this.sendRaw(featuresElement(this.wire.mode, featuresFor(this)))
  }

  #open(): void {
    const { domain, randomId } = this.streams.parts
    this.#isOpen = true
    this.sendRaw(streamHeader({ mode: this.wire.mode, domain, id: randomId(), client: this.header }))
  }

  // Only over WebSocket; over TCP the framer takes the first element for the header.
  #notOpened(stanza: Stanza): never {
    if (stanza.name === 'open' || stanza.name === 'close') throw new StreamError('invalid-namespace')
    throw new StreamError('bad-format', 'A stream begins with <open/>.')
  }

  #handle(stanza: Stanza, session: Session): void {
    this.#stanzas++
    if (stanza.kind === 'other') {
      this.#handleOther(stanza, session)
      return
    }
    if (this.repeated > 0) {
      this.repeated--
      return
    }
    const { inbox } = session
    const working = this.streams.parts.router.receive(session, this.#stamped(stanza, session))
    if (working === undefined) inbox?.count()
    else this.wait(inbox ? working.then(() => inbox.count()) : working)
  }

  /** §8.1.2.1: the client may name itself or nobody. §4.7.4: its stanzas are in the language of its stream. */
  #stamped(stanza: Stanza, session: Session): Stanza {
    const { full, bare } = session.jid
    if (stanza.from !== undefined && stanza.from !== full) {
      const from = tryJid(stanza.from)?.full
      if (from !== full && from !== bare) throw new StreamError('invalid-from', `This stream is of ${full}.`)
    }
    const { lang } = this.header
    return lang === undefined || stanza.lang !== undefined
      ? stanza.with({ from: full })
      : stanza.with({ from: full, lang })
  }

  #handleOther(stanza: Stanza, session: Session): void {
    if (this.management?.take(stanza)) return
    const handler = this.streams.parts.nonzas.get(`${stanza.name} ${stanza.ns}`)
    if (handler) {
      const working = handler(session, stanza)
      if (working instanceof Promise) this.wait(working)
      return
    }
    // The client's own stream error (§4.9): it closes, so do we.
    if (stanza.ns === NS_STREAM && stanza.name === 'error') {
      this.end()
      this.#endSession()
    } else negotiate(this, stanza)
  }

  #endSession(): void {
    const { session, streams } = this
    if (!session || session.outlet !== this) return
    streams.parts.sessions
      .end(session, 'left')
      .catch(error => streams.parts.log.error({ err: error, jid: session.jid.full }, 'session ended with a fault'))
  }
}
