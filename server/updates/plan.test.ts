import { describe, expect, test } from 'vitest'
import { isNight, nextNight } from './night.ts'
import { type PlannedPc, planOf } from './plan.ts'

const version = '1.3.0'
const free = { holder: undefined, stopped: undefined }

const pc = (name: string, changes: Partial<PlannedPc> = {}): PlannedPc => ({
  ...{ name, version: '1.2.0', state: 'on', hasMainDatabase: false, way: 'itself', trouble: undefined },
  ...changes,
})
const three = [pc('attic', { hasMainDatabase: true }), pc('back-office'), pc('cellar')] as const
const done = { version } as const

/** What each PC of an office decides. */
function decided(pcs: readonly PlannedPc[], turn: Parameters<typeof planOf>[0]['turn'] = free): string[] {
  return pcs.map(({ name: here }) => {
    const { kind, sentence } = planOf({ here, version, pcs, turn })
    return kind === 'wait' ? sentence : kind
  })
}

describe('the order of updates', () => {
  test('one PC alone is updated', () => {
    expect(decided([pc('attic', { hasMainDatabase: true })])).toEqual(['mine'])
  })

  test('one after the other, the one with the main database last', () => {
    const [attic, back, cellar] = three
    expect(decided(three)).toEqual(['back-office is updated next.', 'mine', 'back-office is updated next.'])
    expect(decided([attic, { ...back, ...done }, cellar])).toEqual([
      'cellar is updated next.',
      'cellar is updated next.',
      'mine',
    ])
    expect(decided([attic, { ...back, ...done }, { ...cellar, ...done }])).toEqual([
      'mine',
      ...Array(2).fill('attic is updated next.'),
    ])
    expect(decided(three.map(one => ({ ...one, ...done })))).toEqual(['done', 'done', 'done'])
  })

  test('nobody while another one is at it, or something was stopped', () => {
    const holder = { id: 'x', name: 'cellar', since: new Date() }
    expect(new Set(decided(three, { ...free, holder }))).toEqual(new Set(['cellar is being updated.']))
    expect(new Set(decided(three, { ...free, stopped: 'Anna has stopped it.' }))).toEqual(
      new Set(['Anna has stopped it.']),
    )
  })

  test('nobody while a PC is missing, whether it needs the update or not', () => {
    const [attic, back, cellar] = three
    for (const [state, how] of [
      ['off', 'is off'],
      ['away', 'cannot be reached'],
      ['paused', 'is taken out for maintenance'],
      ['starting', 'is only just starting'],
    ] as const) {
      const why = `cellar ${how}: updates wait until all PCs are on.`
      expect(new Set(decided([attic, back, { ...cellar, state }]))).toEqual(new Set([why]))
      expect(new Set(decided([attic, back, { ...cellar, ...done, state }]))).toEqual(new Set([why]))
    }
    expect(decided([attic, back, { ...cellar, state: 'off', version: undefined, way: undefined }])[1]).toMatch(
      /^cellar is off/,
    )
  })

  test('nobody while a PC is not well, or does not say how it is', () => {
    const [attic, back, cellar] = three
    const unwell = { ...cellar, ...done, trouble: 'The disk is almost full.' }
    expect(decided([attic, back, unwell])[1]).toBe('Updates wait for cellar: The disk is almost full.')
    expect(decided([attic, back, { ...cellar, way: undefined }])[1]).toBe(
      'cellar does not say how it is: updates wait until it does.',
    )
  })

  test('a PC that a person has to go to holds nobody up, and is left in the end', () => {
    const [attic, back, cellar] = three
    const byHand = { ...attic, way: 'by-hand' as const }
    expect(decided([byHand, back, { ...cellar, ...done }])[1]).toBe('mine')
    const left = planOf({
      here: 'cellar',
      version,
      turn: free,
      pcs: [byHand, { ...back, ...done }, { ...cellar, ...done }],
    })
    expect(left).toEqual({ kind: 'done', sentence: 'Version 1.3.0 has to be installed by hand on attic.' })
  })

  test('never so far that there would be no way back', () => {
    const old = pc('attic', { version: '1.1.9' })
    expect(decided([old])).toEqual([
      'Version 1.3.0 is too far from 1.1.9 on attic: there would be no way back. Install a version in between first.',
    ])
  })

  test('never back: a newer PC is left as it is', () => {
    expect(decided([pc('attic', { version: '1.4.0' })])).toEqual(['done'])
  })
})

describe('the night', () => {
  const at = (hour: number, minute = 0) => new Date(2026, 10, 20, hour, minute).getTime()

  test('has three hours, also over midnight', () => {
    expect([2, 3, 4, 5, 6].map(hour => isNight(3, at(hour, 59)))).toEqual([false, true, true, true, false])
    expect([22, 23, 0, 1, 2].map(hour => isNight(23, at(hour)))).toEqual([false, true, true, true, false])
  })

  test('begins next when the last one is over', () => {
    expect(nextNight(3, at(2))).toEqual(new Date(at(3)))
    expect(nextNight(3, at(5, 59))).toEqual(new Date(at(3)))
    expect(nextNight(3, at(6))).toEqual(new Date(2026, 10, 21, 3))
    expect(nextNight(23, at(1))).toEqual(new Date(2026, 10, 19, 23))
  })
})
