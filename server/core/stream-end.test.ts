import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDatabase } from '../../test/support/database.ts'
import type { Database } from '../db/pool.ts'
import { createIds } from '../xmpp/id.ts'
import { archiveMigrations, type Columns, recoverStream, writeArchive } from './archive-table.ts'

const made = createIds({ now: Date.now, random: randomBytes })
let db: Database

beforeAll(async () => {
  db = await openDatabase()
  for (const sql of archiveMigrations) await db.exec(sql)
})

afterAll(() => db?.close())

/** Messages of romeo with these counts in a stream of his. */
function rowsOf(stream: string, ...counts: number[]): Columns {
  const all = <T>(value: T): T[] => counts.map(() => value)
  const ids = counts.map(() => made.next())
  const people = [all('romeo'), all('juliet'), all('romeo@office.test/a'), all('juliet@office.test')] as const
  const flags = [all(true), all(true), all(true)] as const
  return [ids, ...people, all('<message/>'), ...flags, all(stream), counts, all(null), all(null), all(null), all(null)]
}

/** As another node writes it that had it when its maker died. */
function saved(stream: string, count: number, previous: number): Columns {
  const row = rowsOf(stream, count)
  return row.with(14, [previous]) as unknown as Columns
}

const write = (rows: Columns, streams: string[]) => writeArchive(db, { rows, taken: [], given: [] }, streams)

const kept = async (stream: string): Promise<number[]> => {
  const rows = await db.query<{ count: number }>(
    'SELECT in_count::int AS count FROM archive WHERE in_stream = $1 ORDER BY in_count',
    [stream],
  )
  return rows.map(({ count }) => count)
}

const asked = (streamId: string) => ({ streamId, username: 'romeo', h: 0, mayLive: true })

test('what a hung PC writes of a stream after its client was told elsewhere how much is kept, is not kept: the client sends it again', async () => {
  expect(await write(rowsOf('balcony', 1, 2), ['balcony'])).toEqual([])
  expect(await recoverStream(db, { ...asked('balcony'), h: 0 })).toMatchObject({ count: 2 })
  const late = rowsOf('balcony', 2, 3, 4)
  const other = rowsOf('garden', 1)
  const both = late.map((column, index) => [...column, ...(other[index] ?? [])]) as unknown as Columns
  expect(await write(both, ['balcony', 'garden'])).toEqual([{ stream: 'balcony', count: 2 }])
  expect(await kept('balcony')).toEqual([1, 2, 2])
  expect(await kept('garden')).toEqual([1])
  // Asked again, the answer is the same.
  expect(await recoverStream(db, asked('balcony'))).toMatchObject({ count: 2 })
})

test('a stream of which nothing was kept takes nothing any more either', async () => {
  expect(await recoverStream(db, asked('chamber'))).toMatchObject({ count: undefined })
  expect(await write(rowsOf('chamber', 1), ['chamber'])).toEqual([{ stream: 'chamber', count: 0 }])
  expect(await kept('chamber')).toEqual([])
})

test('a message that was lost with its PC is not said to be kept because a later one was saved by another PC', async () => {
  await write(rowsOf('orchard', 1, 4), [])
  await write(saved('orchard', 9, 7), [])
  expect(await recoverStream(db, asked('orchard'))).toMatchObject({ count: 6 })
  await write(rowsOf('vault', 1, 4), [])
  await write(saved('vault', 6, 4), [])
  await write(saved('vault', 9, 6), [])
  expect(await recoverStream(db, asked('vault'))).toMatchObject({ count: 9 })
})
