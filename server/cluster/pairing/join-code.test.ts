import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { JoinFault } from '../welcome.ts'
import { printAddress, readAddress } from './address.ts'
import { type JoinCode, printJoinCode, readJoinCode } from './join-code.ts'
import { animals, colours, printCode } from './words.ts'

const code = (changes: Partial<JoinCode> = {}): JoinCode => ({
  officeId: randomBytes(16).toString('hex'),
  secret: randomBytes(16),
  addresses: ['192.168.1.20:5275', '[fd00::1]:6000', 'pc-1.acme.example:5275', '10.0.0.1:5299'],
  ...changes,
})
const sentenceOf = (text: string): string => {
  try {
    readJoinCode(text)
    return 'read'
  } catch (error) {
    return error instanceof JoinFault ? error.message : `thrown: ${error}`
  }
}

describe('A join code', () => {
  test('is read as it was written, however it is pasted', () => {
    const made = code()
    const text = printJoinCode(made, 'Acme Büro')
    expect(text).toMatch(/^ACME(-[0-9A-HJKMNP-TV-Z]{4})+$/)
    expect(readJoinCode(text)).toEqual(made)
    expect(readJoinCode(`  ${text.toLowerCase().replaceAll('-', ' \n ')} `)).toEqual(made)
    expect(readJoinCode(text.replaceAll('-', ''))).toEqual(made)
    const alike = text.slice(5).replaceAll('0', 'o').replaceAll('1', 'l')
    expect(readJoinCode(text.slice(0, 5) + alike)).toEqual(made)
    expect(readJoinCode(text.slice(0, 5) + alike.replaceAll('l', 'I'))).toEqual(made)
    // Most offices: one address, the usual port.
    expect(printJoinCode(code({ addresses: ['192.168.1.20'] }), 'Ü').length).toBeLessThanOrEqual(95)
  })

  test('keeps to 400 characters, and leaves out what others cannot use', () => {
    const long = Array.from({ length: 4 }, (_, index) => `${'n'.repeat(60)}.${'m'.repeat(60)}.example:${6000 + index}`)
    const text = printJoinCode(code({ addresses: ['fe80::1%eth0', 'not an address', ...long, '10.0.0.1'] }), 'ACME')
    expect(text.length).toBeLessThanOrEqual(400)
    expect(readJoinCode(text).addresses).toEqual([long[0], '10.0.0.1:5275'])
    expect(readJoinCode(printJoinCode(code({ addresses: [] }), 'ACME')).addresses).toEqual([])
    const six = ['[::1]:5275', '[::]:1', '[2001:db8:0:1:1:1:1:1]:65535', '[::ffff:a00:1]:5275']
    expect(readJoinCode(printJoinCode(code({ addresses: six }), 'ACME')).addresses).toEqual(six)
  })

  test('with one wrong sign is told with the group it is in', () => {
    const text = printJoinCode(code(), 'ACME')
    for (let at = 5; at < text.length; at++) {
      if (text[at] === '-') continue
      const wrong = text[at] === 'Z' ? 'Y' : 'Z'
      const group = Math.floor(at / 5)
      const changed = text.slice(0, at) + wrong + text.slice(at + 1)
      const shown = changed.slice(group * 5, group * 5 + 4)
      expect(sentenceOf(changed)).toBe(
        `The join code has a typo in group ${group + 1}, “${shown}”. Compare it with the other screen.`,
      )
    }
    // U is in no join code.
    expect(sentenceOf(`${text.slice(0, 5)}U${text.slice(6)}`)).toContain('a typo in group 2')
  })

  test('with swapped, missing or too many signs is told what is wrong', () => {
    const text = printJoinCode(code(), 'ACME')
    const signs = [...text.replaceAll('-', '')]
    for (let at = 4; at + 1 < signs.length; at++) {
      const [a = '', b = ''] = [signs[at], signs[at + 1]]
      if (a === b) continue
      const swapped = signs
        .with(at, b)
        .with(at + 1, a)
        .join('')
      expect(sentenceOf(swapped)).toContain('The join code has a typo')
    }
    expect(sentenceOf(text.slice(0, -5))).toContain('is not whole: it has')
    expect(sentenceOf(text.slice(0, 40))).toContain('is not whole')
    expect(sentenceOf(`${text}-AAAA`)).toContain('is too long')
    expect(sentenceOf(text.slice(0, 22) + text.slice(23))).toMatch(
      /Group 5 of the join code, “\w{3}”, has 3 signs instead/,
    )
    for (const other of ['', 'hello', 'ACME', '4827 · blue otter'])
      expect(sentenceOf(other)).toContain('This is no join code')
    expect(sentenceOf('ACME-1111-'.repeat(30))).not.toBe('read')
  })

  test('of any signs is read or refused, never thrown at', () => {
    const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000)
    let state = seed
    const next = (below: number) => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
      return Math.floor((state / 2_147_483_648) * below)
    }
    const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZU- é\u{1f600}'
    for (let round = 0; round < 2_000; round++) {
      const text = Array.from({ length: next(200) }, () => alphabet[next(alphabet.length)]).join('')
      expect(sentenceOf(text), `FUZZ_SEED=${seed}, round ${round}`).not.toContain('thrown')
    }
  })
})

describe('An address', () => {
  test('is read with and without port, and nothing else is', () => {
    const read = (text: string) => {
      const address = readAddress(text)
      return address && printAddress(address)
    }
    expect(read('192.168.1.20')).toBe('192.168.1.20:5275')
    expect(read(' pc-1.example:80 ')).toBe('pc-1.example:80')
    expect(read('FRONT_DESK')).toBe('FRONT_DESK:5275')
    expect(read('fd00::1')).toBe('[fd00::1]:5275')
    expect(read('[fe80::1%eth0]:5276')).toBe('[fe80::1%eth0]:5276')
    for (const wrong of [
      '',
      '10.0.0',
      '1.2.3.400',
      'a b',
      'host:',
      'host:0',
      'host:65536',
      '[fd00::1',
      '[host]',
      '-a',
      'a..b',
    ]) {
      expect(read(wrong), wrong).toBeUndefined()
    }
  })
})

describe('The words of a code', () => {
  test('are 16 colours and 64 animals, each of them once', () => {
    expect([new Set(colours).size, new Set(animals).size]).toEqual([16, 64])
    for (const word of [...colours, ...animals]) expect(word).toMatch(/^[a-z]{3,9}$/)
    expect(printCode(Buffer.from('0000000100000000', 'hex'))).toBe('0001 · red otter')
    expect(printCode(Buffer.from('ffffffff10ff0000', 'hex'))).toBe('7295 · red cricket')
  })
})
