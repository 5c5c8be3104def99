import { describe, expect, test } from 'vitest'
import type { DatabaseAddress } from '../address.ts'
import { printKeywords, readKeywords } from './keywords.ts'

const read = (text: string): DatabaseAddress => readKeywords(text, 0, text.length)

describe('libpq’s key=value spelling', () => {
  test.each([
    ['host=db user=me', { user: 'me', password: '', database: 'me', hosts: [{ host: 'db', port: 5432 }] }],
    ["host = db\n user= 'm e' password =''", { user: 'm e', password: '' }],
    [`host=db user=me password='it\\'s \\\\ "x"'`, { password: `it's \\ "x"` }],
    ['host=db user=me password=a\\ b\\\\c=;d', { password: 'a b\\c=;d' }],
    ["host=db user=me password=a'b", { password: "a'b" }],
    ['host=db user=me password=x\\', { password: 'x' }],
    ["host=db user='me'password=x", { user: 'me', password: 'x' }],
    [
      'host=a,::1,/run/pg port=1,,3 user=me',
      {
        hosts: [
          { host: 'a', port: 1 },
          { host: '::1', port: 5432 },
          { host: '/run/pg', port: 3 },
        ],
      },
    ],
    ['hostaddr=10.0.0.1,10.0.0.2 port=6 user=me', { hosts: [{ host: '10.0.0.1', port: 6 }, { port: 6 }] }],
    ['host=a host=b user=me', { hosts: [{ host: 'b' }] }],
    ['host=db user=me sslmode=verify-ca sslrootcert=/ca.pem', { tls: 'verify-ca', authorityFile: '/ca.pem' }],
  ])('reads %s', (text, meaning) => {
    expect(read(text)).toMatchObject(meaning)
  })

  test.each([
    ['host=db user', /word at character 9 that is not name=value/],
    ['host=db =x', /word at character 9 that is not name=value/],
    ["host=db user='me", /value at character 14 whose quote ' is never closed/],
    ['host=db:5432 user=me', /host .* at character 6 is no name and no address\. Hosts are written as host=db1,db2/],
    ['host=db usr=me', /parameter at character 9 that is not known; did you mean "user"\?/],
    ['host=db', /names no user, for example host=db1,db2/],
    ['user=me', /names no host, for example host=/],
  ])('refuses %s', (text, sentence) => {
    expect(() => read(text)).toThrow(sentence)
  })

  test('is printed with quotes only where they are needed', () => {
    expect(
      printKeywords({
        hosts: [{ host: '/run/my sockets', port: 5432 }],
        user: 'me',
        password: "it's \\",
        database: 'chat',
        tls: 'disable',
      }),
    ).toBe(`host='/run/my sockets' port=5432 user=me password='it\\'s \\\\' dbname=chat sslmode=disable`)
  })
})
