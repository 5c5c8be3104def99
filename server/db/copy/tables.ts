/** Which tables of a database are ours, and what is in them. */
import pg from 'pg'
import { ask } from './work.ts'

/** Tables that belong to the moving of data itself, never copied: keys of changed rows, and what a database says about itself. */
export const CHANGES_TABLE = 'move_change'
export const NOTES_TABLE = 'move_note'

/** One of our tables. Generated columns are left out of `columns`: the database makes them by itself. */
export interface Table {
  readonly name: string
  readonly columns: string[]
  /** The columns of the primary key, in its order. Empty when there is none. */
  readonly key: string[]
  /** The types of `key`, as SQL writes them. */
  readonly keyTypes: string[]
  /** The key is one column that every server sorts alike: the table can be copied in ranges of it. */
  readonly isRanged: boolean
}

/** One step of our migrations as a database remembers it. */
export interface AppliedStep {
  readonly feature: string
  readonly number: number
}

/**
 * All tables of ours, those that others refer to first. Ours are the ordinary tables of the schema that we work in which belong to a role
 * of ours; the tables of another program in the same schema that has the same owner cannot be told apart here: compare with what the
 * migrations made.
 */
export async function listTables(client: pg.Client): Promise<Table[]> {
  const rows = await ask<Table & { references: string[] }>(
    client,
    `SELECT c.relname AS name,
            (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
            coalesce(k.names, '{}') AS key,
            coalesce(k.types, '{}') AS "keyTypes",
            coalesce(cardinality(k.names) = 1 AND k.sorts, false) AS "isRanged",
            coalesce((SELECT array_agg(DISTINCT f.confrelid::regclass::text) FROM pg_constraint f
              WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid <> c.oid), '{}') AS references
     FROM pg_class c
     LEFT JOIN LATERAL (
       SELECT array_agg(a.attname::text ORDER BY p.place) AS names,
              array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY p.place) AS types,
              bool_and(a.atttypid IN ('uuid'::regtype, 'bigint'::regtype, 'integer'::regtype)
                       OR (a.atttypid = 'text'::regtype AND a.attcollation = 'pg_catalog."C"'::regcollation)) AS sorts
       FROM pg_index i
       CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS p (attnum, place)
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.attnum
       WHERE i.indrelid = c.oid AND i.indisprimary
     ) k ON true
     WHERE c.relkind = 'r' AND c.relpersistence <> 't'
       AND c.relnamespace = current_schema()::regnamespace
       AND pg_has_role(c.relowner, 'USAGE')
       AND c.relname <> ALL ($1)
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
     ORDER BY c.relname COLLATE "C"`,
    [[CHANGES_TABLE, NOTES_TABLE]],
  )
  return referencedFirst(rows)
}

/** Tables without a way to each other keep their order; a circle (there is none of ours) stays as it is. */
function referencedFirst(rows: readonly (Table & { references: string[] })[]): Table[] {
  const ordered: Table[] = []
  const placed = new Set<string>()
  let waiting = rows
  for (let round = 0; round <= rows.length && waiting.length > 0; round++) {
    const ready = waiting.filter(row => row.references.every(name => placed.has(name)))
    for (const { references: _references, ...table } of ready.length > 0 ? ready : waiting) {
      ordered.push(table)
      placed.add(table.name)
    }
    waiting = waiting.filter(row => !placed.has(row.name))
  }
  return ordered
}

/** The rows of each of our tables, by name: counted where the server has no estimate yet, estimated otherwise. */
export async function estimateRows(client: pg.Client): Promise<Map<string, number>> {
  const estimates = new Map<string, number>()
  for (const { name } of await listTables(client)) {
    const [known] = await ask<{ rows: number }>(
      client,
      'SELECT greatest(reltuples, -1)::float8 AS rows FROM pg_class WHERE oid = to_regclass($1)',
      [pg.escapeIdentifier(name)],
    )
    const rows = known?.rows ?? -1
    estimates.set(name, rows > 0 ? Math.round(rows) : await countRows(client, name))
  }
  return estimates
}

async function countRows(client: pg.Client, name: string): Promise<number> {
  const statement = `SELECT count(*)::float8 AS rows FROM ${pg.escapeIdentifier(name)}`
  const [row] = await ask<{ rows: number }>(client, statement, [], 600_000)
  return row?.rows ?? 0
}

/** The steps that this database has, in the order of their names; empty when it holds no office. */
export async function migrationsIn(client: pg.Client): Promise<AppliedStep[]> {
  const [found] = await ask<{ is: boolean }>(client, `SELECT to_regclass('migration') IS NOT NULL AS is`)
  if (!found?.is) return []
  return ask<{ feature: string; number: number }>(
    client,
    'SELECT feature, number FROM migration ORDER BY feature COLLATE "C", number',
  )
}
