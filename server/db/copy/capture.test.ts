import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freshDatabase } from '../../../test/support/database.ts'
import {
  type Change,
  forgetChanges,
  installCapture,
  isCaptured,
  lockWriters,
  readChanges,
  readNote,
  removeCapture,
  seal,
  sealedTables,
  unseal,
  writeNote,
} from './capture.ts'
import { listTables, type Table } from './tables.ts'
import { endWork, openWork } from './work.ts'

let ours: pg.Client
let writer: pg.Client
let tables: Table[]
let drop: () => Promise<void>

beforeEach(async () => {
  const fresh = await freshDatabase()
  drop = fresh.drop
  ours = await openWork(fresh.connection)
  writer = await openWork(fresh.connection)
  await writer.query(
    `CREATE TABLE message (id bigint PRIMARY KEY, words text);
     CREATE TABLE pair (a text, b text, PRIMARY KEY (a, b));
     INSERT INTO message SELECT n, 'w' FROM generate_series(1, 5) AS n`,
  )
  tables = await listTables(ours)
})

afterEach(async () => {
  await Promise.all([endWork(ours), endWork(writer)])
  await drop()
})

const keysOf = (changes: readonly Change[]): string[] => changes.map(({ table, key }) => `${table} ${key.join('|')}`)

test('every way to change a row leaves its key, one statement for many rows too', async () => {
  await installCapture(ours, tables)
  await writer.query(`INSERT INTO pair VALUES ('x', 'y'), ('x', 'it''s')`)
  await writer.query(`UPDATE message SET id = id + 100 WHERE id = 2`)
  await writer.query('DELETE FROM message WHERE id >= 4 AND id < 100')
  await writer.query(
    `INSERT INTO message VALUES (1, 'new'), (9, 'nine') ON CONFLICT (id) DO UPDATE SET words = excluded.words`,
  )
  await writer.query('UPDATE message SET words = words WHERE id = -1')
  const keys = keysOf(await readChanges(ours, 100)).sort()
  expect(keys).toEqual(
    ['pair x|y', "pair x|it's", 'message 2', 'message 102', 'message 4', 'message 5', 'message 1', 'message 9'].sort(),
  )
  await expect(writer.query('TRUNCATE message')).rejects.toThrow('cannot be emptied')
})

test('a change that is committed late, under a smaller number, is not forgotten with those that were seen', async () => {
  await installCapture(ours, tables)
  await writer.query('BEGIN')
  await writer.query(`INSERT INTO message VALUES (50, 'slow')`)
  await ours.query(`INSERT INTO message VALUES (60, 'quick')`)
  const seen = await readChanges(ours, 100)
  await writer.query('COMMIT')
  await forgetChanges(ours, seen)
  expect(keysOf(seen)).toEqual(['message 60'])
  expect(keysOf(await readChanges(ours, 100))).toEqual(['message 50'])
})

test('it is installed only when no writer is in the middle of something, and holds nobody up meanwhile', async () => {
  const other = await openWork({ ...hostOf(ours), ...(await nameOf(ours)) })
  await writer.query('BEGIN')
  await writer.query(`INSERT INTO message VALUES (70, 'before')`)
  const installing = installCapture(ours, tables)
  const since = performance.now()
  await other.query(`INSERT INTO message VALUES (71, 'beside')`)
  expect(performance.now() - since).toBeLessThan(1_000)
  expect(await isCaptured(other)).toBe(false)
  await writer.query('COMMIT')
  await installing
  await endWork(other)
  // What was written before is in every snapshot from now on.
  expect(await readChanges(ours, 100)).toEqual([])
  await removeCapture(ours, tables)
  await writer.query(`INSERT INTO message VALUES (72, 'after')`)
  expect(await isCaptured(ours)).toBe(false)
})

test('a sealed database refuses all writes with a sentence, of a transaction too that began before, until it is unsealed', async () => {
  await writer.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
  await writer.query('SELECT count(*) FROM message')
  await ours.query('BEGIN')
  await lockWriters(ours, tables, 500)
  await seal(ours, tables, 'The data of this office was moved to db:5432.')
  // Waited for from the start: it may be refused before our COMMIT has come back.
  const refused = expect(writer.query(`INSERT INTO message VALUES (80, 'late')`)).rejects.toMatchObject({
    code: '25006',
    message: 'The data of this office was moved to db:5432.',
  })
  await ours.query('COMMIT')
  await refused
  await writer.query('ROLLBACK')
  expect(await sealedTables(ours)).toEqual(['message', 'pair'])
  await unseal(ours, tables)
  await writer.query(`INSERT INTO message VALUES (81, 'again')`)
})

test('a note stays until another one is written; tables that were there before stay known', async () => {
  expect(await readNote(ours)).toBeUndefined()
  await writeNote(ours, { kind: 'half-copy', move: 'm', place: 'old' }, ['theirs'])
  await writeNote(ours, { kind: 'copied', move: 'm', place: 'old' }, ['message'])
  expect(await readNote(ours)).toEqual({ kind: 'copied', move: 'm', place: 'old', others: ['theirs'] })
})

const hostOf = (client: pg.Client) => {
  const { host, port, user, password } = client as pg.Client & { password: string }
  return { host, port, user: user ?? '', password, tls: 'disable' as const }
}

async function nameOf(client: pg.Client): Promise<{ database: string }> {
  return { database: (await client.query('SELECT current_database() AS name')).rows[0].name }
}
