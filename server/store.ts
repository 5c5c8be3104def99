import type { Logger } from 'pino'
import { connectionsOf } from './db/address.ts'
import { type Embedded, startEmbedded } from './db/embedded.ts'
import { Database } from './db/pool.ts'
import { parseDatabaseUrl } from './db/url.ts'

/** The database of this appliance: our own PostgreSQL, or one that somebody else runs. */
export interface Store {
  readonly db: Database
  /** The built-in server, when that is used. */
  readonly embedded: Embedded | undefined
  close(): Promise<void>
}

/**
 * Starts or finds the database.
 * @param options.url 'embedded' or a postgresql:// URL
 * @throws DatabaseUrlFault, DatabaseAway, Error: each with a sentence
 */
export async function openStore(options: {
  url: string
  dataDir: string
  log: Logger
  signal?: AbortSignal
}): Promise<Store> {
  const { dataDir, log, signal } = options
  const target = parseDatabaseUrl(options.url)
  if (target.kind === 'server') {
    const [connection] = connectionsOf(target.address)
    if (!connection) throw new Error('A database address without a host.')
    const db = new Database({ connection, log })
    try {
      await db.check()
    } catch (error) {
      await db.close()
      throw error
    }
    return { db, embedded: undefined, close: () => db.close() }
  }
  const embedded = await startEmbedded({ dataDir, log, ...(signal ? { signal } : {}) })
  const db = new Database({ connection: () => embedded.connection, log })
  // After a restart the pool need not wait for its own next look.
  embedded.onStatus(status => {
    if (status === 'running')
      db.check().catch(error => log.warn({ err: error }, 'the embedded database does not answer yet'))
  })
  return {
    db,
    embedded,
    close: async () => {
      await db.close()
      await embedded.close()
    },
  }
}
