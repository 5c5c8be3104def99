import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createJid, enforceDomain, enforceLocal, type Jid, JidError, parseJid, tryJid } from './jid.ts'

const parts = (jid: Jid) => [jid.local, jid.domain, jid.resource]

describe('the examples of RFC 7622 section 3.5', () => {
  test.each([
    ['juliet@example.com', ['juliet', 'example.com', undefined]],
    ['juliet@example.com/foo', ['juliet', 'example.com', 'foo']],
    ['juliet@example.com/foo bar', ['juliet', 'example.com', 'foo bar']],
    ['juliet@example.com/foo@bar', ['juliet', 'example.com', 'foo@bar']],
    ['foo\\20bar@example.com', ['foo\\20bar', 'example.com', undefined]],
    ['fussball@example.com', ['fussball', 'example.com', undefined]],
    ['fu\u00DFball@example.com', ['fußball', 'example.com', undefined]],
    ['\u03C0@example.com', ['π', 'example.com', undefined]],
    ['\u03A3@example.com/foo', ['σ', 'example.com', 'foo']],
    ['\u03C3@example.com/foo', ['σ', 'example.com', 'foo']],
    ['\u03C2@example.com/foo', ['ς', 'example.com', 'foo']],
    ['king@example.com/\u265A', ['king', 'example.com', '♚']],
    ['example.com', [undefined, 'example.com', undefined]],
    ['example.com/foobar', [undefined, 'example.com', 'foobar']],
    ['a.example.com/b@example.net', [undefined, 'a.example.com', 'b@example.net']],
  ])('%j is an address', (text, expected) => {
    expect(parts(parseJid(text))).toEqual(expected)
  })

  test.each([
    '"juliet"@example.com',
    'foo bar@example.com',
    'juliet@example.com/ foo',
    '@example.com/',
    'henry\u2163@example.com',
    '\u265A@example.com',
    'juliet@',
    '/foobar',
  ])('%j is none', text => {
    expect(() => parseJid(text)).toThrow(JidError)
    expect(tryJid(text)).toBeUndefined()
  })
})

describe('domains', () => {
  test.each([
    ['Example.COM', 'example.com'],
    ['example.com.', 'example.com'],
    ['example.com。', 'example.com'],
    ['PC-1', 'pc-1'],
    ['FRONT_DESK.local', 'front_desk.local'],
    ['127.0.0.1', '127.0.0.1'],
    ['[::1]', '[::1]'],
    ['[2001:DB8:0:0::1]', '[2001:db8::1]'],
    ['[fe80::1%25eth0]', '[fe80::1%25eth0]'],
    ['BÜCHER.example', 'bücher.example'],
    ['xn--bcher-kva.example', 'bücher.example'],
    ['XN--BCHER-KVA.example', 'bücher.example'],
    ['faß.de', 'faß.de'],
    ['ｅｘａｍｐｌｅ.com', 'example.com'],
  ])('%j becomes %j', (text, expected) => {
    expect(enforceDomain(text)).toBe(expected)
  })

  test.each([
    '',
    '.',
    'a..b',
    '-a.b',
    'a-.b',
    'a b',
    'ex!ample',
    'a%41.b',
    'a:5222',
    'é:5222',
    'xn--a',
    '☕.example',
    'a＆b.example',
    'a／b.example',
    '[::1',
    '[::1]x',
    '[12345::]',
    '[]',
    `${'a'.repeat(64)}.example`,
    `${'é'.repeat(64)}.example`,
    Array.from({ length: 52 }, () => 'abcd').join('.'),
    'a\u200Db.example',
  ])('%j is refused', text => {
    expect(() => enforceDomain(text)).toThrow(JidError)
  })
})

