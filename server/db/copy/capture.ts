/**
 * What changes in a database while its tables are copied elsewhere: triggers write the key of every changed row into one table, whoever
 * writes it. What a key's row looks like is read when it is carried over, so a row that changes a hundred times goes over once. Later the
 * same tables are sealed: nobody can write to them any more.
 */
import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import { DatabaseFault } from '../errors.ts'
import { CHANGES_TABLE, NOTES_TABLE, type Table } from './tables.ts'
import { ask } from './work.ts'

/** One changed row. `key` has its columns as text, in the order of the table's key. */
export interface Change {
  readonly id: string
  readonly table: string
  readonly key: string[]
}

/** Tries without waiting for a lock, then tries that wait this long: only so long may chat be held up. */
const TRIES_AT_ONCE = 100
const TRIES_WAITING = 50
const LOCK_WAIT_MS = 300
const BETWEEN_TRIES_MS = 30

/** The trigger's own error: as from a server that can only be read, so that whoever writes waits for another one. */
const SEALED_STATE = '25006'

/**
 * Installs the capture, all tables in one transaction that never holds chat up for longer than a moment. Nothing happens when it is there.
 * Every change that is committed after this resolves is captured, and every change that was not is committed by then.
 * @throws DatabaseFault 55P03 when the tables are never free; DatabaseAway
 */
export async function installCapture(client: pg.Client, tables: readonly Table[]): Promise<void> {
  if (await isCaptured(client)) return
  const keyless = tables.find(table => table.key.length === 0)
  if (keyless) throw new TypeError(`the table ${keyless.name} has no primary key, so its changes cannot be captured`)
  const statements = [
    `CREATE TABLE ${CHANGES_TABLE} (
       id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, relation text NOT NULL, key text[] NOT NULL)`,
    ...tables.flatMap(captureOf),
  ]
  await whenFree(client, tables, 'SHARE ROW EXCLUSIVE', statements)
}

/** Whether the capture is installed. */
export async function isCaptured(client: pg.Client): Promise<boolean> {
  const [row] = await ask<{ is: boolean }>(client, `SELECT to_regclass('${CHANGES_TABLE}') IS NOT NULL AS is`)
  return row?.is ?? false
}

/** How many bytes the captured changes take; 0 when nothing is captured. */
export async function capturedBytes(client: pg.Client): Promise<number> {
  const [row] = await ask<{ bytes: number }>(
    client,
    `SELECT coalesce(pg_total_relation_size(to_regclass('${CHANGES_TABLE}')), 0)::float8 AS bytes`,
  )
  return row?.bytes ?? 0
}

/** Takes the capture out, with all it has captured. Nothing happens when there is none. */
export async function removeCapture(client: pg.Client, tables: readonly Table[]): Promise<void> {
  for (const table of tables) {
    // Dropping a trigger locks out readers too, so each table has a transaction of its own.
    await whenFree(client, [table], 'ACCESS EXCLUSIVE', [`DROP FUNCTION IF EXISTS ${captureName(table)}() CASCADE`])
  }
  await ask(client, `DROP TABLE IF EXISTS ${CHANGES_TABLE}`)
}

/** The oldest changes, as far as the client's transaction sees them. */
export async function readChanges(client: pg.Client, limit: number): Promise<Change[]> {
  return ask<{ id: string; table: string; key: string[] }>(
    client,
    `SELECT id::text AS id, relation AS "table", key FROM ${CHANGES_TABLE} ORDER BY ${CHANGES_TABLE}.id LIMIT ${limit}`,
  )
}

/** Forgets changes that were carried over: these, and no others that may have been committed meanwhile with smaller numbers. */
export async function forgetChanges(client: pg.Client, changes: readonly Change[]): Promise<void> {
  if (changes.length === 0) return
  await ask(client, `DELETE FROM ${CHANGES_TABLE} WHERE id = ANY($1::bigint[])`, [changes.map(change => change.id)])
}

/** Locks the tables against all who write, in the client's open transaction; readers go on. @throws DatabaseFault 55P03: not free */
export async function lockWriters(client: pg.Client, tables: readonly Table[], waitMs: number): Promise<void> {
  await ask(client, `SET LOCAL lock_timeout = ${Math.max(1, Math.round(waitMs))}`)
  await ask(client, lock(tables, 'EXCLUSIVE'))
}

/** Refuses all further writes to the tables, from the commit of the client's open transaction on. `sentence` says where the data is now. */
export async function seal(client: pg.Client, tables: readonly Table[], sentence: string): Promise<void> {
  const refuse = `CREATE OR REPLACE FUNCTION move_refuse() RETURNS trigger LANGUAGE plpgsql AS $refuse$ BEGIN
     RAISE EXCEPTION USING ERRCODE = '${SEALED_STATE}', MESSAGE = ${pg.escapeLiteral(sentence)};
   END $refuse$`
  const triggers = tables.map(
    table => `CREATE TRIGGER a_move_refuse BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${pg.escapeIdentifier(table.name)}
              FOR EACH STATEMENT EXECUTE FUNCTION move_refuse()`,
  )
  await ask(client, [refuse, ...triggers].join(';\n'))
}

/** The tables that are sealed, by name: those of ours, whatever else is in the schema. */
export async function sealedTables(client: pg.Client): Promise<string[]> {
  const rows = await ask<{ name: string }>(
    client,
    `SELECT c.relname AS name FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
     WHERE t.tgname = 'a_move_refuse' AND c.relnamespace = current_schema()::regnamespace ORDER BY 1`,
  )
  return rows.map(row => row.name)
}

