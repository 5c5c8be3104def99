/** Whether a database can take the data of the office: looked at before anything is changed there. */
import { statfs } from 'node:fs/promises'
import pg from 'pg'
import { readNote, removeNote } from '../db/copy/capture.ts'
import { listTables, migrationsIn } from '../db/copy/tables.ts'
import { ask } from '../db/copy/work.ts'

/** What two connections have in common when they lead to the same database. */
export interface Identity {
  /** pg_control_system(), as text; undefined where our account may not ask. */
  readonly system: string | undefined
  readonly database: number
  readonly startedAt: string
}

/** The application_name of a connection through which data is copied into a database. */
export const COPYING_NAME = 'lanthorn move'

const VERSION_MIN = 140_000
/** A copy is packed more tightly than the original; its log of what was written is not. */
const ROOM_FACTOR = 1.3
const ROOM_SPARE_BYTES = 200_000_000

/** Which database this is: system identifier and number of the database. */
export async function identify(client: pg.Client): Promise<Identity> {
  const [row] = await ask<{ database: number; startedAt: string; may: boolean }>(
    client,
    `SELECT (SELECT oid::int8 FROM pg_database WHERE datname = current_database()) AS database,
            pg_postmaster_start_time()::text AS "startedAt",
            has_function_privilege('pg_control_system()', 'EXECUTE') AS may`,
  )
  const known = { database: Number(row?.database), startedAt: row?.startedAt ?? '' }
  if (!row?.may) return { ...known, system: undefined }
  const [system] = await ask<{ id: string }>(client, 'SELECT system_identifier::text AS id FROM pg_control_system()')
  return { ...known, system: system?.id }
}

/** Whether both are one database. Without the right to ask for the system identifier, the moment of the server's start has to do. */
export function isSame(a: Identity, b: Identity): boolean {
  if (a.database !== b.database) return false
  return a.system !== undefined && b.system !== undefined ? a.system === b.system : a.startedAt === b.startedAt
}

/**
 * Looks at a target.
 * @param options.where for sentences: “the database at …”
 * @param options.source which database the office uses now
 * @param options.bytes how much it takes
 * @param options.folder where the target's data lies, if that is on this PC
 * @returns one sentence: what is wrong and what to do; undefined when it can be used
 */
export async function findFault(
  client: pg.Client,
  options: { where: string; source: Identity; bytes: number; folder?: string },
): Promise<string | undefined> {
  const { where, source, bytes, folder } = options
  const [row] = await ask<{
    version: number
    words: string
    encoding: string
    schema: string | null
    standby: boolean
  }>(
    client,
    `SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS words,
            current_setting('server_encoding') AS encoding, current_schema() AS schema,
            pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS standby`,
  )
  if (!row) return `Nothing can be read from ${where}.`
  if (row.version < VERSION_MIN) {
    return `PostgreSQL ${row.words} of ${where} is too old: version 14 or newer is needed.`
  }
  if (row.encoding !== 'UTF8') {
    return `${capital(where)} keeps text as ${row.encoding}, which has no room for every language: make one with ENCODING 'UTF8' (CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0).`
  }
  if (row.standby) return `${capital(where)} only lets us read: it is a copy. Name the main database.`
  if (row.schema === null) {
    return `${capital(where)} has no schema in which our account finds its tables: check search_path.`
  }
  if (isSame(source, await identify(client))) return `${capital(where)} is the one that is used already.`
  if (!(await mayCreate(client, row.schema))) {
    return `Our account may not make tables in ${where}: run GRANT CREATE ON SCHEMA ${pg.escapeIdentifier(row.schema)} for it, or make it the owner of the database.`
  }
  return (await findOffice(client, where)) ?? (await findLackOfRoom(bytes, folder))
}

async function mayCreate(client: pg.Client, schema: string): Promise<boolean> {
  const [row] = await ask<{ may: boolean }>(
    client,
    `SELECT has_schema_privilege($1, 'CREATE') AND has_schema_privilege($1, 'USAGE') AS may`,
    [schema],
  )
  return row?.may ?? false
}

/** The copy that an earlier move left behind, and nobody is making any more, may be removed; an office never. */
async function findOffice(client: pg.Client, where: string): Promise<string | undefined> {
  const note = await readNote(client)
  if (note?.kind === 'half-copy') {
    const [row] = await ask<{ isCopying: boolean }>(
      client,
      `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1) AS "isCopying"`,
      [COPYING_NAME],
    )
    if (!row?.isCopying) return undefined
    return `Another server is copying its data to ${where} just now: name another database.`
  }
  if (note?.kind === 'moved-away') {
    return `${capital(where)} still holds the office that was moved to ${note.place}: remove that old database first, or name an empty one.`
  }
  if ((await migrationsIn(client)).length > 0) {
    return `${capital(where)} holds an office already: name an empty database, or remove that office from it first.`
  }
  return undefined
}

async function findLackOfRoom(bytes: number, folder: string | undefined): Promise<string | undefined> {
  if (folder === undefined) return undefined
  const { bavail, bsize } = await statfs(folder)
  const needed = bytes * ROOM_FACTOR + ROOM_SPARE_BYTES
  if (bavail * bsize >= needed) return undefined
  const megabytes = (count: number): string => `${Math.ceil(count / 1_000_000).toLocaleString('en-US')} MB`
  return `The disk of this PC has not enough room for the copy: ${megabytes(bavail * bsize)} are free, ${megabytes(needed)} are needed. Make room, then try again.`
}

/**
 * Removes the tables of a copy that did not end, and its note. Tables that were there before stay.
 * @param move also a copy of this move that is whole, but is not used
 * @returns whether there was one
 */
export async function clearCopy(client: pg.Client, move: string): Promise<boolean> {
  const note = await readNote(client)
  if (!note || !(note.kind === 'half-copy' || (note.kind === 'copied' && note.move === move))) return false
  const others = new Set(note.others)
  const tables = await listTables(client)
  await dropTables(
    client,
    tables.map(table => table.name).filter(name => !others.has(name)),
  )
  await removeNote(client)
  return true
}

/** Drops tables of ours for good. */
export async function dropTables(client: pg.Client, names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  await ask(client, `DROP TABLE IF EXISTS ${names.map(pg.escapeIdentifier).join(', ')} CASCADE`, [], 300_000)
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
