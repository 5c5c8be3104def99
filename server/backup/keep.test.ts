import { expect, test } from 'vitest'
import { dayOf, dispensable } from './keep.ts'

const now = new Date(2026, 10, 22, 12).getTime()
const DAY = 24 * 3_600_000

const backup = (daysAgo: number, isProven = true) => ({
  name: `${daysAgo}`,
  madeAt: new Date(now - daysAgo * DAY),
  isProven,
})

test('One of each of the last days, weeks and months stays', () => {
  const year = Array.from({ length: 365 }, (_, day) => backup(day))
  const gone = new Set(dispensable(year, { daily: 7, weekly: 4, monthly: 6 }, now))
  const kept = year.filter(({ name }) => !gone.has(name)).map(({ madeAt }) => dayOf(madeAt))
  expect(kept).toEqual([
    '2026-11-22',
    '2026-11-21',
    '2026-11-20',
    '2026-11-19',
    '2026-11-18',
    '2026-11-17',
    '2026-11-16',
    '2026-11-15',
    '2026-11-08',
    '2026-11-01',
    '2026-10-31',
    '2026-09-30',
    '2026-08-31',
    '2026-07-31',
    '2026-06-30',
  ])
})

test('Nothing of the last day goes, the newest proven one never', () => {
  const backups = [backup(0.1, false), backup(0.2, false), backup(0.3, false), backup(9, false), backup(10), backup(11)]
  expect(dispensable(backups, { daily: 1, weekly: 0, monthly: 0 }, now)).toEqual(['11', '9'])
})

test('A proven one stays rather than a later one of the same day that is not', () => {
  const backups = [backup(3.1, false), backup(3.2), backup(3.3)]
  expect(dispensable(backups, { daily: 1, weekly: 0, monthly: 0 }, now)).toEqual(['3.3', '3.1'])
})

test('A PC that was off for a year still has its last backups', () => {
  const old = [backup(400), backup(401), backup(402)]
  expect(dispensable(old, { daily: 7, weekly: 4, monthly: 6 }, now)).toEqual([])
})
