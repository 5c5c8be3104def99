/** Which server is used: follows what the heartbeat sees, leaves a server in time, and lets nobody onto the wrong one. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type DatabaseAddress, placeOf } from '../address.ts'
import type { Connections } from '../connections.ts'
import { away, type DatabaseAway } from '../errors.ts'
import type { Target } from '../options.ts'
import { Standing } from '../standing.ts'
import { Waiting } from '../waiting.ts'
import type { Choice, Verdict } from './choose.ts'
import { Heartbeat } from './heartbeat.ts'
import type { Host } from './hosts.ts'
import { type Lead, type LeadLimits, leadOn, StandbyReads } from './lead.ts'
import { Knowledge } from './memory.ts'
import { Moves } from './moves.ts'
import { Notices } from './notices.ts'
import type { ServerReport } from './probe.ts'
import { type Replication, replicationOf } from './replication.ts'
import { type HostView, viewsOf } from './views.ts'

export interface SteeringOptions extends LeadLimits {
  log: Logger
  probeIntervalMs: number | undefined
  heartbeatMs: number
  /** Longest time for one look at a watched host. */
  lookTimeoutMs: number
  preferAfterMs: number
  /** How many calls are being carried out again. */
  repeating: () => number
}

/** How long what runs on a server that was demoted may take to end. */
const DRAIN_MS = 1_000
export class Steering {
  readonly #options: SteeringOptions
  readonly #log: Logger
  /** Calls that wait until a server is used, or none is any more. */
  readonly waiting = new Waiting()
  readonly moves = new Moves()
  readonly standing: Standing
  #target: Target
  #heartbeat: Heartbeat
  #knowledge: Knowledge
  #lead: Lead | undefined
  readonly #standby: StandbyReads
  /** When the last server in use gave its last sign, and which it was. */
  #left: { place: string; at: number; timeline: number | undefined } | undefined
  readonly #notices: Notices
  #leaving: Promise<void> = Promise.resolve()
  #changing: Promise<void> | undefined
  #doubting: Promise<void> | undefined
  #looking: Promise<void> | undefined
  #isStarted = false
  #isClosed = false

  constructor(target: Target, options: SteeringOptions) {
    this.#options = options
    this.#log = options.log
    this.#notices = new Notices(options.log)
    this.standing = new Standing(options.log)
    this.#target = target
    this.#knowledge = new Knowledge(target.memory, options.log)
    this.#standby = new StandbyReads(options)
    this.#heartbeat = this.#makeHeartbeat(target, this.#knowledge)
  }

  get isWatched(): boolean {
    return this.#target.isWatched
  }

  get address(): DatabaseAddress {
    return this.#heartbeat.address
  }

  /** The connections to the server in use. */
  get connections(): Connections | undefined {
    return this.#lead?.connections
  }

  get host(): Host | undefined {
    return this.#lead?.host
  }

  get place(): string {
    return this.#lead?.host.place ?? placeOf(this.address)
  }

  get timeline(): number | undefined {
    return this.#lead?.report.timeline ?? this.#knowledge.known?.timeline
  }

