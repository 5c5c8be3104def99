import { describe, expect, test } from 'vitest'
import { escapeAttribute, escapeText, parseElement, XmlError, xml } from './element.ts'

describe('parseElement', () => {
  test('makes a tree, CDATA being text like any other', () => {
    const element = parseElement(Buffer.from("<a xmlns='urn:a' b='&lt;é'>x<![CDATA[<&>]]>y<![CDATA[]]><c/>z</a>"))
    expect(element.getNS()).toBe('urn:a')
    expect(element.attrs.b).toBe('<é')
    expect(element.getText()).toBe('x<&>yz')
    expect(element.getChild('c')).toBeDefined()
  })

  test('throws XmlError for what is not an element', () => {
    for (const text of ['', 'text', '<a>', '<a>&x;</a>']) expect(() => parseElement(text), text).toThrow(XmlError)
  })
})

describe('xml', () => {
  test('leaves out attributes and children that are undefined', () => {
    const element = xml('a', { b: undefined, c: 1, d: false }, undefined, null, false, 'x', 2, xml('e'))
    expect(element.toString()).toBe('<a c="1" d="false">x2<e/></a>')
  })
})

describe('Escaping', () => {
  test('leaves plain text alone and writes the rest as references', () => {
    expect(escapeText('plain é 😀 "\' \n\t')).toBe('plain é 😀 "\' \n\t')
    expect(escapeText('<&>\r')).toBe('&lt;&amp;&gt;&#13;')
    expect(escapeAttribute('plain é 😀')).toBe('plain é 😀')
    expect(escapeAttribute(`<&>"'\t\n\r`)).toBe('&lt;&amp;&gt;&quot;&apos;&#9;&#10;&#13;')
  })

  test('replaces what XML cannot carry', () => {
    expect(escapeText('a\u0000b\ud800c\uffffd')).toBe('a\ufffdb\ufffdc\ufffdd')
    expect(escapeAttribute('\u001b')).toBe('\ufffd')
  })
})
