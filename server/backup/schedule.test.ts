import { expect, test } from 'vitest'
import { nextBackupAt, type Situation } from './schedule.ts'

const at = (day: number, hour: number, minute = 0): number => new Date(2026, 10, day, hour, minute).getTime()
const next = (changes: Partial<Situation>): string => {
  const found = nextBackupAt({
    now: at(22, 12),
    isEnabled: true,
    time: '03:00',
    startedAt: at(1, 0),
    lastAt: undefined,
    failedAt: undefined,
    ...changes,
  })
  return found === undefined
    ? 'never'
    : new Date(found).toLocaleString('en-GB', { dateStyle: 'short', timeStyle: 'short' })
}

test('After a backup the next one is made at the next time of day', () => {
  expect(next({ lastAt: at(22, 3, 1) })).toBe('23/11/2026, 03:00')
  expect(next({ now: at(22, 2), lastAt: at(21, 3, 1) })).toBe('22/11/2026, 03:00')
  expect(next({ lastAt: at(22, 3, 1), time: '23:30' })).toBe('22/11/2026, 23:30')
})

test('A backup that is due is made at once, one that was missed ten minutes after the start', () => {
  expect(next({ lastAt: at(21, 3) })).toBe('22/11/2026, 03:00')
  expect(next({ lastAt: at(19, 3), startedAt: at(22, 11, 55) })).toBe('22/11/2026, 12:05')
})

test('One made by hand counts', () => {
  expect(next({ lastAt: at(22, 11) })).toBe('23/11/2026, 03:00')
})

test('After a failure it is tried again an hour later, and a failure of yesterday does not matter', () => {
  expect(next({ lastAt: at(20, 3), failedAt: at(22, 11, 30) })).toBe('22/11/2026, 12:30')
  expect(next({ lastAt: at(20, 3), failedAt: at(21, 3) })).toBe('22/11/2026, 03:00')
})

test('A clock that was set back, or schedules that are off, make none', () => {
  expect(next({ lastAt: at(25, 3) })).toBe('23/11/2026, 03:00')
  expect(next({ isEnabled: false })).toBe('never')
})
