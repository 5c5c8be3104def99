import { expect, test } from 'vitest'
import { parseElement } from './element.ts'
import { forwardedXml } from './forward.ts'
import { Stanza } from './stanza.ts'

const stanza = Stanza.from(
  parseElement(
    "<message xmlns='jabber:client' from='juliet@capulet.lit/orchard' id='0202197' type='chat'><body>Kill &amp; cherish</body></message>",
  ),
)

test('a forwarded stanza keeps its namespace and says when it came (XEP-0297 section 3.1)', () => {
  const forwarded = parseElement(forwardedXml(stanza, Date.UTC(2010, 6, 10, 23, 8, 25)))
  expect(forwarded.is('forwarded', 'urn:xmpp:forward:0')).toBe(true)
  expect(forwarded.getChild('delay', 'urn:xmpp:delay')?.attrs.stamp).toBe('2010-07-10T23:08:25.000Z')
  const message = forwarded.getChild('message', 'jabber:client')
  expect(message?.attrs.id).toBe('0202197')
  expect(message?.getChildText('body', 'jabber:client')).toBe('Kill & cherish')
})

test('a stanza that is on its way right now has no delay', () => {
  expect(forwardedXml(stanza)).not.toContain('delay')
})
