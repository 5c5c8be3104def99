import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { printKey } from '../admin/recovery.ts'
import { open, parseKey, seal } from './keys.ts'

const key = randomBytes(32)

describe('The recovery key', () => {
  test('is read as the recovery sheet prints it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), bytes => {
        expect(parseKey(printKey(Buffer.from(bytes)))).toEqual(Buffer.from(bytes))
      }),
    )
  })

  test('may be typed in lower case, without dashes, with letters that look like digits', () => {
    const printed = printKey(key)
    const typed = printed.replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l').toLowerCase()
    expect(parseKey(typed)).toEqual(key)
  })

  test('that is not whole, or holds what cannot be in it, gets a sentence', () => {
    expect(() => parseKey(printKey(key).slice(0, -2))).toThrow(/52 letters and digits, but there are 50/)
    expect(() => parseKey(`${printKey(key).slice(0, -1)}U`)).toThrow(/holds no “U”/)
  })
})

describe('What is sealed', () => {
  test('opens with the key it was sealed with, and with no other', async () => {
    const sealed = await seal('the authority', key, 'acme.test')
    expect(sealed).not.toContain('authority')
    expect(await open(sealed, key, 'acme.test')).toBe('the authority')
    await expect(open(sealed, randomBytes(32), 'acme.test')).rejects.toThrow(/does not fit this backup/)
  })

  test('does not open when it was changed, or is passed off as another office’s', async () => {
    const sealed = await seal('the authority', key, 'acme.test')
    await expect(open(sealed, key, 'evil.test')).rejects.toThrow(/does not fit/)
    const { data, ...rest } = JSON.parse(sealed) as { data: string }
    const bytes = Buffer.from(data, 'base64')
    bytes[0] = (bytes[0] ?? 0) ^ 1
    const changed = JSON.stringify({ ...rest, data: bytes.toString('base64') })
    await expect(open(changed, key, 'acme.test')).rejects.toThrow(/does not fit/)
  })
})
