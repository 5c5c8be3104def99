import type { Socket } from 'node:net'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase } from '../../../test/support/database.ts'
import { freshOutside, hasOutside } from '../../../test/support/outside.ts'
import { eventually } from '../../../test/support/postgres-server.ts'
import type { Connection } from '../address.ts'
import {
  copyIn,
  copyOut,
  copyOutKeys,
  deleteKeys,
  emptyTable,
  endOfRange,
  fingerprint,
  fingerprintKeys,
  settleSequences,
} from './copy.ts'
import { estimateRows, listTables, migrationsIn, type Table } from './tables.ts'
import { endWork, openWork } from './work.ts'

/** Every type that our migrations use, with values that are easily spoiled on the way. */
const schema = `
  CREATE TABLE everything (
    id uuid PRIMARY KEY, words text, is_so boolean, count bigint, at timestamptz, raw bytea, doc jsonb, list text[]
  );
  CREATE TABLE numbered (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, words text NOT NULL);
  CREATE TABLE pair (username text, jid text, PRIMARY KEY (username, jid));
  CREATE TABLE child (id text COLLATE "C" PRIMARY KEY, parent bigint REFERENCES numbered, half int GENERATED ALWAYS AS (1) STORED);`

const rows = `
  INSERT INTO everything
    SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
           CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN E'tab\\t line\\n back\\\\slash \\\\N' WHEN 2 THEN 'ünï 😀 \\.' ELSE '' END,
           n % 3 = 0, 9007199254740993 + n, timestamptz '2026-11-22 20:00:00.123456+02' + n * interval '1 second',
           decode(lpad(to_hex(n), 8, '0'), 'hex'), jsonb_build_object('b', n, 'a', 'x"y', 'c', NULL),
           CASE n % 3 WHEN 0 THEN '{}'::text[] WHEN 1 THEN ARRAY['a,b', '"c"', NULL, 'NULL', ''] ELSE ARRAY['{}'] END
    FROM generate_series(1, 1000) AS n;
  INSERT INTO numbered (words) SELECT 'w' || n FROM generate_series(1, 10) AS n;
  INSERT INTO pair VALUES ('romeo', 'juliet@x'), ('romeo', 'a''b'), ('ö', 'z');
  INSERT INTO child (id, parent) VALUES ('k', 3);`

const drops: (() => Promise<void>)[] = []
const clients: pg.Client[] = []

async function open(connection: Connection): Promise<pg.Client> {
  const client = await openWork(connection)
  clients.push(client)
  return client
}

async function inside(): Promise<pg.Client> {
  const { connection, drop } = await freshDatabase()
  drops.push(drop)
  return open(connection)
}

async function outside(): Promise<pg.Client> {
  const { connection, drop } = await freshOutside()
  drops.push(drop)
  return open(connection)
}

afterAll(async () => {
  for (const client of clients) await endWork(client)
  for (const drop of drops) await drop()
})

const named = (tables: Table[], name: string): Table => tables.find(table => table.name === name)!

