import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createIds, earliestIdAt, isId, randomId, timeOf } from './id.ts'

const zeros = (bytes: number) => new Uint8Array(bytes)

describe('ids of messages', () => {
  test('are UUIDs of version 7 that carry their time (RFC 9562 appendix A.6)', () => {
    const ids = createIds({ now: () => 0x017f22e279b0, random: randomBytes })
    const id = ids.next()
    expect(id).toMatch(/^017f22e2-79b0-7000-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(isId(id)).toBe(true)
    expect(timeOf(id)).toBe(0x017f22e279b0)
    expect(timeOf('017F22E2-79B0-7CC3-98C4-DC0C0C07398F'.toLowerCase())).toBe(1645557742000)
  })

  test('increase strictly, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1_000, max: 1_010 }), { minLength: 2, maxLength: 200 }), times => {
        let index = 0
        const ids = createIds({ now: () => times[index++] ?? 0, random: randomBytes })
        let last = ''
        for (const _ of times) {
          const id = ids.next()
          expect(id > last).toBe(true)
          expect(isId(id)).toBe(true)
          last = id
        }
      }),
    )
  })

  test('go on into the next millisecond after 4,096 in one', () => {
    const ids = createIds({ now: () => 1000, random: zeros })
    const made = Array.from({ length: 10_000 }, () => ids.next())
    expect(new Set(made).size).toBe(10_000)
    expect(made.toSorted()).toEqual(made)
    expect(made[4095]).toBe('00000000-03e8-7fff-8000-000000000000')
    expect(made[4096]).toBe('00000000-03e9-7000-8000-000000000000')
    expect(timeOf(made[9999]!)).toBe(1002)
  })

  test('of two processes in one millisecond differ', () => {
    const [first, second] = [1, 2].map(() => createIds({ now: () => 1000, random: randomBytes }))
    expect(first!.next()).not.toBe(second!.next())
  })

  test('have every variant that RFC 9562 allows and no other', () => {
    const ids = createIds({ now: () => 1000, random: randomBytes })
    const variants = new Set(Array.from({ length: 500 }, () => ids.next()[19]))
    expect([...variants].toSorted()).toEqual(['8', '9', 'a', 'b'])
  })

  test('can be compared with a moment', () => {
    const id = createIds({ now: () => 5000.7, random: randomBytes }).next()
    expect(id >= earliestIdAt(5000)).toBe(true)
    expect(id < earliestIdAt(5001)).toBe(true)
    expect(isId(earliestIdAt(5000))).toBe(true)
    expect(earliestIdAt(-1)).toBe('00000000-0000-7000-8000-000000000000')
    expect(earliestIdAt(Number.MAX_SAFE_INTEGER)).toBe('ffffffff-ffff-7000-8000-000000000000')
  })

  test.each(['', 'abc', '017f22e2-79b0-4cc3-98c4-dc0c0c07398f', '017F22E2-79B0-7CC3-98C4-DC0C0C07398F'])(
    '%j is none',
    text => {
      expect(timeOf(text)).toBeUndefined()
    },
  )
})

test('a random id has as many bytes as asked for and only letters that need no escaping', () => {
  expect(randomId(zeros, 3)).toBe('AAAA')
  expect(randomId(randomBytes, 18)).toMatch(/^[A-Za-z0-9_-]{24}$/)
})
