import { describe, expect, test } from 'vitest'
import { parseElement } from './element.ts'
import { forwardedXml, forwardingMessage } from './forward.ts'
import { NS_FORWARD } from './namespaces.ts'
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

describe('a message around a forwarded stanza', () => {
  const inner = Stanza.fromBytes(Buffer.from("<message from='a@b/ö' id='1'><body>&lt;ü&gt;</body></message>"))
  const header = { to: "o'neill@b/1", from: 'c@d', id: undefined, type: 'chat', lang: 'de' }
  const wrapper = { name: 'result', ns: 'urn:xmpp:mam:2', attributes: { queryid: '<&>', none: undefined } }

  test('is what would be read from its bytes', () => {
    const made = forwardingMessage(header, wrapper, forwardedXml(inner, 0))
    const read = Stanza.fromBytes(made.bytes)
    const parts = ({ kind, name, ns, to, from, id, type, lang, children }: Stanza) => ({
      kind,
      name,
      ns,
      to,
      from,
      id,
      type,
      lang,
      children,
    })
    expect(parts(made)).toEqual(parts(read))
    expect(made.to).toBe("o'neill@b/1")
    expect(made.has('result', 'urn:xmpp:mam:2')).toBe(true)
    const result = made.child('result', 'urn:xmpp:mam:2')
    expect(result?.attrs).toMatchObject({ queryid: '<&>' })
    expect(result?.getChild('forwarded', NS_FORWARD)?.getChild('message', 'jabber:client')?.getChildText('body')).toBe(
      '<ü>',
    )
  })

  test('can be changed like any other stanza', () => {
    const made = forwardingMessage(header, wrapper, forwardedXml(inner))
    const changed = made.with({ to: 'x@y' }).append("<private xmlns='urn:xmpp:carbons:2'/>")
    expect(Stanza.fromBytes(changed.bytes).children.map(child => child.name)).toEqual(['result', 'private'])
    expect(changed.child('result', 'urn:xmpp:mam:2')?.getChild('forwarded', NS_FORWARD)).toBeDefined()
  })
})
