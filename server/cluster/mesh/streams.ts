/**
 * Streams to other nodes: a TLS connection of its own for each, with a hello in front and no frames behind it. A node that cannot be dialled (a firewall
 * lets nothing in) is asked over its link to dial instead.
 */
import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { CallFault, type Peer, type StreamPurpose } from '../mesh.ts'
import { type Dialled, dialAddress } from './dial.ts'
import type { FarPeer } from './far-peer.ts'
import { farewell } from './farewell.ts'
import { FrameReader, kind, plainFrame } from './frames.ts'
import { type Hello, type HelloBase, streamHello } from './hello.ts'
import { alpnHazelcast, alpnLink, type Identity } from './identity.ts'
import type { MeshLimits, MeshTimings } from './timings.ts'

export type StreamTaker = (stream: Duplex, from: Peer) => void

export interface StreamsOptions {
  readonly identity: Identity
  readonly limits: MeshLimits
  readonly timings: MeshTimings
  readonly hello: () => HelloBase
  /** Asks a peer to dial this node: its answer only says that it tries. */
  readonly ask: (peer: FarPeer, body: DialRequest, timeoutMs: number) => Promise<unknown>
}

/** The question by which a node asks to be dialled. */
export const dialMethod = 'mesh.dial'

export interface DialRequest {
  readonly purpose: StreamPurpose
  /** The dialler's hello names it. */
  readonly answers: string
}

interface Expected {
  readonly peer: Peer
  readonly purpose: StreamPurpose
  readonly take: (socket: TLSSocket) => void
}

/** The reverse way gets the rest of the time, but not less than this part of it. */
const directShare = 0.6

export class Streams {
  readonly #options: StreamsOptions
  readonly #takers = new Map<StreamPurpose, StreamTaker>()
  /** With the process at the other end (`Hello.life`); empty until that is known. */
  readonly #open = new Map<Peer, Map<TLSSocket, string>>()
  readonly #expected = new Map<string, Expected>()
  readonly #closed = new AbortController()

  constructor(options: StreamsOptions) {
    this.#options = options
  }

