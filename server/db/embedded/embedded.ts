/** PostgreSQL as a part of this server: made on the first start, supervised, restarted, never heard on the LAN. */
import { realpath } from 'node:fs/promises'
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { writeDurably } from '../../durable-file.ts'
import { addressOf, type Connection } from '../address.ts'
import { printDatabaseUrl } from '../url.ts'
import { type Binaries, findBinaries } from './binaries.ts'
import { embeddedDatabases } from './databases.ts'
import { databaseFolder, makeData, type Passwords, passwordFileIn } from './initdb.ts'
import { databaseUser, giveFolder, type OsUser } from './os-user.ts'
import { clearLeftover, type Postmaster, startPostmaster } from './postmaster.ts'

export interface EmbeddedOptions {
  /** The data folder of this appliance (made already); the database lies in `database/` inside. */
  dataDir: string
  log: Logger
  /** Ends a start that is under way. */
  signal?: AbortSignal
  /** Folder with PostgreSQL's bin/, lib/ and share/ when it is not the npm package's. */
  binaries?: string
}

export type EmbeddedStatus = 'running' | 'restarting' | 'stopped'

/** The supervised database. */
export interface Embedded extends AsyncDisposable {
  /** How to reach it now; ask again after a restart. */
  readonly connection: Connection
  /** `connection` as a URL, with its password. */
  readonly url: string
  /** The account that may do everything (replication, backups); the server itself works with `connection`. */
  readonly superuser: Connection
  /** Where the data lies, for looking how much room there is. */
  readonly folder: string
  /** Makes `connection` lead to another of its databases from now on, and after every start. On disk when it resolves. */
  useDatabase(name: string): Promise<void>
  readonly pid: number | undefined
  readonly status: EmbeddedStatus
  /** Calls `listener` at each change of `status` with a sentence for people. Gives the function that ends it. */
  onStatus(listener: (status: EmbeddedStatus, sentence: string) => void): () => void
  /** Resolves when it was stopped for good by `close()`. */
  readonly exited: Promise<void>
  /** Stops it in order; resolves when the process is gone. */
  close(): Promise<void>
}

/** Longest path of a Unix socket that works everywhere (macOS has 104 bytes for it). */
const socketPathMax = 100
const socketPort = 5432
const restartWaitsMs = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000]
/** A run of this length ends a series of failures: the next wait is short again. */
const goodRunMs = 60_000
/** Processes of a PostgreSQL that was killed take a moment to notice; until then a new one is refused. */
const clearWaitMs = 15_000

/** What a small office PC gives: little memory and few processes; every commit on disk before it is acknowledged. */
const settings = [
  'shared_buffers=64MB',
  // Up to eight PCs of the office, each with a pool of its own; connections that nobody opens cost next to nothing.
  'max_connections=130',
  'synchronous_commit=on',
  'wal_compression=on',
  'max_wal_size=256MB',
  'jit=off',
  'autovacuum=on',
  'autovacuum_max_workers=2',
  'io_method=sync',
  'max_parallel_workers_per_gather=0',
  'max_logical_replication_workers=0',
  'maintenance_work_mem=32MB',
  'effective_cache_size=512MB',
  'idle_in_transaction_session_timeout=60s',
  'client_connection_check_interval=2s',
  // Errors go to the client, which logs them without row values. PostgreSQL's own log must never hold a statement or a message.
  'log_min_messages=log',
  'log_min_error_statement=panic',
  'log_error_verbosity=terse',
  'log_checkpoints=off',
  'logging_collector=off',
]

