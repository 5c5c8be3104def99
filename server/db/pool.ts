/** The database as the rest of the server sees it: statements, transactions, direct connections; up or away; moving when it must. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection, DatabaseAddress } from './address.ts'
import type { Connections } from './connections.ts'
import { away, DatabaseAway, DatabaseFault } from './errors.ts'
import { FENCE_MS } from './fence.ts'
import { Gate } from './gate.ts'
import type { ClusterMemory } from './hosts/memory.ts'
import type { Move } from './hosts/moves.ts'
import type { Replication } from './hosts/replication.ts'
import { Steering } from './hosts/steering.ts'
import type { HostView } from './hosts/views.ts'
import { type DatabaseOptions, firstTarget, type TransactionOptions, targetOf } from './options.ts'
import {
  type CallOptions,
  type DirectSession,
  type Queryable,
  type Row,
  type Session,
  type SessionLimits,
  within,
} from './session.ts'
import type { DatabaseState } from './standing.ts'
import { transact } from './transaction.ts'

export { DatabaseAway, DatabaseFault } from './errors.ts'
export type { ClusterMemory } from './hosts/memory.ts'
export type { Move } from './hosts/moves.ts'
export type { Replication } from './hosts/replication.ts'
export type { HostView } from './hosts/views.ts'
export type { DatabaseOptions, TransactionOptions } from './options.ts'
export type { CallOptions, DirectSession, Queryable, Row } from './session.ts'
export type { DatabaseState } from './standing.ts'

/** SQLSTATEs after which PostgreSQL itself asks for the transaction to be run again: serialization_failure, deadlock_detected. */
const rerunStates = new Set(['40001', '40P01'])
const runsMax = 3
/** How often one call is carried out again because its connection broke. */
const REPEATS_MAX = 8
/** How long after the last sign of a server calls may wait for the next one; later they are refused at once. */
const FAILOVER_MS = 15_000

/**
 * One PostgreSQL database on one or several servers. Works through a transaction pooler: no named statements, no state on pooled connections.
 * Every call ends within its time limit with rows, DatabaseAway (not there now) or DatabaseFault (refused).
 */
export class Database implements Queryable, AsyncDisposable {
  readonly #steering: Steering
  readonly #gate = new Gate(() => this.#steering.waiting.wake())
  readonly #queryTimeoutMs: number
  readonly #connectTimeoutMs: number
  readonly #waitingMax: number
  readonly #awayWaitMs: number | undefined
  /** Calls that have not ended, those that wait for a server included. */
  #calls = 0
  #onIdle: (() => void) | undefined
  /** Of these, those whose connection broke and that are carried out again. */
  #repeating = 0
  #closing: Promise<void> | undefined

