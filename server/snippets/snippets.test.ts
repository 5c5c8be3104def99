import { execFile, spawn } from 'node:child_process'
import { appendFile, chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { poolerProgram, startPgBouncer } from '../../test/support/poolers.ts'
import { startPair, urlOf } from '../../test/support/postgres-pair.ts'
import {
  account,
  eventually,
  PostgresServer,
  quietPort,
  removeServers,
  runProgram,
  serverFolder,
} from '../../test/support/postgres-server.ts'
import { repmgrFolder } from '../../test/support/repmgr.ts'
import { databaseUser } from '../db/embedded/os-user.ts'
import { tryDatabase } from '../db/inspect/inspect.ts'
import { parseDatabaseUrl } from '../db/url.ts'
import { snippetParts } from './servers.ts'
import { type Snippet, snippetsFor } from './snippets.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'lanthorn-snippets-'))
  // repmgr runs as another user when the tests run as root.
  await chmod(folder, 0o755)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function madeFor(url: string): Snippet[] {
  const target = parseDatabaseUrl(url)
  if (target.kind !== 'server') throw new Error('a URL of servers')
  return snippetsFor(target.address)
}
const textOf = (id: string, snippets = snippetsFor(undefined)): string => {
  const found = snippets.find(snippet => snippet.id === id)
  if (!found) throw new Error(`no snippet ${id}`)
  return found.text
}
/** Runs a program; gives what it wrote, whatever its exit code. */
async function run(program: string, args: string[]): Promise<{ code: number; text: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, { cwd: folder, timeout: 20_000 })
    return { code: 0, text: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, text: stdout + stderr }
  }
}
async function fileOf(name: string, text: string): Promise<string> {
  const file = path.join(folder, name)
  await writeFile(file, text)
  return file
}
/** Asks through a port; nothing while nobody answers there. */
async function asked(port: number, question: string): Promise<{ rows: Record<string, unknown>[] }> {
  const client = new pg.Client({ host: '127.0.0.1', port, ...account, connectionTimeoutMillis: 2_000 })
  client.on('error', () => undefined) // the question reports it
  try {
    await client.connect()
    return await client.query(question)
  } catch {
    return { rows: [] } // not yet
  } finally {
    await client.end().catch(() => undefined) // it was never connected
  }
}
/** A snippet as a server without anything around it would take it: postgresql.conf, as names and values. */
const settingsIn = (text: string): [string, string][] =>
  [...text.matchAll(/^(\w+) = (.+)$/gm)].map(([, name = '', value = '']) => [name, value.replace(/^'|'$/g, '')])

describe('ready-made configuration', () => {
  test('is for the hosts, the user and the database of the URL, and never has its password', () => {
    const snippets = madeFor('postgresql://chat:s3cret-pw@10.0.0.1:5433,fd00::2/acme'.replace('fd00::2', '[fd00::2]'))
    expect(textOf('pg-hba', snippets)).toMatch(/replication +repmgr +10\.0\.0\.1\/32 +scram-sha-256/)
    expect(textOf('pg-hba', snippets)).toMatch(/fd00::2\/128/)
    expect(textOf('pg-hba', snippets)).toMatch(/^host +acme +chat +samenet/m)
    expect(textOf('repmgr-1', snippets)).toContain("conninfo='host=10.0.0.1 port=5433 ")
    expect(textOf('haproxy', snippets)).toContain('server db-2 [fd00::2]:5432 backup')
    expect(textOf('compose', snippets)).toContain('POSTGRESQL_DATABASE: acme')
    expect(JSON.stringify(snippets)).not.toContain('s3cret')
  })

  test('has made-up hosts without a URL, and for names that would need quoting', () => {
    expect(snippetParts(undefined)).toEqual({
      servers: [
        { name: 'db-1', host: 'db-1', port: 5432 },
        { name: 'db-2', host: 'db-2', port: 5432 },
      ],
      user: 'lanthorn',
      database: 'lanthorn',
    })
    const odd = parseDatabaseUrl("postgresql://a'%22b:c@%2Frun%2Fpg/x%0Ay")
    if (odd.kind !== 'server') throw new Error('a URL of servers')
    expect(snippetParts(odd.address)).toEqual(snippetParts({ ...odd.address, hosts: [{ host: 'db-1', port: 5432 }] }))
    expect(snippetParts(odd.address)).toMatchObject({ user: 'lanthorn', database: 'lanthorn' })
  })

  test('is told apart by id, and says where each file goes', () => {
    const snippets = snippetsFor(undefined)
    expect(new Set(snippets.map(({ id }) => id)).size).toBe(snippets.length)
    for (const { sentence, text } of snippets) {
      expect(sentence).toMatch(/\.$/)
      expect(text).toMatch(/[^\n]\n$/)
      expect(text.split('\n').every(line => line.length <= 160)).toBe(true)
    }
  })
})