describe('parts', () => {
  test('have at most 1023 bytes, not characters', () => {
    expect(parseJid(`${'a'.repeat(1023)}@example.com`).local).toHaveLength(1023)
    expect(tryJid(`${'a'.repeat(1024)}@example.com`)).toBeUndefined()
    expect(tryJid(`${'é'.repeat(512)}@example.com`)).toBeUndefined()
    expect(tryJid(`${'é'.repeat(511)}@example.com`)).toBeDefined()
    expect(tryJid(`a@b/${'日'.repeat(342)}`)).toBeUndefined()
    expect(tryJid(`a@b/${'日'.repeat(341)}`)).toBeDefined()
  })

  test('are separated before anything is mapped', () => {
    expect(tryJid('a＠b@example.com')).toBeUndefined()
    expect(parseJid('a@b/c／d').resource).toBe('c／d')
  })

  test.each(['"', '&', "'", '/', ':', '<', '>', '@', '＆'])('the local part may not have %s', character => {
    expect(() => enforceLocal(`a${character}`)).toThrow(JidError)
  })

  test('the sentence names what is wrong', () => {
    expect(() => parseJid('foo bar@example.com')).toThrow(
      'The name before the @, “foo bar”, cannot be used: the character U+0020 is not allowed.',
    )
    expect(() => parseJid('a@')).toThrow('The address has no domain.')
    expect(() => parseJid('a@b/')).toThrow('The resource is empty.')
    expect(() => parseJid('a&b@c')).toThrow('The name “a&b” may not contain &')
  })
})

describe('a JID', () => {
  test('knows its bare form', () => {
    const jid = parseJid('Romeo@Office.test/Home')
    expect(jid.full).toBe('romeo@office.test/Home')
    expect(jid.bare).toBe('romeo@office.test')
    expect(jid.toBare().full).toBe('romeo@office.test')
    expect(jid.toBare()).toBe(jid.toBare())
    expect([jid.isFull, jid.isBare, jid.isDomain, parseJid('office.test').isDomain]).toEqual([true, false, false, true])
  })

  test('changes its resource in a new one', () => {
    const jid = parseJid('romeo@office.test')
    expect(jid.withResource('phone').full).toBe('romeo@office.test/phone')
    expect(jid.withResource('phone').withResource(undefined).equals(jid)).toBe(true)
    expect(jid.withResource('phone').equalsBare(jid)).toBe(true)
    expect(() => jid.withResource('')).toThrow(JidError)
  })

  test('prints as text in JSON and templates', () => {
    const jid = parseJid('romeo@office.test/a')
    expect(`${jid} ${JSON.stringify({ jid })}`).toBe('romeo@office.test/a {"jid":"romeo@office.test/a"}')
  })

  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
  const label = fc.stringMatching(/^[a-zA-Zéüß日אбΣ0-9]{1,8}$/)

  test('parse of print is the same, whatever the parts were', () => {
    fc.assert(
      fc.property(
        fc.option(text, { nil: undefined }),
        label,
        fc.option(text, { nil: undefined }),
        (local, domain, resource) => {
          let jid: Jid
          try {
            jid = createJid(local, domain, resource)
          } catch (error) {
            expect(error).toBeInstanceOf(JidError)
            return
          }
          expect(parts(parseJid(jid.full))).toEqual(parts(jid))
          expect(parseJid(jid.bare).full).toBe(jid.toBare().full)
          expect(parts(createJid(jid.local, jid.domain, jid.resource))).toEqual(parts(jid))
        },
      ),
      { numRuns: 3000 },
    )
  })

  test('any text gives a JID or a JidError', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), any => {
        const jid = tryJid(any)
        if (jid !== undefined) expect(parseJid(jid.full).full).toBe(jid.full)
      }),
      { numRuns: 3000 },
    )
  })

  test('what was read lately is the same object, and more texts than it remembers do no harm', () => {
    const first = parseJid('first@example.com')
    expect(parseJid('first@example.com')).toBe(first)
    for (let index = 0; index < 20_000; index++) parseJid(`user${index}@example.com`)
    expect(parseJid('first@example.com').equals(first)).toBe(true)
    expect(parseJid('user0@example.com').local).toBe('user0')
  })
})
