import { expect, test } from 'vitest'
import { openDatabase } from '../../test/support/database.ts'
import { migrate } from '../db/migrate.ts'
import { History } from './history.ts'
import { printKey } from './recovery.ts'
import { makePassword } from './secret.ts'
import { counted, readableBytes } from './words.ts'

async function openHistory(now: () => number = Date.now) {
  const db = await openDatabase()
  await migrate(
    db,
    History.migrations.map((sql, index) => ({ feature: 'history', number: index + 1, sql })),
  )
  let count = 0
  const history = new History({ db, now, nextId: () => String(count++).padStart(8, '0') })
  return { db, history, [Symbol.asyncDispose]: () => db.close() }
}

test('the history is read page by page, newest first, and searched without patterns', async () => {
  await using opened = await openHistory()
  const { history } = opened
  for (let number = 1; number <= 5; number++) {
    await history.add({ by: 'Anna', kind: 'person', sentence: `Deed ${number} of 100 %.`, address: '192.0.2.1' })
  }
  const first = await history.list({ limit: 2 })
  expect(first).toMatchObject({
    more: true,
    entries: [{ sentence: 'Deed 5 of 100 %.' }, { sentence: 'Deed 4 of 100 %.' }],
  })
  const second = await history.list({ limit: 3, before: first.entries[1]?.id })
  expect(second.more).toBe(false)
  expect(second.entries.map(({ sentence }) => sentence)).toEqual([
    'Deed 3 of 100 %.',
    'Deed 2 of 100 %.',
    'Deed 1 of 100 %.',
  ])
  expect((await history.list({ limit: 9, text: '100 %' })).entries).toHaveLength(5)
  expect((await history.list({ limit: 9, text: 'd_ed' })).entries).toHaveLength(0)
  expect((await history.list({ limit: 9, text: '192.0' })).entries).toHaveLength(5)
  expect((await history.list({ limit: 9, before: 'no such id' })).entries).toHaveLength(5)
})

test('the history keeps two years', async () => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  await using opened = await openHistory(() => now)
  await opened.history.add({ by: 'Anna', kind: 'office', sentence: 'Long ago.' })
  now += 731 * 24 * 60 * 60_000
  for (let number = 0; number < 200; number++)
    await opened.history.add({ by: 'Anna', kind: 'office', sentence: 'Lately.' })
  expect((await opened.history.list({ limit: 9, text: 'Long ago' })).entries).toEqual([])
})

test('a recovery key is 52 letters and digits in groups of four', () => {
  expect(printKey(Buffer.alloc(32))).toBe(Array(13).fill('0000').join('-'))
  expect(printKey(Buffer.alloc(32, 255))).toBe(`${Array(12).fill('ZZZZ').join('-')}-ZZZG`)
  expect(printKey(Buffer.from([0b00001_000, 0b10_00011_0]))).toBe('1230')
})

test('a made-up password can be read out', () => {
  const made = new Set(Array.from({ length: 200 }, makePassword))
  expect(made.size).toBe(200)
  for (const password of made)
    expect(password).toMatch(/^([b-df-hjkmnprstvwz][aeiou][b-df-hjkmnprstvwz][aeiou][2-9])(-[a-z]{4}[2-9]){3}$/)
})

test('sizes and counts are written as people read them', () => {
  expect([0, 999, 1_000, 1_234_567, 61e9, 2.5e12].map(readableBytes)).toEqual([
    '0 bytes',
    '999 bytes',
    '1.0 kB',
    '1.2 MB',
    '61 GB',
    '2.5 TB',
  ])
  expect([counted(1, 'contact'), counted(0, 'contact')]).toEqual(['1 contact', '0 contacts'])
})
