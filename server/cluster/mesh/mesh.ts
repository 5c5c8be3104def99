/** Opens the mesh: one port, a link to every other node, and everything that goes over them. */
import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import { CallFault, type FrameKind, frameKinds, type Mesh, type Peer, type PeerState } from '../mesh.ts'
import type { KnownNode, SelfNode } from '../node.ts'
import { Calls } from './calls.ts'
import { FarPeer } from './far-peer.ts'
import { type Frame, kind } from './frames.ts'
import type { PeerGround } from './ground.ts'
import { Heartbeat } from './heartbeat.ts'
import { helloBase } from './hello.ts'
import { Identity, type NodeCertificate } from './identity.ts'
import { type Listener, openListener } from './listener.ts'
import { dialMethod, Streams } from './streams.ts'
import { limitsOf, type MeshLimits, type MeshTimings, timingsOf } from './timings.ts'

export interface MeshOptions {
  readonly self: SelfNode
  /** Where the one LAN port opens; port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number }
  readonly identity: NodeCertificate
  /** Certificate of the office's authority, PEM. */
  readonly authority: string
  /** All nodes of the office; this one may be among them. */
  readonly nodes: readonly KnownNode[]
  readonly log: Logger
  readonly timings?: Partial<MeshTimings>
  readonly limits?: Partial<MeshLimits>
}

export interface OpenMesh extends Mesh {
  /** Shows a renewed certificate on connections from now on. @throws Error when it cannot be used */
  setIdentity(identity: NodeCertificate): void
  /** A node was seen (its beacon): it is dialled at once. @param address 'host:port' where it was seen */
  wake(number: number, address?: string): void
}

type FrameHandler = (payload: Buffer, from: Peer) => void

/**
 * Opens the cluster port and begins to dial the other nodes.
 * @throws the error of `listen` (EADDRINUSE …), or an Error when certificates cannot be read
 */
