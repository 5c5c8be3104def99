/** One connection with frames on it. What it carries belongs to the channel; a link only lives as long as its socket. */
import type { TLSSocket } from 'node:tls'
import { plainAddress } from './admission.ts'
import type { Channel } from './channel.ts'
import { farewell } from './farewell.ts'
import { ackFrame, type Frame, FrameReader, kind, plainFrame, readAck } from './frames.ts'
import { type Hello, readHello, readJson, whole } from './hello.ts'

/** Said by the node with the lower number, which chooses the link of the two: everything from now on goes over this one. */
export interface Use {
  readonly serial: number
  readonly isFresh: boolean
  readonly received: number
}

/** What a link tells its peer. Nothing is called after `end`. */
export interface LinkEvents {
  /** Bytes came. False: do not read them (this process was frozen). */
  heard(link: Link): boolean
  greeted(link: Link, hello: Hello): void
  chosen(link: Link, use: Use): void
  numbered(link: Link, frame: Frame): void
  /** Everything that came in one piece was handled. */
  handled(): void
  roundTrip(link: Link, ms: number): void
  bye(link: Link): void
  /** The other side does not want this connection. */
  refused(link: Link, sentence: string): void
  /** @param by who has ended it */
  ended(link: Link, why: string, by: 'us' | 'them'): void
}

export interface LinkOptions {
  readonly socket: TLSSocket
  readonly hello: Hello
  readonly channel: Channel
  readonly events: LinkEvents
  readonly frameBytes: number
  /** Until the other side has said its hello, and one of both has chosen the link. */
  readonly handshakeMs: number
  /** Bytes that came together with what was read before. */
  readonly reader?: FrameReader
  readonly theirs?: Hello
}

const batchBytes = 262_144
/** What was handled is acknowledged with the next thing that is written, else so soon: a write for each alone would wake both PCs while they have better to do. */
const ackMs = 25
/** More than this is acknowledged in the same turn: the other side keeps it until then. */
const ackFrames = 32
const ackBytes = 65_536

export class Link {
  /** What this side said first: void when the channel has changed since. */
  readonly said: Hello
  readonly address: string
  /** What the other side said first. */
  hello: Hello | undefined
  /** The chosen link of its peer. */
  isActive = false
  readonly #socket: TLSSocket
  readonly #channel: Channel
  readonly #events: LinkEvents
  readonly #reader: FrameReader
  readonly #deadline: NodeJS.Timeout
  #plain: Buffer[] = []
  #owesAck = false
  #handledFrames = 0
  #handledBytes = 0
  #ackTimer: NodeJS.Timeout | undefined
  /** An acknowledgement that waits until the frames up to `after` are written. */
  #ack: { readonly number: number; readonly after: number } | undefined
  #isScheduled = false
  #isEnded = false
  #lastError = 'the connection ended'