describe('PostgreSQL', () => {
  test.skipIf(repmgrFolder() === undefined)(
    'starts with these settings, and repmgr registers it with its file',
    async () => {
      const settings = settingsIn(textOf('postgresql-conf')).filter(([name]) => !/^(port|listen_addresses)$/.test(name))
      expect(settings.length).toBeGreaterThan(10)
      const programs = { folder: repmgrFolder() ?? '', user: await databaseUser() }
      const parent = await serverFolder()
      const server = new PostgresServer({ name: 'db-1', parent, programs, port: await quietPort() })
      try {
        await server.create(Object.fromEntries(settings))
        await server.start()
        const [row] = await server.ask<{ size: string }>("SELECT current_setting('wal_keep_size') AS size")
        expect(row?.size).toBe('1GB')
        await server.ask('CREATE ROLE repmgr SUPERUSER LOGIN')
        await server.ask('CREATE DATABASE repmgr OWNER repmgr')
        const repmgr = async (id: string, args: string[], more = ''): Promise<string> => {
          const text = textOf(id, madeFor(`postgresql://a:b@127.0.0.1:${server.port},localhost:${server.port}/c`))
            .replace(/^data_directory=.*$/m, `data_directory='${server.dataFolder}'`)
            .replace(/^pg_bindir=.*$/m, `pg_bindir='${programs.folder}'`)
            .replace(/^log_file=.*$/m, '')
          return await runProgram(programs, 'repmgr', ['-f', await fileOf(`${id}.conf`, text + more), ...args])
        }
        expect(await repmgr('repmgr-1', ['primary', 'register'])).not.toMatch(/WARNING|ERROR|unknown/)
        expect(await repmgr('repmgr-2', ['cluster', 'show'])).toMatch(/db-1 +\| primary \| \* running/)
        // What it does not know, it says: so the above would have been heard.
        expect(await repmgr('repmgr-2', ['cluster', 'show'], 'no_such_key=1\n')).toMatch(/no_such_key/)
      } finally {
        await removeServers([server], parent)
      }
    },
    60_000,
  )

  test('understands the lines about who may come in', async () => {
    await using pair = await startPair()
    const { primary } = pair
    await appendFile(path.join(primary.dataFolder, 'pg_hba.conf'), textOf('pg-hba'))
    const before = await primary.ask('SELECT FROM pg_hba_file_rules WHERE error IS NULL')
    const wrong = await primary.ask('SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL')
    expect(wrong).toEqual([])
    expect(before.length).toBeGreaterThan(6)
  })
})

