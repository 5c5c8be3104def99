import { expect, test } from 'vitest'
import { BackOff } from './back-off.ts'

test('waits double up to the limit, and begin anew after a success', () => {
  const backOff = new BackOff({ firstMs: 250, longestMs: 1_000 })
  expect([1, 2, 3, 4, 5].map(() => backOff.nextMs())).toEqual([250, 500, 1_000, 1_000, 1_000])
  backOff.reset()
  expect(backOff.nextMs()).toBe(250)
})

test('a thousand failures do not overflow into no wait at all', () => {
  const backOff = new BackOff({ firstMs: 1, longestMs: 60_000 })
  for (let count = 0; count < 1_000; count++) backOff.nextMs()
  expect(backOff.nextMs()).toBe(60_000)
})
