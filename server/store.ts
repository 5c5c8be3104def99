import path from 'node:path'
import type { Logger } from 'pino'
import { addressOf } from './db/address.ts'
import { type Embedded, startEmbedded } from './db/embedded/embedded.ts'
import { type ClusterMemory, MEMORY_FILE, openMemory } from './db/hosts/memory.ts'
import { Database } from './db/pool.ts'
import { parseDatabaseUrl } from './db/url.ts'

/** The database of this appliance: our own PostgreSQL, or one that somebody else runs. Which of both can change while it is open. */
export interface Store {
  readonly db: Database
  /** The built-in server, when that is used. */
  readonly embedded: Embedded | undefined
  /** The built-in server, used or not; started when it does not run. @throws EmbeddedFault */
  startEmbedded(): Promise<Embedded>
  /** Stops the built-in server when it is not used. */
  stopUnused(): Promise<void>
  /**
   * Lets `db` be another database from now on. The built-in server must have been started, and must name the database to use.
   * @param url 'embedded' or a URL
   * @throws DatabaseAway when it cannot be used; then everything stays as it was
   */
  switchTo(url: string): Promise<void>
  close(): Promise<void>
}

/** What is known of an outside database, in this appliance's data folder. @throws MemoryFault */
export function memoryIn(dataDir: string): ClusterMemory {
  return openMemory(path.join(dataDir, MEMORY_FILE))
}

/**
 * Starts or finds the database.
 * @param options.url 'embedded' or a postgresql:// URL
 * @throws DatabaseUrlFault, DatabaseAway, MemoryFault, Error: each with a sentence
 */
export async function openStore(options: {
  url: string
  dataDir: string
  log: Logger
  signal?: AbortSignal
}): Promise<Store> {
  const { dataDir, log } = options
  const target = parseDatabaseUrl(options.url)
  if (target.kind === 'embedded') {
    const embedded = await startEmbedded(options)
    return new OpenStore(options, new Database({ connection: () => embedded.connection, log }), embedded, embedded)
  }
  const db = new Database({ address: target.address, memory: memoryIn(dataDir), log })
  try {
    await db.check()
  } catch (error) {
    await db.close()
    throw error
  }
  return new OpenStore(options, db, undefined, undefined)
}

class OpenStore implements Store {
  readonly db: Database
  readonly #options: { dataDir: string; log: Logger }
  /** Runs, whether it is used or not. */
  #server: Embedded | undefined
  #used: Embedded | undefined
  #starting: Promise<Embedded> | undefined

  constructor(
    options: { dataDir: string; log: Logger },
    db: Database,
    server: Embedded | undefined,
    used: Embedded | undefined,
  ) {
    this.#options = { dataDir: options.dataDir, log: options.log }
    this.db = db
    this.#used = used
    if (server) this.#adopt(server)
  }

  get embedded(): Embedded | undefined {
    return this.#used
  }

  async startEmbedded(): Promise<Embedded> {
    if (this.#server) return this.#server
    this.#starting ??= startEmbedded(this.#options).finally(() => {
      this.#starting = undefined
    })
    const server = await this.#starting
    if (!this.#server) this.#adopt(server)
    return server
  }

  async stopUnused(): Promise<void> {
    if (this.#server === this.#used) return
    const server = this.#server
    this.#server = undefined
    await server?.close()
  }

  async switchTo(url: string): Promise<void> {
    const target = parseDatabaseUrl(url)
    if (target.kind === 'server') {
      await this.db.switchTo(target.address, memoryIn(this.#options.dataDir))
      this.#used = undefined
      return
    }
    const server = await this.startEmbedded()
    await this.db.switchTo(() => addressOf(server.connection))
    this.#used = server
  }

  async close(): Promise<void> {
    await this.db.close()
    await this.#starting?.catch(() => undefined) // told to who asked for it
    await this.#server?.close()
  }

  /** After a restart the pool need not wait for its own next look. */
  #adopt(server: Embedded): void {
    const { log } = this.#options
    this.#server = server
    server.onStatus(status => {
      if (status !== 'running' || server !== this.#used) return
      this.db.check().catch(error => log.warn({ err: error }, 'the embedded database does not answer yet'))
    })
  }
}
