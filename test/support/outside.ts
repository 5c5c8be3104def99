/** An outside PostgreSQL for tests: Debian's own 15, one server per test file, a fresh database per test. */
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll } from 'vitest'
import type { Connection } from '../../server/db/address.ts'
import { databaseUser, type OsUser } from '../../server/db/embedded/os-user.ts'

const bin = '/usr/lib/postgresql/15/bin'
const startMs = 30_000
const superuser = 'keeper'

/** Whether Debian's PostgreSQL 15 is installed: tests with two versions are left out elsewhere. */
export const hasOutside = existsSync(path.join(bin, 'postgres'))

interface Server {
  readonly port: number
  readonly folder: string
  stop(): Promise<void>
}

let server: Promise<Server> | undefined

// Registered while the test file is being read: a hook that is added by a running test would never run.
afterAll(async () => {
  const running = await server?.catch(() => undefined)
  await running?.stop()
  server = undefined
}, 60_000)

/** The connection to a new, empty database of the file's PostgreSQL 15 with an ordinary account, and the function that drops it. */
export async function freshOutside(
  options: { encoding?: string } = {},
): Promise<{ connection: Connection; url: string; drop(): Promise<void> }> {
  server ??= startServer()
  const { port } = await server
  const name = `outside_${randomBytes(6).toString('hex')}`
  const encoding = options.encoding ?? 'UTF8'
  await asKeeper(`CREATE ROLE ${name} LOGIN PASSWORD '${name}'`)
  await asKeeper(`CREATE DATABASE ${name} OWNER ${name} ENCODING '${encoding}' LOCALE 'C' TEMPLATE template0`)
  const connection: Connection = {
    host: '127.0.0.1',
    port,
    user: name,
    password: name,
    database: name,
    tls: 'disable',
  }
  const url = `postgresql://${name}:${name}@127.0.0.1:${port}/${name}?sslmode=disable`
  return {
    connection,
    url,
    drop: async () => {
      await asKeeper(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
      await asKeeper(`DROP ROLE IF EXISTS ${name}`)
    },
  }
}

/** One statement of the account that may do everything, on the maintenance database or the one named. */
export async function asKeeper(statement: string, database = 'postgres'): Promise<Record<string, unknown>[]> {
  const { port } = await (server ?? startServer())
  const client = new pg.Client({ host: '127.0.0.1', port, user: superuser, database, ssl: false })
  await client.connect()
  try {
    return (await client.query(statement)).rows
  } finally {
    await client.end()
  }
}

async function startServer(): Promise<Server> {
  const user = await databaseUser()
  const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-outside-'))
  await chmod(folder, 0o755)
  const data = path.join(folder, 'data')
  await mkdir(data, { mode: 0o700 })
  if (user) await chown(data, user.uid, user.gid)
  const args = ['-D', data, '--encoding=UTF8', '--locale=C', `--username=${superuser}`, '--auth=trust', '--no-sync']
  await promisify(execFile)(path.join(bin, 'initdb'), args, as(user, data))
  const port = await freePort()
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off']
  const child = spawn(path.join(bin, 'postgres'), ['-D', data, ...settings.flatMap(one => ['-c', one])], {
    ...as(user, data),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', text => {
    said = (said + text).slice(-10_000)
  })
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const quit = (): void => void child.kill('SIGQUIT')
  process.once('exit', quit)
  const until = performance.now() + startMs
  while (!/ready to accept connections/.test(said)) {
    if (performance.now() > until || child.exitCode !== null) throw new Error(`PostgreSQL 15 did not start: ${said}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  return {
    port,
    folder,
    stop: async () => {
      child.kill('SIGQUIT')
      await ended
      process.off('exit', quit)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function as(user: OsUser | undefined, cwd: string) {
  return { cwd, env: { ...process.env, LC_ALL: 'C' }, ...(user ? { uid: user.uid, gid: user.gid } : {}) }
}

async function freePort(): Promise<number> {
  const listening = net.createServer()
  await new Promise<void>(resolve => listening.listen(0, '127.0.0.1', resolve))
  const { port } = listening.address() as net.AddressInfo
  await new Promise(resolve => listening.close(resolve))
  return port
}
