/** One other node as this one sees it: its state, its channel, and which of its connections is the link. */
import type { TLSSocket } from 'node:tls'
import type { Logger } from 'pino'
import type { Outcome, Peer, PeerState } from '../mesh.ts'
import type { KnownNode, SelfNode } from '../node.ts'
import { Channel } from './channel.ts'
import { Dialer, joinAddress, splitAddress } from './dial.ts'
import { type Frame, type FrameReader, kind, plainFrame } from './frames.ts'
import type { Hello, HelloBase } from './hello.ts'
import type { Identity } from './identity.ts'
import { Link, type LinkEvents, type Use, useFrame } from './link.ts'
import type { MeshLimits, MeshTimings } from './timings.ts'

/** What all peers of a mesh share. */
export interface PeerGround {
  readonly self: SelfNode
  readonly timings: MeshTimings
  readonly limits: MeshLimits
  readonly identity: Identity
  readonly log: Logger
  hello(): HelloBase
  /** False when this process was frozen: then all links were just dropped. */
  heard(): boolean
  onFrame(peer: FarPeer, frame: Frame): void
  /** After a state, an epoch or a version has changed. */
  onChange(peer: FarPeer, before: PeerState): void
}

const learnedMax = 4
/** A share of the last measurements in the round trip that is shown. */
const smoothing = 0.2

export class FarPeer implements Peer, LinkEvents {
  node: KnownNode
  state: PeerState = 'away'
  epoch = 0
  version: string | undefined
  hazelcast: string | undefined
  address: string | undefined
  roundTripMs: number | undefined
  since = Date.now()
  trouble: string | undefined
  readonly channel: Channel
  readonly #ground: PeerGround
  readonly #dialer: Dialer
  /** The node with the lower number chooses. */
  readonly #isLead: boolean
  readonly #candidates = new Set<Link>()
  /** Resolved when the candidate is the link, or has ended. */
  readonly #decided = new Map<Link, () => void>()
  readonly #dialledAddress = new WeakMap<Link, string>()
  #active: Link | undefined
  #serial = 0
  #life: string | undefined
  #lastHeard = 0
  /** Addresses it was seen at that its record does not name. */
  #learned: string[] = []
  #isClosed = false