  get hosts(): HostView[] {
    const { verdicts, leastTimeline } = this.#heartbeat.choose()
    const { seen } = this.#heartbeat
    return viewsOf({ seen, verdicts, leastTimeline, known: this.#knowledge.known, inUse: this.#lead?.host })
  }

  get replication(): Replication {
    const report = this.#lead?.host.lastGood?.report
    if (report) return replicationOf(report, this.address.user)
    return { kind: 'unknown', sentence: 'Whether standbys follow is not known while the database is away.' }
  }

  /** A standby that may be read as if it were the main database, as far as was seen a moment ago. */
  get currentStandby(): Connections | undefined {
    return this.#standby.current(this.#lead?.host)
  }

  /** How long ago the last server in use gave its last sign; undefined when there was none yet. */
  get awayForMs(): number | undefined {
    return this.#left ? performance.now() - this.#left.at : undefined
  }

  /** Begins to look for a server, if nobody has yet. */
  start(): void {
    if (this.#isStarted || this.#isClosed) return
    this.#isStarted = true
    void this.#settle(false)
  }

  /** Nobody was looked at for longer than there are looks: this process stood still, and the server in use may be of the past. */
  get isBlind(): boolean {
    return this.isWatched && this.#heartbeat.isBlind
  }

  /** Looks at all hosts, once for all who ask meanwhile. */
  lookAround(): Promise<void> {
    this.#looking ??= this.#settle(false).finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  /** Looks at all hosts now. Gives why none can be used. */
  async check(): Promise<DatabaseAway | undefined> {
    this.#isStarted = true
    await this.#settle(true)
    if (this.#isClosed) return away('closed', this.place)
    return this.#lead ? undefined : (this.standing.fault ?? away('timeout', this.place))
  }

  /** Something went wrong on the server in use: finds out whether it was that alone. Resolves when it is known. */
  doubt(): Promise<void> {
    if (this.#isClosed || !this.#lead) return Promise.resolve()
    this.#doubting ??= this.#findOut().finally(() => {
      this.#doubting = undefined
    })
    return this.#doubting
  }

  /** Forgets which database this is and what timeline it had: the servers were rebuilt on purpose. */
  async trust(): Promise<void> {
    await this.#knowledge.forget()
    await this.check()
    const lead = this.#lead
    if (lead && !this.#knowledge.known) await this.#knowledge.remember(lead.host.place, lead.report)
  }

  /**
   * Uses another database from now on. It is looked at first, and taken as it is: nothing that is known of the old one counts.
   * @throws DatabaseAway when it cannot be used; then everything stays as it was
   */
  async switchTo(target: Target): Promise<void> {
    const knowledge = new Knowledge(target.memory, this.#log, { isFresh: true })
    const next = this.#makeHeartbeat(target, knowledge)
    const choice = await next.settle()
    const host = choice.index === undefined ? undefined : next.hosts[choice.index]
    const report = host?.last?.report
    if (choice.kind !== 'use' || !host || !report || this.#isClosed) {
      await next.close()
      throw choice.fault ?? away('timeout', placeOf(target.locate()))
    }
    while (this.#changing) await this.#changing
    this.#changing = this.#swap({ target, knowledge, heartbeat: next }, host, report).finally(() => {
      this.#changing = undefined
    })
    await this.#changing
    next.hurry()
  }

  async #swap(
    next: { target: Target; knowledge: Knowledge; heartbeat: Heartbeat },
    host: Host,
    report: ServerReport,
  ): Promise<void> {
    const old = { heartbeat: this.#heartbeat, lead: this.#lead }
    this.#target = next.target
    this.#heartbeat = next.heartbeat
    this.#knowledge = next.knowledge
    this.#lead = undefined
    this.#left = undefined
    this.#isStarted = true
    this.#standby.drop()
    if (old.lead) this.#leaving = old.lead.connections.drain(DRAIN_MS)
    void old.heartbeat.close()
    await this.#use(host, report)
  }

  /** Resolves when nothing runs any more on the database that the last `switchTo` has left; after DRAIN_MS at most. */
  drained(): Promise<void> {
    return this.#leaving
  }

  async close(limitMs: number): Promise<void> {
    this.#isClosed = true
    this.standing.clear()
    this.moves.clear()
    this.waiting.wake()
    this.#standby.drop()
    await this.#lead?.connections.drain(limitMs)
    await this.#heartbeat.close()
    await this.#changing
    await this.#doubting
  }

  #makeHeartbeat(target: Target, knowledge: Knowledge): Heartbeat {
    const { limits, probeIntervalMs, heartbeatMs, lookTimeoutMs, preferAfterMs } = this.#options
    const { isWatched } = target
    const lookMs = isWatched ? Math.min(limits.connectTimeoutMs, lookTimeoutMs) : limits.connectTimeoutMs
    const heartbeat: Heartbeat = new Heartbeat({
      locate: target.locate,
      limits: { ...limits, connectTimeoutMs: lookMs },
      beatMs: isWatched ? heartbeatMs : 0,
      searchMs: probeIntervalMs ?? (isWatched ? 150 : 500),
      preferAfterMs,
      known: () => knowledge.known,
      onChoice: choice => {
        if (heartbeat === this.#heartbeat) void this.#follow(choice)
      },
      onRelocated: () => {
        if (heartbeat === this.#heartbeat) this.#forgetLead()
      },
    })
    return heartbeat
  }

  async #findOut(): Promise<void> {
    const heartbeat = this.#heartbeat
    const choice = await heartbeat.doubt()
    // A database that was left meanwhile says nothing of the one in use.
    if (heartbeat === this.#heartbeat) await this.#follow(choice)
  }

  async #settle(isFresh: boolean): Promise<void> {
    const heartbeat = this.#heartbeat
    const choice = await heartbeat.settle(isFresh)
    if (heartbeat === this.#heartbeat) await this.#follow(choice)
  }

  /** One change at a time; what is seen meanwhile is decided on afterwards. */
  async #follow(choice: Choice): Promise<void> {
    if (this.#isClosed) return
    if (this.#changing) {
      await this.#changing
      return this.#follow(this.#heartbeat.choose())
    }
    this.#changing = this.#carryOut(choice).finally(() => {
      this.#changing = undefined
    })
    await this.#changing
  }

  async #carryOut(choice: Choice): Promise<void> {
    this.#notices.refused(this.hosts)
    const { index, kind } = choice
    const host = index === undefined ? undefined : this.#heartbeat.hosts[index]
    const report = host?.last?.report
    if (kind === 'use' && host && report) {
      const isSame = this.#lead?.host === host && this.#lead.report.timeline === report.timeline
      if (!isSame) await this.#move(host, report, choice)
    } else if (this.#lead || this.standing.state === 'up') {
      this.#leave(choice)
    } else if (choice.fault) {
      this.standing.isAway(choice.fault)
    }
    const { host: primary } = this
    if (primary && this.isWatched) this.#standby.follow(primary, this.#heartbeat.hosts)
    else this.#standby.drop()
  }

  async #move(host: Host, report: ServerReport, choice: Choice): Promise<void> {
    if (this.#lead) {
      this.#dropLead(this.#verdictOfLead(choice))
      // What was cut fails when its socket is closed, which is after the next turn: then it is known how much of it is repeated.
      await nextTurn()
      await nextTurn()
    }
    await this.#use(host, report)
  }

  async #use(host: Host, report: ServerReport): Promise<void> {
    const lead = this.#connect(host, report)
    if (this.isWatched) {
      lead.connections.warm()
      // On disk before the first statement goes there: after a restart nothing older may be taken for it.
      await this.#knowledge.remember(host.place, report)
    }
    if (this.#isClosed) {
      lead.connections.cut()
      return
    }
    const left = this.#left
    this.#lead = lead
    this.#notices.terms(host)
    this.#heartbeat.use(host)
    this.#left = undefined
    const isNewTimeline = (report.timeline ?? 0) > (left?.timeline ?? Number.POSITIVE_INFINITY)
    if (left && (left.place !== host.place || isNewTimeline)) {
      const repeated = this.#options.repeating()
      const tookMs = Math.round(performance.now() - left.at)
      const move = this.moves.add({ from: left.place, to: host.place, tookMs, repeated, isNewTimeline })
      this.#log.warn({ from: move.from, to: move.to, tookMs, repeated, timeline: report.timeline }, move.sentence)
    }
    this.standing.isUp(host.place)
    this.waiting.wake()
  }

  /** Leaves the server in use, or tells for the first time that there is none. */
  #leave(choice: Choice): void {
    const lead = this.#lead
    // Nobody was used yet, and somebody may be in a moment: until then nobody is told otherwise.
    if (!lead && choice.kind === 'wait') return
    const verdict = this.#verdictOfLead(choice)
    const reason = verdict === 'copy' || verdict === 'readonly' ? 'readonly' : 'lost'
    const fault = choice.fault ?? lead?.host.last?.fault ?? away(reason, this.place)
    this.#dropLead(verdict)
    this.standing.isAway(fault)
    this.waiting.wake()
    this.#heartbeat.hurry()
  }

