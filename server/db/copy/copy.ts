/** Rows of one table out of a database and into another one, and the proof that both hold the same. */
import type { Readable, Writable } from 'node:stream'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import type { Table } from './tables.ts'
import { ask } from './work.ts'

/** A part of a table that is ranged: keys greater than `after`, up to `upTo` and including it. Absent: no such bound. */
export interface Range {
  readonly after?: string
  readonly upTo?: string
}

/** What a table holds, independent of the order of its rows and of the server's version. */
export interface Fingerprint {
  readonly rows: number
  /** Two sums over 64 bits each of every row's SHA-256. */
  readonly hash: string
}

/** How long comparing one table, or deleting one range, may take. */
const LONG_MS = 3_600_000

/**
 * Reads a table, or a range of it, in PostgreSQL's text format for COPY. Runs in the client's transaction if one is open.
 * Bytes come as fast as they are taken. Destroy the client's connection to end it early.
 */
export function copyOut(client: pg.Client, table: Table, range: Range = {}): Readable {
  return client.query(
    copyTo(`COPY (SELECT ${columnsOf(table)} FROM ${nameOf(table)}${rangeOf(table, range)}) TO STDOUT`),
  )
}

/** As `copyOut`, for the rows with these keys (each with its columns as text, in the order of `table.key`). At most some thousands. */
export function copyOutKeys(client: pg.Client, table: Table, keys: readonly (readonly string[])[]): Readable {
  return client.query(
    copyTo(`COPY (SELECT ${columnsOf(table)} FROM ${nameOf(table)} WHERE ${isAmong(table, keys)}) TO STDOUT`),
  )
}

/** Writes rows in the format of `copyOut`. It has finished when the server has all of them. */
export function copyIn(client: pg.Client, table: Table): Writable {
  return client.query(copyFrom(`COPY ${nameOf(table)} (${columnsOf(table)}) FROM STDIN`))
}

/**
 * Counts the rows of a table, or of a range of it, and sums up their hashes: SHA-256 of the row as PostgreSQL writes a record, which is
 * the same from version 14 to 18 for all types that have one spelling (the settings of `openWork` see to dates and bytes).
 */
export async function fingerprint(client: pg.Client, table: Table, range: Range = {}): Promise<Fingerprint> {
  return sumUp(client, table, rangeOf(table, range))
}

/** As `fingerprint`, of the rows with these keys. */
export async function fingerprintKeys(
  client: pg.Client,
  table: Table,
  keys: readonly (readonly string[])[],
): Promise<Fingerprint> {
  return sumUp(client, table, ` WHERE ${isAmong(table, keys)}`)
}

async function sumUp(client: pg.Client, table: Table, where: string): Promise<Fingerprint> {
  const slice = (at: number): string => `coalesce(sum(('x' || substr(hash, ${at}, 16))::bit(64)::bigint), 0)`
  const [row] = await ask<{ rows: number; first: string; second: string }>(
    client,
    `SELECT count(*)::float8 AS rows, ${slice(1)}::text AS first, ${slice(17)}::text AS second
     FROM (SELECT encode(sha256(convert_to(ROW(${columnsOf(table)})::text, 'UTF8')), 'hex') AS hash
           FROM ${nameOf(table)}${where} OFFSET 0) AS hashed`,
    [],
    LONG_MS,
  )
  return { rows: row?.rows ?? 0, hash: `${row?.first}/${row?.second}` }
}

/** The key at which a range of `rows` rows ends that begins after `after`; undefined: it is the last one. */
export async function endOfRange(
  client: pg.Client,
  table: Table,
  after: string | undefined,
  rows: number,
): Promise<string | undefined> {
  const key = pg.escapeIdentifier(table.key[0] ?? '')
  const range = rangeOf(table, after === undefined ? {} : { after })
  const [row] = await ask<{ key: string }>(
    client,
    `SELECT ${key}::text AS key FROM ${nameOf(table)}${range} ORDER BY ${key} OFFSET ${rows - 1} LIMIT 1`,
    [],
    LONG_MS,
  )
  return row?.key
}

/** Deletes a table's rows, or those of a range. */
export async function emptyTable(client: pg.Client, table: Table, range: Range = {}): Promise<void> {
  await ask(client, `DELETE FROM ${nameOf(table)}${rangeOf(table, range)}`, [], LONG_MS)
}

/** Deletes the rows with these keys. */
export async function deleteKeys(client: pg.Client, table: Table, keys: readonly (readonly string[])[]): Promise<void> {
  await ask(client, `DELETE FROM ${nameOf(table)} WHERE ${isAmong(table, keys)}`, [], LONG_MS)
}

/** After rows were copied in with their numbers: lets the counters of numbered columns go on behind the greatest. */
export async function settleSequences(client: pg.Client, tables: readonly Table[]): Promise<void> {
  for (const table of tables) {
    const columns = await ask<{ column: string; sequence: string }>(
      client,
      `SELECT a.attname AS column, pg_get_serial_sequence($1, a.attname) AS sequence
       FROM pg_attribute a WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
         AND pg_get_serial_sequence($1, a.attname) IS NOT NULL`,
      [nameOf(table)],
    )
    for (const { column, sequence } of columns) {
      await ask(
        client,
        `SELECT setval(${pg.escapeLiteral(sequence)}::regclass, greatest(max(${pg.escapeIdentifier(column)}), 1),
                       max(${pg.escapeIdentifier(column)}) IS NOT NULL) FROM ${nameOf(table)}`,
      )
    }
  }
}

const nameOf = (table: Table): string => pg.escapeIdentifier(table.name)
const columnsOf = (table: Table): string => table.columns.map(pg.escapeIdentifier).join(', ')

/** COPY takes no $1: values stand in the text. */
function rangeOf(table: Table, { after, upTo }: Range): string {
  const key = pg.escapeIdentifier(table.key[0] ?? '')
  const bound = (sign: string, value: string): string =>
    `${key} ${sign} ${pg.escapeLiteral(value)}::${table.keyTypes[0]}`
  const bounds = [
    ...(after === undefined ? [] : [bound('>', after)]),
    ...(upTo === undefined ? [] : [bound('<=', upTo)]),
  ]
  if (bounds.length > 0 && !table.isRanged) throw new TypeError(`the table ${table.name} has no ranges`)
  return bounds.length > 0 ? ` WHERE ${bounds.join(' AND ')}` : ''
}

function isAmong(table: Table, keys: readonly (readonly string[])[]): string {
  const names = table.key.map(pg.escapeIdentifier).join(', ')
  const lists = table.key.map((_, index) => {
    const values = keys.map(key => pg.escapeLiteral(key[index] ?? ''))
    return `ARRAY[${values.join(', ')}]::${table.keyTypes[index]}[]`
  })
  return `(${names}) IN (SELECT * FROM unnest(${lists.join(', ')}))`
}
