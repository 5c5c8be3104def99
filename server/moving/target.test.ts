import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshDatabase } from '../../test/support/database.ts'
import { asKeeper, freshOutside, hasOutside } from '../../test/support/outside.ts'
import { writeNote } from '../db/copy/capture.ts'
import { endWork, openWork } from '../db/copy/work.ts'
import { clearCopy, findFault, type Identity, identify, isSame } from './target.ts'

const opened: { client: pg.Client; drop(): Promise<void> }[] = []

async function inside(): Promise<pg.Client> {
  const { connection, drop } = await freshDatabase()
  const client = await openWork(connection)
  opened.push({ client, drop })
  return client
}

async function outside(encoding = 'UTF8'): Promise<{ client: pg.Client; name: string }> {
  const { connection, drop } = await freshOutside({ encoding })
  const client = await openWork(connection)
  opened.push({ client, drop })
  return { client, name: connection.database }
}

let source: Identity

beforeAll(async () => {
  source = await identify(await inside())
})

afterAll(async () => {
  for (const { client, drop } of opened) {
    await endWork(client)
    await drop()
  }
})

const look = (client: pg.Client, more: { bytes?: number; folder?: string } = {}) =>
  findFault(client, { where: 'the database at db', source, bytes: 1, ...more })

test('an empty database is as it should be', async () => {
  expect(await look(await inside())).toBeUndefined()
})

test('the database in use is known again, another one on the same server is another one', async () => {
  const client = await inside()
  const identity = await identify(client)
  expect(isSame(identity, source)).toBe(false)
  expect(await findFault(client, { where: 'x', source: identity, bytes: 1 })).toMatch(/used already/)
})

test('a database that holds an office, or was left by one, is refused', async () => {
  const client = await inside()
  await client.query('CREATE TABLE migration (feature text, number int)')
  await client.query(`INSERT INTO migration VALUES ('core', 1)`)
  expect(await look(client)).toMatch(/holds an office already/)
  await writeNote(client, { kind: 'moved-away', move: 'm', place: 'db2:5432' })
  expect(await look(client)).toMatch(/still holds the office that was moved to db2:5432/)
})

test('half a copy that nobody is making any more is removed; what was there before it stays', async () => {
  const client = await inside()
  await client.query('CREATE TABLE theirs (a int); CREATE TABLE archive (id int)')
  await writeNote(client, { kind: 'half-copy', move: 'm', place: 'x' }, ['theirs'])
  await client.query(`SET application_name = 'lanthorn move'`)
  expect(await look(client)).toMatch(/Another server is copying/)
  await client.query(`SET application_name = 'lanthorn'`)
  expect(await look(client)).toBeUndefined()
  expect(await clearCopy(client, 'm')).toBe(true)
  const { rows } = await client.query(
    `SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`,
  )
  expect(rows).toEqual([{ relname: 'theirs' }])
})

test('a disk without room is noticed before anything is copied', async () => {
  expect(await look(await inside(), { bytes: 1e15, folder: '/' })).toMatch(/not enough room.*MB are free/)
})

test.skipIf(!hasOutside)(
  'another encoding, and the lack of the right to make tables, are told with what to do',
  async () => {
    expect(await look((await outside('LATIN1')).client)).toMatch(/keeps text as LATIN1.*CREATE DATABASE/)
    const { client, name } = await outside()
    await asKeeper(`ALTER DATABASE ${name} OWNER TO keeper`)
    await asKeeper('REVOKE CREATE ON SCHEMA public FROM PUBLIC', name)
    expect(await look(client)).toMatch(/GRANT CREATE ON SCHEMA "public"/)
  },
)
