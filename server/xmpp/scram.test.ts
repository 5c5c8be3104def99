import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SaslError } from './errors.ts'
import type { SaslOptions, SaslStep } from './sasl.ts'
import {
  deriveVerifier,
  downgradeHash,
  fakeVerifier,
  hmac,
  PasswordError,
  SCRAM_SALT_BYTES,
  type ScramHash,
  type Verifier,
  verifyPassword,
} from './scram.ts'
import { ScramClient } from './scram-client.ts'
import { ScramServer } from './scram-server.ts'

const secret = Buffer.from('a secret that all nodes of the office share')
const exporter = Buffer.alloc(32, 7)

function options(change: Partial<SaslOptions> = {}): SaslOptions {
  return {
    domain: 'office.test',
    offered: {
      mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1-PLUS', 'SCRAM-SHA-256', 'SCRAM-SHA-1'],
      channelBindings: ['tls-exporter'],
    },
    channelBinding: type => (type === 'tls-exporter' ? exporter : undefined),
    nonce: 'serverNonce',
    unknown: { secret, iterations: 64 },
    ...change,
  }
}

const withoutBinding = options({ offered: { mechanisms: ['SCRAM-SHA-256'], channelBindings: [] } })

/** The challenge of a step, as text. */
function challenge(step: SaslStep): string {
  if (!('challenge' in step)) throw new Error(`No challenge: ${JSON.stringify(step)}`)
  return step.challenge.toString()
}

/** The condition of the SaslError that `action` throws. */
function refusal(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof SaslError) return error.condition
    throw error
  }
  return 'no error'
}

const cheap = (password = 'pencil', hash: ScramHash = 'SHA-256') =>
  deriveVerifier(hash, password, Buffer.from('salt'), 64)

/** Brings a server to the point where it expects the last message. */
function begun(verifier: Verifier | undefined, first: string, with_ = options(), mechanism = 'SCRAM-SHA-256') {
  const server = new ScramServer(mechanism, with_)
  server.step(Buffer.from(first))
  return { server, serverFirst: Buffer.from(challenge(server.supply(verifier))) }
}

describe('the examples of the RFCs', () => {
  test.each([
    {
      name: 'RFC 5802 section 5',
      mechanism: 'SCRAM-SHA-1',
      hash: 'SHA-1' as const,
      clientNonce: 'fyko+d2lbbFgONRv9qkxdawL',
      serverNonce: '3rfcNHYJY1ZVvWVs7j',
      salt: 'QSXCR+Q6sek8bf92',
      final: 'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
      server: 'v=rmF9pqV8S7suAoZWja4dJRkFsKQ=',
    },
    {
      name: 'RFC 7677 section 3',
      mechanism: 'SCRAM-SHA-256',
      hash: 'SHA-256' as const,
      clientNonce: 'rOprNGfwEbeRWgbNEkqO',
      serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
      salt: 'W22ZaJ0SNY7soEsUEjb6gQ==',
      final:
        'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
      server: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
    },
  ])('$name', async ({ mechanism, hash, clientNonce, serverNonce, salt, final, server: serverFinal }) => {
    const client = new ScramClient({ mechanism, username: 'user', password: 'pencil', nonce: clientNonce })
    const server = new ScramServer(mechanism, options({ nonce: serverNonce, downgradeProtection: false }))
    expect(client.first().toString()).toBe(`n,,n=user,r=${clientNonce}`)
    expect(server.step(client.first())).toEqual({ needs: 'verifier', username: 'user', hashes: [hash] })
    const first = challenge(server.supply(await deriveVerifier(hash, 'pencil', Buffer.from(salt, 'base64'), 4096)))
    expect(first).toBe(`r=${clientNonce}${serverNonce},s=${salt},i=4096`)
    expect((await client.final(Buffer.from(first))).toString()).toBe(final)
    expect(server.step(Buffer.from(final))).toEqual({ success: true, username: 'user', data: Buffer.from(serverFinal) })
    expect(client.isServerRight(Buffer.from(serverFinal))).toBe(true)
    expect(client.isServerRight(Buffer.from(serverFinal.replace('=', '=A')))).toBe(false)
  })

  test('XEP-0474 section 6.3: the hash of the offer and the whole login with it', async () => {
    const offered = {
      mechanisms: ['SCRAM-SHA-1', 'SCRAM-SHA-1-PLUS'],
      channelBindings: ['tls-server-end-point', 'tls-exporter'],
    }
    expect(downgradeHash('SHA-1', offered)).toBe('G6k/rBLDqgOhRRaCuuatSDFkJ08=')
    const server = new ScramServer(
      'SCRAM-SHA-1-PLUS',
      options({
        offered,
        nonce: 'a09117a6-ac50-4f2f-93f1-93799c2bddf6',
        channelBinding: () => Buffer.from('THIS IS FAKE CB DATA'),
      }),
    )
    server.step(Buffer.from('p=tls-exporter,,n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6'))
    const verifier = await deriveVerifier('SHA-1', 'pencil', Buffer.from('QSXCR+Q6sek8bf92', 'base64'), 4096)
    expect(challenge(server.supply(verifier))).toBe(
      'r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=',
    )
    const final =
      'c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,' +
      'x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3,p=M/SIDjT+dfcxUh89jZEypRvFxB4='
    expect(server.step(Buffer.from(final))).toEqual({
      success: true,
      username: 'user',
      data: Buffer.from('v=MQrMPvv7yv4x4Cq4W4Ih25EqS2c='),
    })
  })
})

