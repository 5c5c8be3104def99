import { describe, expect, test } from 'vitest'
import { SaslError } from './errors.ts'
import {
  channelBindingElement,
  createExchange,
  decodeSaslData,
  encodeSaslData,
  mechanismsFor,
  parsePlain,
  type SaslOptions,
} from './sasl.ts'
import { deriveVerifier } from './scram.ts'

const options: SaslOptions = {
  domain: 'office.test',
  offered: { mechanisms: ['SCRAM-SHA-256', 'PLAIN'], channelBindings: [] },
  channelBinding: () => undefined,
  nonce: 'serverNonce',
  unknown: { secret: Buffer.from('secret'), iterations: 8 },
}

const condition = (action: () => unknown) => {
  try {
    action()
  } catch (error) {
    if (error instanceof SaslError) return error.condition
    throw error
  }
  return 'no error'
}

describe('the mechanisms offered', () => {
  test('under TLS: channel binding first, then the strongest hash, PLAIN last', () => {
    expect(
      mechanismsFor({ tls: true, channelBindings: ['tls-exporter'], verifierKinds: ['SHA-1', 'SHA-256', 'SHA-512'] }),
    ).toEqual([
      'SCRAM-SHA-512-PLUS',
      'SCRAM-SHA-256-PLUS',
      'SCRAM-SHA-1-PLUS',
      'SCRAM-SHA-512',
      'SCRAM-SHA-256',
      'SCRAM-SHA-1',
      'PLAIN',
    ])
  })

  test('without TLS: neither channel binding nor PLAIN, unless PLAIN is always allowed', () => {
    const plain = { tls: false, channelBindings: [], verifierKinds: ['SHA-256'] as const }
    expect(mechanismsFor(plain)).toEqual(['SCRAM-SHA-256'])
    expect(mechanismsFor({ ...plain, plain: 'always' })).toEqual(['SCRAM-SHA-256', 'PLAIN'])
    expect(mechanismsFor({ ...plain, tls: true, plain: 'never' })).toEqual(['SCRAM-SHA-256'])
  })

  test('come with the types of channel binding (XEP-0440)', () => {
    expect(channelBindingElement(['tls-exporter', 'tls-server-end-point'])?.toString()).toBe(
      '<sasl-channel-binding xmlns="urn:xmpp:sasl-cb:0"><channel-binding type="tls-exporter"/>' +
        '<channel-binding type="tls-server-end-point"/></sasl-channel-binding>',
    )
    expect(channelBindingElement([])).toBeUndefined()
  })

  test('are the only ones that can be used', () => {
    expect(condition(() => createExchange('SCRAM-SHA-1', options))).toBe('invalid-mechanism')
    expect(condition(() => createExchange('DIGEST-MD5', options))).toBe('invalid-mechanism')
    expect(createExchange('SCRAM-SHA-256', options).step(Buffer.from('n,,n=romeo,r=a'))).toHaveProperty('needs')
  })
})

describe('PLAIN', () => {
  const verifier = deriveVerifier('SHA-256', 'pencil', Buffer.from('salt'), 8)

  test('logs in with the right password', async () => {
    const exchange = createExchange('PLAIN', options)
    expect(exchange.step(undefined)).toEqual({ challenge: Buffer.alloc(0) })
    expect(exchange.step(Buffer.from('romeo@office.test\0Romeo\0pencil'))).toEqual({
      needs: 'verifier',
      username: 'romeo',
      hashes: ['SHA-512', 'SHA-256', 'SHA-1'],
    })
    expect(await exchange.supply(await verifier)).toEqual({ success: true, username: 'romeo', data: undefined })
    expect(condition(() => exchange.step(Buffer.from('\0romeo\0pencil')))).toBe('malformed-request')
  })

  test('refuses a wrong password and an unknown name in the same words', async () => {
    const wrong = createExchange('PLAIN', options)
    wrong.step(Buffer.from('\0romeo\0pen'))
    const unknown = createExchange('PLAIN', options)
    unknown.step(Buffer.from('\0romeo\0pencil'))
    const [first, second] = await Promise.allSettled([wrong.supply(await verifier), unknown.supply(undefined)])
    expect(first.status).toBe('rejected')
    expect(first).toEqual(second)
  })

  test('refuses to log in as somebody else', () => {
    const exchange = createExchange('PLAIN', options)
    expect(condition(() => exchange.step(Buffer.from('juliet@office.test\0romeo\0pencil')))).toBe('invalid-authzid')
  })

  test.each(['', 'romeo', '\0romeo', '\0\0pencil', '\0romeo\0', '\0romeo\0pen\0cil'])(
    'refuses the message %j',
    message => {
      expect(condition(() => parsePlain(Buffer.from(message)))).toBe('malformed-request')
    },
  )

  test('refuses bytes that are not UTF-8', () => {
    expect(condition(() => parsePlain(Buffer.from([0, 0x61, 0, 0xff])))).toBe('malformed-request')
  })

  test('takes names and passwords of 255 bytes', () => {
    const long = 'a'.repeat(255)
    expect(parsePlain(Buffer.from(`${long}\0${long}\0${long}`))).toEqual({
      authzid: long,
      username: long,
      password: long,
    })
  })
})

describe('base64 in SASL', () => {
  test('knows nothing, no bytes, and bytes', () => {
    expect(decodeSaslData('')).toBeUndefined()
    expect(decodeSaslData('=')).toEqual(Buffer.alloc(0))
    expect(decodeSaslData('AGE=')).toEqual(Buffer.from('\0a'))
    expect(encodeSaslData(Buffer.alloc(0))).toBe('=')
    expect(encodeSaslData(Buffer.from('\0a'))).toBe('AGE=')
  })

  test.each(['AGE', 'A GE=', ' AGE=', 'AGE=\n', '=AAA', 'BBBB=CCC', 'AGF=', '==', 'A-_A', 'AGE=AGE='])(
    'refuses %j',
    text => {
      expect(condition(() => decodeSaslData(text))).toBe('incorrect-encoding')
    },
  )
})
