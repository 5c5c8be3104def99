import { describe, expect, test } from 'vitest'
import { xml } from './element.ts'
import { SaslError, StanzaError, StreamError, stanzaError } from './errors.ts'

describe('a stanza error', () => {
  test('takes the type its section recommends', () => {
    expect(stanzaError('item-not-found').toXml()).toBe(
      '<error type="cancel"><item-not-found xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error>',
    )
    expect(stanzaError('forbidden').type).toBe('auth')
    expect(stanzaError('bad-request').type).toBe('modify')
    expect(stanzaError('resource-constraint').type).toBe('wait')
  })

  test('has condition, text and the child of the application in this order', () => {
    const error = new StanzaError('wait', 'policy-violation', 'Too <fast>', xml('slow-down', { xmlns: 'urn:example' }))
    expect(error.toXml('office.test')).toBe(
      '<error by="office.test" type="wait"><policy-violation xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/>' +
        '<text xmlns="urn:ietf:params:xml:ns:xmpp-stanzas" xml:lang="en">Too &lt;fast&gt;</text>' +
        '<slow-down xmlns="urn:example"/></error>',
    )
    expect(error.message).toBe('Too <fast>')
  })

  test('says the new address with gone', () => {
    const error = new StanzaError('cancel', 'gone', undefined, undefined, 'xmpp:romeo@office.test')
    expect(error.toXml()).toContain('>xmpp:romeo@office.test</gone>')
  })

  test('may be printed twice with the same child', () => {
    const error = stanzaError('forbidden', undefined, xml('x', { xmlns: 'urn:example' }))
    expect(error.toXml()).toBe(error.toXml())
  })
})

describe('a stream error', () => {
  test('stands alone', () => {
    expect(new StreamError('conflict', 'Bound elsewhere.').toXml()).toBe(
      '<stream:error xmlns:stream="http://etherx.jabber.org/streams"><conflict xmlns="urn:ietf:params:xml:ns:xmpp-streams"/>' +
        '<text xmlns="urn:ietf:params:xml:ns:xmpp-streams" xml:lang="en">Bound elsewhere.</text></stream:error>',
    )
  })

  test('names the other host', () => {
    expect(new StreamError('see-other-host', undefined, '[::1]:5222').toXml()).toContain('>[::1]:5222</see-other-host>')
  })
})

describe('a SASL error', () => {
  test('is a failure of RFC 6120', () => {
    expect(new SaslError('not-authorized').toXml()).toBe(
      '<failure xmlns="urn:ietf:params:xml:ns:xmpp-sasl"><not-authorized/></failure>',
    )
  })

  test('is a failure of XEP-0388 with the condition of RFC 6120', () => {
    expect(new SaslError('temporary-auth-failure', 'Try again.').toXml('urn:xmpp:sasl:2')).toBe(
      '<failure xmlns="urn:xmpp:sasl:2"><temporary-auth-failure xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>' +
        '<text xml:lang="en">Try again.</text></failure>',
    )
  })
})
