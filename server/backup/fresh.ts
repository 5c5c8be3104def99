/** A new database to restore into while the office runs, and the switch to it. */
import { randomBytes } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import type { Logger } from 'pino'
import type { Connection } from '../db/address.ts'
import { copyIn, copyOut } from '../db/copy/copy.ts'
import { listTables } from '../db/copy/tables.ts'
import { ask, endWork, openWork } from '../db/copy/work.ts'
import { embeddedDatabases } from '../db/embedded/databases.ts'
import type { Embedded } from '../db/embedded/embedded.ts'
import type { DataFolder } from '../node.ts'
import type { Store } from '../store.ts'
import type { FreshDatabase } from './desk.ts'
import { BackupFault } from './fault.ts'
import { openOutside, refuseOccupied } from './outside.ts'

/** Who is signed in to the admin pages stays so: the one who restores wants to see how it went. */
const SIGN_INS = 'browser_session'

/** What the switch needs of the appliance. */
export interface FreshParts {
  readonly store: Store
  readonly folder: DataFolder
  readonly log: Logger
  /** Closes the office, lets the first happen, and opens it; when that fails, the second takes it back and the office is as before. */
  reopen(change: () => Promise<void>, undo: () => Promise<void>): Promise<void>
  /** Notes that a database of the built-in server was replaced and is kept. */
  keep(database: string): Promise<void>
}

/**
 * Makes an empty database in the built-in server, or takes an empty outside one.
 * @param url of the outside one
 * @throws BackupFault, DatabaseUrlFault, DatabaseAway, DatabaseFault
 */
export async function freshDatabase(parts: FreshParts, url: string | undefined): Promise<FreshDatabase> {
  if (url !== undefined) return freshOutside(parts, url)
  const { embedded } = parts.store
  if (embedded) return freshInside(parts, embedded)
  if (parts.store.kind === 'linked') {
    throw new BackupFault('The main database is on another PC: put the backup back on the pages of that one.')
  }
  throw new BackupFault(
    'This office uses PostgreSQL servers of its own: make an empty database there and name its address to restore into.',
  )
}

async function freshInside(parts: FreshParts, embedded: Embedded): Promise<FreshDatabase> {
  const databases = embeddedDatabases(embedded)
  const day = new Date().toISOString().slice(0, 10).replaceAll('-', '')
  const name = `lanthorn_${day}_${randomBytes(3).toString('hex')}`
  await databases.create(name)
  const former = embedded.connection
  const connection = { ...former, database: name }
  const point = async (database: string): Promise<void> => {
    await embedded.useDatabase(database)
    await parts.store.switchTo('embedded')
  }
  return {
    connection,
    drop: () => databases.drop(name),
    use: async () => {
      await parts.reopen(
        async () => {
          await carrySignIns(former, connection)
          await point(name)
        },
        () => point(former.database),
      )
      await parts.keep(former.database)
    },
  }
}

async function freshOutside(parts: FreshParts, url: string): Promise<FreshDatabase> {
  const { store, folder, log } = parts
  const outside = await openOutside(url, log)
  const close = async (): Promise<void> => outside[Symbol.asyncDispose]()
  try {
    await refuseOccupied(outside.connection)
  } catch (error) {
    await close()
    throw error
  }
  const formerUrl = folder.secret('database-url') ?? 'embedded'
  const point = async (next: string): Promise<void> => {
    await folder.saveSecrets({ 'database-url': next })
    await store.switchTo(next)
  }
  return {
    connection: outside.connection,
    // The tables in it stay: whose database it is may look at them.
    drop: close,
    use: async () => {
      const former = store.embedded?.connection ?? store.db.current
      const builtIn = store.embedded?.connection.database
      await parts.reopen(
        async () => {
          if (former) await carrySignIns(former, outside.connection)
          await point(url)
        },
        () => point(formerUrl),
      )
      await close()
      if (builtIn === undefined) return
      await parts.keep(builtIn)
      await store.stopUnused()
    },
  }
}

/** Takes over who is signed in to the admin pages. */
async function carrySignIns(from: Connection, to: Connection): Promise<void> {
  const source = await openWork(from)
  const target = await openWork(to)
  try {
    const table = (await listTables(target)).find(({ name }) => name === SIGN_INS)
    if (!table) return
    await ask(target, `DELETE FROM ${SIGN_INS}`)
    await pipeline(copyOut(source, table), copyIn(target, table))
  } finally {
    await Promise.all([endWork(source), endWork(target)])
  }
}
