/** One session over BOSH (XEP-0124): a connection made of HTTP requests, some of which wait for something to answer. */
import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import {
  type BoshCondition,
  type BoshRequest,
  bodyOf,
  closeElement,
  openOf,
  terminationOf,
  xmppAttributes,
} from './bosh-body.ts'
import type { Transport, TransportListener } from './transport.ts'

/** The longest time a request waits, in seconds (§7.1). */
export const WAIT_MAX_SECONDS = 60
/** How many wait at a time; a client may have one more under way (§7.2). */
const HOLD_MAX = 1
/** Without a request that waits for this long, the client is gone (§10). */
const INACTIVITY_SECONDS = 60
/** A client that polls does so no more often than this, and is given that much more time (§12). */
const POLLING_SECONDS = 2
const VERSION = '1.11'

interface Pending {
  readonly request: BoshRequest
  response: ServerResponse
  /** When it came, milliseconds since 1970. */
  readonly at: number
}

export interface BoshOptions {
  readonly sid: string
  readonly domain: string
  readonly address: string
  readonly isSecure: boolean
  readonly isPlaintextAllowed: boolean
  readonly now: () => number
  /** The session is over. */
  readonly onOver: () => void
}

/** Answers a request. */
export function reply(response: ServerResponse, body: string): void {
  if (response.destroyed || response.writableEnded) return
  const bytes = Buffer.from(body)
  // Before §17.2 the status of HTTP told of errors; now it is 200 always.
  response.writeHead(200, { 'content-type': 'text/xml; charset=utf-8', 'content-length': bytes.length })
  response.end(bytes)
}

export class BoshTransport implements Transport {
  readonly kind = 'bosh'
  readonly mode = 'document'
  readonly startTls = undefined
  // Requests come over one connection after the other: there is nothing to bind to.
  readonly channelBindings: readonly string[] = []
  readonly address: string
  readonly isSecure: boolean
  readonly isPlaintextAllowed: boolean
  listener: TransportListener | undefined
  readonly #options: BoshOptions
  readonly #hold: number
  readonly #waitMs: number
  readonly #usesAcks: boolean
  readonly #version: string
  #next: number
  /** Requests that came before their turn, or while reading is paused. */
  readonly #early = new Map<number, Pending>()
  /** Requests that wait for something to answer, oldest first. */
  #held: Pending[] = []
  /** The latest answers, by rid: a connection may break before they arrive (§14.3). */
  readonly #answers = new Map<number, string>()
  #parts: Buffer[] = []
  #bytes = 0
  #key: string | undefined
  #isPaused = false
  /** The stream has begun; the first answer was given. */
  #hasBegun = false
  #isCreated = false
  #quietSince: number
  /** The last request was empty, and so was its answer: when it came. */
  #emptyPollAt = Number.NEGATIVE_INFINITY
  /** Nothing follows but this; undefined = the session goes on. */
  #end: { condition: BoshCondition | undefined; content: (Buffer | string)[] } | undefined
  #isOver = false

  /** @param request the one that creates the session */
  constructor(request: BoshRequest, options: BoshOptions) {
    this.#options = options
    this.address = options.address
    this.isSecure = options.isSecure
    this.isPlaintextAllowed = options.isPlaintextAllowed
    this.#waitMs = Math.min(request.wait, WAIT_MAX_SECONDS) * 1000
    this.#hold = this.#waitMs === 0 ? 0 : Math.min(request.hold, HOLD_MAX)
    this.#usesAcks = request.usesAcks
    this.#version = lower(request.version ?? VERSION, VERSION)
    this.#next = request.rid
    this.#quietSince = options.now()
  }

