/**
 * The way of Hazelcast members to each other: each peer's slot is a listener on the loopback interface here, and what connects to it is carried
 * over the mesh (mTLS) to the peer's own member. Nothing of Hazelcast is ever heard on the LAN.
 */
import net from 'node:net'
import os from 'node:os'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import type { Mesh, Peer } from '../mesh.ts'

export interface TunnelOptions {
  readonly mesh: Mesh
  readonly portBase: number
  /** Where the own member listens now. */
  readonly ownPort: () => number
  /** Whether the members of this peer and this node can meet. */
  readonly fits: (peer: Peer) => boolean
  /** Whether the peer runs on this very computer, where its member listens on its slot itself and must find it free; for tests. */
  readonly isHere?: (peer: Peer) => boolean
  readonly log: Logger
}

export interface Tunnel {
  /** Looks again at which peers are there. */
  refresh(): void
  close(): void
}

/** A peer's members open two or three. */
const streamsMax = 16
const openMs = 4_000
/** A slot that another process has bound may become free. */
const bindAgainMs = 2_000

/** Opens a listener for each peer that is up, for as long as it is, and takes what peers send to the own member. */
export function openTunnel(options: TunnelOptions): Tunnel {
  const { mesh } = options
  const slots = new Map<number, Slot>()
  const refresh = (): void => {
    for (const peer of mesh.peers) {
      const { number } = peer.node
      const isWanted = isThere(peer) && options.fits(peer) && !(options.isHere ?? isOnThisComputer)(peer)
      const slot = slots.get(number)
      if (isWanted && !slot) slots.set(number, new Slot(peer, options))
      else if (!isWanted && slot) {
        slot.close()
        slots.delete(number)
      }
    }
    for (const [number, slot] of slots) {
      if (mesh.peers.some(peer => peer.node.number === number)) continue
      slot.close()
      slots.delete(number)
    }
  }
  const incoming = new Map<string, number>()
  const ends = [
    mesh.onPeer(refresh),
    mesh.onStream('hazelcast', (stream, from) => {
      const count = incoming.get(from.node.name) ?? 0
      if (count >= streamsMax || !options.fits(from)) {
        stream.destroy()
        return
      }
      incoming.set(from.node.name, count + 1)
      stream.once('close', () => incoming.set(from.node.name, (incoming.get(from.node.name) ?? 1) - 1))
      const socket = net.connect({ host: '127.0.0.1', port: options.ownPort(), noDelay: true })
      join(socket, stream)
    }),
  ]
  refresh()
  return {
    refresh,
    close() {
      for (const end of ends) end()
      for (const slot of slots.values()) slot.close()
      slots.clear()
    },
  }
}

/** What stays open while a peer is only suspected: it may be back in a second. */
function isThere(peer: Peer): boolean {
  return peer.state === 'up' || peer.state === 'suspected'
}

/** Two appliances on one computer: the peer's member listens on its slot itself, and must find it free. */
export function isOnThisComputer(peer: Pick<Peer, 'address'>): boolean {
  const host = hostOf(peer.address ?? '')
  if (host === 'localhost' || host === '::1' || host.startsWith('127.') || host === os.hostname()) return true
  return Object.values(os.networkInterfaces()).some(addresses => addresses?.some(({ address }) => address === host))
}

/** 'pc:5275', '10.0.0.5', '[fd00::1]:5275', 'fe80::1%eth0' → the host alone. */
function hostOf(address: string): string {
  const bracketed = /^\[(.*)\]/.exec(address)?.[1]
  const host = bracketed ?? (address.split(':').length === 2 ? address.slice(0, address.indexOf(':')) : address)
  return host.replace(/^::ffff:/, '').replace(/%.*$/, '')
}

/** The listener for one peer. */
class Slot {
  readonly #peer: Peer
  readonly #options: TunnelOptions
  readonly #sockets = new Set<net.Socket>()
  #server: net.Server | undefined
  #again: NodeJS.Timeout | undefined
  #isClosed = false
  #complaint: string | undefined

  constructor(peer: Peer, options: TunnelOptions) {
    this.#peer = peer
    this.#options = options
    this.#listen()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#again)
    this.#server?.close()
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  #listen(): void {
    if (this.#isClosed) return
    const server = net.createServer({ noDelay: true, pauseOnConnect: true }, socket => void this.#take(socket))
    server.maxConnections = streamsMax
    server.once('error', (error: NodeJS.ErrnoException) => {
      // Another appliance on this computer carries this peer's slot: it leads there too, and as long as it does it is simply used.
      if (error.code !== 'EADDRINUSE') this.#complain(error)
      this.#again = setTimeout(() => this.#listen(), bindAgainMs)
      this.#again.unref()
    })
    server.listen({ host: '127.0.0.1', port: this.#options.portBase + this.#peer.node.number, exclusive: true })
    server.unref()
    this.#server = server
  }

  /** Once for each reason: it is tried again every two seconds. */
  #complain(error: NodeJS.ErrnoException): void {
    if (error.code === this.#complaint) return
    this.#complaint = error.code
    const { log, portBase } = this.#options
    const { name, number } = this.#peer.node
    log.error(
      { err: error, node: name, port: portBase + number },
      'the way to the Hazelcast member of a PC is not open',
    )
  }

  async #take(socket: net.Socket): Promise<void> {
    socket.on('error', () => undefined) // 'close' follows
    if (this.#peer.state !== 'up') {
      socket.resetAndDestroy()
      return
    }
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    try {
      const stream = await this.#options.mesh.openStream(this.#peer.node.name, 'hazelcast', { timeoutMs: openMs })
      if (socket.destroyed) stream.destroy()
      else join(socket, stream)
    } catch (error) {
      this.#options.log.debug({ err: error, node: this.#peer.node.name }, 'tunnel for Hazelcast was not opened')
      socket.resetAndDestroy()
    }
  }
}

/** Carries bytes both ways until either side ends; then both end at once, as Hazelcast must notice. */
function join(socket: net.Socket, stream: Duplex): void {
  for (const [one, other] of [
    [socket, stream],
    [stream, socket],
  ] as const) {
    one.on('error', () => undefined) // 'close' follows
    one.once('close', () => other.destroy())
    one.once('end', () => other.end())
    one.pipe(other, { end: false })
  }
}
