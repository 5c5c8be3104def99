import { expect, test } from 'vitest'
import { type MemberFacts, MemberView } from './member-view.ts'

const pc = (number: number, changes: Partial<MemberFacts> = {}): MemberFacts => ({
  number,
  name: `pc-${number}`,
  isReachable: true,
  member: 'member',
  hazelcast: '5.7.0',
  ...changes,
})
const own = (...seen: number[]) => ({ ...pc(1), seen })
const minute = 60_000

test('a PC tells whom its member sees; one that is just joining is not missing', () => {
  const view = new MemberView()
  expect(view.look(own(1, 2), [pc(2), pc(3, { member: 'starting' })], 0)).toEqual({ members: ['pc-1', 'pc-2'] })
  expect(view.look(own(1, 2), [pc(2), pc(3)], 5 * minute)).toEqual({ members: ['pc-1', 'pc-2'] })
  expect(view.look(own(1, 2, 3), [pc(2), pc(3)], 5 * minute + 10_000)).toEqual({ members: ['pc-1', 'pc-2', 'pc-3'] })
})

test('a member that runs and is not seen for a minute is missing, until it is seen or cannot be reached', () => {
  const view = new MemberView()
  const others = [pc(2), pc(3)]
  expect(view.look(own(1, 2), others, 0).membersMissing).toBeUndefined()
  expect(view.look(own(1, 2), others, minute - 1).membersMissing).toBeUndefined()
  expect(view.look(own(1, 2), others, minute).membersMissing).toEqual(['pc-3'])
  expect(view.look(own(1, 2, 3), others, minute + 1).membersMissing).toBeUndefined()
  expect(view.look(own(1), others, minute + 2).membersMissing).toBeUndefined()
  expect(view.look(own(1), others, 2 * minute + 2).membersMissing).toEqual(['pc-2', 'pc-3'])
  // A cable that was pulled: that is told of by the links, and after it the patience begins anew.
  expect(view.look(own(1), [pc(2, { isReachable: false }), pc(3)], 3 * minute).membersMissing).toEqual(['pc-3'])
  expect(view.look(own(1), others, 3 * minute + 1).membersMissing).toEqual(['pc-3'])
})

test('another generation is never missed, nor is anybody while the own member does not run', () => {
  const view = new MemberView()
  const others = [pc(2, { hazelcast: '5.6.1', member: 'apart' }), pc(3, { hazelcast: '5.7.1', member: 'apart' })]
  for (const now of [0, minute]) {
    const told = view.look({ ...own(1), member: 'apart' }, others, now)
    expect(told).toEqual(now === 0 ? { members: ['pc-1'] } : { members: ['pc-1'], membersMissing: ['pc-3'] })
  }
  expect(view.look({ ...own(), member: 'off' }, others, 2 * minute)).toEqual({})
  expect(view.look(own(1), others, 2 * minute + 1).membersMissing).toBeUndefined()
})
