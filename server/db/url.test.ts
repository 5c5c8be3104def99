import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Connection, placeOf } from './address.ts'
import { DatabaseUrlFault, parseDatabaseUrl, printDatabaseUrl } from './url.ts'

function sentenceOf(text: string): string {
  try {
    parseDatabaseUrl(text)
  } catch (error) {
    if (error instanceof DatabaseUrlFault) return error.message
    throw error
  }
  return 'no fault'
}

describe('a database URL', () => {
  test('is the word embedded or a URL of one host', () => {
    expect(parseDatabaseUrl(' embedded ')).toEqual({ kind: 'embedded' })
    expect(parseDatabaseUrl('postgresql://me:p%40ss%2Fword@db.office.test:6543/chat?sslmode=verify-full')).toEqual({
      kind: 'server',
      connection: {
        host: 'db.office.test',
        port: 6543,
        user: 'me',
        password: 'p@ss/word',
        database: 'chat',
        tls: 'verify-full',
      },
    })
  })

  test('has the defaults of libpq: port 5432, the user’s name as database, TLS where there is some', () => {
    expect(parseDatabaseUrl('postgres://me@[::1]')).toEqual({
      kind: 'server',
      connection: { host: '::1', port: 5432, user: 'me', password: '', database: 'me', tls: 'prefer' },
    })
  })

  test('may name a folder with a Unix socket', () => {
    expect(parseDatabaseUrl('postgresql://me@localhost/chat?host=/run/postgresql')).toMatchObject({
      connection: { host: '/run/postgresql', port: 5432, tls: 'disable' },
    })
  })

  test.each([
    ['', /is empty: write "embedded" or a URL/],
    ['mysql://me@db/chat', /begins with postgresql:\/\//],
    ['jdbc:postgresql://db/chat', /without "jdbc:"/],
    ['db.office.test', /begins with postgresql:\/\//],
    ['postgresql://me@db1,db2/chat', /more than one host/],
    ['postgresql://me@db:99999/chat', /cannot be read: check the host, the port/],
    ['postgresql://me@db:0/chat', /a port is a number from 1 to 65535/],
    ['postgresql://me:p%zz@db/chat', /password in the database URL has a %/],
    ['postgresql://db/chat', /names no user/],
    ['postgresql://me@/chat', /names no host|cannot be read/],
    ['postgresql://me@db/chat?sslmode=yes', /sslmode=yes; known are disable/],
    ['postgresql://me@db/chat?target_session_attrs=any', /"target_session_attrs", which is not known here/],
  ])('%s is refused with a sentence', (text, sentence) => {
    expect(sentenceOf(text)).toMatch(sentence)
  })

  test('never shows its password in a sentence or a place', () => {
    expect(sentenceOf('postgresql://me:hidden@db:x/chat')).not.toContain('hidden')
    const target = parseDatabaseUrl('postgresql://me:hidden@db/chat')
    if (target.kind !== 'server') throw new Error('not a server')
    expect(placeOf(target.connection)).toBe('db:5432')
    expect(placeOf({ ...target.connection, host: '::1' })).toBe('[::1]:5432')
    expect(placeOf({ ...target.connection, host: '/run/postgresql' })).toBe('/run/postgresql (socket)')
  })

  test('is read back as it was printed, whatever stands in it', () => {
    const word = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }).filter(text => text.isWellFormed())
    const connections: fc.Arbitrary<Connection> = fc.record({
      host: fc.constantFrom('db.office.test', '10.0.0.1', '::1', '/run/my sockets'),
      port: fc.integer({ min: 1, max: 65_535 }),
      user: word,
      password: word,
      database: word.filter(text => text !== '.' && text !== '..'),
      tls: fc.constantFrom('disable', 'prefer', 'require', 'verify-full'),
    })
    fc.assert(
      fc.property(connections, connection => {
        expect(parseDatabaseUrl(printDatabaseUrl(connection))).toEqual({ kind: 'server', connection })
      }),
      { seed: 20261122 },
    )
  })
})
