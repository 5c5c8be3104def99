/** The database as the rest of the server sees it: statements, transactions, direct connections; up or away. */

import pg from 'pg'
import type { Logger } from 'pino'
import { type Connection, placeOf } from './address.ts'
import { away, classify, DatabaseAway, DatabaseFault } from './errors.ts'
import { farewell, probe } from './probe.ts'
import {
  type CallOptions,
  clientConfig,
  cut,
  type DirectSession,
  type Queryable,
  type Row,
  Session,
  type SessionLimits,
  within,
} from './session.ts'
import { transact } from './transaction.ts'

export { DatabaseAway, DatabaseFault } from './errors.ts'
export type { CallOptions, DirectSession, Queryable, Row } from './session.ts'

export type DatabaseState = 'up' | 'away'

export interface DatabaseOptions {
  /** Where the database is; asked again before each attempt to find it, because an embedded one may come back at another port. */
  connection: Connection | (() => Connection)
  log: Logger
  /** Most connections of the pool. */
  connectionsMax?: number
  /** Most connections beside the pool (LISTEN, advisory locks). */
  directMax?: number
  /** Most callers that may wait for a connection; the next one is refused at once. */
  waitersMax?: number
  connectTimeoutMs?: number
  queryTimeoutMs?: number
  /** How often a database that is away is looked for. */
  probeIntervalMs?: number
}

export interface TransactionOptions extends CallOptions {
  isolation?: 'read committed' | 'repeatable read' | 'serializable'
}

/** SQLSTATEs after which PostgreSQL itself asks for the transaction to be run again: serialization_failure, deadlock_detected. */
const rerunStates = new Set(['40001', '40P01'])
const runsMax = 3

/**
 * One PostgreSQL database. Works through a transaction pooler: no named statements, no state on pooled connections.
 * Every call ends within its time limit with rows, DatabaseAway (not there now) or DatabaseFault (refused).
 */
export class Database implements Queryable, AsyncDisposable {
  readonly #locate: () => Connection
  readonly #log: Logger
  readonly #limits: SessionLimits
  readonly #connectionsMax: number
  readonly #directMax: number
  readonly #waitersMax: number
  readonly #probeIntervalMs: number
  readonly #listeners = new Set<(state: DatabaseState, sentence: string) => void>()
  readonly #directs = new Set<pg.Client>()
  #connection: Connection
  #plain = false
  #pool: pg.Pool
  #clients = new Set<pg.ClientBase>()
  #state: DatabaseState = 'up'
  #lastFault: DatabaseAway | undefined
  #probing: Promise<DatabaseAway | undefined> | undefined
  #probeTimer: NodeJS.Timeout | undefined
  #closing: Promise<void> | undefined

