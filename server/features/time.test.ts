import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Stage } from '../../test/support/script.ts'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.open()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

import { offsetText } from './time.ts'

test('the server tells its time in UTC, without fractions, and its offset', async () => {
  const { romeo } = await stage.people('romeo')
  const before = Math.floor(Date.now() / 1000) * 1000
  const answer = await romeo.asks("<iq type='get' to='office.test'><time xmlns='urn:xmpp:time'/></iq>")
  const time = answer.getChild('time', 'urn:xmpp:time')
  const utc = time?.getChildText('utc') ?? ''
  expect(utc).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  expect(Date.parse(utc)).toBeGreaterThanOrEqual(before)
  expect(time?.getChildText('tzo')).toMatch(/^[+-]\d\d:\d\d$/)
})

test('offsets are written as XEP-0082 wants them', () => {
  expect([0, 60, -360, 345, -210].map(offsetText)).toEqual(['+00:00', '+01:00', '-06:00', '+05:45', '-03:30'])
})
