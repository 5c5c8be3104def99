/** All streams of this node and what they share: settings, limits, one timer, one write batch. */
import { randomBytes } from 'node:crypto'
import type { ServerParts } from '../core/server.ts'
import type { Outlet, Session } from '../core/session.ts'
import { Proxies } from '../net/proxies.ts'
import { StreamError } from '../xmpp/errors.ts'
import { Alarms } from './alarms.ts'
import type { ClientStream } from './c2s.ts'
import { type DrainOptions, type DrainProgress, type SeeOther, seeOther, sendAway } from './drain.ts'
import { Handover } from './handover.ts'
import { watch } from './keepalive.ts'
import { WriteBatch } from './outlet.ts'
import type { C2sSettings, ManagementSettings } from './settings.ts'
import { Throttle } from './throttle.ts'

/** The parts of the server that streams speak to. */
export type StreamParts = Pick<
  ServerParts,
  | 'domain'
  | 'log'
  | 'now'
  | 'randomId'
  | 'hooks'
  | 'nonzas'
  | 'streamFeatures'
  | 'sessions'
  | 'accounts'
  | 'queue'
  | 'router'
  | 'settings'
  | 'directory'
  | 'bus'
>

export interface StreamsOptions {
  readonly parts: StreamParts
  /**
   * How accounts that do not exist are made to look (see xmpp/sasl.ts): the same on every node, for years. Without it,
   * something random that changes with every start.
   */
  readonly unknown?: { readonly secret: Buffer; readonly iterations: number }
  /** `host:port` that a client should come back to when its stream broke (XEP-0198 §3); undefined = as usual. */
  readonly location?: string | undefined
}

const SWEEP_MS = 1_000
/** The throttle forgets slowly: it is swept once in so many sweeps. */
const SWEEPS_PER_THROTTLE = 60
/** How long clients are given to take their goodbye when the server stops. */
const GOODBYE_MS = 3_000
const UNKNOWN_ITERATIONS = 10_000

/** Made once by main.ts, handed to every listener. */
export class Streams {
  readonly parts: StreamParts
  readonly settings: C2sSettings
  readonly management: ManagementSettings
  readonly throttle: Throttle
  readonly batch = new WriteBatch()
  readonly alarms: Alarms
  readonly unknown: { readonly secret: Buffer; readonly iterations: number }
  readonly location: string | undefined
  /** Sessions that a stream is about to resume. */
  readonly resuming = new Set<Session>()
  readonly handover: Handover
  /** Load balancers that are believed. */
  readonly proxies: Proxies
  readonly #work = new Map<Session, Promise<void>>()
  readonly #all = new Set<ClientStream>()
  readonly #timer: NodeJS.Timeout
  readonly #unfollow: (() => void)[]
  #isClosed = false
  #sweeps = 0
  /** Where clients are sent while this node is drained. */
  #elsewhere: SeeOther | undefined
  #whenEmpty: (() => void) | undefined

  constructor(options: StreamsOptions) {
    const { parts } = options
    this.parts = parts
    this.settings = parts.settings.of('c2s') as C2sSettings
    this.management = parts.settings.of('stream-management') as ManagementSettings
    this.throttle = new Throttle({ settings: this.settings, now: parts.now })
    this.alarms = new Alarms(parts.now)
    this.unknown = options.unknown ?? { secret: randomBytes(32), iterations: UNKNOWN_ITERATIONS }
    this.location = options.location
    this.proxies = new Proxies(() => this.settings.proxies)
    this.handover = new Handover(this)
    this.#unfollow = [
      parts.bus.onStoodStill(() => {
        for (const stream of this.#all) stream.wire.destroy()
      }),
      parts.bus.onDelivered(() => this.batch.flush()),
    ]
    this.#timer = setInterval(() => this.sweep(), SWEEP_MS)
    this.#timer.unref()
  }

  /** Streams that are open, in whatever state. */
  get size(): number {
    return this.#all.size
  }

  /** Every stream, in whatever state. */
  [Symbol.iterator](): IterableIterator<ClientStream> {
    return this.#all.values()
  }

  /** No more connections are taken. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Clients are being sent to other nodes. */
  get isDraining(): boolean {
    return this.#elsewhere !== undefined
  }

  /** Why a stream of this kind cannot begin here, while this node is drained. */
  sentAway(kind: Outlet['transport']): StreamError | undefined {
    return this.#elsewhere && seeOther(this.#elsewhere, kind)
  }

  /**
   * Sends all clients to other nodes, and new ones too, until `resumeService`. Sessions that can be resumed rest until the other node fetches them.
   * @returns when all were fetched or the time (10 s) is over: how many went, and how many are still here
   */
  async drain(to: SeeOther, options: DrainOptions = {}): Promise<DrainProgress> {
    let moved = 0
    this.#elsewhere = to
    this.handover.onDeparted = () => moved++
    const isOver = (): boolean => this.#elsewhere !== to || this.#isClosed
    const progress = await sendAway(this, to, { ...options, moved: () => moved, isOver })
    this.parts.log.info(progress, 'clients were sent to other nodes')
    return progress
  }

  /** Takes clients again. */
  resumeService(): void {
    this.#elsewhere = undefined
    this.handover.onDeparted = undefined
  }

  add(stream: ClientStream): void {
    this.#all.add(stream)
  }

  remove(stream: ClientStream): void {
    this.#all.delete(stream)
    if (this.#all.size === 0) this.#whenEmpty?.()
  }

  /** A stanza of this session is being handled until `work` is done, even if its stream breaks meanwhile. */
  working(session: Session, work: Promise<void>): void {
    this.#work.set(session, work)
    void work.then(() => {
      if (this.#work.get(session) === work) this.#work.delete(session)
    })
  }

  /** What of this session is being handled. */
  workOf(session: Session): Promise<void> | undefined {
    return this.#work.get(session)
  }

  /** Deadlines, keepalives and standstills of all streams. Called every second. */
  sweep(): void {
    const now = this.parts.now()
    for (const stream of this.#all) watch(stream, now)
    this.#sweeps++
    if (this.#sweeps % SWEEPS_PER_THROTTLE === 0) this.throttle.sweep()
  }

  /**
   * Ends all streams with system-shutdown and waits until their connections are closed, at most 3 s. Sessions that rest
   * are ended too. New connections are refused from now on.
   */
  async close(): Promise<void> {
    this.#isClosed = true
    const { sessions } = this.parts
    this.handover.close()
    await Promise.all([...sessions.all()].map(session => sessions.end(session, 'shutdown')))
    for (const stream of this.#all) stream.end(new StreamError('system-shutdown'))
    if (this.#all.size > 0) {
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>(resolve => {
        this.#whenEmpty = resolve
        timer = setTimeout(resolve, GOODBYE_MS)
      })
      clearTimeout(timer)
    }
    for (const stream of this.#all) stream.wire.destroy()
    for (const stop of this.#unfollow) stop()
    clearInterval(this.#timer)
    this.alarms.close()
  }
}