  constructor(options: DatabaseOptions) {
    const { connection } = options
    this.#locate = typeof connection === 'function' ? connection : () => connection
    this.#log = options.log
    this.#limits = {
      connectTimeoutMs: options.connectTimeoutMs ?? 3_000,
      queryTimeoutMs: options.queryTimeoutMs ?? 5_000,
    }
    this.#connectionsMax = options.connectionsMax ?? 10
    this.#directMax = options.directMax ?? 8
    this.#waitersMax = options.waitersMax ?? 1_000
    this.#probeIntervalMs = options.probeIntervalMs ?? 500
    this.#connection = this.#locate()
    this.#pool = this.#makePool()
  }

  /** 'up' until a probe failed, 'away' until one succeeded again. While away, calls are refused at once. */
  get state(): DatabaseState {
    return this.#state
  }

  /** Where the database is, for screens: no user, no password. */
  get place(): string {
    return placeOf(this.#connection)
  }

  /** Calls `listener` at each change of `state` with a sentence for people. Gives the function that ends it. */
  onState(listener: (state: DatabaseState, sentence: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Looks now whether the database can be used. Throws DatabaseAway with a sentence when not. */
  async check(): Promise<void> {
    const fault = await this.#probe()
    if (fault) throw fault
  }

  async query<R extends object = Row>(text: string, values: readonly unknown[] = [], options: CallOptions = {}) {
    return this.#withSession(options, session => session.query<R>(text, values, options))
  }

  async one<R extends object = Row>(text: string, values: readonly unknown[] = [], options: CallOptions = {}) {
    return this.#withSession(options, session => session.one<R>(text, values, options))
  }

  async exec(text: string, values: readonly unknown[] = [], options: CallOptions = {}): Promise<number> {
    return this.#withSession(options, session => session.exec(text, values, options))
  }

  /**
   * Runs `work` in one transaction; commits when it returns, rolls back when it throws. Runs it again (three times in all) when PostgreSQL
   * gave up on it because of a deadlock or a serialization failure, so `work` must do nothing but ask this database.
   * `timeoutMs` is the limit for the whole (default: twice that of one statement).
   */
  async transaction<T>(work: (transaction: Queryable) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    const timeoutMs = options.timeoutMs ?? this.#limits.queryTimeoutMs * 2
    const begin = `BEGIN ISOLATION LEVEL ${(options.isolation ?? 'read committed').toUpperCase()}`
    for (let run = 1; ; run++) {
      try {
        return await this.#withSession({ timeoutMs }, session => transact(session, { begin, limitMs: timeoutMs }, work))
      } catch (error) {
        if (run === runsMax || !(error instanceof DatabaseFault) || !rerunStates.has(error.code)) throw error
      }
    }
  }

  /**
   * Opens a connection of its own beside the pool for what a pooled one must not carry: advisory locks, LISTEN, long work. It is closed
   * when `work` ends. Statements here have the usual time limit unless they bring their own.
   */
  async direct<T>(work: (session: DirectSession) => Promise<T>): Promise<T> {
    this.#refuseWhenClosing()
    if (this.#directs.size >= this.#directMax) throw away('busy', this.place)
    const client = await this.#connectDirect()
    const session = new Session(client, this.#connection, this.#limits, Number.POSITIVE_INFINITY)
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
    } catch (error) {
      if (error instanceof DatabaseAway) this.#suspect()
      throw error
    } finally {
      this.#directs.delete(client)
      await farewell(client)
    }
  }

  /** Ends all connections: running statements may finish within their limits, new calls are refused. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #shutDown(): Promise<void> {
    clearTimeout(this.#probeTimer)
    this.#listeners.clear()
    const ended = this.#pool.end()
    try {
      await within(ended, this.#limits.queryTimeoutMs, () => away('timeout', this.place))
    } catch {
      // Somebody still holds a connection, or the server does not say goodbye: cut what is left.
      for (const client of this.#clients) cut(client)
    }
    for (const client of this.#directs) cut(client)
    await this.#probing
  }

  #refuseWhenClosing(): void {
    if (this.#closing) throw away('closed', this.place)
  }

  #makePool(): pg.Pool {
    const clients = new Set<pg.ClientBase>()
    const pool = new pg.Pool({
      ...clientConfig(this.#connection, this.#limits, this.#plain),
      max: this.#connectionsMax,
      min: 1,
      idleTimeoutMillis: 30_000,
    })
    pool.on('connect', client => clients.add(client))
    pool.on('remove', client => clients.delete(client))
    pool.on('error', error => {
      this.#log.info({ code: (error as { code?: string }).code }, 'idle database connection lost')
      this.#suspect()
    })
    this.#clients = clients
    return pool
  }

  /** Borrows a connection for `work`; a broken one is thrown away, never given back. */
  async #withSession<T>(options: CallOptions, work: (session: Session) => Promise<T>): Promise<T> {
    this.#refuseWhenClosing()
    if (this.#state === 'away') throw this.#lastFault ?? away('refused', this.place)
    const deadline = performance.now() + (options.timeoutMs ?? this.#limits.queryTimeoutMs)
    try {
      const { client, connection } = await this.#borrow(deadline)
      const session = new Session(client, connection, this.#limits, deadline)
      try {
        return await work(session)
      } finally {
        session.leave()
        client.release(session.broken)
      }
    } catch (error) {
      if (error instanceof DatabaseAway && error.reason !== 'busy') this.#suspect()
      throw error
    }
  }

  async #borrow(deadline: number): Promise<{ client: pg.PoolClient; connection: Connection }> {
    const pool = this.#pool
    const connection = this.#connection
    if (pool.waitingCount >= this.#waitersMax) throw away('busy', placeOf(connection))
    const limitMs = Math.min(this.#limits.connectTimeoutMs, deadline - performance.now())
    const borrowing = pool.connect()
    let isLate = false
    borrowing.then(
      client => {
        if (isLate) client.release()
      },
      () => undefined, // the waiting below reports it
    )
    try {
      const client = await within(borrowing, limitMs, () => {
        isLate = true
        const isFull = pool.totalCount >= this.#connectionsMax && pool.idleCount === 0
        return away(isFull ? 'busy' : 'timeout', placeOf(connection))
      })
      return { client, connection }
    } catch (error) {
      throw classify(error, placeOf(connection), 'connect')
    }
  }

  async #connectDirect(): Promise<pg.Client> {
    const client = new pg.Client(clientConfig(this.#connection, this.#limits, this.#plain))
    client.on('error', () => undefined) // each statement and `closed` tell of a lost connection
    this.#directs.add(client)
    try {
      await within(client.connect(), this.#limits.connectTimeoutMs, () => away('timeout', this.place))
      return client
    } catch (error) {
      this.#directs.delete(client)
      cut(client)
      const known = classify(error, this.place, 'connect')
      if (known instanceof DatabaseAway) this.#suspect()
      throw known
    }
  }

  /** Something went wrong: find out whether it was the one statement or the whole database. */
  #suspect(): void {
    if (!this.#closing && !this.#probing && !this.#probeTimer) void this.#probe()
  }

  #probe(): Promise<DatabaseAway | undefined> {
    this.#refuseWhenClosing()
    this.#probing ??= this.#probeOnce().finally(() => {
      this.#probing = undefined
    })
    return this.#probing
  }

  async #probeOnce(): Promise<DatabaseAway | undefined> {
    clearTimeout(this.#probeTimer)
    this.#probeTimer = undefined
    this.#moveWhenChanged()
    const { fault, plain } = await probe(this.#connection, this.#limits, this.#plain)
    if (plain !== this.#plain) {
      this.#plain = plain
      this.#replacePool()
    }
    if (this.#closing) return fault
    this.#lastFault = fault
    if (fault) {
      this.#probeTimer = setTimeout(() => void this.#probe(), this.#probeIntervalMs)
      this.#probeTimer.unref()
    }
    if ((fault ? 'away' : 'up') !== this.#state) this.#turn(fault)
    return fault
  }

  #turn(fault: DatabaseAway | undefined): void {
    this.#state = fault ? 'away' : 'up'
    // Connections of before may hang on a host that is gone: none of them is used again.
    if (fault) this.#replacePool()
    const sentence = fault ? fault.message : `The database at ${this.place} can be used again.`
    if (fault) this.#log.warn({ reason: fault.reason }, sentence)
    else this.#log.info(sentence)
    for (const listener of this.#listeners) listener(this.#state, sentence)
  }

  #moveWhenChanged(): void {
    const found = this.#locate()
    if (JSON.stringify(found) === JSON.stringify(this.#connection)) return
    this.#connection = found
    this.#plain = false
    this.#replacePool()
  }

  #replacePool(): void {
    const old = this.#pool
    const clients = this.#clients
    this.#pool = this.#makePool()
    old.end().catch(() => undefined) // a pool without a server cannot say goodbye; its sockets are cut below
    for (const client of clients) cut(client)
  }
}