export async function openMesh(options: MeshOptions): Promise<OpenMesh> {
  const { self, log } = options
  const limits = limitsOf(options.limits)
  const timings = timingsOf(options.timings)
  const identity = new Identity(options.authority, options.identity)
  const life = randomBytes(9).toString('base64url')
  const peers = new Map<number, FarPeer>()
  const byName = new Map<string, FarPeer>()
  const handlers = new Map<number, FrameHandler>()
  const listeners = new Set<(peer: Peer, before: PeerState) => void>()
  const stillListeners = new Set<() => void>()
  const handledListeners = new Set<() => void>()
  const joinTakers = new Set<Parameters<Mesh['onJoin']>[0]>()
  let listener: Listener | undefined
  let isClosed = false

  const hello = () => helloBase(self, life, listener?.port ?? 0)
  const calls = new Calls(limits, log, (peer, frameKind, payload, reserve) =>
    (peer as FarPeer).send(frameKind, payload, undefined, reserve),
  )

  const streams = new Streams({
    identity,
    limits,
    timings,
    hello,
    ask: (peer, body, timeoutMs) => calls.call(peer, dialMethod, body, timeoutMs),
  })
  calls.on(dialMethod, (body, from) => streams.dialBack(from as FarPeer, body))

  const heartbeat = new Heartbeat({
    heartbeatMs: timings.heartbeatMs,
    frozenMs: timings.frozenMs,
    onTick: (now, isPing, lateMs) => {
      for (const peer of peers.values()) peer.tick(now, isPing, lateMs)
    },
    onFrozen: ms => {
      log.warn({ ms: Math.round(ms) }, 'this process stood still: all links begin anew')
      for (const peer of peers.values()) peer.thaw()
      for (const tell of stillListeners) tell()
    },
  })

  const onFrame = (peer: FarPeer, frame: Frame) => {
    if (frame.kind === kind.call || frame.kind === kind.reply) {
      const { id, knows } = peer.channel
      return calls.frame(peer, frame.kind, frame.payload, () => peer.channel.id === id && peer.channel.knows === knows)
    }
    const handler = handlers.get(frame.kind)
    // A kind that only a newer version knows: nobody here needs it.
    if (!handler) return
    try {
      handler(frame.payload, peer)
    } catch (error) {
      log.error({ err: error, kind: frame.kind, node: peer.node.name }, 'a frame of another PC could not be handled')
    }
  }

  const onChange = (peer: FarPeer, before: PeerState) => {
    if (peer.state !== before)
      log.info({ node: peer.node.name, state: peer.state, before, why: peer.trouble }, 'link to another PC changed')
    if (!peer.isReachable) {
      calls.gone(peer)
      streams.drop(peer, peer.arriving)
    }
    for (const tell of [...listeners]) {
      try {
        tell(peer, before)
      } catch (error) {
        log.error({ err: error, node: peer.node.name }, 'a change of a link could not be handled')
      }
    }
  }

  const ground: PeerGround = {
    self,
    timings,
    limits,
    identity,
    log,
    hello,
    heard: () => !heartbeat.isFrozen(),
    onFrame,
    onHandled: () => {
      for (const tell of handledListeners) tell()
    },
    onChange,
  }

  const setNodes = (nodes: readonly KnownNode[]) => {
    if (isClosed) return
    const others = nodes.filter(node => node.number !== self.number)
    identity.setNodes(others)
    const known = new Map(others.map(node => [node.number, node]))
    for (const [number, peer] of [...peers]) {
      const node = known.get(number)
      if (node && node.key === peer.node.key && node.name === peer.node.name) {
        peer.update(node)
        continue
      }
      peers.delete(number)
      byName.delete(peer.node.name)
      void peer.close('removed')
      streams.drop(peer)
    }
    for (const node of others.toSorted((a, b) => a.number - b.number)) {
      if (peers.has(node.number)) continue
      const peer = new FarPeer(node, ground)
      peers.set(node.number, peer)
      byName.set(node.name, peer)
      if (listener) peer.wake()
    }
  }

  identity.setNodes(options.nodes.filter(node => node.number !== self.number))
  setNodes(options.nodes)
  try {
    listener = await openListener({
      ...options.listen,
      identity,
      limits,
      timings,
      log,
      isPeerAddress: address => {
        for (const peer of peers.values()) if (peer.addresses.has(address)) return true
        return false
      },
      onNode: (socket, node, said, reader) => {
        const peer = peers.get(node.number)
        if (isClosed || !peer || peer.node.key !== node.key) socket.destroy()
        else if (said.purpose === 'link') peer.accept(socket, reader, said)
        else streams.accept(socket, peer, said, reader)
      },
      onJoin: socket => {
        if (isClosed || joinTakers.size === 0) socket.destroy()
        else for (const take of joinTakers) take(socket)
      },
    })
  } catch (error) {
    heartbeat.close()
    for (const peer of peers.values()) void peer.close('removed')
    throw error
  }
  const { port } = listener
  for (const peer of peers.values()) peer.wake()

  return {
    self,
    port,
    get peers() {
      return [...peers.values()].toSorted((a, b) => a.node.number - b.node.number)
    },
    peer: name => byName.get(name),
    setNodes,
    send(name, frameKind: FrameKind, payload, settled) {
      // Words about what was delivered must not be lost because deliveries fill the channel.
      const reserve = frameKind === frameKinds.deliver ? undefined : 'reserve'
      return byName.get(name)?.send(frameKind, payload, settled, reserve) ?? 'gone'
    },
    onFrame(frameKind, handler) {
      handlers.set(frameKind, handler)
    },
    onHandled(listen) {
      handledListeners.add(listen)
      return () => handledListeners.delete(listen)
    },
    call(name, method, body, { timeoutMs }) {
      const peer = byName.get(name)
      if (!peer) return Promise.reject(new CallFault('away', `${name} is not a PC of this office.`))
      return calls.call(peer, method, body, timeoutMs)
    },
    onCall: (method, handler) => calls.on(method, handler),
    openStream(name, purpose, given = {}) {
      const peer = byName.get(name)
      if (!peer) return Promise.reject(new CallFault('away', `${name} is not a PC of this office.`))
      return streams.open(peer, purpose, given.timeoutMs)
    },
    onStream: (purpose, taker) => streams.on(purpose, taker),
    onJoin(taker) {
      joinTakers.add(taker)
      return () => joinTakers.delete(taker)
    },
    onPeer(listen) {
      listeners.add(listen)
      return () => listeners.delete(listen)
    },
    hasStoodStill: () => heartbeat.isFrozen(),
    onStoodStill(listen) {
      stillListeners.add(listen)
      return () => stillListeners.delete(listen)
    },
    reportAbsent(number) {
      peers.get(number)?.absent()
    },
    setIdentity: own => identity.replace(own),
    wake: (number, address) => peers.get(number)?.wake(address),
    async close() {
      if (isClosed) return
      isClosed = true
      heartbeat.close()
      const all = [...peers.values()]
      const farewells = all.map(peer => peer.close('goodbye'))
      streams.close()
      await Promise.all(farewells)
      await listener?.close()
    },
  }
}
