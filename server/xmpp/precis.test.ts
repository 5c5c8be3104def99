import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { enforceNickname, enforceOpaque, enforceUsername, isUnicodeLabel, nicknameKey, PrecisError } from './precis.ts'

/** The enforced form, or undefined when the profile refuses the text. */
function tried(profile: (text: string) => string, text: string): string | undefined {
  try {
    return profile(text)
  } catch (error) {
    if (error instanceof PrecisError) return undefined
    throw error
  }
}

describe('user names (RFC 8265 section 3)', () => {
  test.each([
    ['juliet@example.com', 'juliet@example.com'],
    ['fussball', 'fussball'],
    ['fußball', 'fußball'],
    ['π', 'π'],
    ['Σ', 'σ'],
    ['σ', 'σ'],
    ['ς', 'ς'],
    ['ΑΣ', 'ας'.replace('ς', 'σ')],
    ['Juliet', 'juliet'],
    ['ÅSA', 'åsa'],
    ['A\u030Asa', 'åsa'],
    ['ＪＵＬＩＥＴ', 'juliet'],
    ['ｶﾞ', 'ガ'],
    ['שרה', 'שרה'],
    ['محمد1', 'محمد1'],
    ['日本・語', '日本・語'],
    ['l·l', 'l·l'],
    ['क्\u200Dष', 'क्\u200Dष'],
    ['بی\u200Cبی', 'بی\u200Cبی'],
    ['׳'.padStart(2, 'א'), 'א׳'],
  ])('accepts %j as %j', (text, expected) => {
    expect(enforceUsername(text)).toBe(expected)
  })

  test.each([
    ['foo bar', 'space'],
    ['', 'nothing'],
    ['henryⅣ', 'a compatibility character'],
    ['∞', 'a symbol'],
    ['♚', 'a symbol'],
    ['ﬁsh', 'a ligature'],
    ['a\u0000b', 'a control character'],
    ['a\u00ADb', 'a soft hyphen'],
    ['a\uD800', 'half a surrogate pair'],
    ['a\u{E000}', 'a private use character'],
    ['\u{10FFFF}', 'a noncharacter'],
    ['ᄀ', 'old Hangul jamo'],
    ['aـb', 'the Arabic tatweel'],
    ['a·b', 'a middle dot not between two l'],
    ['L·L', 'a middle dot not between two small l'],
    ['a\u0375b', 'a Greek numeral sign before Latin'],
    ['a\u05F3', 'a geresh after Latin'],
    ['a・b', 'a katakana dot among Latin only'],
    ['\u0661\u06F1', 'both kinds of Arabic digits'],
    ['a\u200Db', 'a joiner without virama'],
    ['a\u200Cb', 'a non-joiner among Latin'],
    ['\u212B', 'the Angstrom sign'],
    ['aא', 'right-to-left text after left-to-right text'],
    ['אa', 'left-to-right text after right-to-left text'],
    ['1א', 'right-to-left text that begins with a digit'],
    ['א-', 'right-to-left text that ends in a neutral'],
    ['א1\u0661', 'European and Arabic digits together'],
  ])('refuses %j: %s', text => {
    expect(tried(enforceUsername, text)).toBeUndefined()
  })

  test('the message names the character', () => {
    expect(() => enforceUsername('ab♚')).toThrow('the character “♚” (U+265A) is not allowed')
    expect(() => enforceUsername('a b')).toThrow('the character U+0020 is not allowed')
  })
})

describe('opaque strings (RFC 8265 section 4)', () => {
  test.each([
    ['correct horse battery staple', 'correct horse battery staple'],
    ['Correct Horse Battery Staple', 'Correct Horse Battery Staple'],
    ['πßå', 'πßå'],
    ['Jack of ♦s', 'Jack of ♦s'],
    ['foo\u1680bar', 'foo bar'],
    ['foo\u00A0\u3000bar', 'foo  bar'],
    ['Ａ', 'Ａ'],
    ['henryⅣ', 'henryⅣ'],
    ['e\u0301', 'é'],
    ['אa', 'אa'],
  ])('maps %j to %j', (text, expected) => {
    expect(enforceOpaque(text)).toBe(expected)
  })

  test.each(['', 'my cat is a \tby', 'a\u200B', '\u2028', '\uFEFFa'])('refuses %j', text => {
    expect(tried(enforceOpaque, text)).toBeUndefined()
  })
})

describe('nicknames (RFC 8266 section 3)', () => {
  test.each([
    ['Foo', 'foo'],
    ['foo', 'foo'],
    ['Foo Bar', 'foo bar'],
    ['foo bar', 'foo bar'],
    ['Σ', 'σ'],
    ['σ', 'σ'],
    ['ς', 'ς'],
    ['ϔ', 'ϋ'],
    ['∞', '∞'],
    ['Richard Ⅳ', 'richard iv'],
    ['  St \u00A0 Peter ', 'st peter'],
  ])('compares %j as %j', (text, expected) => {
    expect(nicknameKey(text)).toBe(expected)
  })

  test('keeps the case and trims the spaces of what is shown', () => {
    expect(enforceNickname(' St  Peter ')).toBe('St Peter')
    expect(tried(enforceNickname, '   ')).toBeUndefined()
  })
})

describe('every profile', () => {
  const letters = fc.string({ unit: 'binary', maxLength: 6 })
  const likely = fc
    .array(
      fc.constantFrom(
        'a',
        'B',
        'İ',
        'ß',
        'א',
        'ب',
        '1',
        '\u0661',
        '\u200C',
        '्',
        'ｶ',
        'ﾞ',
        'Σ',
        '・',
        ' ',
        'ǆ',
        'ﬁ',
        'ϔ',
        '\u0345',
        '가',
      ),
      { maxLength: 6 },
    )
    .map(parts => parts.join(''))

  test.each([
    ['user names', enforceUsername],
    ['opaque strings', enforceOpaque],
    ['nicknames', enforceNickname],
    ['nickname keys', nicknameKey],
  ])('%s: what comes out goes through unchanged and is in its normal form', (_name, profile) => {
    fc.assert(
      fc.property(fc.oneof(letters, likely), text => {
        const once = tried(profile, text)
        if (once === undefined) return
        expect(profile(once)).toBe(once)
        expect(once.normalize('NFC')).toBe(once)
        expect(once).not.toBe('')
      }),
      { numRuns: 3000 },
    )
  })

  test('printable ASCII takes the same way as everything else', () => {
    for (let code = 0x21; code < 0x7f; code++) {
      const character = String.fromCharCode(code)
      expect(enforceUsername(`${character}é`)).toBe(`${enforceUsername(character)}é`)
    }
  })
})

test('labels of domain names have no capitals, no compatibility characters and no symbols', () => {
  expect(['bücher', 'faß', 'שרה', '日本'].map(isUnicodeLabel)).toEqual([true, true, true, true])
  expect(['Bücher', '☕', 'ﬁsh', 'aא'].map(isUnicodeLabel)).toEqual([false, false, false, false])
})
