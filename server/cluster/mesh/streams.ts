/** Streams to other nodes: a TLS connection of its own for each, with a hello in front and no frames behind it. */
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { CallFault, type Peer, type StreamPurpose } from '../mesh.ts'
import { dialAddress } from './dial.ts'
import type { FarPeer } from './far-peer.ts'
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
}

export class Streams {
  readonly #options: StreamsOptions
  readonly #takers = new Map<StreamPurpose, StreamTaker>()
  readonly #open = new Map<Peer, Set<TLSSocket>>()

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
    const { identity, limits } = this.#options
    const end = performance.now() + timeoutMs
    if (this.#count(peer) >= limits.streamsPerPeer)
      throw new CallFault('refused', `There are ${this.#count(peer)} streams to ${peer.node.name} already.`)
    let trouble = `No address of ${peer.node.name} is known.`
    for (const address of peer.addresses) {
      const leftMs = end - performance.now()
      if (leftMs <= 0) throw new CallFault('late', `${peer.node.name} did not answer within ${timeoutMs / 1_000} s.`)
      const dialled = await dialAddress({
        address,
        target: peer.node,
        identity,
        timeoutMs: Math.min(leftMs, this.#options.timings.dialMs),
        alpn: purpose === 'hazelcast' ? alpnHazelcast : alpnLink,
      })
      if ('fault' in dialled) {
        trouble = `${peer.node.name} cannot be reached: ${dialled.fault}.`
        continue
      }
      return this.#greet(dialled.socket, peer, purpose, end)
    }
    throw new CallFault('away', trouble)
  }

  /** A connection of an authenticated node whose hello says that it is a stream. */
  accept(socket: TLSSocket, peer: FarPeer, hello: Hello, reader: FrameReader): void {
    if (hello.purpose === 'link') return
    const taker = this.#takers.get(hello.purpose)
    const isFull = this.#count(peer) >= this.#options.limits.streamsPerPeer
    if (!taker || isFull) {
      const why = isFull ? 'it has too many streams open' : 'nobody takes such streams there at the moment'
      return void socket.end(plainFrame(kind.refuse, why))
    }
    this.#keep(socket, peer)
    socket.write(plainFrame(kind.use))
    const rest = reader.rest()
    if (rest.length > 0) socket.unshift(rest)
    taker(socket, peer)
  }

  /** Ends all streams of a peer. */
  drop(peer: Peer): void {
    for (const socket of this.#open.get(peer) ?? []) socket.destroy()
  }

  #greet(socket: TLSSocket, peer: FarPeer, purpose: StreamPurpose, end: number): Promise<Duplex> {
    const { name } = peer.node
    this.#keep(socket, peer)
    return new Promise((resolve, reject) => {
      const reader = new FrameReader(this.#options.limits.frameBytes)
      const stop = () => {
        clearTimeout(limit)
        socket.removeListener('readable', onReadable)
        socket.removeListener('close', onClose)
        socket.removeListener('end', onClose)
      }
      const fail = (fault: CallFault) => {
        stop()
        socket.destroy()
        reject(fault)
      }
      const limit = setTimeout(
        () => fail(new CallFault('late', `${name} did not open the stream in time.`)),
        Math.max(1, end - performance.now()),
      )
      const onClose = () => fail(new CallFault('away', `${name} closed the connection.`))
      // Not by `data`: whoever takes the stream decides when it flows.
      const onReadable = () => {
        const chunk: Buffer | null = socket.read()
        if (!chunk) return
        reader.push(chunk)
        const frame = reader.next()
        if (frame === undefined) return
        if ('fault' in frame) return fail(new CallFault('refused', `${name} answers nonsense: ${frame.fault}.`))
        if (frame.kind === kind.refuse)
          return fail(
            new CallFault('refused', `${name} refuses the stream: ${frame.payload.toString('utf8', 0, 500)}.`),
          )
        if (frame.kind !== kind.use) return fail(new CallFault('refused', `${name} answers nonsense.`))
        stop()
        const rest = reader.rest()
        if (rest.length > 0) socket.unshift(rest)
        resolve(socket)
      }
      socket.on('readable', onReadable)
      socket.once('close', onClose)
      socket.once('end', onClose)
      socket.write(plainFrame(kind.hello, JSON.stringify(streamHello(this.#options.hello(), purpose))))
    })
  }

  #count(peer: Peer): number {
    return this.#open.get(peer)?.size ?? 0
  }

  #keep(socket: TLSSocket, peer: Peer): void {
    const open = this.#open.get(peer) ?? new Set()
    this.#open.set(peer, open)
    open.add(socket)
    socket.setNoDelay(true)
    // Its owner sees the end of the stream; the error is only the reason.
    socket.on('error', () => socket.destroy())
    socket.once('close', () => open.delete(socket))
  }
}
