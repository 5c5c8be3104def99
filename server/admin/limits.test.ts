import { describe, expect, test } from 'vitest'
import { Lockout, RateLimit } from './limits.ts'

describe('the rate limit', () => {
  test('gives a burst at once and then so many a second, to each key alone', () => {
    let now = 0
    const limit = new RateLimit({ perSecond: 2, burst: 3, now: () => now })
    expect([1, 2, 3, 4].map(() => limit.take('a'))).toEqual([true, true, true, false])
    expect(limit.take('b')).toBe(true)
    now = 500
    expect([limit.take('a'), limit.take('a')]).toEqual([true, false])
    now = 60_000
    expect([1, 2, 3, 4].map(() => limit.take('a'))).toEqual([true, true, true, false])
  })

  test('forgets the key that was quiet longest when there are too many', () => {
    const limit = new RateLimit({ perSecond: 1, burst: 1, keysMax: 2, now: () => 0 })
    expect(limit.take('a')).toBe(true)
    limit.take('b')
    expect(limit.take('a')).toBe(false)
    limit.take('c')
    expect(limit.take('a')).toBe(false)
    expect(limit.take('b')).toBe(true)
  })
})

describe('the lock-out', () => {
  test('lets a few failures pass, then waits twice as long each time, up to a limit', () => {
    let now = 0
    const lockout = new Lockout({ now: () => now, free: 3, firstWaitMs: 1_000, waitMsMax: 5_000 })
    expect([1, 2, 3, 4, 5, 6].map(() => lockout.attempted('a'))).toEqual([0, 0, 1_000, 2_000, 4_000, 5_000])
    expect(lockout.waitMs('a')).toBe(5_000)
    now = 4_999
    expect(lockout.waitMs('a')).toBe(1)
    now = 5_000
    expect(lockout.waitMs('a')).toBe(0)
    expect(lockout.waitMs('b')).toBe(0)
  })

  test('starts anew after a success, and after an hour', () => {
    let now = 0
    const lockout = new Lockout({ now: () => now, free: 1, firstWaitMs: 10_000, forgetMs: 60_000 })
    lockout.attempted('a')
    lockout.succeeded('a')
    expect(lockout.waitMs('a')).toBe(0)
    lockout.attempted('a')
    expect(lockout.waitMs('a')).toBe(10_000)
    now = 60_000
    expect(lockout.waitMs('a')).toBe(0)
    expect(lockout.attempted('a')).toBe(10_000)
  })
})

test('a clock that is set back by a day keeps nobody out longer', () => {
  let now = 86_400_000
  const limit = new RateLimit({ perSecond: 1, burst: 2, now: () => now })
  const lockout = new Lockout({ now: () => now, free: 1, firstWaitMs: 2_000 })
  limit.take('a')
  lockout.attempted('a')
  now = 0
  expect(limit.take('a')).toBe(true)
  expect(lockout.waitMs('a')).toBe(2_000)
})
