// The whole protocol is played in test/protocol/stanza-ids.test.ts.
import { expect, test } from 'vitest'
import { Stanza } from '../xmpp/stanza.ts'
import { withoutIdsBy } from './stanza-ids.ts'

const id = (by: string) => `<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='${by}'/>`

test('all ids in the name of one address go, however it is written; everything else stays', () => {
  const others = `<body>x</body>${id('romeo@office.test')}${id('')}<stanza-id xmlns='urn:xmpp:sid:0'/><stanza-id xmlns='urn:other' by='juliet@office.test'/>`
  const stanza = Stanza.fromBytes(
    Buffer.from(`<message>${id('juliet@office.test')}${others}${id('JULIET@Office.Test')}</message>`),
  )
  expect(withoutIdsBy(stanza, 'juliet@office.test').toString()).toBe(`<message>${others}</message>`)
})
