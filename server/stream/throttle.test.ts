import { describe, expect, test } from 'vitest'
import { isLoopback, plainAddress, Shaper, Throttle } from './throttle.ts'

const settings = {
  connectionsPerAddress: 3,
  newConnectionsPerSecond: 1,
  failedLoginsPerAccount: 3,
  failedLoginsPerAddress: 5,
}

function setUp() {
  const clock = { now: 1_000_000 }
  return { clock, throttle: new Throttle({ settings, now: () => clock.now }) }
}

describe('connections', () => {
  test('an address may have so many at once, and again when one has ended', () => {
    const { throttle } = setUp()
    expect([1, 2, 3, 4].map(() => throttle.connected('192.0.2.1'))).toEqual([true, true, true, false])
    throttle.disconnected('192.0.2.1')
    expect(throttle.connected('192.0.2.1')).toBe(true)
    expect(throttle.connected('192.0.2.2')).toBe(true)
  })

  test('an address that opens them too fast is refused until time has passed', () => {
    const { clock, throttle } = setUp()
    const again = () => {
      const isAllowed = throttle.connected('192.0.2.1')
      if (isAllowed) throttle.disconnected('192.0.2.1')
      return isAllowed
    }
    for (let index = 0; index < 10; index++) expect(again()).toBe(true)
    expect(again()).toBe(false)
    clock.now += 1000
    expect(again()).toBe(true)
    expect(again()).toBe(false)
  })

  test('this computer itself is not counted', () => {
    const { throttle } = setUp()
    for (let index = 0; index < 100; index++) expect(throttle.connected('127.0.0.1')).toBe(true)
    expect(isLoopback('::1') && isLoopback(plainAddress('::ffff:127.0.0.1'))).toBe(true)
    expect(plainAddress('::ffff:192.0.2.1')).toBe('192.0.2.1')
    expect(plainAddress('2001:db8::1')).toBe('2001:db8::1')
    expect(isLoopback('192.0.2.127')).toBe(false)
  })
})

describe('failed logins', () => {
  test('lock an account for a time that doubles with every further failure', () => {
    const { clock, throttle } = setUp()
    const fail = () => throttle.loginFailed('192.0.2.1', 'romeo')
    fail()
    fail()
    expect(throttle.loginWait('192.0.2.9', 'romeo')).toBe(0)
    fail()
    expect(throttle.loginWait('192.0.2.9', 'romeo')).toBe(2000)
    clock.now += 2000
    expect(throttle.loginWait('192.0.2.9', 'romeo')).toBe(0)
    fail()
    expect(throttle.loginWait('192.0.2.9', 'romeo')).toBe(4000)
    for (let index = 0; index < 30; index++) fail()
    expect(throttle.loginWait('192.0.2.9', 'romeo')).toBe(15 * 60_000)
  })

  test('do not lock the owner out of an address the owner has used before', () => {
    const { throttle } = setUp()
    throttle.loginSucceeded('192.0.2.7', 'romeo')
    for (let index = 0; index < 4; index++) throttle.loginFailed('192.0.2.1', 'romeo')
    expect(throttle.loginWait('192.0.2.7', 'romeo')).toBe(0)
    expect(throttle.loginWait('192.0.2.8', 'romeo')).toBeGreaterThan(0)
  })

  test('lock an address that tries many names', () => {
    const { throttle } = setUp()
    for (let index = 0; index < 5; index++) throttle.loginFailed('192.0.2.1', `name${index}`)
    expect(throttle.loginWait('192.0.2.1', 'juliet')).toBe(2000)
    expect(throttle.loginWait('192.0.2.2', 'juliet')).toBe(0)
  })

  test('are forgotten after an hour, and what is remembered is bounded', () => {
    const { clock, throttle } = setUp()
    for (let index = 0; index < 30_000; index++) throttle.loginFailed(`192.0.2.${index}`, `name${index}`)
    expect(throttle.size).toBeLessThanOrEqual(40_000)
    clock.now += 61 * 60_000
    throttle.sweep()
    expect(throttle.size).toBe(0)
  })
})

test('a session in a hurry is paused for as long as its surplus takes at the allowed pace', () => {
  const pace = { stanzasPerSecond: 100, bytesPerSecond: 10_000, burstSeconds: 2 }
  const shaper = new Shaper()
  expect(shaper.count(pace, 200, 0, 10_000)).toBe(0)
  expect(shaper.count(pace, 50, 0, 10_000)).toBe(500)
  expect(shaper.count(pace, 0, 0, 10_500)).toBe(0)
  expect(new Shaper().count(pace, 1, 30_000, 10_000)).toBe(1000)
})
