import { expect, test } from 'vitest'
import { ago, bytes, lasting, milliseconds, moment } from './format.ts'

const now = Date.parse('2026-11-22T10:00:00Z')
const before = (seconds: number) => new Date(now - seconds * 1000).toISOString()

test('sizes are said in the largest fitting step', () => {
  expect(bytes(0, 'en')).toBe('0 bytes')
  expect(bytes(999, 'en')).toBe('999 bytes')
  expect(bytes(1_250_000_000, 'en')).toBe('1.3 GB')
  expect(bytes(80e9, 'en')).toBe('80 GB')
})

test('short times are in milliseconds, longer ones in seconds', () => {
  expect(milliseconds(3.24, 'en')).toBe('3.2 ms')
  expect(milliseconds(1400, 'en')).toBe('1.4 sec')
})

test('the past is said in its largest unit', () => {
  expect(ago(before(20), now, 'en', 'just now')).toBe('just now')
  expect(ago(before(200), now, 'en', 'just now')).toBe('3 minutes ago')
  expect(ago(before(90_000), now, 'en', 'just now')).toBe('yesterday')
})

test('a moment of the future, from a clock that is ahead, is now', () => {
  expect(ago(before(-500), now, 'en', 'just now')).toBe('just now')
})

test('a length of time is said in its largest unit', () => {
  expect(lasting(45, 'en')).toBe('45 seconds')
  expect(lasting(7300, 'en')).toBe('2 hours')
})

test('a moment is a time today, a weekday this week, else a date', () => {
  expect(moment(before(60), now, 'en-GB')).toMatch(/^\d\d:\d\d$/)
  expect(moment(before(3 * 86_400), now, 'en-GB')).toMatch(/^[A-Z][a-z]{2}$/)
  expect(moment(before(30 * 86_400), now, 'en-GB')).toMatch(/^\d+ [A-Z][a-z]{2}$/)
})
