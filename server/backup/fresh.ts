/** A new database to restore into while the office runs, and the switch to it. */
import { randomBytes } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { addressOf, type Connection } from '../db/address.ts'
import { copyIn, copyOut } from '../db/copy.ts'
import { embeddedDatabases } from '../db/embedded-databases.ts'
import { listTables } from '../db/tables.ts'
import { ask, endWork, openWork } from '../db/work.ts'
import type { Store } from '../store.ts'
import type { FreshDatabase } from './desk.ts'
import { BackupFault } from './fault.ts'

/** Who is signed in to the admin pages stays so: the one who restores wants to see how it went. */
const SIGN_INS = 'browser_session'

/**
 * Makes an empty database in the built-in server.
 * @param options.reopen closes the office, lets the first happen, and opens it; the second takes that back
 * @throws BackupFault, DatabaseAway, DatabaseFault
 */
export async function freshInside(options: {
  store: Store
  url: string | undefined
  reopen: (change: () => Promise<void>, undo: () => Promise<void>) => Promise<void>
}): Promise<FreshDatabase> {
  const { embedded, db } = options.store
  if (!embedded || options.url !== undefined) throw new BackupFault('not yet')
  const databases = embeddedDatabases(embedded)
  const name = `lanthorn_${new Date().toISOString().slice(0, 10).replaceAll('-', '')}_${randomBytes(3).toString('hex')}`
  await databases.create(name)
  const former = embedded.connection
  const connection = { ...former, database: name }
  const useDatabase = async (database: string): Promise<void> => {
    await embedded.useDatabase(database)
    await db.switchTo(() => addressOf(embedded.connection))
  }
  return {
    connection,
    drop: () => databases.drop(name),
    use: () =>
      options.reopen(
        async () => {
          await carrySignIns(former, connection)
          await useDatabase(name)
        },
        () => useDatabase(former.database),
      ),
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
