/** An empty outside database that a backup is restored into. */
import type { Logger } from 'pino'
import { type Connection, placeOf } from '../db/address.ts'
import { listTables } from '../db/copy/tables.ts'
import { ask, endWork, openWork } from '../db/copy/work.ts'
import { tryDatabase } from '../db/inspect/inspect.ts'
import { Database } from '../db/pool.ts'
import { parseDatabaseUrl } from '../db/url.ts'
import { BackupFault } from './fault.ts'

/**
 * Finds the main server of an outside database.
 * @throws BackupFault with what is wrong there; DatabaseUrlFault, DatabaseAway
 */
export async function openOutside(url: string, log: Logger): Promise<AsyncDisposable & { connection: Connection }> {
  const target = parseDatabaseUrl(url)
  if (target.kind === 'embedded') throw new BackupFault('“embedded” is no address of an empty database.')
  const { state, findings, hosts, sentence } = await tryDatabase(url)
  const fault = [...findings, ...hosts].find(one => one.state === 'bad')
  if (state === 'bad') throw new BackupFault(fault?.sentence ?? sentence)
  const db = new Database({ address: target.address, log, connectionsMax: 1 })
  try {
    await db.check()
    if (!db.current) throw new BackupFault(`The database at ${db.place} has no main server at the moment.`)
    return { connection: db.current, [Symbol.asyncDispose]: () => db.close() }
  } catch (error) {
    await db.close()
    throw error
  }
}

/**
 * A database in which there are people is never restored into.
 * @throws BackupFault
 */
export async function refuseOccupied(connection: Connection): Promise<void> {
  const client = await openWork(connection)
  try {
    const tables = await listTables(client)
    if (!tables.some(({ name }) => name === 'account')) return
    if ((await ask(client, 'SELECT FROM account LIMIT 1')).length === 0) return
  } finally {
    await endWork(client)
  }
  throw new BackupFault(
    `The database ${connection.database} at ${placeOf(connection)} holds an office already: make an empty one and name that.`,
  )
}
