import { isUtf8 } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import { codePointAt, isCharacter, isNamePart, isNameStartAt, referenceLength, sequenceLength } from './characters.ts'

/** The length that sequenceLength finds, or 'refused'. */
function lengthOf(bytes: Uint8Array): number | 'refused' {
  try {
    return sequenceLength(bytes, 0, bytes.length)
  } catch {
    return 'refused'
  }
}

describe('sequenceLength', () => {
  test('agrees with Node on every sequence of two and three bytes', () => {
    for (let lead = 0x80; lead <= 0xff; lead++) {
      for (let second = 0; second <= 0xff; second++) {
        const two = Buffer.from([lead, second])
        if ((lengthOf(two) === 2) !== isUtf8(two)) expect.fail(two.toString('hex'))
        if (lead < 0xe0 || lead > 0xef) continue
        for (const third of [0x00, 0x7f, 0x80, 0xa0, 0xbd, 0xbf, 0xc0, 0xff]) {
          const three = Buffer.from([lead, second, third])
          const isAllowed = isUtf8(three) && isCharacter(three.toString().codePointAt(0) ?? 0)
          if ((lengthOf(three) === 3) !== isAllowed) expect.fail(three.toString('hex'))
        }
      }
    }
  })

  test('agrees with Node at the edges of four bytes, and waits for the rest of what is cut', () => {
    for (const codePoint of [0x10000, 0x3ffff, 0x40000, 0xfffff, 0x100000, 0x10ffff]) {
      const bytes = Buffer.from(String.fromCodePoint(codePoint))
      expect(lengthOf(bytes)).toBe(4)
      expect(codePointAt(bytes, 0, 4)).toBe(codePoint)
      for (const length of [1, 2, 3]) expect(lengthOf(bytes.subarray(0, length))).toBe(0)
    }
    for (const hex of ['f08fbfbf', 'f4908080', 'f5808080', 'f09f98', 'f09f2098']) {
      expect(lengthOf(Buffer.from(hex, 'hex')), hex).not.toBe(4)
    }
  })
})

test('Names follow the production of XML 1.0', () => {
  const start =
    /^[A-Z_a-z\u{C0}-\u{D6}\u{D8}-\u{F6}\u{F8}-\u{2FF}\u{370}-\u{37D}\u{37F}-\u{1FFF}\u{200C}-\u{200D}\u{2070}-\u{218F}\u{2C00}-\u{2FEF}\u{3001}-\u{D7FF}\u{F900}-\u{FDCF}\u{FDF0}-\u{FFFD}\u{10000}-\u{EFFFF}]$/u
  const part = /^(?:[-.0-9\u{B7}\u{203F}-\u{2040}]|[\u{300}-\u{36F}])$/u
  for (let codePoint = 0; codePoint < 0x11_0000; codePoint += codePoint < 0x11000 ? 1 : 0xfff) {
    if (!isCharacter(codePoint)) continue
    const character = String.fromCodePoint(codePoint)
    const isStart = start.test(character)
    const bytes = Buffer.from(character)
    if (isNameStartAt(bytes, 0, bytes.length) !== isStart) expect.fail(`start ${codePoint.toString(16)}`)
    if (isNamePart(codePoint) !== (isStart || part.test(character))) expect.fail(`part ${codePoint.toString(16)}`)
  }
})

test('References are the five predefined ones and characters', () => {
  const length = (text: string) => referenceLength(Buffer.from(text), 0, Buffer.byteLength(text))
  for (const text of ['&amp;', '&lt;', '&gt;', '&quot;', '&apos;', '&#65;', '&#x10ffff;', '&#x0000041;'])
    expect(length(text)).toBe(text.length)
  for (const text of ['&', '&a', '&#', '&#x1']) expect(length(text)).toBe(0)
  for (const text of [
    '&;',
    '&#;',
    '&#x;',
    '&#X41;',
    '&#xD800;',
    '&#0;',
    '&#1;',
    '&#65534;',
    '&#99999999999;',
    '& ',
    '&é;',
    '&1;',
  ])
    expect(() => length(text), text).toThrow()
  expect(() => length('&nbsp;')).toThrow(/nbsp/)
})