describe('a login', () => {
  test('succeeds with every hash, with and without channel binding, for every password and nonce', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('SHA-1' as const, 'SHA-256' as const, 'SHA-512' as const),
        fc.boolean(),
        fc.stringMatching(/^[ -~äßπ]{1,20}$/),
        fc.stringMatching(/^[!-+\--~]{1,30}$/),
        fc.stringMatching(/^[a-z0-9.,=éß-]{1,12}$/),
        async (hash, isPlus, password, nonce, username) => {
          const mechanism = `SCRAM-${hash}${isPlus ? '-PLUS' : ''}`
          const offered = { mechanisms: [mechanism], channelBindings: isPlus ? ['tls-exporter'] : [] }
          const client = new ScramClient({
            mechanism,
            username,
            password,
            nonce,
            offered,
            authzid: `${username}@office.test`,
            flag: 'y',
            ...(isPlus && { channelBinding: { type: 'tls-exporter', data: exporter } }),
          })
          const server = new ScramServer(mechanism, options({ offered }))
          expect(server.step(client.first())).toEqual({ needs: 'verifier', username, hashes: [hash] })
          const first = challenge(server.supply(await cheap(password, hash)))
          const end = server.step(await client.final(Buffer.from(first)))
          if (!('success' in end) || end.data === undefined) throw new Error('No success')
          expect(end.username).toBe(username)
          expect(client.isServerRight(end.data)).toBe(true)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('with a wrong password, an unknown name and a changed proof fails in the same way', async () => {
    const verifier = await cheap()
    const messages: string[] = []
    for (const [password, found] of [
      ['wrong', verifier],
      ['pencil', undefined],
    ] as const) {
      const client = new ScramClient({ mechanism: 'SCRAM-SHA-256', username: 'romeo', password, nonce: 'abc' })
      const { server, serverFirst } = begun(found, client.first().toString())
      const final = await client.final(serverFirst)
      try {
        server.step(final)
      } catch (error) {
        messages.push((error as SaslError).toXml())
      }
    }
    expect(messages).toHaveLength(2)
    expect(messages[0]).toBe(messages[1])
    expect(messages[0]).toContain('<not-authorized/>')
  })

  test('of an unknown name gets a salt that never changes and looks like any other', () => {
    const salts = ['romeo', 'romeo', 'juliet'].map(name => {
      const { serverFirst } = begun(undefined, `n,,n=${name},r=abc`)
      return /s=([^,]+),i=64/.exec(serverFirst.toString())?.[1] ?? ''
    })
    expect(salts[0]).toBe(salts[1])
    expect(salts[0]).not.toBe(salts[2])
    expect(Buffer.from(salts[0]!, 'base64')).toHaveLength(SCRAM_SALT_BYTES)
    const other = fakeVerifier('SHA-256', 'romeo', { secret: Buffer.from('another'), iterations: 64 })
    expect(other.salt.toString('base64')).not.toBe(salts[0])
  })

  test('may begin without a first message', () => {
    const server = new ScramServer('SCRAM-SHA-256', options())
    expect(challenge(server.step(undefined))).toBe('')
    expect(server.step(Buffer.from('n,,n=Romeo,r=abc'))).toEqual({
      needs: 'verifier',
      username: 'romeo',
      hashes: ['SHA-256'],
    })
  })
})

describe('a first message is refused', () => {
  test.each([
    ['nothing', '', 'malformed-request'],
    ['an unknown flag', 'x,,n=romeo,r=abc', 'malformed-request'],
    ['no GS2 header', 'n=romeo,r=abc', 'malformed-request'],
    ['attributes in another order', 'n,,r=abc,n=romeo', 'malformed-request'],
    ['no nonce', 'n,,n=romeo', 'malformed-request'],
    ['an empty nonce', 'n,,n=romeo,r=', 'malformed-request'],
    ['a space in the nonce', 'n,,n=romeo,r=a c', 'malformed-request'],
    ['an empty name', 'n,,n=,r=abc', 'malformed-request'],
    ['a bad escape in the name', 'n,,n=a=2cb,r=abc', 'malformed-request'],
    ['a NUL in the name', 'n,,n=a\0,r=abc', 'malformed-request'],
    ['a mandatory extension in front', 'n,,m=x,n=romeo,r=abc', 'malformed-request'],
    ['a mandatory extension behind', 'n,,n=romeo,r=abc,m=x', 'malformed-request'],
    ['a name that no account can have', 'n,,n=a b,r=abc', 'not-authorized'],
    ['another identity', 'n,a=juliet@office.test,n=romeo,r=abc', 'invalid-authzid'],
    ['an identity of another domain', 'n,a=romeo@else.test,n=romeo,r=abc', 'invalid-authzid'],
    ['a channel binding without -PLUS', 'p=tls-exporter,,n=romeo,r=abc', 'malformed-request'],
    ['the flag y although -PLUS was offered', 'y,,n=romeo,r=abc', 'not-authorized'],
  ])('%s', (_name, message, condition) => {
    const server = new ScramServer('SCRAM-SHA-256', options())
    expect(refusal(() => server.step(Buffer.from(message)))).toBe(condition)
    expect(refusal(() => server.step(Buffer.from('n,,n=romeo,r=abc')))).toBe('malformed-request')
  })

  test.each([
    ['no binding', 'n,,n=romeo,r=abc', 'malformed-request'],
    ['no binding, flag y', 'y,,n=romeo,r=abc', 'malformed-request'],
    ['a binding that was not offered', 'p=tls-unique,,n=romeo,r=abc', 'not-authorized'],
  ])('with -PLUS: %s', (_name, message, condition) => {
    const server = new ScramServer('SCRAM-SHA-256-PLUS', options())
    expect(refusal(() => server.step(Buffer.from(message)))).toBe(condition)
  })

  test('that is not UTF-8', () => {
    const server = new ScramServer('SCRAM-SHA-256', options())
    expect(refusal(() => server.step(Buffer.from([0x6e, 0x2c, 0x2c, 0xff])))).toBe('malformed-request')
  })

  test('but the flag y is right where no channel binding was offered', () => {
    const server = new ScramServer('SCRAM-SHA-256', withoutBinding)
    expect(server.step(Buffer.from('y,,n=romeo,r=abc'))).toHaveProperty('needs')
  })

  test('but the own identity and unknown optional extensions are right', () => {
    const server = new ScramServer('SCRAM-SHA-256', options())
    expect(server.step(Buffer.from('n,a=romeo@office.test,n=romeo,r=abc,q=1'))).toHaveProperty('needs')
  })
})

describe('a last message is refused', () => {
  const proof = Buffer.alloc(32).toString('base64')
  const header = (text: string) => Buffer.from(text).toString('base64')
  test.each([
    ['another GS2 header', `c=${header('y,,')},r=abcserverNonce,p=${proof}`, 'not-authorized'],
    ['another nonce', `c=biws,r=abcserverNoncX,p=${proof}`, 'not-authorized'],
    ['the own nonce only', `c=biws,r=abc,p=${proof}`, 'not-authorized'],
    ['a proof of zeros', `c=biws,r=abcserverNonce,p=${proof}`, 'not-authorized'],
    ['no proof', 'c=biws,r=abcserverNonce', 'malformed-request'],
    ['a short proof', 'c=biws,r=abcserverNonce,p=AAAA', 'malformed-request'],
    ['a proof with spare bits', `c=biws,r=abcserverNonce,p=${proof.replace('A=', 'B=')}`, 'malformed-request'],
    ['the proof not at the end', `c=biws,r=abcserverNonce,p=${proof},x=1`, 'malformed-request'],
    ['a mandatory extension', `c=biws,r=abcserverNonce,m=1,p=${proof}`, 'malformed-request'],
    ['attributes in another order', `r=abcserverNonce,c=biws,p=${proof}`, 'malformed-request'],
  ])('%s', async (_name, message, condition) => {
    const { server } = begun(await cheap(), 'n,,n=romeo,r=abc')
    expect(refusal(() => server.step(Buffer.from(message)))).toBe(condition)
    expect(refusal(() => server.step(Buffer.from(message)))).toBe('malformed-request')
  })

  test('when the channel binding data are of another connection', async () => {
    const client = new ScramClient({
      mechanism: 'SCRAM-SHA-256-PLUS',
      username: 'romeo',
      password: 'pencil',
      nonce: 'abc',
      channelBinding: { type: 'tls-exporter', data: Buffer.alloc(32, 8) },
    })
    const { server, serverFirst } = begun(await cheap(), client.first().toString(), options(), 'SCRAM-SHA-256-PLUS')
    const final = await client.final(serverFirst)
    expect(refusal(() => server.step(final))).toBe('not-authorized')
  })

  test('when any one byte of it was changed', async () => {
    const client = new ScramClient({ mechanism: 'SCRAM-SHA-256', username: 'romeo', password: 'pencil', nonce: 'abc' })
    const verifier = await cheap()
    const first = client.first().toString()
    const final = await client.final(begun(verifier, first).serverFirst)
    for (let index = 0; index < final.length; index++) {
      const changed = Buffer.from(final)
      changed[index] = changed[index]! ^ 1
      expect(refusal(() => begun(verifier, first).server.step(changed))).not.toBe('no error')
    }
    expect('success' in begun(verifier, first).server.step(final)).toBe(true)
  })
})

test('a client sees that the offer was shortened', async () => {
  const client = new ScramClient({
    mechanism: 'SCRAM-SHA-256',
    username: 'romeo',
    password: 'pencil',
    nonce: 'abc',
    offered: { mechanisms: ['SCRAM-SHA-256'], channelBindings: [] },
  })
  const { serverFirst } = begun(await cheap(), client.first().toString())
  await expect(client.final(serverFirst)).rejects.toThrow('The offer was changed')
})

describe('passwords', () => {
  test('are the same in all spellings that SASLprep makes one', async () => {
    const verifier = await cheap('I\u00ADX ª')
    expect(await verifyPassword(verifier, 'IX a')).toBe(true)
    expect(await verifyPassword(verifier, 'ix a')).toBe(false)
  })

  test('may have emoji, not control characters, and not be empty', async () => {
    expect(await verifyPassword(await cheap('🐎🔋'), '🐎🔋')).toBe(true)
    expect(await verifyPassword(await cheap(), 'a\u0007')).toBe(false)
    await expect(cheap('a\u0007')).rejects.toThrow(PasswordError)
    await expect(cheap('')).rejects.toThrow(PasswordError)
  })
})

test('our HMAC is that of node:crypto, for every length of key and message', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'grapheme', maxLength: 300 }), (key, message) => {
      expect(hmac('SHA-1', key, message)).toEqual(createHmac('sha1', key).update(message).digest())
      expect(hmac('SHA-256', key, message)).toEqual(createHmac('sha256', key).update(message).digest())
      expect(hmac('SHA-512', key, message)).toEqual(createHmac('sha512', key).update(message).digest())
    }),
  )
})