/**
 * Starts the embedded PostgreSQL: makes its data on the first start, stops one that a killed server left behind, and restarts it when it
 * dies (after 1 s … 30 s).
 * @throws EmbeddedFault with a sentence when it cannot be made or started
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const signal = options.signal ?? new AbortController().signal
  const user = await databaseUser()
  const binaries = await findBinaries(user, options.binaries)
  const dataDir = await realpath(options.dataDir)
  const { passwords, isNew } = await makeData({ dataDir, binaries, user, signal })
  const folder = databaseFolder(dataDir)
  if (user) await giveFolder(folder, user)
  if (isNew) options.log.info({ folder }, 'embedded database made')
  const server = new EmbeddedServer({ folder, dataDir, binaries, user, passwords, log: options.log })
  await server.start(signal)
  return server
}

interface Parts {
  folder: string
  dataDir: string
  binaries: Binaries
  user: OsUser | undefined
  passwords: Passwords
  log: Logger
}

class EmbeddedServer implements Embedded {
  readonly exited: Promise<void>
  readonly #parts: Parts
  readonly #closing = new AbortController()
  readonly #listeners = new Set<(status: EmbeddedStatus, sentence: string) => void>()
  #resolveExited: () => void = () => undefined
  #status: EmbeddedStatus = 'stopped'
  #postmaster: Postmaster | undefined
  #place: { host: string; port: number } = { host: '127.0.0.1', port: 0 }
  #supervising: Promise<void> | undefined

  constructor(parts: Parts) {
    this.#parts = parts
    this.exited = new Promise(resolve => {
      this.#resolveExited = resolve
    })
  }

  get connection(): Connection {
    return {
      ...this.#place,
      user: 'lanthorn',
      password: this.#parts.passwords.lanthorn,
      database: this.#parts.passwords.database ?? 'lanthorn',
      tls: 'disable',
    }
  }

  get superuser(): Connection {
    return { ...this.connection, user: 'postgres', password: this.#parts.passwords.postgres, database: 'postgres' }
  }

  get folder(): string {
    return this.#parts.folder
  }

  async useDatabase(database: string): Promise<void> {
    const next = { ...this.#parts.passwords, database }
    await writeDurably(passwordFileIn(this.#parts.dataDir), `${JSON.stringify(next)}\n`)
    this.#parts.passwords = next
  }

  get url(): string {
    return printDatabaseUrl(addressOf(this.connection))
  }

  get pid(): number | undefined {
    return this.#status === 'running' ? this.#postmaster?.pid : undefined
  }

  get status(): EmbeddedStatus {
    return this.#status
  }

  onStatus(listener: (status: EmbeddedStatus, sentence: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#startOnce(signal)
    this.#turn('running', 'The embedded database runs.')
    this.#supervising = this.#supervise()
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#postmaster?.stop()
    await this.#supervising
    if (this.#status !== 'stopped') this.#turn('stopped', 'The embedded database was stopped.')
    this.#listeners.clear()
    this.#resolveExited()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #supervise(): Promise<void> {
    let failures = 0
    while (!this.#closing.signal.aborted) {
      const since = performance.now()
      const how = await this.#postmaster?.exited
      if (this.#closing.signal.aborted) return
      if (performance.now() - since > goodRunMs) failures = 0
      failures = await this.#restart(`The embedded database ended unexpectedly (${how})`, failures)
    }
  }

  /** Tries until it runs again or we are closed. Gives the number of failures so far, the death included. */
  async #restart(reason: string, failuresBefore: number): Promise<number> {
    let sentence = reason
    for (let failures = failuresBefore; ; failures++) {
      const waitMs = restartWaitsMs[Math.min(failures, restartWaitsMs.length - 1)] ?? 30_000
      this.#turn('restarting', `${sentence}; it is started again in ${waitMs / 1_000} s.`)
      try {
        await delay(waitMs, undefined, { signal: this.#closing.signal })
        await this.#startOnce(this.#closing.signal)
        this.#turn('running', 'The embedded database runs again.')
        return failures + 1
      } catch (error) {
        if (this.#closing.signal.aborted) return failures
        sentence = `The embedded database does not start (${error instanceof Error ? error.message : error})`
      }
    }
  }

  async #startOnce(signal: AbortSignal): Promise<void> {
    await clearLeftover(this.#parts)
    const until = performance.now() + clearWaitMs
    for (;;) {
      signal.throwIfAborted()
      const { place, placeSettings } = await choosePlace(this.#parts.folder)
      try {
        const postmaster = await startPostmaster({ ...this.#parts, settings: [...settings, ...placeSettings] })
        this.#postmaster = postmaster
        this.#place = place
        break
      } catch (error) {
        const isBusy = /shared memory block|lock file|already in use|could not bind/.test(String(error))
        if (!isBusy || performance.now() > until) throw error
        await delay(100, undefined, { signal })
      }
    }
    try {
      const databases = embeddedDatabases(this)
      await databases.makeAccount(this.#parts.passwords.lanthorn)
      if (!(await databases.has(this.connection.database))) await databases.create(this.connection.database)
      signal.throwIfAborted()
    } catch (error) {
      await this.#postmaster.stop()
      throw error
    }
  }

  #turn(status: EmbeddedStatus, sentence: string): void {
    this.#status = status
    this.#parts.log[status === 'restarting' ? 'error' : 'info']({ pid: this.pid }, sentence)
    for (const listener of this.#listeners) listener(status, sentence)
  }
}

/** A Unix socket inside the database's own private folder where that works, else a free port of the loopback interface. */
async function choosePlace(folder: string) {
  const path = `${folder}/.s.PGSQL.${socketPort}`
  if (process.platform !== 'win32' && Buffer.byteLength(path) <= socketPathMax) {
    return {
      place: { host: folder, port: socketPort },
      placeSettings: ['listen_addresses=', 'unix_socket_directories=.', `port=${socketPort}`],
    }
  }
  const port = await freePort()
  return {
    place: { host: '127.0.0.1', port },
    placeSettings: ['listen_addresses=127.0.0.1', 'unix_socket_directories=', `port=${port}`],
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}
