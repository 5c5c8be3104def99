import { expect, test } from 'vitest'
import { delayXml, readDelay } from './delay.ts'
import { parseElement } from './element.ts'

const stampMs = Date.UTC(2002, 8, 10, 23, 8, 25)

test('a delay says when and who kept it (XEP-0203 section 3)', () => {
  expect(delayXml({ stampMs, from: 'capulet.com', reason: 'Offline Storage' })).toBe(
    "<delay xmlns='urn:xmpp:delay' from='capulet.com' stamp='2002-09-10T23:08:25.000Z'>Offline Storage</delay>",
  )
  expect(delayXml({ stampMs })).toBe("<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25.000Z'/>")
})

test('names and reasons are escaped', () => {
  const xml = delayXml({ stampMs, from: "room@office.test/O'Neil & <co>", reason: '<&>' })
  const delay = parseElement(xml)
  expect(readDelay(delay)).toEqual({ stampMs, from: "room@office.test/O'Neil & <co>" })
  expect(delay.getText()).toBe('<&>')
})

test('a delay without a real stamp says nothing', () => {
  expect(readDelay(parseElement("<delay xmlns='urn:xmpp:delay' stamp='yesterday'/>"))).toBeUndefined()
  expect(readDelay(parseElement("<delay xmlns='urn:xmpp:delay'/>"))).toBeUndefined()
})
