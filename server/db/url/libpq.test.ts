import { describe, expect, test } from 'vitest'
import type { DatabaseAddress } from '../address.ts'
import { DatabaseUrlFault } from './fault.ts'
import { printLibpq, readLibpq } from './libpq.ts'

const read = (text: string): DatabaseAddress => readLibpq(text, 0, text.length)

/** The hosts of a URL, short: “db1:5432 [::1]:5433”. */
function hostsOf(text: string): string {
  return read(text)
    .hosts.map(({ host, port, address }) => `${host} ${port}${address ? ` at ${address}` : ''}`)
    .join(', ')
}

function faultOf(text: string): DatabaseUrlFault {
  try {
    read(text)
  } catch (error) {
    if (error instanceof DatabaseUrlFault) return error
    throw error
  }
  throw new Error('no fault')
}

describe('hosts in a libpq URI', () => {
  test.each([
    ['postgres://me@db', 'db 5432'],
    ['postgresql://me@a:1,b:2,c/chat', 'a 1, b 2, c 5432'],
    ['postgresql://me@a,b:5433/chat', 'a 5432, b 5433'],
    ['postgresql://me@a,b/chat?port=5433', 'a 5433, b 5433'],
    ['postgresql://me@a:1,b:2/chat?port=7,8', 'a 7, b 8'],
    ['postgresql://me@[::1]:1,[2001:db8::2]/chat', '::1 1, 2001:db8::2 5432'],
    ['postgresql://me@[fe80::1%25eth0]/chat', 'fe80::1%eth0 5432'],
    ['postgresql:///chat?user=me&host=a,b&port=1', 'a 1, b 1'],
    ['postgresql:///chat?user=me&host=a%2Cb&port=1%2c2', 'a 1, b 2'],
    ['postgresql://me@%64b.office.test/chat', 'db.office.test 5432'],
    ['postgresql://me@%2Frun%2Fpostgresql/chat', '/run/postgresql 5432'],
    ['postgresql://me@%2Frun%2Fpostgresql:5433/chat', '/run/postgresql 5433'],
    ['postgresql://me@/chat?host=/run/my%20sockets', '/run/my sockets 5432'],
    ['postgresql://me@:5433/chat?host=/run/postgresql', '/run/postgresql 5433'],
    ['postgresql://me@a,b/chat?hostaddr=10.0.0.1,', 'a 5432 at 10.0.0.1, b 5432'],
    ['postgresql://me@/chat?hostaddr=10.0.0.1,10.0.0.2', '10.0.0.1 5432, 10.0.0.2 5432'],
  ])('%s are %s', (text, hosts) => {
    expect(hostsOf(text)).toBe(hosts)
  })

  test.each([
    ['postgresql://me@/chat', /names no host, for example postgresql:/, undefined],
    ['postgresql://me@a,,b/chat', /Host 2 in the database URL is empty at character 19/, 18],
    ['postgresql://me@a,/chat', /Host 2 in the database URL is empty/, 18],
    ['postgresql://me@a,b,a/chat', /Host 3 .* is the same as host 1/, 20],
    ['postgresql://me@a:0/chat', /port .* at character 19 is not a number from 1 to 65535\.$/, 18],
    ['postgresql://me@a:65536/chat', /is not a number from 1 to 65535/, 18],
    ['postgresql://me@a:5x/chat', /is not a number from 1 to 65535\. Write @ :/, 18],
    ['postgresql://me@a,b,c/chat?port=1,2', /2 ports for 3 hosts at character 33/, 32],
    ['postgresql://me@a,b/chat?hostaddr=10.0.0.1', /1 addresses \(hostaddr\) for 2 hosts/, 34],
    ['postgresql://me@a/chat?hostaddr=a.test', /hostaddr .* is no IP address/, 32],
    ['postgresql://me@[::1/chat', /not in whole brackets/, 16],
    ['postgresql://me@[::1]x/chat', /not in whole brackets/, 21],
    ['postgresql://me@::1/chat', /IPv6 address at character 17 without brackets/, 16],
    ['postgresql://me@a b/chat', /has a space or a line break at character 18/, 17],
    ['postgresql://me@a!/chat', /host .* is no name and no address/, 16],
    ['postgresql://me@%2Frun%2Fa%3Ab/chat', /folder of the socket .* a comma or a colon/, 16],
    [`postgresql://me@${Array.from({ length: 17 }, (_, i) => `h${i}`).join(',')}/chat`, /17 hosts: more than 16/, 70],
  ])('%s are refused', (text, sentence, at) => {
    const fault = faultOf(text)
    expect(fault.message).toMatch(sentence)
    expect(fault.at).toBe(at)
  })
})