describe.each([
  ['18 to 18', inside, inside],
  ...(hasOutside
    ? ([
        ['18 to 15', inside, outside],
        ['15 to 18', outside, inside],
      ] as const)
    : []),
] as const)('from PostgreSQL %s', (_, openSource, openTarget) => {
  let source: pg.Client
  let target: pg.Client
  let tables: Table[]

  beforeAll(async () => {
    source = await openSource()
    target = await openTarget()
    await source.query(schema + rows)
    await target.query(schema)
    tables = await listTables(source)
  })

  test('our tables are found with their keys, those that others refer to first', () => {
    expect(tables.map(table => table.name)).toEqual(['everything', 'numbered', 'pair', 'child'])
    expect(named(tables, 'pair')).toMatchObject({
      key: ['username', 'jid'],
      keyTypes: ['text', 'text'],
      isRanged: false,
    })
    expect(named(tables, 'everything')).toMatchObject({ key: ['id'], keyTypes: ['uuid'], isRanged: true })
    expect(named(tables, 'child')).toMatchObject({ columns: ['id', 'parent'], isRanged: true })
  })

  test('every value arrives as it was: counts and hashes are the same on both', async () => {
    for (const table of tables) {
      await pipeline(copyOut(source, table), copyIn(target, table))
      expect(await fingerprint(target, table)).toEqual(await fingerprint(source, table))
    }
    const everything = named(tables, 'everything')
    expect((await fingerprint(target, everything)).rows).toBe(1000)
    const read = async (client: pg.Client) =>
      (await client.query('SELECT everything::text FROM everything ORDER BY id LIMIT 12')).rows
    expect(await read(target)).toEqual(await read(source))
  })

  test('one changed bit of one row changes the hash, and the order of rows does not', async () => {
    const everything = named(tables, 'everything')
    const before = await fingerprint(target, everything)
    await target.query(`UPDATE everything SET raw = raw WHERE count % 2 = 0`)
    expect(await fingerprint(target, everything)).toEqual(before)
    await target.query(`BEGIN; UPDATE everything SET words = NULL WHERE words = '' AND count % 40 = 0`)
    expect(await fingerprint(target, everything)).not.toEqual(before)
    await target.query('ROLLBACK')
  })

  test('a table goes over in ranges of its key, none twice and none left out', async () => {
    const everything = named(tables, 'everything')
    await emptyTable(target, everything)
    let after: string | undefined
    let ranges = 0
    for (; ranges < 10; ranges++) {
      const upTo = await endOfRange(source, everything, after, 300)
      const range = { ...(after === undefined ? {} : { after }), ...(upTo === undefined ? {} : { upTo }) }
      await pipeline(copyOut(source, everything, range), copyIn(target, everything))
      expect(await fingerprint(target, everything, range)).toEqual(await fingerprint(source, everything, range))
      if (upTo === undefined) break
      after = upTo
    }
    expect(ranges).toBe(3)
    expect(await fingerprint(target, everything)).toEqual(await fingerprint(source, everything))
  })

  test('single rows are replaced by their keys, however these are spelled', async () => {
    const pair = named(tables, 'pair')
    const keys = [
      ['romeo', `a'b`],
      ['ö', 'z'],
      ['nobody', ''],
    ]
    await deleteKeys(target, pair, keys)
    expect((await fingerprint(target, pair)).rows).toBe(1)
    await pipeline(copyOutKeys(source, pair, keys), copyIn(target, pair))
    expect(await fingerprintKeys(target, pair, keys)).toEqual(await fingerprintKeys(source, pair, keys))
    expect((await fingerprint(target, pair)).rows).toBe(3)
  })

  test('numbered columns go on behind the greatest number', async () => {
    await settleSequences(target, tables)
    const { rows: made } = await target.query(`INSERT INTO numbered (words) VALUES ('new') RETURNING id::int`)
    expect(made).toEqual([{ id: 11 }])
  })

  test('rows are estimated or counted, and a database without an office has no steps', async () => {
    expect((await estimateRows(source)).get('everything')).toBe(1000)
    expect(await migrationsIn(source)).toEqual([])
  })
})

test('what the target has not taken is not read from the source: copying holds only a little in memory', {
  timeout: 60_000,
}, async () => {
  const source = await inside()
  const target = await inside()
  const large = 'CREATE TABLE large (id bigint PRIMARY KEY, words text NOT NULL)'
  await source.query(
    `${large}; INSERT INTO large SELECT n, repeat(md5(n::text), 32) FROM generate_series(1, 60000) AS n`,
  )
  await target.query(large)
  const table = named(await listTables(source), 'large')
  const { stream } = (source as unknown as { connection: { stream: Socket } }).connection
  const [own] = (await source.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows
  const watcher = await inside()
  const isHeldUp = async () => {
    const waits = 'SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND wait_event = $2'
    return (await watcher.query(waits, [own?.pid, 'ClientWrite'])).rows.length > 0
  }
  const before = stream.bytesRead
  // A target that takes its first bytes only when the source's server can get rid of no more.
  let isOpen = false
  let heldAt: number | undefined
  const gate = new Transform({
    async transform(chunk, _encoding, done) {
      if (!isOpen) await eventually('the source to be held up', isHeldUp)
      isOpen = true
      heldAt ??= stream.bytesRead - before
      done(null, chunk)
    },
  })
  await pipeline(copyOut(source, table), gate, copyIn(target, table))
  expect(stream.bytesRead - before).toBeGreaterThan(60_000_000)
  expect(heldAt).toBeLessThan(2_000_000)
  expect(await fingerprint(target, table)).toEqual(await fingerprint(source, table))
})
