/** Loads a backup into an empty database, compares everything, and brings it to the tables of this version. */
import pg from 'pg'
import type { Logger } from 'pino'
import type { Connection } from '../db/address.ts'
import { copyIn, fingerprint, settleSequences } from '../db/copy/copy.ts'
import { listTables, type Table } from '../db/copy/tables.ts'
import { ask, cutWork, endWork, openWork } from '../db/copy/work.ts'
import { type MigrationStep, migrate } from '../db/migrate.ts'
import { Database } from '../db/pool.ts'
import { BackupFault } from './fault.ts'
import { readRows } from './files.ts'
import { type Progress, wordsFor } from './make.ts'
import type { BackupTable, Manifest } from './manifest.ts'

const LONG_MS = 3_600_000

/**
 * Refuses a backup whose tables this version does not know.
 * @throws BackupFault
 */
export function refuseNewer(manifest: Manifest, steps: readonly MigrationStep[]): void {
  const known = new Set(steps.map(keyOf))
  const unknown = manifest.migrations.map(keyOf).filter(key => !known.has(key))
  if (unknown.length === 0) return
  throw new BackupFault(
    `This backup was made by a newer Lanthorn (${manifest.lanthorn}; it has “${unknown.join('”, “')}”, which this version does not know): install that version and restore it there.`,
  )
}

/**
 * Loads a backup whose files were checked. All rows come in with one commit, after they were compared with the manifest.
 * @param options.connection an empty database, or one that holds nothing but the beginnings of ours
 * @param options.steps the migrations of this version
 * @throws BackupFault when what was loaded is not what was saved; DatabaseAway, DatabaseFault
 */
export async function loadBackup(options: {
  folder: string
  manifest: Manifest
  connection: Connection
  steps: readonly MigrationStep[]
  log: Logger
  progress: Progress
}): Promise<void> {
  const { manifest, connection, steps, log, progress } = options
  refuseNewer(manifest, steps)
  const then = new Set(manifest.migrations.map(keyOf))
  await using database = new Database({ connection, log, connectionsMax: 2 })
  await migrate(
    database,
    steps.filter(step => then.has(keyOf(step))),
  )
  progress.signal.throwIfAborted()
  const client = await openWork(connection)
  const cut = (): void => cutWork(client)
  progress.signal.addEventListener('abort', cut, { once: true })
  try {
    await fill(client, options)
  } finally {
    progress.signal.removeEventListener('abort', cut)
    await endWork(client)
  }
  progress.signal.throwIfAborted()
  progress.tell(0.99, 'Bringing the tables up to date.')
  await migrate(database, steps)
}

async function fill(client: pg.Client, options: Parameters<typeof loadBackup>[0]): Promise<void> {
  const { folder, manifest, progress, log } = options
  const total = manifest.tables.reduce((sum, { rows }) => sum + rows, 0)
  const made = await listTables(client)
  const pairs = made.map(table => ({ table: inOrderOf(table, manifest), saved: savedOf(table, manifest) }))
  const foreign = manifest.tables.filter(({ name }) => !made.some(table => table.name === name))
  if (foreign.length > 0) log.warn({ tables: foreign.map(({ name }) => name) }, 'tables of the backup are not ours')
  await ask(client, 'BEGIN')
  await ask(client, `TRUNCATE ${made.map(({ name }) => pg.escapeIdentifier(name)).join(', ')}`, [], LONG_MS)
  let done = 0
  for (const { table, saved } of pairs) {
    await readRows(folder, saved.file, copyIn(client, table), {
      signal: progress.signal,
      onRows(count) {
        done += count
        const share = (0.9 * done) / Math.max(total, 1)
        progress.tell(share, `Reading ${wordsFor(table.name)}: ${done.toLocaleString('en')} rows.`)
      },
    })
  }
  await settleSequences(
    client,
    pairs.map(({ table }) => table),
  )
  progress.tell(0.92, 'Comparing every row.')
  for (const { table, saved } of pairs) await compare(client, table, saved)
  // A session that was ended since must not come to life again.
  if (made.some(({ name }) => name === 'browser_session')) await ask(client, 'DELETE FROM browser_session')
  await ask(client, 'COMMIT')
  await ask(client, 'ANALYZE', [], LONG_MS)
}

async function compare(client: pg.Client, table: Table, saved: BackupTable): Promise<void> {
  const { rows, hash } = await fingerprint(client, table)
  if (rows === saved.rows && hash === saved.fingerprint) return
  const what = rows === saved.rows ? 'their contents differ' : `${rows} of ${saved.rows} rows came back`
  throw new BackupFault(`The table ${table.name} came out of the backup differently than it went in (${what}).`)
}

function savedOf({ name }: Table, manifest: Manifest): BackupTable {
  const saved = manifest.tables.find(one => one.name === name)
  if (saved) return saved
  throw new BackupFault(`The backup does not hold the table ${name}, which it should: take another backup.`)
}

/** The columns as they were saved: their order differs when a column was added later. */
function inOrderOf(table: Table, manifest: Manifest): Table {
  const { columns } = savedOf(table, manifest)
  if (columns.toSorted().join() === table.columns.toSorted().join()) return { ...table, columns }
  throw new BackupFault(`The table ${table.name} of the backup has other columns than it should: take another backup.`)
}

const keyOf = ({ feature, number }: { feature: string; number: number }): string => `${feature} ${number}`