  /** Requests that a client may have under way. */
  get #requestsMax(): number {
    return this.#hold + 1
  }

  get waitingBytes(): number {
    return this.#bytes
  }

  channelBinding(): undefined {
    return undefined
  }

  /** Takes a request of this session. */
  take(request: BoshRequest, response: ServerResponse): void {
    const { rid } = request
    const pending = { request, response, at: this.#options.now() }
    if (rid < this.#next) this.#repeat(pending)
    else if (rid >= this.#next + this.#requestsMax + 1) this.#fail('item-not-found', response)
    else {
      const twin = this.#early.get(rid)
      if (twin) reply(twin.response, bodyOf({ type: 'error' }))
      this.#early.set(rid, pending)
      this.#goOn()
    }
  }

  /** Answers what has waited long enough. Called every second. */
  sweep(): void {
    const now = this.#options.now()
    for (const pending of [...this.#held]) if (now - pending.at >= this.#waitMs) this.#answer(pending)
    const patience = INACTIVITY_SECONDS + (this.#hold === 0 ? POLLING_SECONDS : 0)
    if (this.#held.length === 0 && now - this.#quietSince >= patience * 1000) this.#over()
  }

  write(parts: readonly Buffer[]): void {
    for (const part of parts) this.#put(part)
    this.#flush()
  }

  keepAlive(): void {
    // The client asks again by itself, at the latest when its request has waited long enough.
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    setImmediate(() => this.#goOn())
  }

  finish(): void {
    this.#end ??= { condition: undefined, content: [] }
    this.#flush()
  }

  destroy(): void {
    this.#fail('remote-stream-error')
  }

  /** One element of ours, as it would go over WebSocket. */
  #put(part: Buffer): void {
    const start = part.toString('latin1', 0, 24)
    if (start.startsWith('<open ')) return
    if (start.startsWith('<close ')) {
      const uri = / see-other-uri='([^']*)'/.exec(part.toString())?.[1]
      const isElsewhere = uri !== undefined
      this.#end ??= {
        condition: isElsewhere ? 'see-other-uri' : undefined,
        content: isElsewhere ? [`<uri>${uri}</uri>`] : [],
      }
      return
    }
    // XEP-0206 §6
    if (start.startsWith('<stream:error ')) this.#end = { condition: 'remote-stream-error', content: [part] }
    else {
      this.#parts.push(part)
      this.#bytes += part.length
    }
  }

  /** A request that came before: its answer again, or the answer goes to where it came from last (§14.3). */
  #repeat(pending: Pending): void {
    const { rid } = pending.request
    const answer = this.#answers.get(rid)
    const held = this.#held.find(one => one.request.rid === rid)
    if (answer !== undefined) reply(pending.response, answer)
    else if (held) {
      reply(held.response, bodyOf({ type: 'error' }))
      held.response = pending.response
    } else this.#fail('item-not-found', pending.response)
  }

  /** Handles requests whose turn it is. */
  #goOn(): void {
    while (!this.#isPaused && !this.#isOver) {
      const pending = this.#early.get(this.#next)
      if (!pending) return
      this.#early.delete(this.#next)
      this.#handle(pending)
    }
  }

  #handle(pending: Pending): void {
    const { request } = pending
    this.#next++
    this.#held.push(pending)
    if (!this.#isKeyRight(request)) {
      this.#fail('item-not-found')
      return
    }
    // §11: as many as are allowed, and one more that ends the session.
    if (this.#held.length > this.#requestsMax + (request.isTerminating ? 1 : 0) || this.#pollsTooOften(pending)) {
      this.#fail('policy-violation')
      return
    }
    this.listener?.heard()
    this.#give(request)
    setImmediate(() => this.#settle())
  }

  #give(request: BoshRequest): void {
    // XEP-0206 §5: what comes with a restart may be ignored.
    const opens = !this.#hasBegun || request.isRestart
    this.#hasBegun = true
    if (opens) this.listener?.received(openOf(request))
    else for (const payload of request.payloads) this.listener?.received(payload)
    if (request.isTerminating) this.listener?.received(closeElement)
  }

  /** §15: who sees the requests of others still cannot send one in their place. */
  #isKeyRight({ key, newKey }: BoshRequest): boolean {
    const expected = this.#key
    this.#key = (newKey ?? key)?.toLowerCase()
    if (expected === undefined) return true
    return key !== undefined && createHash('sha1').update(key.toLowerCase()).digest('hex') === expected
  }

  /** §12 */
  #pollsTooOften({ request, at }: Pending): boolean {
    if (this.#hold > 0) return false
    const isEmpty = request.payloads.length === 0 && !request.isRestart && !request.isTerminating
    const isTooOften = isEmpty && at - this.#emptyPollAt < POLLING_SECONDS * 1000
    this.#emptyPollAt = isEmpty && this.#parts.length === 0 ? at : Number.NEGATIVE_INFINITY
    return isTooOften
  }

  /** What has come of the latest requests is written now: only as many as may wait do so. */
  #settle(): void {
    this.#flush()
    // The first answer tells of the session: it waits for the features.
    while (this.#isCreated && this.#held.length > this.#hold) this.#answer(this.#held[0])
  }

  #flush(): void {
    if (this.#held.length === 0 || this.#isOver) return
    if (this.#end) this.#terminate(this.#end.condition, [...this.#parts, ...this.#end.content])
    else if (this.#parts.length > 0) this.#answer(this.#held[0])
  }

  /** Answers a request with all there is. */
  #answer(pending: Pending | undefined): void {
    if (!pending) return
    const { rid } = pending.request
    const parts = this.#parts
    this.#parts = []
    this.#bytes = 0
    // §9.1: everything up to here was received; what is answered is not named.
    const ack = this.#usesAcks && this.#next - 1 !== rid ? this.#next - 1 : undefined
    const body = bodyOf(this.#isCreated ? { ack } : this.#creation(rid), parts)
    this.#isCreated = true
    this.#answers.set(rid, body)
    for (const old of this.#answers.keys()) {
      if (this.#answers.size <= this.#requestsMax + 1) break
      this.#answers.delete(old)
    }
    this.#held = this.#held.filter(one => one !== pending)
    if (this.#held.length === 0) this.#quietSince = this.#options.now()
    reply(pending.response, body)
  }

  /** §7.2 */
  #creation(rid: number): Record<string, string | number | undefined> {
    const { sid, domain } = this.#options
    return {
      sid,
      from: domain,
      wait: this.#waitMs / 1000,
      hold: this.#hold,
      requests: this.#requestsMax,
      inactivity: INACTIVITY_SECONDS,
      polling: POLLING_SECONDS,
      ver: this.#version,
      ack: this.#usesAcks ? rid : undefined,
      ...xmppAttributes,
    }
  }

  /** The client broke a rule, or is to go. */
  #fail(condition: BoshCondition, response?: ServerResponse): void {
    if (response) reply(response, terminationOf(condition))
    this.#terminate(condition, [])
  }

  /** §13: the oldest request is told, the others end. */
  #terminate(condition: BoshCondition | undefined, content: (Buffer | string)[]): void {
    if (this.#isOver) return
    const [oldest, ...others] = [...this.#held, ...this.#early.values()]
    if (oldest) reply(oldest.response, terminationOf(condition, content))
    for (const { response } of others) reply(response, bodyOf({}))
    this.#over()
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#held = []
    this.#early.clear()
    this.#answers.clear()
    this.#options.onOver()
    // Not from inside a call of the stream.
    setImmediate(() => this.listener?.closed())
  }
}

/** The lower of two versions 'major.minor'. */
function lower(one: string, other: string): string {
  if (!/^\d{1,3}\.\d{1,3}$/.test(one)) return other
  const [major = 0, minor = 0] = one.split('.').map(Number)
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number)
  return major < otherMajor || (major === otherMajor && minor < otherMinor) ? one : other
}
