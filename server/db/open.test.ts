import { chmod, chown, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  account,
  makeAccount,
  ownPrograms,
  PostgresServer,
  quietPort,
  removeServers,
  serverFolder,
} from '../../test/support/postgres-server.ts'
import { createAuthority, issue } from '../net/ca.ts'
import type { Connection } from './address.ts'
import type { DatabaseAway } from './errors.ts'
import { farewell, openClient } from './open.ts'

const limits = { connectTimeoutMs: 5_000, queryTimeoutMs: 5_000 }

let parent: string
let server: PostgresServer
let authorityFile: string
let strangerFile: string

/** A server with a certificate for db.office.test, which lets people in as their user name says. */
beforeAll(async () => {
  parent = await serverFolder()
  const programs = await ownPrograms()
  server = new PostgresServer({ name: 'secure', parent, port: await quietPort(), programs })
  const [authority, stranger] = await Promise.all([createAuthority('ACME'), createAuthority('Somebody')])
  const leaf = await issue(authority, { name: 'db', dnsNames: ['db.office.test'], addresses: [] })
  authorityFile = path.join(parent, 'authority.pem')
  strangerFile = path.join(parent, 'stranger.pem')
  await writeFile(authorityFile, authority.certificate)
  await writeFile(strangerFile, stranger.certificate)
  await server.create({ ssl: 'on', ssl_cert_file: 'server.pem', ssl_key_file: 'server.key' })
  const write = async (name: string, content: string): Promise<void> => {
    const file = path.join(server.dataFolder, name)
    await writeFile(file, content)
    await chmod(file, 0o600)
    if (programs.user) await chown(file, programs.user.uid, programs.user.gid)
  }
  await write('server.pem', leaf.certificate)
  await write('server.key', leaf.key)
  await write(
    'pg_hba.conf',
    `host all postgres 127.0.0.1/32 trust
     hostssl all only_tls 127.0.0.1/32 scram-sha-256
     hostnossl all no_tls 127.0.0.1/32 scram-sha-256
     host all cleartext 127.0.0.1/32 password
     host all lanthorn 127.0.0.1/32 scram-sha-256`,
  )
  await server.start()
  await makeAccount(server)
  for (const name of ['only_tls', 'no_tls', 'cleartext']) {
    await server.ask(`CREATE ROLE ${name} LOGIN PASSWORD '${account.password}'`)
  }
})
afterAll(() => removeServers([server], parent))

/** How a connection ends up: 'TLS', 'plain', or why there is none. */
async function outcome(change: Partial<Connection>): Promise<string> {
  const connection: Connection = {
    ...account,
    host: 'db.office.test',
    address: '127.0.0.1',
    port: server.port,
    tls: 'prefer',
    ...change,
  }
  try {
    const { client } = await openClient(connection, limits)
    const { rows } = await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')
    await farewell(client)
    return rows[0].ssl ? 'TLS' : 'plain'
  } catch (error) {
    return (error as DatabaseAway).reason
  }
}

describe('sslmode means what it means to libpq', () => {
  test.each<[string, Partial<Connection>, string]>([
    ['disable', { tls: 'disable' }, 'plain'],
    ['disable, where TLS is demanded', { tls: 'disable', user: 'only_tls' }, 'denied'],
    ['allow', { tls: 'allow' }, 'plain'],
    ['allow, where TLS is demanded', { tls: 'allow', user: 'only_tls' }, 'TLS'],
    ['prefer', { tls: 'prefer' }, 'TLS'],
    ['prefer, where TLS is refused', { tls: 'prefer', user: 'no_tls' }, 'plain'],
    ['require, whoever signed', { tls: 'require' }, 'TLS'],
    ['require, where TLS is refused', { tls: 'require', user: 'no_tls' }, 'denied'],
  ])('%s', async (_, change, expected) => {
    expect(await outcome(change)).toBe(expected)
  })

  test('require with an authority checks who signed, as verify-ca does, but not the name', async () => {
    for (const tls of ['require', 'verify-ca'] as const) {
      expect(await outcome({ tls, authorityFile, host: 'elsewhere.test' })).toBe('TLS')
      expect(await outcome({ tls, authorityFile: strangerFile })).toBe('untrusted')
    }
  })

  test('verify-full checks the name of the URL, also when hostaddr says where to connect', async () => {
    expect(await outcome({ tls: 'verify-full', authorityFile })).toBe('TLS')
    expect(await outcome({ tls: 'verify-full', authorityFile, host: 'elsewhere.test' })).toBe('untrusted')
    expect(await outcome({ tls: 'verify-full', authorityFile: strangerFile })).toBe('untrusted')
    expect(await outcome({ tls: 'verify-full' })).toBe('untrusted')
  })
})

describe('channel_binding=require', () => {
  const change = { channelBinding: 'require', tls: 'require' } as const

  test('is fulfilled by SCRAM over TLS', async () => {
    expect(await outcome(change)).toBe('TLS')
  })

  test.each<[string, Partial<Connection>]>([
    ['without TLS', { tls: 'disable' }],
    ['when the server asks for no password', { user: 'postgres' }],
    ['when the server wants the password itself', { user: 'cleartext' }],
  ])('refuses to log in %s', async (_, more) => {
    expect(await outcome({ ...change, ...more })).toBe('untrusted')
  })

  test('prefer and disable do without', async () => {
    expect(await outcome({ ...change, channelBinding: 'prefer', tls: 'disable' })).toBe('plain')
    expect(await outcome({ ...change, channelBinding: 'disable' })).toBe('TLS')
    expect(await outcome({ ...change, channelBinding: 'prefer', user: 'cleartext' })).toBe('TLS')
  })
})

test('options of the URL count', async () => {
  const connection: Connection = {
    ...account,
    host: '127.0.0.1',
    port: server.port,
    tls: 'prefer',
    options: '-c lock_timeout=1234ms',
  }
  const { client, terms } = await openClient(connection, limits)
  expect((await client.query('SHOW lock_timeout')).rows).toEqual([{ lock_timeout: '1234ms' }])
  expect(terms).toEqual({})
  await farewell(client)
})
