/** Database addresses for property tests: everything that a database URL can say, in the form in which it is read. */
import fc from 'fast-check'
import type { DatabaseAddress, HostPort } from '../../server/db/address.ts'

/** Words of any characters but NUL, with those that mean something in one of the spellings often among them. */
export function words(minLength: number): fc.Arbitrary<string> {
  const character = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...'@:/?#&=+;,%\'"\\ \t\n[](){}$!*~•é日😀') },
    { weight: 3, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).filter(text => text !== '\0') },
    { weight: 2, arbitrary: fc.constantFrom(...'abcXYZ019._-') },
  )
  return fc.array(character, { minLength, maxLength: 12 }).map(list => list.join(''))
}

const port = fc.oneof(fc.constantFrom(5432, 5433, 1, 65_535), fc.integer({ min: 1, max: 65_535 }))
const names = ['db', 'db1.office.test', 'my_db-2', '10.0.0.1', '::1', '2001:db8::17', 'fe80::1%eth0', 'bücher.test']
const addresses = ['192.0.2.7', '2001:db8::99', undefined, undefined, undefined]

function networkHost(): fc.Arbitrary<HostPort> {
  return fc
    .record({ host: fc.constantFrom(...names), port, address: fc.constantFrom(...addresses) })
    .map(({ host, port, address }) => ({ host, port, ...(address === undefined ? {} : { address }) }))
}

function socketHost(): fc.Arbitrary<HostPort> {
  return fc.record({ host: fc.constantFrom('/run/postgresql', '/tmp/my sockets', "/srv/it's", '/var/100%/"x"'), port })
}

const tls = fc.oneof(
  fc.constantFrom({ tls: 'disable' }, { tls: 'allow' }, { tls: 'prefer' }, { tls: 'require' }, { tls: 'verify-full' }),
  fc
    .record({
      tls: fc.constantFrom('prefer', 'verify-ca', 'verify-full'),
      authorityFile: fc.constantFrom('/etc/ssl/office.pem', 'C:\\Office Files\\ca;1.pem'),
    })
    .map(value => value),
) as fc.Arbitrary<Pick<DatabaseAddress, 'tls' | 'authorityFile'>>

/** Addresses of 1 to 8 hosts. Hosts differ even without their `hostaddr`, which not every spelling can say. */
export function databaseAddresses(): fc.Arbitrary<DatabaseAddress> {
  const host = fc.oneof({ weight: 4, arbitrary: networkHost() }, { weight: 1, arbitrary: socketHost() })
  return fc
    .record({
      hosts: fc.uniqueArray(host, { minLength: 1, maxLength: 8, selector: ({ host, port }) => `${host} ${port}` }),
      user: words(1),
      password: words(0),
      database: words(1),
      tls,
      more: fc.record(
        {
          channelBinding: fc.constantFrom('disable', 'prefer', 'require'),
          targetSessionAttrs: fc.constantFrom('any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'),
          loadBalanceHosts: fc.constantFrom('disable', 'random'),
          connectTimeoutS: fc.integer({ min: 0, max: 600 }),
          applicationName: words(1),
          options: words(1),
        },
        { requiredKeys: [] },
      ),
    })
    .map(({ tls, more, ...rest }) => ({
      ...rest,
      ...(rest.hosts.every(({ host }) => host.startsWith('/')) ? { tls: 'disable' } : tls),
      ...more,
    })) as fc.Arbitrary<DatabaseAddress>
}
