import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { databaseAddresses } from '../../test/support/addresses.ts'
import { addressOf, type DatabaseAddress } from './address.ts'
import {
  DatabaseUrlFault,
  hideSecret,
  parseDatabaseUrl,
  printDatabaseUrl,
  type Spelling,
  spellingsOf,
  URL_LENGTH_MAX,
} from './url.ts'

const seed = 20261122

function faultOf(text: string): DatabaseUrlFault | undefined {
  try {
    parseDatabaseUrl(text)
    return undefined
  } catch (error) {
    if (error instanceof DatabaseUrlFault) return error
    throw error
  }
}

function read(text: string): { address: DatabaseAddress; spelling: Spelling } {
  const target = parseDatabaseUrl(text)
  if (target.kind !== 'server') throw new Error('not a server')
  return { address: target.address, spelling: target.spelling }
}

const pair: DatabaseAddress = {
  hosts: [
    { host: 'db1', port: 5432 },
    { host: 'db2', port: 5433 },
  ],
  user: 'me',
  password: 'p@ss; "w"',
  database: 'chat',
  tls: 'require',
  targetSessionAttrs: 'primary',
}

describe('a database URL', () => {
  test('is the word embedded', () => {
    expect(parseDatabaseUrl(' embedded\n')).toEqual({ kind: 'embedded' })
  })

  test.each<[Spelling, string]>([
    ['libpq', 'postgresql://me:p%40ss;%20%22w%22@db1,db2:5433/chat?target_session_attrs=primary&sslmode=require'],
    [
      'jdbc',
      'jdbc:postgresql://db1,db2:5433/chat?user=me&password=p%40ss;+%22w%22&targetServerType=primary&sslmode=require',
    ],
    [
      'npgsql',
      'Host=db1,db2:5433;Username=me;Password=\'p@ss; "w"\';Database=chat;Target Session Attributes=Primary;SSL Mode=Require',
    ],
    [
      'keywords',
      'host=db1,db2 port=,5433 user=me password=\'p@ss; "w"\' dbname=chat target_session_attrs=primary sslmode=require',
    ],
  ])('is read in the spelling of %s', (spelling, text) => {
    expect(read(text)).toEqual({ address: pair, spelling })
    expect(read(`\n  ${text}  \n`)).toEqual({ address: pair, spelling })
  })

  test('is printed in all four spellings', () => {
    expect(spellingsOf(pair)).toEqual({
      libpq: 'postgresql://me:p%40ss%3B%20%22w%22@db1:5432,db2:5433/chat?target_session_attrs=primary&sslmode=require',
      jdbc: 'jdbc:postgresql://db1:5432,db2:5433/chat?user=me&password=p%40ss%3B%20%22w%22&targetServerType=primary&sslmode=require',
      npgsql:
        'Host=db1:5432,db2:5433;Username=me;Password=\'p@ss; "w"\';Database=chat;Target Session Attributes=primary;SSL Mode=Require',
      keywords:
        'host=db1,db2 port=5432,5433 user=me password=\'p@ss; "w"\' dbname=chat target_session_attrs=primary sslmode=require',
    })
    expect(printDatabaseUrl(pair)).toBe(spellingsOf(pair).libpq)
  })

  test('of one connection is printed like any other', () => {
    const connection = { host: '/run/my sockets', port: 5432, user: 'me', password: '', database: 'chat' } as const
    expect(printDatabaseUrl(addressOf({ ...connection, tls: 'disable' }))).toBe(
      'postgresql://me@%2Frun%2Fmy%20sockets:5432/chat?sslmode=disable',
    )
  })

  test.each([
    ['', /is empty: write "embedded" or a URL/],
    ['db.office.test', /begins with postgresql:\/\//],
    ['mysql://me@db/chat', /begins with postgresql:\/\//],
    ['mysql://me@db/chat?a=b', /begins with postgresql:\/\//],
    ['jdbc:mysql://db/chat', /JDBC but not for PostgreSQL/],
    [`postgresql://me@db/${'x'.repeat(URL_LENGTH_MAX)}`, /longer than 4000 characters/],
    ['postgresql://me@db/a\0', /at character 21 that is no character/],
    ['postgresql://me@db/\ud800', /at character 20 that is no character/],
  ])('is refused with a sentence: %s', (text, sentence) => {
    expect(faultOf(text)?.message).toMatch(sentence)
  })

  test('that is wrong points at the character in the text as it was given', () => {
    expect(faultOf('  postgresql://me@db1,db2:70000/chat')).toMatchObject({ at: 26 })
    expect(faultOf('postgresql://me@db/chat?sslmod=require')).toMatchObject({
      at: 24,
      message: 'The database URL has a parameter at character 25 that is not known; did you mean "sslmode"?',
    })
  })
})

describe('round trips', () => {
  test('libpq’s spellings say everything: what was printed is read back as it was', () => {
    fc.assert(
      fc.property(databaseAddresses(), address => {
        expect(read(spellingsOf(address).libpq)).toEqual({ address, spelling: 'libpq' })
        expect(read(spellingsOf(address).keywords)).toEqual({ address, spelling: 'keywords' })
      }),
      { seed, numRuns: 500 },
    )
  })

  test('Npgsql says everything but hostaddr', () => {
    fc.assert(
      fc.property(databaseAddresses(), address => {
        const expected = withoutAddresses(address)
        fc.pre(expected !== undefined)
        expect(read(spellingsOf(address).npgsql)).toEqual({ address: expected, spelling: 'npgsql' })
      }),
      { seed, numRuns: 500 },
    )
  })

  test('JDBC says everything but hostaddr and the fine points of the role; a socket among several hosts is a sentence', () => {
    fc.assert(
      fc.property(databaseAddresses(), address => {
        const text = spellingsOf(address).jdbc
        if (address.hosts.length > 1 && address.hosts.some(({ host }) => host.startsWith('/'))) {
          expect(text).toBe('JDBC cannot name a Unix socket among several hosts.')
          expect(faultOf(text)).toBeDefined()
          return
        }
        const plain = withoutAddresses(address)
        fc.pre(plain !== undefined)
        const roles = { 'read-write': 'primary', 'read-only': 'standby' } as const
        const role = plain?.targetSessionAttrs
        const expected =
          role === 'read-write' || role === 'read-only' ? { ...plain, targetSessionAttrs: roles[role] } : plain
        expect(read(text)).toEqual({ address: expected, spelling: 'jdbc' })
      }),
      { seed, numRuns: 500 },
    )
  })
})

/** What is left of an address in a spelling without hostaddr; undefined when two hosts would become the same. */
function withoutAddresses(address: DatabaseAddress): DatabaseAddress | undefined {
  const hosts = address.hosts.map(({ host, port, address: at }) => ({
    host: at === undefined || address.tls === 'verify-full' ? host : at,
    port,
  }))
  const isUnique = new Set(hosts.map(({ host, port }) => `${host} ${port}`)).size === hosts.length
  return isUnique ? { ...address, hosts } : undefined
}

describe('a password', () => {
  test('is hidden when a URL is shown, in the spelling in which it was written', () => {
    expect(hideSecret('embedded')).toBe('embedded')
    expect(hideSecret(pair)).toBe(
      'postgresql://me:••••@db1:5432,db2:5433/chat?target_session_attrs=primary&sslmode=require',
    )
    expect(hideSecret('Host=db;Username=me;Password=secret')).toBe(
      'Host=db;Port=5432;Username=me;Password=••••;Database=me;SSL Mode=Prefer',
    )
    expect(hideSecret('postgresql://me@db/chat')).toBe('postgresql://me@db:5432/chat?sslmode=prefer')
    expect(hideSecret('postgresql://me:se/cret@db/chat')).toBe('••••')
  })

  // The passwords are Greek, everything else is not: a single Greek letter in a message is a part of the password.
  const greek = /\p{Script=Greek}/u
  const password = fc
    .array(fc.constantFrom(...'αβγδεζηθλμπσφψω@@::///??##&&==;;,,%%\'"\\ []+'), { minLength: 4, maxLength: 14 })
    .map(list => list.join(''))
    .filter(text => greek.test(text))
  const templates: ((password: string) => string)[] = [
    secret => `postgresql://me:${secret}@db1:5432,db2/chat?sslmode=prefer`,
    secret => `postgresql://me:${encodeURIComponent(secret)}@db1:x,db2/chat?sslmode=prefer`,
    secret => `postgresql://db1/chat?user=me&password=${secret}&sslmode=require`,
    secret => `jdbc:postgresql://db1,db2:5432/chat?user=me&password=${secret}&sslmode=prefer`,
    secret => `jdbc:postgresql://me:${secret}@db1/chat?user=me`,
    secret => `Host=db1;Port=5432;Username=me;Password=${secret};Database=chat`,
    secret => `Password=${secret};Host=db1,db2;Username=me`,
    secret => `host=db1,db2 user=me password=${secret} dbname=chat`,
    secret => `host=db1,db2 user=me password='${secret}' sslmode=require`,
    secret => secret,
  ]

  test('stands in no fault, however it was written and whatever was damaged', () => {
    const damaged = fc
      .record({
        secret: password,
        template: fc.constantFrom(...templates),
        cut: fc.option(fc.nat(120), { nil: undefined }),
        at: fc.nat(120),
        put: fc.constantFrom('', '', '@', ':', '/', '?', '&', '=', ';', "'", '"', '%', ' ', ','),
        drop: fc.constantFrom(0, 0, 1),
      })
      .map(({ secret, template, cut, at, put, drop }) => {
        const text = template(secret)
        return (text.slice(0, at) + put + text.slice(at + drop)).slice(0, cut)
      })
    let faults = 0
    fc.assert(
      fc.property(damaged, text => {
        const fault = faultOf(text)
        if (!fault) return
        faults++
        expect(fault.message).not.toMatch(greek)
        expect(fault.at ?? 0).toBeLessThanOrEqual(text.length)
        expect(hideSecret(text)).toBe('••••')
      }),
      { seed, numRuns: 5_000 },
    )
    expect(faults).toBeGreaterThan(1_000)
  })

  test('that was written as it must be stands in nothing that is shown', () => {
    const word = password.map(text => text.trim()).filter(text => greek.test(text))
    fc.assert(
      fc.property(word, secret => {
        for (const text of Object.values(spellingsOf({ ...pair, password: secret }))) {
          const shown = hideSecret(text)
          expect(shown).toContain('••••')
          expect(decodeURIComponent(shown)).not.toMatch(greek)
        }
      }),
      { seed, numRuns: 300 },
    )
  })
})

test('a text that nobody would write is read or refused at once', () => {
  const pieces = [' ', 'a', '=', ';', "'", '"', '\\', '%', ',', '@', ':', '&', 'a ', 'a=', "''", 'a;', "\\'", '%41']
  const heads = ['', 'postgresql://', 'jdbc:postgresql://h/d?', 'host=', "host='", 'Host="', 'host=a;', 'host=a ']
  const from = performance.now()
  for (const head of heads) {
    for (const piece of pieces) faultOf(`${head}${piece.repeat(Math.floor(3_900 / piece.length))}!`)
  }
  // 144 texts of the longest size take a quarter of a second; one that is read in cubic time alone takes a minute.
  expect(performance.now() - from).toBeLessThan(20_000)
})
