/** Makes a backup: every table out of one snapshot, streamed, so that memory stays flat and people go on chatting. */
import { createHash } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type pg from 'pg'
import type { Connection } from '../db/address.ts'
import { copyOut, fingerprint } from '../db/copy/copy.ts'
import { estimateRows, listTables, migrationsIn, type Table } from '../db/copy/tables.ts'
import { ask, cutWork, endWork, openWork } from '../db/copy/work.ts'
import { BackupFault } from './fault.ts'
import { settleFolder, writeRows, writeSmall } from './files.ts'
import type { Place } from './folder.ts'
import { seal } from './keys.ts'
import { type BackupFile, type BackupTable, FORMAT, MANIFEST, type Manifest, printManifest } from './manifest.ts'

/** The secret part of every backup. */
export const KEYS = 'keys.enc'
/** A lock that servers of one office meet at, so that two never make one at the same time. */
const LOCK = createHash('sha256').update('lanthorn backup').digest().readBigInt64BE(0).toString()
const NOTE =
  'A backup of a Lanthorn office. Whoever has this folder can read its messages: keep it where only administrators reach it. ' +
  'The keys of the office are in keys.enc, encrypted with the recovery key. To restore: lanthorn restore FOLDER.'

/** Whose backup it is. */
export interface OfficeName {
  readonly office: string
  readonly domain: string
  readonly node: string
  /** Of this program. */
  readonly version: string
}

/** How far a job is. */
export interface Progress {
  readonly signal: AbortSignal
  /** @param share 0 to 1 @param sentence what is being done */
  tell(share: number, sentence: string): void
}

/**
 * Makes a backup. It has its name only when it is complete and on disk; a half one is removed.
 * @param options.connection where the database is now
 * @param options.place where to write, see BackupFolder.begin
 * @param options.secretPart what only the recovery key opens
 * @param options.isOurs whether a table belongs to this program; an outside database may hold others
 * @param options.now milliseconds since 1970
 * @throws BackupFault, DatabaseAway, DatabaseFault
 */
export async function makeBackup(options: {
  connection: Connection
  place: Place
  name: OfficeName
  secretPart: () => Promise<string>
  recoveryKey: () => Promise<Buffer>
  isOurs: (table: string) => boolean
  now: number
  progress: Progress
}): Promise<Manifest> {
  const { place, progress } = options
  try {
    const client = await openWork(options.connection)
    const cut = (): void => cutWork(client)
    progress.signal.addEventListener('abort', cut, { once: true })
    let manifest: Manifest
    try {
      manifest = await dump(client, place.staging, options)
    } finally {
      progress.signal.removeEventListener('abort', cut)
      await endWork(client)
    }
    await writeSmall(path.join(place.staging, MANIFEST), printManifest(manifest))
    progress.signal.throwIfAborted()
    await place.finish()
    return manifest
  } catch (error) {
    await rm(place.staging, { recursive: true, force: true }).catch(() => undefined) // the next one cleans up
    throw error
  }
}

async function dump(client: pg.Client, staging: string, options: Parameters<typeof makeBackup>[0]): Promise<Manifest> {
  const { progress, name } = options
  await ask(client, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  const [turn] = await ask<{ got: boolean }>(client, `SELECT pg_try_advisory_xact_lock(${LOCK}) AS got`)
  if (!turn?.got) throw new BackupFault('Another PC of this office is making a backup just now.')
  const [about] = await ask<{ version: string; snapshot: string; bytes: number }>(
    client,
    `SELECT current_setting('server_version') AS version, pg_current_snapshot()::text AS snapshot,
            pg_database_size(current_database())::float8 AS bytes`,
  )
  const migrations = await migrationsIn(client)
  if (migrations.length === 0) throw new BackupFault('There is nothing to back up: the database holds no office.')
  const ours = (await listTables(client)).filter(table => options.isOurs(table.name))
  const counts = await counter(client, ours, progress)
  const tables: BackupTable[] = []
  const files: BackupFile[] = []
  for (const table of ours) {
    const { entry, file } = await dumpTable(client, table, staging, counts.watchOf(table.name))
    tables.push(entry)
    files.push(file)
  }
  await ask(client, 'ROLLBACK') // nothing was written
  files.push(await writeKeys(staging, options))
  await settleFolder(staging)
  const rowsOf = (table: string): number => tables.find(one => one.name === table)?.rows ?? 0
  return {
    format: FORMAT,
    note: NOTE,
    lanthorn: name.version,
    office: name.office,
    domain: name.domain,
    node: name.node,
    madeAt: new Date(options.now).toISOString(),
    postgresql: about?.version ?? '',
    snapshot: about?.snapshot ?? '',
    databaseBytes: about?.bytes ?? 0,
    migrations,
    tables,
    people: rowsOf('account'),
    messages: rowsOf('archive'),
    files,
  }
}

async function dumpTable(
  client: pg.Client,
  table: Table,
  staging: string,
  watch: { signal: AbortSignal; onRows(count: number): void },
): Promise<{ entry: BackupTable; file: BackupFile }> {
  const file = await writeRows(staging, `tables/${table.name}.copy.gz`, copyOut(client, table), watch)
  watch.signal.throwIfAborted()
  const { rows, hash } = await fingerprint(client, table)
  const { name, columns } = table
  return { entry: { name, columns, rows, fingerprint: hash, file: file.file }, file }
}

async function writeKeys(staging: string, options: Parameters<typeof makeBackup>[0]): Promise<BackupFile> {
  const key = await options.recoveryKey()
  const text = await seal(await options.secretPart(), key, aboutKeys(options.name.domain))
  await writeFile(path.join(staging, KEYS), text, { mode: 0o600, flag: 'wx', flush: true })
  const sha256 = createHash('sha256').update(text).digest('hex')
  return { file: KEYS, bytes: Buffer.byteLength(text), sha256 }
}

/** What the encrypted keys belong to: those of another office do not open here. */
export const aboutKeys = (domain: string): string => `lanthorn backup keys of ${domain}`

/** Progress over all tables by their estimated rows; each row also has to be compared, which counts half. */
async function counter(client: pg.Client, tables: readonly Table[], { signal, tell }: Progress) {
  const estimates = await estimateRows(client)
  const total = tables.reduce((sum, { name }) => sum + (estimates.get(name) ?? 0), 0)
  let done = 0
  return {
    watchOf: (table: string) => ({
      signal,
      onRows(count: number): void {
        done += count
        tell(Math.min(0.99, done / Math.max(total, 1)), `Saving ${wordsFor(table)}: ${done.toLocaleString('en')} rows.`)
      },
    }),
  }
}

/** A table in words that people know. */
export function wordsFor(table: string): string {
  return known[table] ?? 'settings and lists'
}

const known: Record<string, string> = {
  account: 'people',
  archive: 'messages',
  roster: 'contact lists',
  vcard: 'profiles',
  history: 'the history',
}
