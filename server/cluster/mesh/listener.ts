/** The one LAN port of a node: TLS 1.3 for everything, ALPN says what for. */
import net from 'node:net'
import tls from 'node:tls'
import type { Logger } from 'pino'
import { neighbourOf } from '../../net/neighbour.ts'
import type { KnownNode } from '../node.ts'
import { Admission, plainAddress } from './admission.ts'
import { farewell } from './farewell.ts'
import { FrameReader, kind, plainFrame } from './frames.ts'
import { type Hello, readHello } from './hello.ts'
import { alpnHazelcast, alpnJoin, alpnLink, type Identity } from './identity.ts'
import type { MeshLimits, MeshTimings } from './timings.ts'

export interface ListenerOptions {
  readonly host: string
  readonly port: number
  readonly identity: Identity
  readonly limits: MeshLimits
  readonly timings: MeshTimings
  readonly log: Logger
  readonly isPeerAddress: (address: string) => boolean
  /** An authenticated node has said hello; what it sent behind it is still in `reader`. The socket is paused and has no listener for errors yet. */
  readonly onNode: (socket: tls.TLSSocket, node: KnownNode, hello: Hello, reader: FrameReader) => void
  readonly onJoin: (socket: tls.TLSSocket) => void
}

export interface Listener {
  readonly port: number
  /** Of connections that were turned away. */
  readonly refused: number
  close(): Promise<void>
}

/** A hello is a few hundred bytes. */
const helloBytes = 16_384

/** Opens the port. @throws the error of `listen` (EADDRINUSE …) */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const { identity, limits, timings, log } = options
  const admission = new Admission(limits, options.isPeerAddress)
  const joins = new Map<tls.TLSSocket, string>()
  const open = new Set<net.Socket>()

  const onSecure = (socket: tls.TLSSocket, raw: net.Socket) => {
    if (socket.alpnProtocol === alpnJoin) {
      admission.leave(raw)
      takeJoin(socket)
      return
    }
    if (socket.alpnProtocol !== alpnLink && socket.alpnProtocol !== alpnHazelcast) return void socket.destroy()
    const checked = identity.check(socket)
    if ('fault' in checked) {
      log.debug(
        { address: plainAddress(raw.remoteAddress), why: checked.fault },
        'connection at the cluster port refused',
      )
      // Only somebody of the office may know why.
      if (checked.isOurs) void farewell(socket, plainFrame(kind.refuse, checked.fault))
      else socket.destroy()
      return
    }
    admission.authenticated(raw)
    takeNode(socket, checked.node)
  }

  const takeJoin = (socket: tls.TLSSocket) => {
    const neighbour = neighbourOf(plainAddress(socket.remoteAddress))
    const same = [...joins.values()].filter(other => other === neighbour).length
    if (joins.size >= limits.joins || same >= limits.joinsPerNeighbour) return void socket.destroy()
    joins.set(socket, neighbour)
    socket.allowHalfOpen = false
    const limit = setTimeout(() => socket.destroy(), timings.joinMs)
    socket.once('close', () => {
      clearTimeout(limit)
      joins.delete(socket)
    })
    options.onJoin(socket)
  }

  const takeNode = (socket: tls.TLSSocket, node: KnownNode) => {
    const reader = new FrameReader(limits.frameBytes)
    let bytes = 0
    const stop = () => {
      clearTimeout(limit)
      socket.removeListener('readable', onReadable)
      socket.removeListener('close', stop)
    }
    const limit = setTimeout(() => socket.destroy(), timings.handshakeMs)
    // Not by `data`: whoever takes the socket over decides when it flows.
    const onReadable = () => {
      const chunk: Buffer | null = socket.read()
      if (!chunk) return
      bytes += chunk.length
      reader.push(chunk)
      const frame = reader.next()
      if (frame === undefined) return void (bytes > helloBytes && socket.destroy())
      if ('fault' in frame || frame.kind !== kind.hello) return void socket.destroy()
      stop()
      const hello = readHello(frame.payload)
      if (typeof hello === 'string') {
        log.warn({ node: node.name, why: hello }, 'connection of another PC refused')
        return void farewell(socket, plainFrame(kind.refuse, hello))
      }
      options.onNode(socket, node, hello, reader)
    }
    socket.on('readable', onReadable)
    socket.once('close', stop)
  }

  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, raw => {
    if (!admission.enter(raw)) return void raw.destroy()
    open.add(raw)
    raw.on('error', () => raw.destroy())
    raw.once('close', () => open.delete(raw))
    const socket = new tls.TLSSocket(raw, {
      isServer: true,
      secureContext: identity.context,
      ALPNProtocols: [alpnLink, alpnHazelcast, alpnJoin],
      requestCert: true,
      rejectUnauthorized: false,
      allowHalfOpen: true,
    } as tls.TLSSocketOptions)
    const limit = setTimeout(() => raw.destroy(), timings.handshakeMs)
    // Whoever comes to an open port and goes away is nothing to tell; what follows a handshake is told by whoever uses the connection.
    socket.on('error', () => socket.destroy())
    socket.once('close', () => clearTimeout(limit))
    socket.once('secure', () => {
      clearTimeout(limit)
      onSecure(socket, raw)
    })
  })
  server.on('error', error => log.error({ err: error }, 'the cluster port failed'))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: options.host, port: options.port }, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
  const { port } = server.address() as net.AddressInfo
  return {
    port,
    get refused() {
      return admission.refused
    },
    async close() {
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}