/** Lets everybody write again. Nothing happens when the tables are not sealed. */
export async function unseal(client: pg.Client, tables: readonly Table[]): Promise<void> {
  await whenFree(client, tables, 'ACCESS EXCLUSIVE', ['DROP FUNCTION IF EXISTS move_refuse() CASCADE'])
}

/** What a database says about itself: it was left, it holds half a copy, or a whole one. */
export interface Note {
  readonly kind: 'moved-away' | 'half-copy' | 'copied'
  /** The id of the move. */
  readonly move: string
  /** Where the data went, or came from. */
  readonly place: string
  /** Tables that were there before a copy was begun: not ours. */
  readonly others: string[]
}

/** @returns undefined for a database without a note */
export async function readNote(client: pg.Client): Promise<Note | undefined> {
  const [found] = await ask<{ is: boolean }>(client, `SELECT to_regclass('${NOTES_TABLE}') IS NOT NULL AS is`)
  if (!found?.is) return undefined
  const [note] = await ask<Note & object>(client, `SELECT kind, move, place, others FROM ${NOTES_TABLE}`)
  return note
}

/** Writes the note, instead of any other, in the client's transaction if one is open. `others` stays what it was first. */
export async function writeNote(
  client: pg.Client,
  note: Omit<Note, 'others'>,
  others: readonly string[] = [],
): Promise<void> {
  await ask(
    client,
    `CREATE TABLE IF NOT EXISTS ${NOTES_TABLE} (
       is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
       kind text NOT NULL, move text NOT NULL, place text NOT NULL, others text[] NOT NULL)`,
  )
  await ask(
    client,
    `INSERT INTO ${NOTES_TABLE} (kind, move, place, others) VALUES ($1, $2, $3, $4)
     ON CONFLICT (is_only) DO UPDATE SET kind = excluded.kind, move = excluded.move, place = excluded.place`,
    [note.kind, note.move, note.place, others],
  )
}

/** Takes the note away. */
export async function removeNote(client: pg.Client): Promise<void> {
  await ask(client, `DROP TABLE IF EXISTS ${NOTES_TABLE}`)
}

const captureName = (table: Table): string => pg.escapeIdentifier(`move_capture_${table.name}`)

/** Triggers per statement: five hundred rows in one statement are one call. */
function captureOf(table: Table): string[] {
  const name = pg.escapeIdentifier(table.name)
  const key = `ARRAY[${table.key.map(column => `${pg.escapeIdentifier(column)}::text`).join(', ')}]`
  const insert = `INSERT INTO ${CHANGES_TABLE} (relation, key) SELECT ${pg.escapeLiteral(table.name)}, key FROM`
  const trigger = (event: string, tables: string): string =>
    `CREATE TRIGGER move_capture_${event.toLowerCase()} AFTER ${event} ON ${name} REFERENCING ${tables}
     FOR EACH STATEMENT EXECUTE FUNCTION ${captureName(table)}()`
  return [
    `CREATE FUNCTION ${captureName(table)}() RETURNS trigger LANGUAGE plpgsql AS $capture$ BEGIN
       IF TG_OP = 'UPDATE' THEN
         ${insert} (SELECT ${key} AS key FROM changed UNION SELECT ${key} FROM former) AS keys;
       ELSIF TG_OP = 'TRUNCATE' THEN
         RAISE EXCEPTION 'the table % cannot be emptied at once while it is moved', TG_TABLE_NAME;
       ELSE
         ${insert} (SELECT ${key} AS key FROM changed) AS keys;
       END IF;
       RETURN NULL;
     END $capture$`,
    trigger('INSERT', 'NEW TABLE AS changed'),
    trigger('UPDATE', 'OLD TABLE AS former NEW TABLE AS changed'),
    trigger('DELETE', 'OLD TABLE AS changed'),
    `CREATE TRIGGER move_capture_truncate BEFORE TRUNCATE ON ${name} FOR EACH STATEMENT EXECUTE FUNCTION ${captureName(table)}()`,
  ]
}

function lock(tables: readonly Table[], mode: string): string {
  return `LOCK TABLE ${tables.map(table => pg.escapeIdentifier(table.name)).join(', ')} IN ${mode} MODE`
}

/** Runs statements in one transaction that has the tables' locks at once, or tries again: who waits for a lock holds up all behind him. */
async function whenFree(
  client: pg.Client,
  tables: readonly Table[],
  mode: string,
  statements: readonly string[],
): Promise<void> {
  for (let tries = 1; ; tries++) {
    const isAtOnce = tries <= TRIES_AT_ONCE
    const text = [
      'BEGIN',
      `SET LOCAL lock_timeout = ${LOCK_WAIT_MS}`,
      ...(tables.length > 0 ? [`${lock(tables, mode)}${isAtOnce ? ' NOWAIT' : ''}`] : []),
      ...statements,
      'COMMIT',
    ]
    try {
      await ask(client, text.join(';\n'))
      return
    } catch (error) {
      if (!(error instanceof DatabaseFault)) throw error
      await ask(client, 'ROLLBACK')
      const isBusy = error.code === '55P03' || error.code === '40P01'
      if (!isBusy || tries >= TRIES_AT_ONCE + TRIES_WAITING) throw error
      await setTimeout(BETWEEN_TRIES_MS)
    }
  }
}
