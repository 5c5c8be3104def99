import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseDateTime, printDateTime } from './time.ts'

test('the examples of XEP-0082 section 3.2 are one moment', () => {
  const moon = Date.UTC(1969, 6, 21, 2, 56, 15)
  expect(parseDateTime('1969-07-21T02:56:15Z')).toBe(moon)
  expect(parseDateTime('1969-07-20T21:56:15-05:00')).toBe(moon)
  expect(printDateTime(moon)).toBe('1969-07-21T02:56:15.000Z')
})

test('fractions of a second are read to the millisecond', () => {
  const start = Date.UTC(2024, 1, 29, 12, 0, 0)
  expect(parseDateTime('2024-02-29T12:00:00.5Z')).toBe(start + 500)
  expect(parseDateTime('2024-02-29T12:00:00.123456789Z')).toBe(start + 123)
  expect(parseDateTime('2024-02-29T14:30:00+02:30')).toBe(start)
  expect(parseDateTime('0099-01-01T00:00:00Z')).toBeLessThan(0)
})

test('every moment that is printed is read again', () => {
  fc.assert(
    fc.property(fc.integer({ min: Date.UTC(0, 0), max: Date.UTC(9999, 11) }), ms => {
      expect(parseDateTime(printDateTime(ms))).toBe(ms)
    }),
  )
})

test.each([
  '',
  '2024-02-29',
  '2024-02-29T12:00:00',
  '2024-02-30T12:00:00Z',
  '2023-02-29T12:00:00Z',
  '2024-13-01T12:00:00Z',
  '2024-00-01T12:00:00Z',
  '2024-01-01T24:00:00Z',
  '2024-01-01T12:60:00Z',
  '2024-01-01T12:00:60Z',
  '2024-01-01T12:00:00+15:00',
  '2024-01-01T12:00:00.Z',
  '20240101T12:00:00',
  ' 2024-01-01T12:00:00Z',
  '2024-01-01t12:00:00z',
])('%j is not a DateTime', text => {
  expect(parseDateTime(text)).toBeUndefined()
})

test('moments beyond the year 9999 cannot be printed', () => {
  expect(() => printDateTime(Date.UTC(10000, 0))).toThrow(RangeError)
})
