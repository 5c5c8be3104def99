/** One PostgreSQL connection with our rules on it: every statement has a time limit, and a connection that broke is never used again. */
import net from 'node:net'
import type pg from 'pg'
import { type Connection, placeOf } from './address.ts'
import { away, classify, DatabaseFault } from './errors.ts'
import { FencedQuery, fencedText, isWrite, lastResult } from './fence.ts'

export type Row = Record<string, unknown>

export interface CallOptions {
  /** Longest time for this statement, waiting for a connection included. */
  timeoutMs?: number
  /** Declared idempotent: carried out again, within its time limit, when the connection broke under it. What never ran is repeated always. */
  repeat?: boolean
  /** May be read from a standby, as long as every commit waits until it can be read there. For statements that only read. */
  tolerant?: boolean
  /**
   * Longest wait for another server while the database fails over, within the time limit. By default a `repeat` call waits as long as its
   * time limit, any other one the Database's `awayWaitMs`.
   */
  waitMs?: number
}

/** What can be asked of a database, a transaction or a direct connection. Values go as $1, $2, …; statements are never named. */
export interface Queryable {
  /** Runs one statement; gives its rows. Throws DatabaseAway or DatabaseFault. */
  query<R extends object = Row>(text: string, values?: readonly unknown[], options?: CallOptions): Promise<R[]>
  /** As `query`, for a statement with at most one row. */
  one<R extends object = Row>(text: string, values?: readonly unknown[], options?: CallOptions): Promise<R | undefined>
  /** As `query`; gives the number of rows that were written. */
  exec(text: string, values?: readonly unknown[], options?: CallOptions): Promise<number>
}

/** A session that also hears NOTIFY and tells when it is lost: what `Database.direct` hands out. */
export interface DirectSession extends Queryable {
  /** Calls `listener` for each NOTIFY on a channel that was LISTENed to. */
  onNotification(listener: (channel: string, payload: string) => void): void
  /** Resolves when the connection is gone, whoever closed it. */
  readonly closed: Promise<void>
}

export interface SessionLimits {
  connectTimeoutMs: number
  queryTimeoutMs: number
}

interface Internals {
  processID?: number | null
  secretKey?: number | null
  connection?: { stream: net.Socket }
  getTransactionStatus?(): 'I' | 'T' | 'E' | null
}

/** Cuts the connection at once, without a goodbye that a hung server would never answer. */
export function cut(client: pg.ClientBase): void {
  ;(client as unknown as Internals).connection?.stream.destroy()
}

/** One checked-out connection: statements run one after the other, each with a time limit. */
export class Session implements Queryable {
  readonly client: pg.ClientBase
  readonly #connection: Connection
  readonly #limits: SessionLimits
  readonly #deadline: number
  readonly #fence: (() => string) | undefined
  readonly #onError: (error: Error) => void
  #broken: Error | undefined

  /**
   * @param deadline performance.now() time after which nothing may run here any more (Infinity: no such time)
   * @param fence gives the time, in the server's clock, after which a write that is sent now must not begin any more
   */
  constructor(
    client: pg.ClientBase,
    connection: Connection,
    limits: SessionLimits,
    deadline: number,
    fence?: () => string,
  ) {
    this.client = client
    this.#fence = fence
    this.#connection = connection
    this.#limits = limits
    this.#deadline = deadline
    // A checked-out client without this listener would end the process when its connection is lost between two statements.
    this.#onError = error => {
      this.#broken ??= error
    }
    client.on('error', this.#onError)
  }

  /** Set when the connection must not be used again. */
  get broken(): Error | undefined {
    return this.#broken
  }

  /** Marks the connection as not to be used again and stops what runs on it. Gives the error to throw. */
  giveUp(cause?: unknown): Error {
    if (!this.#broken) {
      this.#broken = away('timeout', placeOf(this.#connection), { mayHaveRun: true, cause })
      void cancel(this.#connection, this.client as unknown as Internals)
    }
    return this.#broken
  }

  /** Takes our listener off: the session is over. */
  leave(): void {
    this.client.off('error', this.#onError)
  }

  async query<R extends object = Row>(text: string, values: readonly unknown[] = [], options: CallOptions = {}) {
    return (await this.run(text, values, options)).rows as R[]
  }

  async one<R extends object = Row>(text: string, values: readonly unknown[] = [], options: CallOptions = {}) {
    return (await this.query<R>(text, values, options))[0]
  }

  async exec(text: string, values: readonly unknown[] = [], options: CallOptions = {}): Promise<number> {
    return (await this.run(text, values, options)).rowCount ?? 0
  }

  /** Runs one statement within its time limit. A statement that is late is cancelled and its connection given up. */
  async run(text: string, values: readonly unknown[] = [], options: CallOptions = {}): Promise<pg.QueryResult> {
    const where = placeOf(this.#connection)
    if (this.#broken) throw classify(this.#broken, where, 'query')
    const left = this.#deadline - performance.now()
    const limitMs = Math.min(options.timeoutMs ?? this.#limits.queryTimeoutMs, left)
    if (limitMs <= 0) throw away('timeout', where)
    try {
      return await within(this.#send(text, values as unknown[]), limitMs, () => this.giveUp())
    } catch (error) {
      const known = classify(error, where, 'query')
      if (!(known instanceof DatabaseFault)) this.#broken ??= known as Error
      throw known
    }
  }

  /** Without values the simple protocol is used, which also takes several statements at once. */
  #send(text: string, values: unknown[]): Promise<pg.QueryResult> {
    const { client } = this
    const isOpen = (client as unknown as Internals).getTransactionStatus?.() === 'T'
    if (!this.#fence || !(isOpen ? text === 'COMMIT' : isWrite(text))) {
      return values.length === 0 ? client.query(text) : client.query(text, values)
    }
    if (values.length === 0) return client.query(fencedText(text, this.#fence())).then(lastResult)
    const deadline = this.#fence()
    return new Promise((resolve, reject) => {
      const callback = (error: Error | null, result: unknown) => (error ? reject(error) : resolve(lastResult(result)))
      client.query(new FencedQuery({ text, values, callback }, deadline) as unknown as pg.Submittable)
    })
  }
}

/**
 * Waits for `promise` at most `limitMs`; then throws what `late` gives. The late promise's own failure is heard and dropped.
 */
export async function within<T>(promise: Promise<T>, limitMs: number, late: () => Error): Promise<T> {
  if (limitMs === Number.POSITIVE_INFINITY) return promise
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), limitMs)
  })
  promise.catch(() => undefined) // its answer no longer matters once the limit has passed; before, the race reports it
  try {
    return await Promise.race([promise, tooLate])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Asks the server to stop the statement of a connection that we give up (protocol message CancelRequest, manual 54.2.10), so that it
 * does not go on working for nobody. Best effort: a server that is really away does not hear it, and that is no error.
 */
function cancel(connection: Connection, client: Internals): Promise<void> {
  const { processID, secretKey } = client
  if (typeof processID !== 'number' || typeof secretKey !== 'number') return Promise.resolve()
  const request = Buffer.alloc(16)
  request.writeInt32BE(16, 0)
  request.writeInt32BE(80_877_102, 4)
  request.writeInt32BE(processID, 8)
  request.writeInt32BE(secretKey, 12)
  return new Promise(resolve => {
    const socket = connection.host.startsWith('/')
      ? net.connect(`${connection.host}/.s.PGSQL.${connection.port}`)
      : net.connect(connection.port, connection.address ?? connection.host)
    socket.setTimeout(1_000, () => socket.destroy())
    socket.on('connect', () => socket.end(request))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => resolve())
  })
}
