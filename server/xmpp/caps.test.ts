import { describe, expect, test } from 'vitest'
import { capsElement, capsHash, type DiscoInfo, readDiscoInfo, verificationText } from './caps.ts'
import { parseElement } from './element.ts'

const exodus: DiscoInfo = {
  identities: [{ category: 'client', type: 'pc', name: 'Exodus 0.9.1' }],
  features: [
    'http://jabber.org/protocol/muc',
    'http://jabber.org/protocol/disco#info',
    'http://jabber.org/protocol/disco#items',
    'http://jabber.org/protocol/caps',
  ],
  forms: [],
}

const query = (inside: string) => parseElement(`<query xmlns='http://jabber.org/protocol/disco#info'>${inside}</query>`)
const softwareInfo = (formType: string) => `<x xmlns='jabber:x:data' type='result'>
  ${formType}
  <field var='ip_version' type='text-multi'><value>ipv6</value><value>ipv4</value></field>
  <field var='os'><value>Mac</value></field>
  <field var='os_version'><value>10.5.1</value></field>
  <field var='software_version'><value>0.11</value></field>
  <field var='software'><value>Psi</value></field>
</x>`
const psi = (formType: string) => `
  <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>
  <identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>
  <feature var='http://jabber.org/protocol/muc'/>
  <feature var='http://jabber.org/protocol/disco#items'/>
  <feature var='http://jabber.org/protocol/disco#info'/>
  <feature var='http://jabber.org/protocol/caps'/>
  ${softwareInfo(formType)}`
const hidden = "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>"

describe('the examples of XEP-0115', () => {
  test('section 5.2', () => {
    expect(verificationText(exodus)).toBe(
      'client/pc//Exodus 0.9.1<http://jabber.org/protocol/caps<http://jabber.org/protocol/disco#info<' +
        'http://jabber.org/protocol/disco#items<http://jabber.org/protocol/muc<',
    )
    expect(capsHash(exodus)).toBe('QgayPKawpkPSDYmwT/WM94uAlu0=')
    expect(capsElement('http://code.google.com/p/exodus', exodus).toString()).toBe(
      '<c xmlns="http://jabber.org/protocol/caps" hash="sha-1" node="http://code.google.com/p/exodus" ver="QgayPKawpkPSDYmwT/WM94uAlu0="/>',
    )
  })

  test('section 5.3, in any order', () => {
    expect(capsHash(readDiscoInfo(query(psi(hidden)))!)).toBe('q07IKJEyjvHSyhy//CH0CxmKi8w=')
  })
})

test('characters are sorted by their bytes in UTF-8', () => {
  const info = { identities: [], features: ['\u{1F600}', '\uFF01'], forms: [] }
  expect(verificationText(info)).toBe('\uFF01<\u{1F600}<')
})

test('other hash functions are used when they are known', () => {
  expect(capsHash(exodus, 'sha-256')).toHaveLength(44)
  expect(capsHash(exodus, 'md2')).toBeUndefined()
})

describe('a disco#info result', () => {
  test('loses forms without a hidden FORM_TYPE', () => {
    const visible = hidden.replace("type='hidden'", '')
    expect(readDiscoInfo(query(psi(visible)))?.forms).toEqual([])
    expect(readDiscoInfo(query(psi('')))?.forms).toEqual([])
  })

  test.each([
    ['an identity twice', "<identity category='client' type='pc'/><identity category='client' type='pc'/>"],
    ['a feature twice', "<feature var='a'/><feature var='a'/>"],
    ['a FORM_TYPE twice', softwareInfo(hidden) + softwareInfo(hidden)],
    ['a FORM_TYPE of two values', softwareInfo(hidden.replace('</value>', '</value><value>b</value>'))],
    ['a separator in a name', "<identity category='client' type='pc' name='x&lt;urn:y'/>"],
    ['a separator in a feature', "<feature var='a&lt;b'/>"],
    ['a separator in a form', softwareInfo(hidden.replace('urn', '&lt;'))],
  ])('with %s is ill-formed', (_name, inside) => {
    expect(readDiscoInfo(query(inside))).toBeUndefined()
  })
})
