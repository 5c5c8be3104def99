import { describe, expect, test } from 'vitest'
import type { DatabaseAddress, SessionAttrs } from '../address.ts'
import { printJdbc, readJdbc } from './jdbc.ts'

const read = (text: string): DatabaseAddress => readJdbc(text, 0, text.length)
const base: DatabaseAddress = {
  hosts: [{ host: 'db', port: 5432 }],
  user: 'me',
  password: '',
  database: 'chat',
  tls: 'prefer',
}

describe('a JDBC URL', () => {
  test.each([
    ['jdbc:postgresql://db/chat?user=me', base],
    ['jdbc:postgresql://db/?user=chat', { ...base, user: 'chat' }],
    ['jdbc:postgresql:chat?user=me', { ...base, hosts: [{ host: 'localhost', port: 5432 }] }],
    ['jdbc:postgresql:///chat?user=me', { ...base, hosts: [{ host: 'localhost', port: 5432 }] }],
    ['jdbc:postgresql:/?user=chat', { ...base, user: 'chat', hosts: [{ host: 'localhost', port: 5432 }] }],
    ['jdbc:postgresql:/?user=me&PGHOST=db&PGDBNAME=chat&PGPORT=5432', base],
    [
      'jdbc:postgresql://a:1,[::1]:2,[::2]/chat?user=me',
      {
        ...base,
        hosts: [
          { host: 'a', port: 1 },
          { host: '::1', port: 2 },
          { host: '::2', port: 5432 },
        ],
      },
    ],
    // Java's decoder: a plus sign is a space.
    ['jdbc:postgresql://db/chat?user=me&password=a+b%2Bc%26d=e', { ...base, password: 'a b+c&d=e' }],
    [
      'jdbc:postgresql://db/chat?user=me&loadBalanceHosts=true&connectTimeout=3&ApplicationName=x&options=-c%20a%3Db&channelBinding=require',
      {
        ...base,
        loadBalanceHosts: 'random',
        connectTimeoutS: 3,
        applicationName: 'x',
        options: '-c a=b',
        channelBinding: 'require',
      },
    ],
    ['jdbc:postgresql://db/chat?user=me&socketTimeout=3&tcpKeepAlive=true&loginTimeout=9&prepareThreshold=0&', base],
    ['jdbc:postgresql://db/chat?user=me&ssl=true', { ...base, tls: 'verify-full' }],
    ['jdbc:postgresql://db/chat?user=me&ssl', { ...base, tls: 'verify-full' }],
    ['jdbc:postgresql://db/chat?user=me&ssl=false', base],
    ['jdbc:postgresql://db/chat?user=me&sslmode=require&ssl=true', { ...base, tls: 'require' }],
    ['jdbc:postgresql://db/chat?user=me&ssl=true&sslmode=require', { ...base, tls: 'require' }],
    [
      'jdbc:postgresql://db/chat?user=me&ssl=true&sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory',
      { ...base, tls: 'verify-full' },
    ],
  ])('%s is read as pgjdbc reads it', (text, meaning) => {
    expect(read(text)).toEqual(meaning)
  })

  test.each<[string, SessionAttrs]>([
    ['any', 'any'],
    ['primary', 'primary'],
    ['master', 'primary'],
    ['preferPrimary', 'primary'],
    ['secondary', 'standby'],
    ['slave', 'standby'],
    ['preferSecondary', 'prefer-standby'],
    ['preferSlave', 'prefer-standby'],
  ])('with targetServerType=%s means %s', (type, attrs) => {
    const text = `jdbc:postgresql://db/chat?user=me&targetServerType=${type}`
    expect(read(text).targetSessionAttrs).toBe(attrs)
  })

  test.each([
    ['jdbc:mysql://db/chat', /not for PostgreSQL: it begins like jdbc:postgresql:/],
    ['jdbc:postgresql://db/chat', /names no user, for example jdbc:postgresql:/],
    [
      'jdbc:postgresql://me:secret@db/chat',
      /user before its hosts at character 19\. .*user and password stand at the end/,
    ],
    ['jdbc:postgresql://a,,b/chat?user=me', /Host 2 in the database URL is empty at character 21/],
    ['jdbc:postgresql://db:x/chat?user=me', /port .* at character 22/],
    ['jdbc:postgresql://db/chat?user=me&targetServerType=read-write', /targetServerType .*preferSecondary/],
    ['jdbc:postgresql://db/chat?user=me&targetServer=any', /did you mean "targetServerType"\?/],
    ['jdbc:postgresql://db/chat?user=me&currentSchema=x', /has currentSchema .* options=-c%20search_path/],
    ['jdbc:postgresql://db/chat?user=me&readOnly=true', /has readOnly .*only false/],
    [
      'jdbc:postgresql://db/chat?user=me&sslfactory=org.postgresql.ssl.NonValidatingFactory',
      /has sslfactory .*write sslmode=require/,
    ],
    ['jdbc:postgresql://db/chat?user=me&socketFactory=a.B', /has socketFactory .* class of Java/],
    ['jdbc:postgresql://db/chat?user=me&socketFactoryArg=/x', /class of Java/],
  ])('%s is refused', (text, sentence) => {
    expect(() => read(text)).toThrow(sentence)
  })

  test('names one Unix socket as the driver’s documentation does, and says that it cannot name two', () => {
    const socket: DatabaseAddress = { ...base, hosts: [{ host: '/run/postgresql', port: 5433 }], tls: 'disable' }
    const text = printJdbc(socket)
    expect(text).toContain('socketFactoryArg=%2Frun%2Fpostgresql%2F.s.PGSQL.5433')
    expect(read(text)).toEqual(socket)
    expect(printJdbc({ ...socket, hosts: [...socket.hosts, ...base.hosts] })).toBe(
      'JDBC cannot name a Unix socket among several hosts.',
    )
  })

  test('connects to hostaddr, unless the certificate needs the name', () => {
    const hosts = [{ host: 'db', port: 5432, address: '10.0.0.1' }]
    expect(printJdbc({ ...base, hosts })).toMatch(/\/\/10\.0\.0\.1:5432\//)
    expect(printJdbc({ ...base, hosts, tls: 'verify-full' })).toMatch(/\/\/db:5432\//)
  })
})
