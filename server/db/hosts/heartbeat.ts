/** Looks at the hosts of a database again and again, and says after each look which one should be used. */
import { randomInt } from 'node:crypto'
import { connectionsOf, type DatabaseAddress } from '../address.ts'
import type { SessionLimits } from '../session.ts'
import { type Choice, choose, isSeenSince, type KnownCluster, type Seen } from './choose.ts'
import { Host } from './hosts.ts'

export interface HeartbeatOptions {
  /** Asked before each look: an embedded database may come back at another port. */
  locate: () => DatabaseAddress
  limits: SessionLimits
  /** How often all hosts are looked at while one of them is in use; 0: only when something went wrong. */
  beatMs: number
  /** How often while none is. */
  searchMs: number
  preferAfterMs: number
  known: () => KnownCluster | undefined
  /** Called after each look. */
  onChoice: (choice: Choice) => void
  /** The hosts are others than before. */
  onRelocated: () => void
}

/** How late a look may be before it is missed. */
const BLIND_AFTER_MS = 1_000

export class Heartbeat {
  readonly #options: HeartbeatOptions
  readonly #timers = new Map<Host, NodeJS.Timeout>()
  #address: DatabaseAddress
  #hosts: Host[]
  #ranks: number[] = []
  #isRunning = false
  #isClosed = false
  #inUse: Host | undefined

  constructor(options: HeartbeatOptions) {
    this.#options = options
    this.#address = options.locate()
    this.#hosts = this.#makeHosts()
  }

  get address(): DatabaseAddress {
    return this.#address
  }

  get hosts(): readonly Host[] {
    return this.#hosts
  }

  get inUse(): Host | undefined {
    return this.#inUse
  }

  /** A host is in use from now on: all are looked at calmly. None is: all are looked at often. */
  use(host: Host | undefined): void {
    this.#inUse = host
    for (const one of this.#hosts) this.#schedule(one)
  }

  /** What is seen of the hosts at the moment. */
  get seen(): Seen[] {
    return this.#hosts.map((host, index) => {
      // A server without a free connection for us is not away: those that we have go on.
      const isBusy = host === this.inUse && host.last?.fault?.reason === 'busy'
      const look = isBusy ? host.lastGood : host.last
      return { place: host.place, rank: this.#ranks[index] ?? index, ...(look ? { look } : {}) }
    })
  }

  /** Whether a host was not looked at for longer than a look and the wait for the next one can take. */
  get isBlind(): boolean {
    const { beatMs, limits } = this.#options
    const oldest = performance.now() - beatMs - limits.connectTimeoutMs - BLIND_AFTER_MS
    return this.#hosts.some(({ last }) => last !== undefined && last.endedAt < oldest)
  }

  choose(): Choice {
    const inUse = this.inUse ? this.#hosts.indexOf(this.inUse) : -1
    return choose({
      hosts: this.seen,
      known: this.#options.known(),
      attrs: this.#address.targetSessionAttrs,
      inUse: inUse < 0 ? undefined : inUse,
      now: performance.now(),
      preferAfterMs: this.#options.preferAfterMs,
    })
  }

  /** Begins to look (again): at all hosts at once. */
  hurry(): void {
    if (this.#isClosed) return
    this.#isRunning = true
    this.#relocate()
    for (const host of this.#hosts) void this.#lookAt(host)
  }

  /**
   * Looks at all hosts until it is certain which one can be used, or that none can: three rounds at most, each within the limit.
   * @param isFresh over new connections
   */
  async settle(isFresh = false): Promise<Choice> {
    this.#relocate()
    this.#isRunning = true
    for (let round = 1; ; round++) {
      await Promise.all(this.#hosts.map(host => (isFresh ? host.lookAfresh() : host.look())))
      for (const host of this.#hosts) this.#schedule(host)
      const choice = this.choose()
      if (choice.kind !== 'wait' || round === 3) return choice
    }
  }

  /** Looks at the host in use over a new connection, because something went wrong there. */
  async doubt(): Promise<Choice> {
    this.#relocate()
    const { inUse } = this
    if (!inUse) return this.settle()
    await inUse.lookAfresh()
    this.#schedule(inUse)
    return this.choose()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    await Promise.all(this.#hosts.map(host => host.close()))
  }

  async #lookAt(host: Host): Promise<void> {
    clearTimeout(this.#timers.get(host))
    this.#timers.delete(host)
    await host.look()
    if (this.#isClosed || !this.#hosts.includes(host)) return
    const choice = this.choose()
    this.#options.onChoice(choice)
    this.#schedule(host)
    if (choice.kind === 'wait' && choice.index !== undefined) this.#confirm(choice.index)
  }

  /** Somebody can be used unless one of the others objects: those are looked at now, not at their next turn. */
  #confirm(index: number): void {
    const since = this.#hosts[index]?.last?.usableSince ?? performance.now()
    this.#hosts.forEach((host, at) => {
      if (at !== index && !host.isLooking && !isSeenSince(host.last, since)) void this.#lookAt(host)
    })
  }

  #schedule(host: Host): void {
    if (this.#isClosed || !this.#isRunning || !this.#hosts.includes(host)) return
    const { beatMs, searchMs } = this.#options
    clearTimeout(this.#timers.get(host))
    this.#timers.delete(host)
    const periodMs = this.inUse ? beatMs : searchMs
    if (periodMs === 0) return
    const sinceMs = performance.now() - (host.last?.startedAt ?? 0)
    const timer = setTimeout(
      () => {
        this.#relocate()
        if (this.#hosts.includes(host)) void this.#lookAt(host)
      },
      Math.max(periodMs - sinceMs, periodMs / 10),
    )
    timer.unref()
    this.#timers.set(host, timer)
  }

  #relocate(): void {
    const found = this.#options.locate()
    if (this.#isClosed || JSON.stringify(found) === JSON.stringify(this.#address)) return
    this.#address = found
    const old = this.#hosts
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    this.#inUse = undefined
    this.#hosts = this.#makeHosts()
    this.#options.onRelocated()
    for (const host of old) void host.close()
    if (this.#isRunning) for (const host of this.#hosts) void this.#lookAt(host)
  }

  #makeHosts(): Host[] {
    const connections = connectionsOf(this.#address)
    this.#ranks = connections.map((_, index) => index)
    if (this.#address.loadBalanceHosts === 'random') this.#ranks = shuffled(this.#ranks)
    return connections.map(connection => new Host(connection, this.#options.limits, this.#options.beatMs > 0))
  }
}

function shuffled(ranks: readonly number[]): number[] {
  const left = [...ranks]
  const mixed: number[] = []
  while (left.length > 0) mixed.push(...left.splice(randomInt(left.length), 1))
  return mixed
}
