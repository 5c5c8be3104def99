import { describe, expect, test } from 'vitest'
import { Meter, moveOf } from './progress.ts'
import type { MoveRecord } from './record.ts'

const record = (changes: Partial<MoveRecord> = {}): MoveRecord => ({
  format: 1,
  id: 'a',
  state: 'copying',
  from: { kind: 'embedded', database: 'lanthorn' },
  to: { kind: 'outside', place: 'db.office.test:5432' },
  startedAt: '2026-11-22T20:00:00.000Z',
  isCaptured: true,
  isTargetMade: true,
  tables: [
    { table: 'account', rows: 1_000, done: 1_000, state: 'done' },
    { table: 'archive', rows: 101_000, done: 60_200, state: 'copying' },
  ],
  ...changes,
})

describe('a move', () => {
  test('says how many rows are copied, of how many, and where from and to', () => {
    expect(moveOf(record())).toMatchObject({
      from: 'built in',
      to: 'db.office.test:5432',
      sentence: 'Copied 61,200 of 102,000 rows.',
      percent: 55,
    })
  })

  test('never shows more rows done than there are, and never goes past the whole', () => {
    const tables = [{ table: 'archive', rows: 10, done: 25, state: 'copying' as const }]
    expect(moveOf(record({ tables })).tables).toEqual([{ table: 'archive', rows: 25, done: 25, state: 'copying' }])
    expect(moveOf(record({ tables })).percent).toBeLessThan(100)
    expect(moveOf(record({ tables, state: 'switched' })).percent).toBe(100)
  })

  test('that was stopped says what is used, what is left behind, and what can be done', () => {
    expect(moveOf(record({ state: 'stopped' })).sentence).toBe(
      'Stopped after 61,200 of 102,000 rows. Everything is as before: the built-in database is used. The database at db.office.test:5432 holds half a copy: resume to go on from there, or forget the move to remove it.',
    )
    expect(moveOf(record({ state: 'stopped', isCancelled: true })).sentence).toMatch(
      /^Cancelled\..*resume to begin again\.$/,
    )
    expect(moveOf(record({ state: 'stopped', isTargetMade: false })).sentence).toMatch(/has not begun/)
  })
})

describe('the time that is left', () => {
  test('follows the rate of the last seconds, and is not said before there is one', () => {
    const meter = new Meter()
    meter.note(0, 0)
    meter.note(1_000, 1_000)
    expect(meter.secondsFor(5_000)).toBeUndefined()
    meter.note(2_000, 2_000)
    expect(meter.secondsFor(5_000)).toBe(5)
    for (let second = 3; second <= 40; second++) meter.note(2_000 + (second - 2) * 100, second * 1_000)
    expect(meter.secondsFor(5_000)).toBe(50)
  })

  test('begins anew when copying does', () => {
    const meter = new Meter()
    meter.note(9_000, 0)
    meter.note(0, 5_000)
    meter.note(100, 7_000)
    expect(meter.secondsFor(100)).toBe(2)
  })
})