  /** Takes streams for one purpose. @returns ends that */
  on(purpose: StreamPurpose, taker: StreamTaker): () => void {
    this.#takers.set(purpose, taker)
    return () => {
      if (this.#takers.get(purpose) === taker) this.#takers.delete(purpose)
    }
  }

  /** @throws CallFault */
  async open(peer: FarPeer, purpose: StreamPurpose, timeoutMs = this.#options.timings.openStreamMs): Promise<Duplex> {
    const end = performance.now() + timeoutMs
    if (this.#count(peer) >= this.#options.limits.streamsPerPeer)
      throw new CallFault('refused', `There are ${this.#count(peer)} streams to ${peer.node.name} already.`)
    const isTurned = peer.state === 'up' && peer.addresses.dialled === undefined
    if (isTurned) {
      const turned = await this.#turned(peer, purpose, timeoutMs * directShare).catch(asFault)
      if (!(turned instanceof CallFault)) return turned
      if (turned.reason === 'refused') throw turned
    }
    const dialled = await this.#direct(
      peer,
      purpose,
      peer.state === 'up' && !isTurned ? timeoutMs * directShare : timeoutMs,
    )
    if ('socket' in dialled) return this.#greet(dialled.socket, peer, purpose, end - performance.now())
    const leftMs = end - performance.now()
    if (leftMs > 0 && peer.state === 'up' && !isTurned) return this.#turned(peer, purpose, leftMs)
    throw new CallFault('away', `${peer.node.name} cannot be reached: ${dialled.fault}.`)
  }

  /** A connection of an authenticated node whose hello says that it is a stream. */
  accept(socket: TLSSocket, peer: FarPeer, hello: Hello, reader: FrameReader): void {
    const { purpose, answers } = hello
    if (purpose === 'link') return
    const expected = answers === undefined ? undefined : this.#expected.get(answers)
    const isFull = this.#count(peer) >= this.#options.limits.streamsPerPeer
    const taker = answers === undefined ? this.#takers.get(purpose) : undefined
    const take =
      expected?.peer === peer && expected.purpose === purpose ? expected.take : taker && (() => taker(socket, peer))
    if (!take || isFull) {
      const why = isFull ? 'too many streams are open there' : 'nobody takes such streams there at the moment'
      void farewell(socket, plainFrame(kind.refuse, why))
      return
    }
    this.#keep(socket, peer, hello.life)
    socket.write(plainFrame(kind.use, this.#options.hello().life))
    const rest = reader.rest()
    if (rest.length > 0) socket.unshift(rest)
    take(socket)
  }

  /** A peer asks to be dialled. @throws Error with a sentence when that is not possible */
  dialBack(peer: FarPeer, body: unknown): void {
    const { purpose, answers } = (body ?? {}) as Partial<DialRequest>
    const taker = purpose && this.#takers.get(purpose)
    if (!taker || typeof answers !== 'string') throw new Error('nobody takes such streams there at the moment')
    if (this.#count(peer) >= this.#options.limits.streamsPerPeer) throw new Error('too many streams are open there')
    const { openStreamMs } = this.#options.timings
    this.#direct(peer, purpose, openStreamMs)
      .then(async dialled => {
        if ('socket' in dialled) taker(await this.#greet(dialled.socket, peer, purpose, openStreamMs, answers), peer)
      })
      // Whoever has asked waits with a limit of its own, and says what is wrong.
      .catch(asFault)
  }

  /** Ends all streams, and opens no more. */
  close(): void {
    this.#closed.abort()
    for (const peer of [...this.#open.keys()]) this.drop(peer)
  }

  /** Ends all streams of a peer. @param life those to this process stay: it was faster than its link */
  drop(peer: Peer, life?: string): void {
    for (const [socket, theirs] of [...(this.#open.get(peer) ?? [])]) if (theirs !== life) socket.destroy()
  }

  async #direct(peer: FarPeer, purpose: StreamPurpose, timeoutMs: number): Promise<Dialled> {
    const { identity, timings } = this.#options
    const end = performance.now() + timeoutMs
    let last: Dialled = { fault: 'none of its addresses is known', isCheap: true }
    for (const address of peer.addresses.list) {
      const leftMs = end - performance.now()
      if (leftMs <= 0) break
      last = await dialAddress({
        address,
        target: peer.node,
        identity,
        timeoutMs: Math.min(leftMs, timings.dialMs),
        alpn: purpose === 'hazelcast' ? alpnHazelcast : alpnLink,
        signal: this.#closed.signal,
      })
      if ('socket' in last) return last
    }
    return last
  }

  async #turned(peer: FarPeer, purpose: StreamPurpose, timeoutMs: number): Promise<Duplex> {
    const answers = randomBytes(12).toString('base64url')
    const arrived = Promise.withResolvers<TLSSocket>()
    const late = new CallFault('late', `${peer.node.name} did not open the stream in time.`)
    const limit = setTimeout(() => arrived.reject(late), timeoutMs)
    this.#expected.set(answers, { peer, purpose, take: arrived.resolve })
    try {
      const asked = this.#options.ask(peer, { purpose, answers }, timeoutMs)
      return await Promise.race([arrived.promise, asked.then(() => arrived.promise)])
    } finally {
      clearTimeout(limit)
      this.#expected.delete(answers)
    }
  }

  #greet(
    socket: TLSSocket,
    peer: FarPeer,
    purpose: StreamPurpose,
    timeoutMs: number,
    answers?: string,
  ): Promise<TLSSocket> {
    const { name } = peer.node
    this.#keep(socket, peer, '')
    return new Promise((resolve, reject) => {
      const reader = new FrameReader(this.#options.limits.frameBytes)
      const stop = () => {
        clearTimeout(limit)
        socket.removeListener('readable', onReadable)
        socket.removeListener('close', onClose)
        socket.removeListener('end', onClose)
      }
      const fail = (reason: CallFault['reason'], sentence: string) => {
        stop()
        socket.destroy()
        reject(new CallFault(reason, sentence))
      }
      const limit = setTimeout(() => fail('late', `${name} did not open the stream in time.`), Math.max(1, timeoutMs))
      const onClose = () => fail('away', `${name} closed the connection.`)
      // Not by `data`: whoever takes the stream decides when it flows.
      const onReadable = () => {
        const chunk: Buffer | null = socket.read()
        if (!chunk) return
        reader.push(chunk)
        const frame = reader.next()
        if (frame === undefined) return
        if ('fault' in frame) fail('refused', `${name} answers nonsense: ${frame.fault}.`)
        else if (frame.kind === kind.refuse)
          fail('refused', `${name} refuses the stream: ${frame.payload.toString('utf8', 0, 500)}.`)
        else if (frame.kind !== kind.use) fail('refused', `${name} answers nonsense.`)
        else {
          stop()
          this.#open.get(peer)?.set(socket, frame.payload.toString())
          const rest = reader.rest()
          if (rest.length > 0) socket.unshift(rest)
          resolve(socket)
        }
      }
      socket.on('readable', onReadable)
      socket.once('close', onClose)
      socket.once('end', onClose)
      socket.write(plainFrame(kind.hello, JSON.stringify(streamHello(this.#options.hello(), purpose, answers))))
    })
  }

  #count(peer: Peer): number {
    return this.#open.get(peer)?.size ?? 0
  }

  #keep(socket: TLSSocket, peer: Peer, life: string): void {
    const open = this.#open.get(peer) ?? new Map<TLSSocket, string>()
    this.#open.set(peer, open)
    open.set(socket, life)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 10_000)
    // Its owner sees the end of the stream; the error is only the reason.
    socket.on('error', () => socket.destroy())
    socket.once('close', () => {
      open.delete(socket)
      if (open.size === 0 && this.#open.get(peer) === open) this.#open.delete(peer)
    })
  }
}

function asFault(error: unknown): CallFault {
  return error instanceof CallFault ? error : new CallFault('away', String(error))
}