  constructor(node: KnownNode, ground: PeerGround) {
    this.node = node
    this.#ground = ground
    this.#isLead = ground.self.number < node.number
    this.trouble = `${node.name} has not been reached since this PC started.`
    this.channel = new Channel(ground.limits, error => {
      ground.log.error({ err: error, node: this.node.name }, 'what waited for a frame to another PC failed')
    })
    this.#dialer = new Dialer({
      timings: ground.timings,
      identity: ground.identity,
      target: () => this.node,
      addresses: () => this.addresses,
      isNeeded: () => !this.#isClosed && this.state !== 'up',
      take: (socket, address) => this.#dialled(socket, address),
      onTrouble: sentence => this.#fail(sentence),
    })
  }

  get waitingBytes(): number {
    return this.channel.waitingBytes
  }

  /** Where it may be reached, best first. */
  get addresses(): readonly string[] {
    const own = this.#dialAddress
    const all = [...(own ? [own] : []), ...this.node.addresses, ...this.#learned]
    return [...new Set(all)]
  }

  /** Of the connections of this peer that are not the link (yet). */
  get candidates(): number {
    return this.#candidates.size
  }

  get isReachable(): boolean {
    return this.state === 'up' || this.state === 'suspected'
  }

  #dialAddress: string | undefined

  start(): void {
    this.#dialer.wake()
  }

  /** Its record has changed; the key is the same. */
  update(node: KnownNode): void {
    const isMoved = node.addresses.join() !== this.node.addresses.join()
    this.node = node
    if (isMoved) this.#dialer.wake()
  }

  /** It has been seen just now, perhaps at an address that is new. */
  wake(address?: string): void {
    if (address !== undefined && splitAddress(address) && !this.node.addresses.includes(address))
      this.#learned = [address, ...this.#learned.filter(known => known !== address)].slice(0, learnedMax)
    this.#dialer.wake()
  }

  send(
    frameKind: number,
    pieces: Buffer | readonly Buffer[],
    settled?: (outcome: Outcome) => void,
    reserve?: 'reserve',
  ): 'queued' | 'full' | 'gone' {
    if (!this.isReachable) return 'gone'
    if (!this.channel.add(frameKind, pieces, settled, reserve)) return 'full'
    this.#active?.schedule()
    return 'queued'
  }

  /** A connection that the other side has made. */
  accept(socket: TLSSocket, reader: FrameReader, hello: Hello): void {
    const link = this.#candidate(socket, { reader, theirs: hello })
    const host = socket.remoteAddress?.replace(/^::ffff:/, '')
    if (host && hello.port > 0) {
      const address = joinAddress(host, hello.port)
      if (!this.node.addresses.includes(address))
        this.#learned = [address, ...this.#learned.filter(known => known !== address)].slice(0, learnedMax)
    }
    link.start()
  }

  async #dialled(socket: TLSSocket, address: string): Promise<void> {
    const link = this.#candidate(socket)
    this.#dialledAddress.set(link, address)
    if (link.isEnded) return
    await new Promise<void>(resolve => this.#decided.set(link, resolve))
  }

  #candidate(socket: TLSSocket, given: { reader?: FrameReader; theirs?: Hello } = {}): Link {
    const { limits, timings } = this.#ground
    const link = new Link({
      socket,
      hello: this.#hello(),
      channel: this.channel,
      events: this,
      frameBytes: limits.frameBytes,
      handshakeMs: timings.handshakeMs,
      ...given,
    })
    this.#candidates.add(link)
    return link
  }

  #hello(): Hello {
    const { id, knows, received } = this.channel
    const over = this.#active && this.state === 'up' ? 0 : this.#serial
    return { ...this.#ground.hello(), purpose: 'link', channel: id, knows, received, over, answers: undefined }
  }

  heard(link: Link): boolean {
    if (!this.#ground.heard()) return false
    if (link !== this.#active) return true
    this.#lastHeard = performance.now()
    if (this.state === 'suspected') this.#enter('up')
    return true
  }

  /** Both have said who they are: the one with the lower number chooses. */
  greeted(link: Link, hello: Hello): void {
    const { self } = this.#ground
    if (hello.number !== this.node.number || hello.number === self.number)
      return this.#dismiss(link, `it says that it is number ${hello.number}, not ${this.node.number}`)
    if (!this.#isLead) return
    const isHealthy = this.#active !== undefined && this.state === 'up'
    if (isHealthy && hello.life !== this.#life && hello.epoch <= this.epoch)
      return this.#dismiss(link, `a second Lanthorn says that it is ${this.node.name}: was its data folder copied?`)
    if (isHealthy && hello.life === this.#life && hello.over < (this.#active?.serial ?? 0))
      return link.end('there is a link already')
    const { channel } = this
    if (link.said.channel !== channel.id || link.said.knows !== channel.knows)
      return link.end('the channel has begun anew meanwhile')
    const isFresh = !this.isReachable || hello.channel !== channel.knows || (hello.knows ?? channel.id) !== channel.id
    const serial = Math.max(this.#serial + 1, Date.now())
    link.plain(useFrame({ serial, isFresh, received: channel.received }))
    this.#activate(link, hello, { serial, isFresh, received: hello.received })
  }

  chosen(link: Link, use: Use): void {
    const { channel } = this
    const { hello } = link
    if (this.#isLead || !hello) return link.end('it chose the connection, which was not its turn')
    if (link.said.channel !== channel.id || link.said.knows !== channel.knows)
      return link.end('the channel has begun anew meanwhile')
    if (!use.isFresh && channel.knows !== undefined && channel.knows !== hello.channel) {
      this.#lose('it goes on with a channel that is over')
      return link.end('it goes on with a channel that is over')
    }
    this.#activate(link, hello, use)
  }

  #activate(link: Link, hello: Hello, use: Use): void {
    const { channel } = this
    const old = this.#active
    this.#active = undefined
    old?.end('another connection took its place')
    if (this.#life !== hello.life || use.isFresh) this.#settleLost()
    if (use.isFresh || channel.knows === undefined) channel.begin(hello.channel)
    if (!channel.resume(use.isFresh ? 0 : use.received)) {
      this.#lose('it has handled what was never sent')
      return link.end('it has handled what was never sent')
    }
    this.#serial = use.serial
    this.#life = hello.life
    this.#candidates.delete(link)
    this.#active = link
    this.#dialAddress = this.#dialledAddress.get(link) ?? this.#dialAddress
    this.address = this.#dialledAddress.get(link) ?? link.address.replace(/^::ffff:/, '')
    this.#lastHeard = performance.now()
    link.activate(use.serial)
    const isOther = this.epoch !== hello.epoch || this.version !== hello.version || this.hazelcast !== hello.hazelcast
    this.epoch = hello.epoch
    this.version = hello.version
    this.hazelcast = hello.hazelcast
    this.#decide(link)
    if (this.state !== 'up') this.#enter('up')
    else if (isOther) this.#ground.onChange(this, 'up')
    link.ping()
  }

  /** Another process, or one that has given this one up: what waited for the former is lost, and everybody is told before the new one is there. */
  #settleLost(): void {
    if (this.isReachable) this.#fall('gone', 'keep')
  }

  numbered(_link: Link, frame: Frame): void {
    this.#ground.onFrame(this, frame)
  }

  roundTrip(link: Link, ms: number): void {
    if (link !== this.#active || !(ms >= 0)) return
    this.roundTripMs = this.roundTripMs === undefined ? ms : this.roundTripMs + (ms - this.roundTripMs) * smoothing
  }

  bye(link: Link): void {
    if (link !== this.#active) return link.end('it said goodbye')
    this.trouble = `Lanthorn on ${this.node.name} was stopped.`
    this.#lose('it said goodbye', 'away')
  }

  refused(link: Link, sentence: string): void {
    this.#fail(sentence)
    link.end(sentence)
  }

  ended(link: Link, why: string): void {
    this.#candidates.delete(link)
    this.#decide(link)
    if (link !== this.#active) return
    this.#active = undefined
    this.trouble = `The connection to ${this.node.name} broke: ${why}.`
    if (this.state === 'up') this.#enter('suspected')
    this.#dialer.wake()
  }

  /** Looks at the clock: called several times in each heartbeat. */
  tick(now: number, isPing: boolean): void {
    const { timings } = this.#ground
    if (!this.isReachable) return
    const silentMs = now - this.#lastHeard
    if (silentMs >= timings.goneMs) return this.#lose('it was silent for too long')
    if (this.state === 'up' && silentMs >= timings.suspectMs) {
      this.trouble = `${this.node.name} has been silent for ${Math.round(silentMs / 100) / 10} s.`
      this.#enter('suspected')
      this.#dialer.wake()
    }
    if (isPing) this.#active?.ping()
  }

  /** Hazelcast has dropped it. */
  absent(): void {
    if (this.state === 'suspected') this.#lose('it is absent from Hazelcast too')
  }

  /** This process stood still: whatever the others have sent meanwhile is not for this life any more. */
  thaw(): void {
    for (const link of [...this.#candidates]) link.end('this process stood still')
    if (this.isReachable) this.#lose('this process stood still')
  }

  /** Ends everything, with a goodbye if `isGoodbye`. */
  close(isGoodbye: boolean): void {
    this.#isClosed = true
    this.#dialer.close()
    for (const link of [...this.#candidates]) link.end('the mesh is closed')
    const active = this.#active
    this.#active = undefined
    if (isGoodbye) active?.dismiss(plainFrame(kind.bye), 'goodbye')
    else active?.end('it is not a node of the office any more')
    this.trouble = `${this.node.name} is not connected.`
    if (this.isReachable) this.#fall('away', 'renew')
  }

  #lose(why: string, state: 'gone' | 'away' = 'gone'): void {
    const active = this.#active
    this.#active = undefined
    active?.end(why)
    for (const link of [...this.#candidates]) link.end(why)
    this.trouble ??= `${this.node.name}: ${why}.`
    if (this.isReachable) this.#fall(state, 'renew')
    else this.channel.renew()
    if (state === 'gone') this.#dialer.wake()
    else this.#dialer.wakeLater()
  }

  #fall(state: 'gone' | 'away', half: 'keep' | 'renew'): void {
    const before = this.state
    this.#set(state)
    this.roundTripMs = undefined
    // Whoever waits for a frame finds the peer in its new state.
    if (half === 'renew') this.channel.renew()
    else this.channel.begin('')
    this.#ground.onChange(this, before)
  }

  #enter(state: 'up' | 'suspected'): void {
    const before = this.state
    if (state === 'up') this.trouble = undefined
    this.#set(state)
    this.#ground.onChange(this, before)
  }

  #set(state: PeerState): void {
    this.state = state
    this.since = Date.now()
  }

  #fail(sentence: string): void {
    if (this.state !== 'up') this.trouble = `${this.node.name} cannot be reached: ${sentence}.`
  }

  #dismiss(link: Link, sentence: string): void {
    this.#fail(sentence)
    link.dismiss(plainFrame(kind.refuse, sentence), sentence)
  }

  #decide(link: Link): void {
    this.#decided.get(link)?.()
    this.#decided.delete(link)
  }
}
