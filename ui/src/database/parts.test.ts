import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hostsMax, noParts, partsOf, tlsModes, urlOf, withoutPassword } from './parts.ts'

describe('a URL and the parts of its form', () => {
  test('parts make a URL, and the URL makes the same parts', () => {
    const word = fc.string({ maxLength: 12 }).map(text => text.trim())
    const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6(), fc.constant('/var/run/postgresql'))
    const parts = fc.record({
      hosts: fc.array(fc.record({ host, port: fc.oneof(fc.constant(''), fc.nat(65_535).map(String)) }), {
        minLength: 1,
        maxLength: hostsMax,
      }),
      user: word.filter(text => text !== ''),
      password: fc.string({ maxLength: 20 }),
      database: word,
      tls: fc.constantFrom(...tlsModes),
      rest: fc.constantFrom([], ['target_session_attrs=read-write'], ['connect_timeout=3', 'application_name=chat']),
    })
    fc.assert(
      fc.property(parts, one => {
        expect(partsOf(urlOf(one))).toEqual(one)
      }),
    )
  })

  test('a URL of two servers fills two rows', () => {
    const parts = partsOf(
      'postgresql://lanthorn:p%40ss@db1:5432,[fd00::2]/office?sslmode=verify-full&connect_timeout=3',
    )
    expect(parts).toEqual({
      hosts: [
        { host: 'db1', port: '5432' },
        { host: 'fd00::2', port: '' },
      ],
      user: 'lanthorn',
      password: 'p@ss',
      database: 'office',
      tls: 'verify-full',
      rest: ['connect_timeout=3'],
    })
  })

  test('a form with nothing in it is the empty text', () => expect(urlOf(noParts)).toBe(''))

  test('a row without a host is left out', () => {
    const hosts = [
      { host: 'db1', port: '' },
      { host: ' ', port: '5433' },
    ]
    expect(urlOf({ ...noParts, hosts, user: 'lanthorn' })).toBe('postgresql://lanthorn@db1')
  })

  test('what only the server can read is left to it', () => {
    const others = [
      'jdbc:postgresql://db1,db2/office',
      'Host=db1;Username=lanthorn',
      'host=db1 user=lanthorn',
      'postgresql://lanthorn:50%@db1/office',
      'postgresql://lanthorn@db1:port/office',
      'postgresql://lanthorn@/office?host=db1,db2',
      'postgresql://lanthorn@db1/office?sslmode=perhaps',
    ]
    for (const other of others) expect(partsOf(other), other).toBeUndefined()
  })
})

test('no spelling shows its password', () => {
  const spellings = [
    'postgresql://lanthorn:s3cr%20et@db1,db2/office',
    'jdbc:postgresql://db1,db2/office?user=lanthorn&password=s3cr%20et&targetServerType=primary',
    "Host=db1;Username=lanthorn;Password='s3cr;et';Database=office",
    'Host=db1;Password="s3cr""et";Database=office',
    "host=db1,db2 user=lanthorn password='s3cr \\'et' dbname=office",
    'host=db1 password=s3cret dbname=office',
  ]
  for (const spelling of spellings) {
    const hidden = withoutPassword(spelling)
    expect(hidden).toContain('••••')
    expect(hidden).toMatch(/office|Username/)
    expect(hidden, spelling).not.toMatch(/s3cr|et['"]/)
  }
})