  constructor(options: DatabaseOptions) {
    const limits: SessionLimits = {
      connectTimeoutMs: options.connectTimeoutMs ?? 3_000,
      queryTimeoutMs: options.queryTimeoutMs ?? 5_000,
    }
    this.#queryTimeoutMs = limits.queryTimeoutMs
    this.#connectTimeoutMs = limits.connectTimeoutMs
    const { connectionsMax = 10, waitersMax = 1_000 } = options
    this.#waitingMax = connectionsMax + waitersMax
    this.#awayWaitMs = options.awayWaitMs
    this.#steering = new Steering(firstTarget(options), {
      log: options.log,
      limits,
      connectionsMax,
      directMax: options.directMax ?? 8,
      waitersMax,
      probeIntervalMs: options.probeIntervalMs,
      heartbeatMs: options.heartbeatMs ?? 1_000,
      lookTimeoutMs: options.lookTimeoutMs ?? 1_800,
      preferAfterMs: options.preferAfterMs ?? 10_000,
      repeating: () => this.#repeating,
    })
  }

  /** 'up' until no server could be found, 'away' until one was found again. */
  get state(): DatabaseState {
    return this.#steering.standing.state
  }

  /** Where the database is, for screens: no user, no password. The server in use; all of them while none is. */
  get place(): string {
    return this.#steering.place
  }

  /** The server in use. */
  get current(): Connection | undefined {
    return this.#steering.host?.connection
  }

  /** Counts the promotions of this database. */
  get timeline(): number | undefined {
    return this.#steering.timeline
  }

  /** The last look at each host. */
  get hosts(): readonly HostView[] {
    return this.#steering.hosts
  }

  /** Whether commits wait for standbys. */
  get replication(): Replication {
    return this.#steering.replication
  }

  /** The last changes of the server in use, oldest first. */
  get moves(): readonly Move[] {
    return this.#steering.moves.last
  }

  /** Calls `listener` at each change of `state` with a sentence for people. Gives the function that ends it. */
  onState(listener: (state: DatabaseState, sentence: string) => void): () => void {
    return this.#steering.standing.on(listener)
  }

  /** Calls `listener` at each change of the server in use, before those who wait go on. Gives the function that ends it. */
  onMove(listener: (move: Move) => void): () => void {
    return this.#steering.moves.on(listener)
  }

  /** Looks now whether the database can be used. Throws DatabaseAway with a sentence when not. */
  async check(): Promise<void> {
    this.#refuseWhenClosing()
    const fault = await this.#steering.check()
    if (fault) throw fault
  }

  /** Forgets which database this is: its servers were rebuilt on purpose. Throws DatabaseAway when none can be used all the same. */
  async trust(): Promise<void> {
    this.#refuseWhenClosing()
    await this.#steering.trust()
  }

  async query<R extends object = Row>(text: string, values: readonly unknown[] = [], options: CallOptions = {}) {
    return this.#call(options, session => session.query<R>(text, values, options))
  }

  async one<R extends object = Row>(text: string, values: readonly unknown[] = [], options: CallOptions = {}) {
    return this.#call(options, session => session.one<R>(text, values, options))
  }

  async exec(text: string, values: readonly unknown[] = [], options: CallOptions = {}): Promise<number> {
    return this.#call(options, session => session.exec(text, values, options))
  }

  /**
   * Runs `work` in one transaction; commits when it returns, rolls back when it throws. Runs it again when PostgreSQL gave up on it because of
   * a deadlock or a serialization failure (three times in all), and when the connection broke before COMMIT was sent, so `work` must do
   * nothing but ask this database. `timeoutMs` is the limit for the whole (default: twice that of one statement).
   */
  async transaction<T>(work: (transaction: Queryable) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    const timeoutMs = options.timeoutMs ?? this.#queryTimeoutMs * 2
    const begin = `BEGIN ISOLATION LEVEL ${(options.isolation ?? 'read committed').toUpperCase()}`
    const call = { ...options, timeoutMs, tolerant: false }
    for (let run = 1; ; run++) {
      try {
        return await this.#call(call, session => transact(session, { begin, limitMs: timeoutMs }, work))
      } catch (error) {
        if (run === runsMax || !(error instanceof DatabaseFault) || !rerunStates.has(error.code)) throw error
      }
    }
  }

  /**
   * Opens a connection of its own beside the pool for what a pooled one must not carry: advisory locks, LISTEN, long work. It is closed
   * when `work` ends, and cut when the database moves. Statements here have the usual time limit unless they bring their own.
   */
  async direct<T>(work: (session: DirectSession) => Promise<T>): Promise<T> {
    this.#refuseWhenClosing()
    const connections = await this.#find(performance.now() + this.#connectTimeoutMs, {}, performance.now(), false)
    try {
      const { client, session } = await connections.openDirect()
      const closed = new Promise<void>(resolve => client.once('end', () => resolve()))
      const direct: DirectSession = {
        query: session.query.bind(session),
        one: session.one.bind(session),
        exec: session.exec.bind(session),
        closed,
        onNotification: listener => {
          client.on('notification', notice => listener(notice.channel, notice.payload ?? ''))
        },
      }
      try {
        return await work(direct)
      } finally {
        await connections.closeDirect(client)
      }
    } catch (error) {
      if (error instanceof DatabaseAway && error.reason !== 'busy') void this.#steering.doubt()
      throw error
    }
  }

  /**
   * Holds all calls back: resolves when none runs any more; new ones wait, inside their own time limits, until `resume` or until `limitMs`
   * have passed since the call. Direct connections are not touched.
   * @throws DatabaseAway when what runs does not end in time; then nothing is held back
   */
  async pause(limitMs: number): Promise<{ resume(): void }> {
    this.#refuseWhenClosing()
    const pause = await this.#gate.shut(limitMs)
    if (!pause) throw away('busy', this.place)
    return pause
  }

  /**
   * This object is that database from now on; works while paused. The new one is looked at first and taken as it is.
   * @param memory where to keep which one it is; a function for `target` without it means a server that nobody need watch (the embedded one)
   * @throws DatabaseAway when it cannot be used; then everything stays as it was
   */
  async switchTo(target: DatabaseAddress | (() => DatabaseAddress), memory?: ClusterMemory): Promise<void> {
    this.#refuseWhenClosing()
    await this.#steering.switchTo(targetOf(target, memory))
  }

  /** Resolves when nothing runs any more on the database that the last `switchTo` has left: its server may be stopped then. */
  drained(): Promise<void> {
    return this.#steering.drained()
  }

  /** The time after which a write that is sent now must not begin any more, in the server's clock. Writes are fenced without asking for it. */
  deadline(limitMs = FENCE_MS): Date {
    return new Date((this.#steering.host?.clock ?? Date.now()) + limitMs)
  }

  /** Ends all connections: running statements may finish within their limits, new calls are refused. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  async #shutDown(): Promise<void> {
    this.#steering.waiting.wake()
    if (this.#calls > 0) {
      const idle = new Promise<void>(resolve => {
        this.#onIdle = resolve
      })
      await Promise.race([idle, sleep(this.#queryTimeoutMs, undefined, { ref: false })])
    }
    await this.#steering.close(this.#calls > 0 ? 0 : this.#queryTimeoutMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #refuseWhenClosing(): void {
    if (this.#closing) throw away('closed', this.place)
  }

  async #call<T>(options: CallOptions, work: (session: Session) => Promise<T>): Promise<T> {
    this.#refuseWhenClosing()
    this.#calls++
    try {
      return await this.#repeat(options, work)
    } finally {
      this.#calls--
      if (this.#calls === 0) this.#onIdle?.()
    }
  }

  /** Carries a call out, and again where that is allowed, until it is done or its time is over. */
  async #repeat<T>(options: CallOptions, work: (session: Session) => Promise<T>): Promise<T> {
    const began = performance.now()
    const deadline = began + (options.timeoutMs ?? this.#queryTimeoutMs)
    let last: DatabaseAway | undefined
    try {
      for (let repeats = 0; ; repeats++) {
        const connections = await this.#find(deadline, options, began)
        try {
          return await this.#gate.pass(() => this.#run(connections, deadline, options, work))
        } catch (error) {
          if (!(error instanceof DatabaseAway) || error.reason === 'busy') throw error
          const doubt = this.#steering.doubt()
          const isOver = this.#closing !== undefined || performance.now() >= deadline || repeats === REPEATS_MAX
          if (isOver || (error.mayHaveRun && !options.repeat)) throw error
          if (!last) this.#repeating++
          last = last?.mayHaveRun ? last : error
          await doubt
        }
      }
    } catch (error) {
      // What may have run once must not be told as refused.
      throw last?.mayHaveRun && error instanceof DatabaseAway ? last : error
    } finally {
      if (last) this.#repeating--
    }
  }

  async #run<T>(
    connections: Connections,
    deadline: number,
    options: CallOptions,
    work: (session: Session) => Promise<T>,
  ): Promise<T> {
    const standby = options.tolerant ? this.#steering.currentStandby : undefined
    if (standby) {
      try {
        return await standby.run((performance.now() + deadline) / 2, work)
      } catch {
        // Whatever it was: the main database is asked, and its answer counts.
      }
    }
    return connections.run(deadline, work)
  }

  /** The connections of the server in use; waits for them as long as this call may. */
  async #find(deadline: number, options: CallOptions, began: number, isGated = true) {
    for (;;) {
      if (this.#steering.isBlind)
        await within(this.#steering.lookAround(), deadline - performance.now(), () => away('timeout', this.place))
      const { connections } = this.#steering
      const { fault } = this.#steering.standing
      const isHeld = isGated && this.#gate.isShut
      if (fault) this.#refuseWhenClosing()
      if (connections && !isHeld) return connections
      this.#steering.start()
      const now = performance.now()
      const patienceMs = fault && !isHeld ? this.#patience(options) - (now - began) : Number.POSITIVE_INFINITY
      const limitMs = Math.min(patienceMs, deadline - now)
      if (limitMs <= 0) throw fault ?? away('timeout', this.place)
      if (this.#steering.waiting.count >= this.#waitingMax) throw away('busy', this.place)
      await this.#steering.waiting.wait(limitMs)
    }
  }

  /** How long a call may wait while there is no server: only while it fails over, and only where there is another one to wait for. */
  #patience(options: CallOptions): number {
    const { awayForMs, isWatched, address } = this.#steering
    if (!isWatched || awayForMs === undefined || awayForMs > FAILOVER_MS) return 0
    const longestMs = options.repeat
      ? Number.POSITIVE_INFINITY
      : (this.#awayWaitMs ?? (address.hosts.length > 1 ? 750 : 0))
    return Math.min(options.waitMs ?? longestMs, FAILOVER_MS)
  }
}
