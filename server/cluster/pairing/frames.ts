/** Messages on a `lanthorn-join` connection: JSON with its length in front of it (4 bytes, big-endian), small, few and in turn. */
import type { TLSSocket } from 'node:tls'
import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { JoinFault } from '../welcome.ts'
import { Fault, Here } from './messages.ts'

/** What comes before anything is proven. */
const messageBytesMax = 16 * 1024
/** All messages of a conversation together. */
const totalBytesMax = 64 * 1024
const welcomeBytesMax = 256 * 1024
/** Nobody sends more than this many messages without waiting for an answer. */
const unreadMax = 4
/** The other side does not read what it asked for. */
const unsentBytesMax = 512 * 1024
/** How long a last sentence may take to arrive. */
const partingMs = 2_000

interface Waiter {
  resolve(message: unknown): void
  reject(fault: JoinFault): void
}

/** What is sent: its shape is one of messages.ts. */
export type Message = { readonly type: string; readonly [field: string]: unknown }

/** One conversation. Ends for good with the first fault; the socket goes with it. */
export class Frames {
  readonly socket: TLSSocket
  readonly #other: string
  readonly #unread: unknown[] = []
  readonly #endListeners = new Set<(fault: JoinFault) => void>()
  #pieces: Buffer = Buffer.alloc(0)
  #received = 0
  #messageMax = messageBytesMax
  #totalMax = totalBytesMax
  #waiter: Waiter | undefined
  #fault: JoinFault | undefined
  #beat: NodeJS.Timeout | undefined
  #heardAt = 0

  /** @param other what the other side is called in sentences: its name or address */
  constructor(socket: TLSSocket, other: string) {
    this.socket = socket
    this.#other = other
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', () => this.#end(this.#gone()))
    socket.on('end', () => this.#end(this.#gone()))
    socket.on('close', () => this.#end(this.#gone()))
  }

  /** Why it is over; undefined while it is not. */
  get fault(): JoinFault | undefined {
    return this.#fault
  }

  /** Calls `listener` once when the conversation ends, at once when it has. */
  onEnd(listener: (fault: JoinFault) => void): void {
    if (this.#fault) listener(this.#fault)
    else this.#endListeners.add(listener)
  }

  /** Sends one message. Does nothing when the conversation is over. */
  send(message: Message): void {
    if (this.#fault || !this.socket.writable) return
    const body = Buffer.from(JSON.stringify(message))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(body.length)
    this.socket.write(Buffer.concat([length, body]))
    if (this.socket.writableLength > unsentBytesMax) this.#end(this.#gone())
  }

  /**
   * The next message.
   * @throws JoinFault when it does not come in time, is none of this shape, or the conversation ends: with the sentence of the other side
   */
  async next<T extends TSchema>(schema: T, timeoutMs: number): Promise<Static<T>> {
    const message = this.#unread.length > 0 ? this.#unread.shift() : await this.#wait(timeoutMs)
    if (Value.Check(schema, message)) return message
    throw this.#misspoke()
  }

  /** Waits until there is a message for `next`. @throws JoinFault as `next` does */
  async has(timeoutMs: number): Promise<void> {
    if (this.#unread.length === 0) this.#unread.push(await this.#wait(timeoutMs))
  }

  /** What comes next may be a welcome, which is bigger. */
  expectWelcome(): void {
    this.#messageMax = welcomeBytesMax
    this.#totalMax = totalBytesMax + welcomeBytesMax
  }

  /** From now on both sides show every `everyMs` that they are there; one that is silent for three times as long has ended. */
  keepAlive(everyMs: number): void {
    clearInterval(this.#beat)
    this.#heardAt = Date.now()
    this.#beat = setInterval(() => {
      if (Date.now() - this.#heardAt > 3 * everyMs) this.#end(this.#gone())
      else this.send({ type: 'here' })
    }, everyMs)
    this.#beat.unref()
  }

  /** Ends the conversation with a sentence that the other side hears. `told` is what it hears when that is not the same. */
  refuse(fault: JoinFault, told = fault): void {
    this.send({ type: 'fault', reason: told.reason, sentence: told.message } satisfies Static<typeof Fault>)
    this.#end(fault, 'gently')
  }

  /** Ends the conversation in order. */
  close(): void {
    this.#end(this.#gone(), 'gently')
  }

  #take(chunk: Buffer): void {
    if (this.#fault) return
    this.#heardAt = Date.now()
    this.#received += chunk.length
    this.#pieces = this.#pieces.length === 0 ? chunk : Buffer.concat([this.#pieces, chunk])
    while (!this.#fault && this.#pieces.length >= 4) {
      const length = this.#pieces.readUInt32BE(0)
      if (length > this.#messageMax || this.#received > this.#totalMax) {
        this.#end(this.#misspoke())
        return
      }
      if (this.#pieces.length < 4 + length) return
      const message = parse(this.#pieces.subarray(4, 4 + length))
      this.#pieces = this.#pieces.subarray(4 + length)
      this.#hear(message)
    }
  }

  /** @param message undefined when it was no JSON */
  #hear(message: unknown): void {
    if (Value.Check(Here, message)) return
    const waiter = this.#waiter
    if (Value.Check(Fault, message)) this.#end(new JoinFault(message.reason, message.sentence))
    else if (message === undefined || (!waiter && this.#unread.length >= unreadMax)) this.#end(this.#misspoke())
    else if (waiter) {
      this.#waiter = undefined
      waiter.resolve(message)
    } else this.#unread.push(message)
  }

  async #wait(timeoutMs: number): Promise<unknown> {
    if (this.#fault) throw this.#fault
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#waiter = { resolve, reject }
    const timer = setTimeout(() => this.#end(this.#late()), timeoutMs)
    timer.unref()
    try {
      return await promise
    } finally {
      clearTimeout(timer)
    }
  }

  #end(fault: JoinFault, how: 'now' | 'gently' = 'now'): void {
    if (this.#fault) return
    this.#fault = fault
    clearInterval(this.#beat)
    if (how === 'gently') {
      this.socket.end()
      // Still read, so that the end of the other side is seen.
      this.socket.resume()
      setTimeout(() => this.socket.destroy(), partingMs).unref()
    } else this.socket.destroy()
    this.#waiter?.reject(fault)
    this.#waiter = undefined
    for (const listener of this.#endListeners) listener(fault)
    this.#endListeners.clear()
  }

  #gone(): JoinFault {
    return new JoinFault('ended', `${this.#other} ended the conversation. Try again.`)
  }

  #late(): JoinFault {
    return new JoinFault(
      'unreachable',
      `${this.#other} does not answer in time. Look whether it is on, then try again.`,
    )
  }

  #misspoke(): JoinFault {
    return new JoinFault(
      'unreachable',
      `${this.#other} does not speak as a PC of a Lanthorn office does. Look whether the address is right.`,
    )
  }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    // Whoever sends something else speaks another language: the caller ends it.
    return undefined
  }
}
