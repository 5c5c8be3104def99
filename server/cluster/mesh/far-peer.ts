/** One other node as this one sees it: its state, its channel, and which of its connections is the link. */
import type { TLSSocket } from 'node:tls'
import type { Outcome, Peer, PeerState } from '../mesh.ts'
import type { KnownNode } from '../node.ts'
import { Addresses } from './addresses.ts'
import { plainAddress } from './admission.ts'
import { Channel } from './channel.ts'
import { choose, isStale, type Situation, secondProcess } from './choice.ts'
import { Dialer } from './dial.ts'
import { type Frame, type FrameReader, kind, plainFrame } from './frames.ts'
import type { PeerGround } from './ground.ts'
import type { Hello } from './hello.ts'
import { Link, type LinkEvents, type Use, useFrame } from './link.ts'
import { Suspicion } from './suspicion.ts'

/** A share of the last measurement in the round trip that is shown. */
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
  readonly addresses: Addresses
  readonly #ground: PeerGround
  readonly #dialer: Dialer
  /** The node with the lower number chooses. */
  readonly #isLead: boolean
  /** Connections that are not the link (yet); those that were dialled here with what to call when that is decided. */
  readonly #candidates = new Map<Link, { readonly address?: string; readonly decided?: () => void }>()
  #active: Link | undefined
  #serial = 0
  #life: string | undefined
  #arriving: string | undefined
  #lastHeard = 0
  readonly #suspicion: Suspicion
  #isClosed = false

  constructor(node: KnownNode, ground: PeerGround) {
    this.node = node
    this.#ground = ground
    this.#isLead = ground.self.number < node.number
    this.trouble = `${node.name} has not been reached since this PC started.`
    this.addresses = new Addresses(node.addresses)
    this.#suspicion = new Suspicion(ground.timings.suspectMs)
    this.channel = new Channel(ground.limits, error => {
      ground.log.error({ err: error, node: this.node.name }, 'what waited for a frame to another PC failed')
    })
    this.#dialer = new Dialer({
      timings: ground.timings,
      identity: ground.identity,
      target: () => this.node,
      addresses: () => this.addresses.list,
      isNeeded: () => !this.#isClosed && this.state !== 'up',
      take: (socket, address) => this.#dialled(socket, address),
      onTrouble: sentence => this.#fail(sentence),
      onRefused: () => {
        this.#suspicion.refused()
        this.#loseIfProved()
      },
    })
  }

  get waitingBytes(): number {
    return this.channel.waitingBytes
  }

  get waitingFrames(): number {
    return this.channel.waitingFrames
  }

  get isReachable(): boolean {
    return this.state === 'up' || this.state === 'suspected'
  }

  /** While it is told that a former life is gone: the life that takes its place (`Hello.life`). */
  get arriving(): string | undefined {
    return this.#arriving
  }

  /** Dials it if there is no link. @param address where it was seen just now */
  wake(address?: string): void {
    if (address !== undefined) this.addresses.learn(address)
    this.#dialer.wake()
  }

  /** Its record has changed; key and name are the same. */
  update(node: KnownNode): void {
    this.node = node
    if (this.addresses.replace(node.addresses)) this.#dialer.wake()
  }

  /** Queues a frame: see `Mesh.send`. @param reserve for answers, which must not be refused because questions fill the channel */
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

  /** A connection that the other side has made, with what it has sent so far. */
  accept(socket: TLSSocket, reader: FrameReader, hello: Hello): void {
    this.addresses.learnFrom(plainAddress(socket.remoteAddress), hello)
    if (this.#candidates.size >= this.#ground.limits.candidatesPerPeer) {
      socket.destroy()
      return
    }
    const link = this.#link(socket, { reader, theirs: hello })
    this.#candidates.set(link, {})
    link.start()
  }

  #dialled(socket: TLSSocket, address: string): Promise<void> {
    return new Promise(decided => {
      const link = this.#link(socket)
      this.#candidates.set(link, { address, decided })
      link.start()
    })
  }

  #link(socket: TLSSocket, given: { reader?: FrameReader; theirs?: Hello } = {}): Link {
    const { frameBytes } = this.#ground.limits
    const { handshakeMs } = this.#ground.timings
    return new Link({
      ...given,
      socket,
      hello: this.#hello(),
      channel: this.channel,
      events: this,
      frameBytes,
      handshakeMs,
    })
  }

  #hello(): Hello {
    const { id, knows, received } = this.channel
    const over = this.#isHealthy ? 0 : this.#serial
    return { ...this.#ground.hello(), purpose: 'link', channel: id, knows, received, over, answers: undefined }
  }

  get #isHealthy(): boolean {
    return this.#active !== undefined && this.state === 'up'
  }

  heard(link: Link): boolean {
    if (!this.#ground.heard()) return false
    if (link !== this.#active) return true
    this.#lastHeard = performance.now()
    if (this.state === 'suspected') this.#enter('up')
    return true
  }

  greeted(link: Link, hello: Hello): void {
    const situation = this.#situation()
    if (hello.number !== this.node.number)
      this.#refuse(link, `it says that it is number ${hello.number}, not ${this.node.number}`)
    else if (this.#isLead) this.#choose(link, hello, situation)
    else {
      const refuse = secondProcess(situation, hello)
      if (refuse !== undefined) this.#refuse(link, refuse)
    }
  }

  #choose(link: Link, hello: Hello, situation: Situation): void {
    const choice = choose(situation, link.said, hello, Date.now())
    if ('refuse' in choice) this.#refuse(link, choice.refuse)
    else if ('end' in choice) link.end(choice.end)
    else {
      link.plain(useFrame(choice.use))
      this.#activate(link, hello, { ...choice.use, received: hello.received })
    }
  }

  chosen(link: Link, use: Use): void {
    const { channel } = this
    const { hello } = link
    if (this.#isLead || !hello) link.end('it chose the connection, which was not its turn')
    else if (isStale(link.said, channel)) link.end('the channel has begun anew meanwhile')
    else if (!use.isFresh && channel.knows !== undefined && channel.knows !== hello.channel) {
      this.#lose('it goes on with a channel that is over')
      link.end('it goes on with a channel that is over')
    } else this.#activate(link, hello, use)
  }

  #situation(): Situation {
    const { channel, isReachable, epoch } = this
    return { isHealthy: this.#isHealthy, isReachable, serial: this.#serial, life: this.#life, epoch, channel }
  }

  /** This connection is the link from now on. */
  #activate(link: Link, hello: Hello, use: Use): void {
    const { channel } = this
    const { address, decided } = this.#candidates.get(link) ?? {}
    this.#candidates.delete(link)
    this.#endActive('another connection took its place')
    // Another process, or one that has given this one up: what waited for the former is lost, and everybody is told before the new one is there.
    if (use.isFresh && this.isReachable) {
      this.#arriving = hello.life
      this.#fall('gone', 'keep')
      this.#arriving = undefined
    }
    if (this.#isClosed || isStale({ ...link.said, knows: channel.knows }, channel)) {
      link.end('its node was removed')
      decided?.()
      return
    }
    if (use.isFresh || channel.knows === undefined) channel.begin(hello.channel)
    if (!channel.resume(use.isFresh ? 0 : use.received)) {
      this.#lose('it has handled what was never sent')
      link.end('it has handled what was never sent')
      decided?.()
      return
    }
    this.#serial = use.serial
    this.#life = hello.life
    this.#lastHeard = performance.now()
    this.#active = link
    link.activate()
    this.#dialer.rest()
    this.addresses.worked(link.address, address)
    this.address = address ?? link.address
    this.#greetedBy(hello)
    link.ping()
    decided?.()
  }

  #greetedBy(hello: Hello): void {
    const { epoch, version, hazelcast } = hello
    const isOther = this.epoch !== epoch || this.version !== version || this.hazelcast !== hazelcast
    this.epoch = epoch
    this.version = version
    this.hazelcast = hazelcast
    if (this.state !== 'up') this.#enter('up')
    else if (isOther) this.#ground.onChange(this, 'up')
  }

  numbered(_link: Link, frame: Frame): void {
    this.#ground.onFrame(this, frame)
  }

  handled(): void {
    this.#ground.onHandled()
  }

  roundTrip(link: Link, ms: number): void {
    if (link !== this.#active || !(ms >= 0)) return
    this.roundTripMs = this.roundTripMs === undefined ? ms : this.roundTripMs + (ms - this.roundTripMs) * smoothing
  }

  bye(link: Link): void {
    if (link === this.#active) {
      this.trouble = `Lanthorn on ${this.node.name} was stopped.`
      this.#lose('it said goodbye', 'away')
    }
    link.end('it said goodbye')
  }

  refused(link: Link, sentence: string): void {
    this.#fail(sentence)
    link.end(sentence)
  }

  ended(link: Link, why: string, by: 'us' | 'them'): void {
    const candidate = this.#candidates.get(link)
    this.#candidates.delete(link)
    candidate?.decided?.()
    if (candidate?.address && by === 'them' && !link.hello)
      this.#fail(
        `${candidate.address} ends the connection without a word; it may not accept the certificate of this PC`,
      )
    if (link !== this.#active) return
    this.#active = undefined
    this.trouble = `The connection to ${this.node.name} broke: ${why}.`
    if (this.state === 'up') this.#enter('suspected')
    this.#dialer.wake()
  }

  /** Looks at the clock (`performance.now()`): called several times in each heartbeat; see `HeartbeatOptions.onTick`. */
  tick(now: number, isPing: boolean, lateMs: number): void {
    const { suspectMs, goneMs } = this.#ground.timings
    if (!this.isReachable) return
    this.#lastHeard = Math.min(now, this.#lastHeard + lateMs)
    const silentMs = now - this.#lastHeard
    if (silentMs >= goneMs) {
      this.#lose('it was silent for too long')
      return
    }
    if (this.state === 'up' && silentMs >= suspectMs) {
      this.trouble = `${this.node.name} has been silent for ${(silentMs / 1_000).toFixed(1)} s.`
      this.#enter('suspected')
      this.#dialer.wake()
    }
    this.#loseIfProved()
    if (isPing) this.#active?.ping()
  }

  /** Hazelcast has dropped it. */
  absent(): void {
    this.#suspicion.absent()
    this.#loseIfProved()
  }

  #loseIfProved(): void {
    if (this.state === 'suspected' && this.#suspicion.isProved(performance.now()))
      this.#lose('it is absent from Hazelcast too')
  }

  /** This process stood still: whatever the others have sent meanwhile was for a node that they may have given up. */
  thaw(): void {
    this.#lose('this process stood still')
  }

  /** Ends everything; with a goodbye that is on its way when it resolves. */
  async close(how: 'goodbye' | 'removed'): Promise<void> {
    this.#isClosed = true
    this.#dialer.close()
    const active = this.#active
    this.#active = undefined
    for (const link of [...this.#candidates.keys()]) link.end('its node is not wanted any more')
    this.trouble = `${this.node.name} is not connected.`
    let farewell: Promise<void> | undefined
    if (how === 'goodbye') farewell = active?.dismiss(plainFrame(kind.bye), 'goodbye')
    else active?.end('it is not a node of the office any more')
    if (this.isReachable) this.#fall('away', 'renew')
    await farewell
  }

  #lose(why: string, state: 'gone' | 'away' = 'gone'): void {
    this.#endActive(why)
    for (const link of [...this.#candidates.keys()]) link.end(why)
    this.trouble ??= `${this.node.name} is away: ${why}.`
    if (this.isReachable) this.#fall(state, 'renew')
    else this.channel.renew()
    if (state === 'gone') this.#dialer.wake()
    else this.#dialer.wakeLater()
  }

  #endActive(why: string): void {
    const active = this.#active
    this.#active = undefined
    active?.end(why)
  }

  /** @param half of the channel: kept when the other side has been told of it on a new connection */
  #fall(state: 'gone' | 'away', half: 'keep' | 'renew'): void {
    const before = this.state
    // First the state: whoever waits for a frame finds the peer as it is.
    this.#set(state)
    this.roundTripMs = undefined
    if (half === 'renew') this.channel.renew()
    else this.channel.begin(undefined)
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
    if (state === 'suspected') this.#suspicion.begin(performance.now())
    else this.#suspicion.end()
  }

  #fail(sentence: string): void {
    if (this.state !== 'up') this.trouble = `${this.node.name} cannot be reached: ${sentence}.`
  }

  #refuse(link: Link, sentence: string): void {
    this.#fail(sentence)
    void link.dismiss(plainFrame(kind.refuse, sentence), sentence)
  }
}