  constructor(options: LinkOptions) {
    const { socket } = options
    this.#socket = socket
    this.#channel = options.channel
    this.#events = options.events
    this.said = options.hello
    this.address = plainAddress(socket.remoteAddress)
    this.#reader = options.reader ?? new FrameReader(options.frameBytes)
    this.#deadline = setTimeout(() => this.end('it did not answer in time'), options.handshakeMs)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 10_000)
    socket.on('data', chunk => this.#read(chunk))
    socket.on('drain', () => this.#flush())
    socket.on('error', error => {
      this.#lastError = error.message
    })
    socket.on('end', () => this.end('the other side closed the connection', 'them'))
    socket.on('close', () => this.end(this.#lastError, 'them'))
    this.plain(plainFrame(kind.hello, JSON.stringify(options.hello)))
    if (options.theirs) this.hello = options.theirs
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /** Reads what came with the hello, after whoever made the link knows it. */
  start(): void {
    if (this.hello) this.#events.greeted(this, this.hello)
    this.#takeAll()
  }

  /** Writes what waits at the end of this turn. */
  schedule(): void {
    if (this.#isScheduled || this.#isEnded) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#flush()
    })
  }

  plain(frame: Buffer): void {
    this.#plain.push(frame)
    this.schedule()
  }

  /** Makes this the one that carries the channel. What was handled before is acknowledged again: that word may have been lost. */
  activate(): void {
    this.isActive = true
    clearTimeout(this.#deadline)
    this.acknowledge()
  }

  acknowledge(): void {
    this.#owesAck = true
    this.schedule()
  }

  /** A ping carries this side's clock and comes back with it. A link that cannot be written to has one on its way already. */
  ping(): void {
    if (this.#socket.writableNeedDrain) return
    const payload = Buffer.allocUnsafe(8)
    payload.writeDoubleBE(performance.now())
    this.plain(plainFrame(kind.ping, payload))
  }

  /** Ends it with a last word, behind everything that waits to be written. Resolves when the connection is over, after a second at the latest. */
  dismiss(word: Buffer, why: string): Promise<void> {
    if (this.#isEnded) return Promise.resolve()
    const parts = this.#plain
    this.#plain = []
    let hasMore = this.isActive
    while (hasMore) hasMore = this.#gather(parts)
    this.#over(why, 'us')
    return farewell(this.#socket, Buffer.concat([...parts, word]))
  }

  /** Ends it at once; unread bytes are dropped. */
  end(why: string, by: 'us' | 'them' = 'us'): void {
    if (this.#isEnded) return
    this.#socket.destroy()
    this.#over(why, by)
  }

  #over(why: string, by: 'us' | 'them'): void {
    this.#isEnded = true
    clearTimeout(this.#deadline)
    clearTimeout(this.#ackTimer)
    this.#events.ended(this, why, by)
  }

  #flush(): void {
    if (this.#isEnded || this.#socket.writableNeedDrain) return
    const parts = this.#plain
    this.#plain = []
    if (this.isActive) this.#gather(parts)
    if (parts.length === 0) return
    const isFree = this.#socket.write(parts.length === 1 ? (parts[0] ?? '') : Buffer.concat(parts))
    if (this.isActive && isFree && (this.#channel.hasUnwritten || this.#owesAck)) this.schedule()
  }

  /** The next frames, and behind those that handlers have sent back the word that theirs were handled. @returns whether there is more */
  #gather(parts: Buffer[]): boolean {
    const channel = this.#channel
    if (this.#owesAck && !this.#ack) {
      this.#ack = { number: channel.received, after: channel.queued }
      this.#owesAck = false
      this.#handledFrames = 0
      this.#handledBytes = 0
      clearTimeout(this.#ackTimer)
      this.#ackTimer = undefined
    }
    const batch = channel.batch(batchBytes)
    if (batch) parts.push(batch)
    if (this.#ack && channel.written >= this.#ack.after) {
      parts.push(ackFrame(this.#ack.number))
      this.#ack = undefined
    }
    return channel.hasUnwritten
  }

  #read(chunk: Buffer): void {
    if (this.#isEnded || !this.#events.heard(this)) return
    this.#reader.push(chunk)
    this.#takeAll()
  }

  #takeAll(): void {
    this.#drainReader()
    if (this.#isEnded || this.#handledFrames === 0) return
    this.#events.handled()
    if (this.#handledFrames >= ackFrames || this.#handledBytes >= ackBytes) this.schedule()
    else this.#ackTimer ??= setTimeout(() => this.#flush(), ackMs)
  }

  #drainReader(): void {
    while (!this.#isEnded) {
      const frame = this.#reader.next()
      if (frame === undefined) return
      const fault = 'fault' in frame ? frame.fault : this.#take(frame)
      if (fault !== undefined) this.end(fault)
    }
  }

  /** @returns a sentence when the other side breaks the protocol */
  #take(frame: Frame): string | undefined {
    if (!this.hello) return this.#greet(frame)
    if (frame.kind >= kind.call) {
      if (!this.isActive) return 'it spoke before the connection was chosen'
      const order = this.#channel.take(frame.number)
      if (order === 'gap') return 'a frame is missing'
      if (order === 'next') this.#events.numbered(this, frame)
      this.#owesAck = true
      this.#handledFrames++
      this.#handledBytes += frame.payload.length
      return undefined
    }
    switch (frame.kind) {
      case kind.ack: {
        const number = readAck(frame)
        if (!this.isActive || number === undefined || !this.#channel.acknowledge(number))
          return 'it acknowledged what was never sent'
        return undefined
      }
      case kind.ping:
        this.plain(plainFrame(kind.pong, Buffer.from(frame.payload)))
        return frame.payload.length === 8 ? undefined : 'a ping has no time'
      case kind.pong:
        if (frame.payload.length !== 8) return 'a pong has no time'
        this.#events.roundTrip(this, performance.now() - frame.payload.readDoubleBE())
        return undefined
      case kind.use: {
        const use = readUse(frame.payload)
        if (!use || this.isActive) return 'it chose the connection in an unknown way'
        this.#events.chosen(this, use)
        return undefined
      }
      case kind.bye:
        this.#events.bye(this)
        return undefined
      case kind.refuse:
        this.#events.refused(this, frame.payload.toString('utf8', 0, 500))
        return undefined
      default:
        return 'it said hello twice'
    }
  }

  #greet(frame: Frame): string | undefined {
    if (frame.kind === kind.refuse) {
      this.#events.refused(this, frame.payload.toString('utf8', 0, 500))
      return undefined
    }
    if (frame.kind !== kind.hello) return 'it did not say hello'
    const hello = readHello(frame.payload)
    if (typeof hello === 'string') {
      this.#events.refused(this, hello)
      void this.dismiss(plainFrame(kind.refuse, hello), hello)
      return undefined
    }
    this.hello = hello
    this.#events.greeted(this, hello)
    return undefined
  }
}

/** The frame that says `use`. */
export function useFrame(use: Use): Buffer {
  return plainFrame(kind.use, JSON.stringify(use))
}

function readUse(payload: Buffer): Use | undefined {
  const said = readJson(payload)
  const serial = whole(said?.serial)
  const received = whole(said?.received)
  if (serial === undefined || received === undefined || typeof said?.isFresh !== 'boolean') return undefined
  return { serial, received, isFresh: said.isFresh }
}
