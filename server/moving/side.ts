/** One end of a move: a database that can be opened for long work, on whichever of its servers is the main one now. */
import type pg from 'pg'
import type { Logger } from 'pino'
import type { DatabaseAddress } from '../db/address.ts'
import { openWork } from '../db/copy/work.ts'
import { type MigrationStep, migrate } from '../db/migrate.ts'
import { Database, DatabaseAway } from '../db/pool.ts'

/** `open` and `makeTables` throw DatabaseAway, DatabaseFault or MigrationFault, each with a sentence. */
export interface Side {
  /** Opens a connection for long work; the caller ends it. */
  open(): Promise<pg.Client>
  /** Makes our tables, by the same steps as in any database of ours. */
  makeTables(steps: readonly MigrationStep[]): Promise<void>
  close(): Promise<void>
}

/** The database that the office uses: it stays open when the side is closed. */
export function usedSide(db: Database): Side {
  return {
    open: () => openMain(db),
    makeTables: steps => makeTablesIn(db, steps),
    close: async () => undefined,
  }
}

/** A database that is not used yet, or not any more. */
export function otherSide(address: DatabaseAddress | (() => DatabaseAddress), log: Logger): Side {
  const db = new Database({ address, log, connectionsMax: 2, directMax: 2 })
  return {
    open: () => openMain(db),
    makeTables: steps => makeTablesIn(db, steps),
    close: () => db.close(),
  }
}

async function openMain(db: Database): Promise<pg.Client> {
  await db.check()
  const { current } = db
  if (!current) throw new DatabaseAway('refused', `The database at ${db.place} has no main server at the moment.`)
  return openWork(current)
}

async function makeTablesIn(db: Database, steps: readonly MigrationStep[]): Promise<void> {
  await migrate(db, steps, { isCopy: true })
}