describe('proxies', () => {
  test.skipIf(poolerProgram('haproxy') === undefined)('HAProxy takes its file', async () => {
    for (const text of [
      textOf('haproxy'),
      textOf('haproxy', madeFor('postgresql://a:b@127.0.0.1:5433,[::1]:5434/c')),
    ]) {
      const file = await fileOf('haproxy.cfg', text)
      expect(await run(poolerProgram('haproxy') ?? '', ['-c', '-f', file])).toMatchObject({ code: 0 })
    }
  })

  test.skipIf(poolerProgram('haproxy') === undefined)(
    'HAProxy leads to the main database, whichever it is',
    async () => {
      await using pair = await startPair()
      await pair.primary.ask('CREATE ROLE haproxy_check LOGIN')
      await pair.caughtUp()
      for (const server of pair.servers) {
        const file = path.join(server.dataFolder, 'pg_hba.conf')
        await writeFile(file, `host postgres haproxy_check 127.0.0.1/32 trust\n${await readFile(file, 'utf8')}`)
        await server.ask('SELECT pg_reload_conf()')
      }
      const port = await quietPort()
      const text = textOf('haproxy', madeFor(pair.url())).replace('bind :5000', `bind 127.0.0.1:${port}`)
      const proxy = spawn(poolerProgram('haproxy') ?? '', ['-db', '-f', await fileOf('running.cfg', text)], {
        stdio: 'ignore',
      })
      try {
        const leadsTo = (server: PostgresServer) =>
          eventually(`HAProxy to lead to ${server.name}`, async () => {
            const { rows } = await asked(port, 'SELECT inet_server_port() AS port')
            return rows[0]?.port === server.port
          })
        await leadsTo(pair.primary)
        const [old, next] = [pair.primary, pair.standby]
        await old.kill9()
        await pair.promote()
        await leadsTo(next)
      } finally {
        proxy.kill('SIGKILL')
      }
    },
    60_000,
  )

  test.skipIf(poolerProgram('pgbouncer') === undefined)(
    'PgBouncer takes its file, and Lanthorn works through it',
    async () => {
      await using pair = await startPair()
      const text = textOf('pgbouncer')
      const own = Object.fromEntries(
        [...text.slice(text.indexOf('[pgbouncer]')).matchAll(/^(\w+) = ?(.*)$/gm)]
          .map(([, name = '', value = '']) => [name, value] as const)
          .filter(([name]) => !/^(listen_|auth_file)/.test(name)),
      )
      expect(Object.keys(own)).toEqual(
        expect.arrayContaining(['pool_mode', 'default_pool_size', 'ignore_startup_parameters']),
      )
      await using pooler = await startPgBouncer(pair.primary, own)
      expect((await tryDatabase(urlOf([pooler]))).state).not.toBe('bad')
      expect(await pooler.log()).not.toMatch(/WARNING|ERROR|unrecognized/)
    },
  )
})

describe('the steps and the containers', () => {
  test('the steps are commands that a shell can read', async () => {
    const file = await fileOf('steps.sh', textOf('repmgr-steps'))
    expect(await run('sh', ['-n', file])).toEqual({ code: 0, text: '' })
  })

  test('the containers are told apart, keep their data, and are reached from this PC only', () => {
    const tree = yamlTree(textOf('compose'))
    expect([...tree.keys()].filter(key => !key.includes('/'))).toEqual(['services', 'volumes'])
    for (const [name, port] of [
      ['db-1', '5432'],
      ['db-2', '5433'],
    ]) {
      const at = (key: string) => tree.get(`services/${name}/${key}`)
      expect(at('image')).toEqual(['bitnamilegacy/postgresql-repmgr:17.6.0'])
      expect(at('ports')).toEqual([`"127.0.0.1:${port}:5432"`])
      expect(at('volumes')).toEqual([`${name}-data:/bitnami/postgresql`])
      expect(at('environment/REPMGR_NODE_NAME')).toEqual([name])
      expect(at('environment/REPMGR_PARTNER_NODES')).toEqual(['db-1,db-2:5432'])
      expect(tree.has(`volumes/${name}-data`)).toBe(true)
    }
    const keys = [...tree.keys()].filter(key => key.startsWith('services/db-1/environment/'))
    expect(keys.map(key => key.split('/').at(-1))).toEqual([
      'POSTGRESQL_POSTGRES_PASSWORD',
      'POSTGRESQL_USERNAME',
      'POSTGRESQL_PASSWORD',
      'POSTGRESQL_DATABASE',
      'REPMGR_PASSWORD',
      'REPMGR_PRIMARY_HOST',
      'REPMGR_PARTNER_NODES',
      'REPMGR_NODE_NAME',
      'REPMGR_NODE_NETWORK_NAME',
    ])
  })
})

/** As much of YAML as the file uses: maps by indentation of two, and lists below them. Anything else is an error. */
function yamlTree(text: string): Map<string, string[]> {
  const tree = new Map<string, string[]>()
  const place: string[] = []
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue
    const [, indent = '', dash = '', rest = ''] = /^( *)(- )?(.*)$/.exec(line) ?? []
    expect(indent.length % 2, line).toBe(0)
    const depth = indent.length / 2
    expect(depth, line).toBeLessThanOrEqual(place.length)
    if (dash) {
      tree.get(place.slice(0, depth).join('/'))?.push(rest)
      continue
    }
    const [, key = '', value = ''] = /^([\w-]+):(?: (.+))?$/.exec(rest) ?? []
    expect(key, line).not.toBe('')
    place.splice(depth, place.length, key)
    expect(tree.has(place.join('/')), line).toBe(false)
    tree.set(place.join('/'), value && value !== '{}' ? [value] : [])
  }
  return tree
}
