/** One PostgreSQL connection with our rules on it: every statement has a time limit, and a connection that broke is never used again. */
import { readFileSync } from 'node:fs'
import net from 'node:net'
import pg from 'pg'
import { type Connection, placeOf } from './address.ts'
import { away, classify, DatabaseFault } from './errors.ts'
import { DatabaseUrlFault } from './url.ts'

export type Row = Record<string, unknown>

export interface CallOptions {
  /** Longest time for this statement, waiting for a connection included. */
  timeoutMs?: number
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
}

/** bigint (int8, count(*)) as a number: our counters stay far below 2^53, and one that does not must not be rounded silently. */
function parseBigint(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} does not fit a number: select it as text`)
  return value
}

const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8 && format !== 'binary'
      ? parseBigint
      : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
}

/**
 * What `pg` needs to open this connection.
 * @throws DatabaseUrlFault when the authority's file cannot be read
 * @param plain true when the server said that it has no TLS and the mode allows to do without
 */
export function clientConfig(connection: Connection, limits: SessionLimits, plain = false): pg.ClientConfig {
  const isSocket = connection.host.startsWith('/')
  const wantsTls = connection.tls !== 'disable' && !isSocket && !(plain && connection.tls === 'prefer')
  return {
    host: connection.host,
    port: connection.port,
    user: connection.user,
    password: connection.password,
    database: connection.database,
    application_name: connection.applicationName ?? 'lanthorn',
    connectionTimeoutMillis: limits.connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types,
    ssl: wantsTls
      ? {
          rejectUnauthorized: connection.tls === 'verify-full',
          ...(connection.authorityFile ? { ca: readAuthority(connection.authorityFile) } : {}),
          ...(net.isIP(connection.host) ? {} : { servername: connection.host }),
        }
      : false,
  }
}

function readAuthority(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new DatabaseUrlFault(`The file ${file} (sslrootcert in the database URL) cannot be read: ${error}.`)
  }
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
  readonly #onError: (error: Error) => void
  #broken: Error | undefined

  /** @param deadline performance.now() time after which nothing may run here any more (Infinity: no such time) */
  constructor(client: pg.ClientBase, connection: Connection, limits: SessionLimits, deadline: number) {
    this.client = client
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
    // Without values the simple protocol is used, which also takes several statements at once.
    const running = values.length === 0 ? this.client.query(text) : this.client.query(text, values as unknown[])
    try {
      return await within(running, limitMs, () => this.giveUp())
    } catch (error) {
      const known = classify(error, where, 'query')
      if (!(known instanceof DatabaseFault)) this.#broken ??= known as Error
      throw known
    }
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
      : net.connect(connection.port, connection.host)
    socket.setTimeout(1_000, () => socket.destroy())
    socket.on('connect', () => socket.end(request))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => resolve())
  })
}
