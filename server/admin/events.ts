/** Server-sent events to open pages (WHATWG HTML §9.2): bounded for each reader, coalesced where lists are asked for again. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { originOf } from './caller.ts'
import type { EventData, EventType } from './contract/events.ts'
import { refusal } from './problem.ts'

const HEARTBEAT_MS = 15_000
/** What may wait for a slow reader; more, and it is cut off and connects again. */
const WAITING_BYTES_MAX = 256 * 1024
const STREAMS_MAX = 200
const PER_ADDRESS_MAX = 30
const COALESCE_MS = { people: 1_000, connections: 1_000, nodes: 500, updates: 500 } as const

interface Stream {
  readonly address: string
  /** Whose it is: by the sign-in of a browser, or by a script. */
  readonly sessionKey: string | undefined
  readonly isScript: boolean
  /** @returns false when the reader is too slow and was cut off */
  write(text: string): boolean
  end(): void
}

/** All event streams of this PC, of pages and of the live log. */
export class Streams {
  readonly #open = new Set<Stream>()
  readonly #heartbeat: NodeJS.Timeout

  constructor() {
    this.#heartbeat = setInterval(() => {
      for (const stream of this.#open) stream.write(':\n\n')
    }, HEARTBEAT_MS)
    this.#heartbeat.unref()
  }

  get size(): number {
    return this.#open.size
  }

  /**
   * Turns a request into a stream; it is over when the reader goes.
   * @returns what writes to it; `onEnd` runs once
   * @throws Refusal when there are too many
   */
  open(request: FastifyRequest, reply: FastifyReply, onEnd: () => void): Stream {
    const { address } = request.origin ?? originOf(request)
    const own = [...this.#open].filter(other => other.address === address).length
    if (this.#open.size >= STREAMS_MAX || own >= PER_ADDRESS_MAX) {
      throw refusal('too-busy', 'Too many of these pages are open: close some.', { waitSeconds: 10 })
    }
    const headers = reply.getHeaders()
    reply.hijack()
    const { raw } = reply
    raw.writeHead(200, {
      ...(headers as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    const stream: Stream = {
      address,
      sessionKey: request.caller?.sessionKey,
      isScript: request.caller?.kind === 'token',
      write: text => {
        if (raw.destroyed) return false
        raw.write(text)
        if (raw.writableLength <= WAITING_BYTES_MAX) return true
        raw.destroy()
        return false
      },
      end: () => raw.end(),
    }
    this.#open.add(stream)
    raw.on('error', () => raw.destroy()) // a reader that is gone
    raw.once('close', () => {
      this.#open.delete(stream)
      onEnd()
    })
    stream.write('retry: 2000\n\n')
    return stream
  }

  /** Ends the streams of a sign-in that is over, after telling them. */
  endOf(sessionKey: string): void {
    for (const stream of this.#open) {
      if (stream.sessionKey !== sessionKey) continue
      stream.write(frame('signed-out', {}))
      stream.end()
    }
  }

  /** Ends the streams of scripts; those whose token is still good connect again. */
  endOfTokens(): void {
    for (const stream of this.#open) if (stream.isScript) stream.end()
  }

  /** The sign-ins that have a stream open. */
  sessionKeys(): Set<string> {
    return new Set([...this.#open].flatMap(({ sessionKey }) => sessionKey ?? []))
  }

  close(): void {
    clearInterval(this.#heartbeat)
    for (const stream of this.#open) stream.end()
  }
}

/** One event as it stands on the wire. */
export function frame(name: string, data: unknown, id?: string | number): string {
  return `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
}

/** Events for pages: whoever follows gets all of them. */
export class Events {
  readonly #followers = new Set<Stream>()
  readonly #late = new Map<keyof typeof COALESCE_MS, NodeJS.Timeout>()

  /** @param streams where the streams are kept and counted */
  follow(streams: Streams, request: FastifyRequest, reply: FastifyReply): void {
    const stream = streams.open(request, reply, () => this.#followers.delete(stream))
    this.#followers.add(stream)
  }

  get hasFollowers(): boolean {
    return this.#followers.size > 0
  }

  /** Tells all pages now. */
  tell<T extends EventType>(type: T, data: EventData<T>): void {
    if (this.#followers.size === 0) return
    const text = frame(type, data)
    for (const stream of this.#followers) stream.write(text)
  }

  /** Tells all pages to ask for a list again, at most once a second (PCs and updates: twice). */
  stir(type: keyof typeof COALESCE_MS): void {
    if (this.#followers.size === 0 || this.#late.has(type)) return
    const timer = setTimeout(() => {
      this.#late.delete(type)
      this.tell(type, {})
    }, COALESCE_MS[type])
    timer.unref()
    this.#late.set(type, timer)
  }

  close(): void {
    for (const timer of this.#late.values()) clearTimeout(timer)
    this.#late.clear()
  }
}
