/** Opens the database of an appliance, and waits for one that is away where there is nothing better to do. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { CallFault } from './cluster/mesh.ts'
import { DatabaseAway } from './db/pool.ts'
import { type LinkedDatabase, openStore, type Store } from './store.ts'

/** How often a database that is away at the start is looked for. */
export const DATABASE_RETRY_MS = 2_000
/** The same for the way to that of another PC: it opens as soon as the link is there. */
const LINK_RETRY_MS = 200

/** How often a first start looks for a database that is only slow, busy or starting, before it gives up with a sentence. */
const FIRST_TRIES = 3

const isPassing = ({ reason }: DatabaseAway): boolean => ['timeout', 'busy', 'starting'].includes(reason)

/**
 * A PC that was set up waits for a database that is away: after a power cut it may be back later than we.
 * @param options.source where it is, asked before each attempt
 * @param options.settle what must be put in order before anything else is done with it
 * @param options.onWait called with a sentence while it is away
 * @throws DatabaseAway at a first start; DatabaseUrlFault, EmbeddedFault, MemoryFault; the signal's error
 */
export async function openStoreInTime(options: {
  source: () => Promise<string | LinkedDatabase>
  dataDir: string
  isSetUp: boolean
  log: Logger
  signal: AbortSignal
  settle: (store: Store) => Promise<void>
  onWait: (sentence: string) => void
}): Promise<Store> {
  const { source, dataDir, isSetUp, log, signal, onWait } = options
  for (let tries = 1; ; tries++) {
    try {
      const store = await openStore({ url: await source(), dataDir, log, signal })
      return await settled(store, options.settle)
    } catch (error) {
      const isAway = error instanceof DatabaseAway
      if (!isAway && !(error instanceof CallFault)) throw error
      if (isAway && !isSetUp && !(isPassing(error) && tries < FIRST_TRIES)) throw error
      if (tries === (isAway ? 1 : 10)) log.warn(`Waiting for the database. ${error.message}`)
      onWait(error.message)
      // Aborted: this ends with the signal's own error.
      await delay(isAway ? DATABASE_RETRY_MS : LINK_RETRY_MS, undefined, { signal })
    }
  }
}

async function settled(store: Store, settle: (store: Store) => Promise<void>): Promise<Store> {
  try {
    await settle(store)
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}