  #verdictOfLead({ verdicts }: Choice): Verdict | undefined {
    const { hosts } = this.#heartbeat
    return this.#lead && verdicts[hosts.indexOf(this.#lead.host)]
  }

  /** What runs on it may end where that does no harm: on a server that cannot write any more, or that is the same one by another way. */
  #dropLead(verdict: Verdict | undefined): void {
    const lead = this.#lead
    if (!lead) return
    this.#left = {
      place: lead.host.place,
      at: lead.host.lastGood?.endedAt ?? performance.now(),
      timeline: lead.report.timeline,
    }
    this.#lead = undefined
    this.#heartbeat.use(undefined)
    this.#standby.drop()
    if (verdict === 'usable') void lead.connections.drain(this.#options.limits.queryTimeoutMs)
    else if (verdict === 'copy' || verdict === 'readonly') void lead.connections.drain(DRAIN_MS)
    else lead.connections.cut()
  }

  /** The place itself changed: what is there now is not known yet. */
  #forgetLead(): void {
    const lead = this.#lead
    this.#lead = undefined
    this.#standby.drop()
    lead?.connections.cut()
    this.#left = undefined
  }

  #connect(host: Host, report: ServerReport): Lead {
    const { isWatched } = this.#target
    const onLost = (): void => {
      if (this.#lead?.host === host) void this.doubt()
    }
    return leadOn(host, report, { ...this.#options, isWatched, onLost })
  }
}