describe('user, password and database in a libpq URI', () => {
  test.each([
    ['postgresql://me@db', { user: 'me', password: '', database: 'me' }],
    ['postgresql://me:@db/', { user: 'me', password: '', database: 'me' }],
    ['postgresql://m%40e:p%3A%2f%2C%25:+%C3%A9@db/ch%2Fat', { user: 'm@e', password: 'p:/,%:+é', database: 'ch/at' }],
    ['postgresql://me:p?q#r@db/chat', { user: 'me', password: 'p?q#r', database: 'chat' }],
    ['postgresql://db/?user=a&password=b%26&dbname=c', { user: 'a', password: 'b&', database: 'c' }],
    ['postgresql://me@db/chat?dbname=other&user=you', { user: 'you', password: '', database: 'other' }],
  ])('%s', (text, parts) => {
    expect(read(text)).toMatchObject(parts)
  })

  test.each([
    ['postgresql://db/chat', /names no user, for example/, undefined],
    ['postgresql://:secret@db/chat', /names no user/, undefined],
    ['postgresql://me:p@ss@db/chat', /password .* has an @ or a \/ at character 18/, 17],
    ['postgresql://me:p/ss@db/chat', /password .* has an @ or a \/ at character 18/, 17],
    ['postgresql://me:12/34@db/chat', /password .* has an @ or a \//, 18],
    [
      'postgresql://me:p%zz@db/chat',
      /password .* has a % that begins no code at character 18: write a plain % as %25/,
      17,
    ],
    ['postgresql://me:%41%C3@db/chat', /password .* has a % code at character 17 that stands for no character/, 16],
    ['postgresql://me@db/a%00b', /database name .* has a % code at character 21/, 20],
    ['postgresql://me@db/chat?password', /parameter at character 25 without a value/, 24],
  ])('%s is refused', (text, sentence, at) => {
    const fault = faultOf(text)
    expect(fault.message).toMatch(sentence)
    expect(fault.at).toBe(at)
  })
})

describe('parameters in a libpq URI', () => {
  test('say the rest', () => {
    expect(
      read(
        'postgresql://me@db/chat?target_session_attrs=prefer-standby&load_balance_hosts=random&connect_timeout=5' +
          '&channel_binding=require&application_name=our%20office&options=-c%20search_path%3Dx&sslmode=allow',
      ),
    ).toMatchObject({
      targetSessionAttrs: 'prefer-standby',
      loadBalanceHosts: 'random',
      connectTimeoutS: 5,
      channelBinding: 'require',
      applicationName: 'our office',
      options: '-c search_path=x',
      tls: 'allow',
    })
  })

  test('that change nothing for us are read and left', () => {
    const plain = read('postgresql://me@db/chat')
    expect(plain).toEqual({
      hosts: [{ host: 'db', port: 5432 }],
      user: 'me',
      password: '',
      database: 'chat',
      tls: 'prefer',
    })
    expect(
      read(
        'postgresql://me@db/chat?keepalives=1&tcp_user_timeout=9&gssencmode=disable&client_encoding=UTF8&sslcompression=0' +
          '&fallback_application_name=x&application_name=&sslrootcert=&ssl_min_protocol_version=TLSv1.2',
      ),
    ).toEqual(plain)
  })

  test.each([
    ['sslmode=yes', /value for sslmode at character 33 that is not known; known are disable, allow/],
    ['target_session_attrs=master', /value for target_session_attrs .*read-write/],
    ['load_balance_hosts=true', /known are disable, random/],
    ['channel_binding=on', /known are disable, prefer, require/],
    ['connect_timeout=601', /seconds from 0 to 600/],
    ['connect_timeout=-1', /seconds from 0 to 600/],
    ['sslcert=x.pem', /has sslcert at character 25, which asks for signing in with a certificate/],
    ['service=x', /has service .* a service file/],
    ['passfile=x', /has passfile .* a password file/],
    ['requirepeer=x', /has requirepeer/],
    ['gssencmode=require', /has gssencmode .*only disable, prefer can be used/],
    ['client_encoding=latin1', /has client_encoding .*only utf8/],
    ['ssl=false', /has ssl .* write sslmode/],
    ['target_sesion_attrs=any', /did you mean "target_session_attrs"\?/],
    ['SSLMODE=require', /did you mean "sslmode"\?/],
    ['something_else=1', /is not known; known are host, hostaddr, port/],
  ])('that cannot be used are named: %s', (parameter, sentence) => {
    expect(faultOf(`postgresql://me@db/chat?${parameter}`).message).toMatch(sentence)
  })
})

describe('TLS in a libpq URI', () => {
  test.each([
    ['', { tls: 'prefer' }],
    ['?ssl=true', { tls: 'require' }],
    ['?sslmode=require', { tls: 'require' }],
    // "if a root CA file exists, the behavior of sslmode=require will be the same as that of verify-ca"
    ['?sslmode=require&sslrootcert=/ca.pem', { tls: 'verify-ca', authorityFile: '/ca.pem' }],
    ['?sslmode=verify-full&sslrootcert=/ca.pem', { tls: 'verify-full', authorityFile: '/ca.pem' }],
    ['?sslrootcert=system', { tls: 'verify-full' }],
    ['?sslrootcert=system&sslmode=verify-full', { tls: 'verify-full' }],
    ['?host=/run/a,/run/b&sslmode=require', { tls: 'disable' }],
    ['?host=/run/a,b', { tls: 'prefer' }],
  ])('%s means what it means there', (query, meaning) => {
    const {
      hosts: _hosts,
      user: _user,
      password: _password,
      database: _database,
      ...rest
    } = read(`postgresql://me@db/chat${query}`)
    expect(rest).toEqual(meaning)
  })

  test('that checks less than it seems is refused', () => {
    expect(faultOf('postgresql://me@db/chat?sslrootcert=system&sslmode=require').message).toMatch(
      /goes with sslmode=verify-full only/,
    )
    expect(faultOf('postgresql://me@db/chat?sslmode=verify-ca').message).toMatch(/verify-ca without sslrootcert/)
  })
})

test('an address is printed so that shells and configuration files leave it alone', () => {
  const address: DatabaseAddress = {
    hosts: [
      { host: 'db1', port: 5432, address: '10.0.0.1' },
      { host: 'fe80::1%eth0', port: 5433 },
      { host: '/run/my sockets', port: 5432 },
    ],
    user: "o'neill",
    password: '(a)*!$`"',
    database: 'chat',
    tls: 'verify-full',
  }
  expect(printLibpq(address)).toBe(
    'postgresql://o%27neill:%28a%29%2A%21%24%60%22@db1:5432,[fe80::1%25eth0]:5433,%2Frun%2Fmy%20sockets:5432/chat' +
      '?hostaddr=10.0.0.1%2C%2C&sslmode=verify-full&sslrootcert=system',
  )
})
