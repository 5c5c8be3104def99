import path from 'node:path'
import type { Logger } from 'pino'
import { addressOf, type Connection } from './db/address.ts'
import { type Embedded, startEmbedded } from './db/embedded/embedded.ts'
import { type ClusterMemory, MEMORY_FILE, openMemory } from './db/hosts/memory.ts'
import { Database } from './db/pool.ts'
import { parseDatabaseUrl } from './db/url.ts'

/** The built-in database of another PC of the office, reached through the link to it. */
export interface LinkedDatabase {
  /** How it is reached now. */
  connection(): Connection
}

/**
 * The database of this appliance: our own PostgreSQL, one that somebody else runs, or that of another PC of the office. Which of them can
 * change while it is open.
 */
export interface Store {
  readonly db: Database
  /** Where it is. */
  readonly kind: 'embedded' | 'outside' | 'linked'
  /** The built-in server, when that is used. */
  readonly embedded: Embedded | undefined
  /** The built-in server, used or not; started when it does not run. @throws EmbeddedFault */
  startEmbedded(): Promise<Embedded>
  /** Stops the built-in server when it is not used. */
  stopUnused(): Promise<void>
  /**
   * Lets `db` be another database from now on. The built-in server must have been started, and must name the database to use.
   * @param target 'embedded', a URL, or the database of another PC
   * @throws DatabaseAway when it cannot be used; then everything stays as it was
   */
  switchTo(target: string | LinkedDatabase): Promise<void>
  close(): Promise<void>
}

/** What is known of an outside database, in this appliance's data folder. @throws MemoryFault */
export function memoryIn(dataDir: string): ClusterMemory {
  return openMemory(path.join(dataDir, MEMORY_FILE))
}

/**
 * Starts or finds the database.
 * @param options.url 'embedded', a postgresql:// URL, or the database of another PC
 * @throws DatabaseUrlFault, DatabaseAway, MemoryFault, Error: each with a sentence
 */
export async function openStore(options: {
  url: string | LinkedDatabase
  dataDir: string
  log: Logger
  signal?: AbortSignal
}): Promise<Store> {
  const { dataDir, log, url } = options
  if (typeof url !== 'string') return openLinked(options, url)
  const target = parseDatabaseUrl(url)
  if (target.kind === 'embedded') {
    const embedded = await startEmbedded(options)
    const db = new Database({ connection: () => embedded.connection, log })
    return new OpenStore(options, db, { server: embedded, kind: 'embedded' })
  }
  const db = new Database({ address: target.address, memory: memoryIn(dataDir), log })
  return checked(new OpenStore(options, db, { kind: 'outside' }))
}

function openLinked(options: { dataDir: string; log: Logger }, linked: LinkedDatabase): Promise<Store> {
  const db = new Database({ connection: () => linked.connection(), log: options.log, ...linkedLimits })
  return checked(new OpenStore(options, db, { kind: 'linked' }))
}

async function checked(store: Store): Promise<Store> {
  try {
    await store.db.check()
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Several PCs share the connections of one built-in server. */
const linkedLimits = { connectionsMax: 8, directMax: 4 }

class OpenStore implements Store {
  readonly db: Database
  readonly #options: { dataDir: string; log: Logger }
  #kind: Store['kind']
  /** Runs, whether it is used or not. */
  #server: Embedded | undefined
  #used: Embedded | undefined
  #starting: Promise<Embedded> | undefined

  constructor(
    options: { dataDir: string; log: Logger },
    db: Database,
    use: { kind: 'outside' | 'linked' } | { kind: 'embedded'; server: Embedded },
  ) {
    this.#options = { dataDir: options.dataDir, log: options.log }
    this.db = db
    this.#kind = use.kind
    if (use.kind !== 'embedded') return
    this.#used = use.server
    this.#adopt(use.server)
  }

  get kind(): Store['kind'] {
    return this.#kind
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
    // Whoever asked it something before the office moved on still gets the answer.
    await this.db.drained()
    await server?.close()
  }

  async switchTo(to: string | LinkedDatabase): Promise<void> {
    if (typeof to !== 'string') {
      await this.db.switchTo(() => addressOf(to.connection()))
      this.#use('linked', undefined)
      return
    }
    const target = parseDatabaseUrl(to)
    if (target.kind === 'server') {
      await this.db.switchTo(target.address, memoryIn(this.#options.dataDir))
      this.#use('outside', undefined)
      return
    }
    const server = await this.startEmbedded()
    await this.db.switchTo(() => addressOf(server.connection))
    this.#use('embedded', server)
  }

  #use(kind: Store['kind'], server: Embedded | undefined): void {
    this.#kind = kind
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
