/** What people put between a chat server and PostgreSQL: PgBouncer and HAProxy, as Debian has them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { databaseUser } from '../../server/db/embedded/os-user.ts'
import { signalAll } from '../faults/processes.ts'
import { account, eventually, type PostgresServer, quietPort } from './postgres-server.ts'

/** The program, wherever Debian or the PATH has it; undefined when it is not there. */
export function poolerProgram(name: 'pgbouncer' | 'haproxy'): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin']
  return folders.map(folder => path.join(folder, name)).find(file => existsSync(file))
}

/** A running PgBouncer or HAProxy; `await using` ends it. */
export interface Pooler extends AsyncDisposable {
  readonly port: number
  /** What it has written so far. */
  log(): Promise<string>
}

/**
 * PgBouncer in transaction mode before one server, with few connections, and as strict about start-up parameters as it is by itself.
 * Passwords are checked, by itself and by PostgreSQL behind it.
 */
export async function startPgBouncer(
  server: { readonly port: number },
  extra: Record<string, string> = {},
): Promise<Pooler> {
  const port = await quietPort()
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: String(port),
    unix_socket_dir: '',
    auth_type: 'scram-sha-256',
    auth_file: 'users',
    pool_mode: 'transaction',
    default_pool_size: '4',
    max_client_conn: '100',
    server_login_retry: '1',
    ...extra,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`)
  return await startPooler('pgbouncer', {
    port,
    files: {
      users: `"${account.user}" "${account.password}"\n`,
      configuration: `[databases]\n* = host=127.0.0.1 port=${server.port}\n\n[pgbouncer]\n${lines.join('')}`,
    },
    args: ['configuration'],
  })
}

/**
 * HAProxy before several servers: connections go to the first that says it is no standby, asked four times a second, and are broken when
 * their server does not say so any more, or when the first one says so again. Asking is done in PostgreSQL's own protocol, by an account that needs no password.
 */
export async function startHaproxy(servers: readonly PostgresServer[]): Promise<Pooler> {
  const port = await quietPort()
  const configuration = `
defaults
  mode tcp
  # Who is led to a server that has just died hears of it at once, and comes again.
  retries 0
  timeout connect 1s
  timeout client 1h
  timeout server 1h
listen postgresql
  bind 127.0.0.1:${port}
  option tcp-check
  tcp-check connect
  tcp-check send-binary ${startUpMessage('postgres')}
  tcp-check send-binary ${queryMessage('SELECT pg_is_in_recovery()')}
  # The one row of the answer: false.
  tcp-check expect binary 440000000b00010000000166
  tcp-check send-binary 5800000004
  timeout check 500ms
  default-server inter 250ms fall 1 rise 1 on-marked-down shutdown-sessions on-marked-up shutdown-backup-sessions
${servers.map(({ name, port }, index) => `  server ${name} 127.0.0.1:${port} check${index > 0 ? ' backup' : ''}\n`).join('')}`
  return await startPooler('haproxy', { port, files: { configuration }, args: ['-db', '-f', 'configuration'] })
}

/** StartupMessage of protocol 3.0 for the database of the same name (PostgreSQL manual 55.7), in hexadecimal. */
function startUpMessage(user: string): string {
  const words = Buffer.from(`user\0${user}\0database\0${user}\0\0`)
  const head = Buffer.alloc(8)
  head.writeInt32BE(words.length + 8, 0)
  head.writeInt32BE(196_608, 4)
  return Buffer.concat([head, words]).toString('hex')
}

function queryMessage(text: string): string {
  const words = Buffer.from(`${text}\0`)
  const head = Buffer.alloc(5)
  head.write('Q')
  head.writeInt32BE(words.length + 4, 1)
  return Buffer.concat([head, words]).toString('hex')
}

async function startPooler(
  name: 'pgbouncer' | 'haproxy',
  { port, files, args }: { port: number; files: Record<string, string>; args: readonly string[] },
): Promise<Pooler> {
  const program = poolerProgram(name)
  if (program === undefined) throw new Error(`there is no ${name}`)
  const user = await databaseUser()
  const folder = await mkdtemp(path.join(os.tmpdir(), `lanthorn-${name}-`))
  for (const [file, text] of Object.entries(files)) await writeFile(path.join(folder, file), text)
  if (user) {
    for (const file of [folder, ...Object.keys(files).map(file => path.join(folder, file))])
      await chown(file, user.uid, user.gid)
  }
  let words = ''
  const child = spawn(program, args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(user ? { uid: user.uid, gid: user.gid } : {}),
  })
  for (const output of [child.stdout, child.stderr]) {
    output.setEncoding('utf8').on('data', text => {
      words = (words + text).slice(-100_000)
    })
  }
  running.add(child)
  const ended = new Promise<void>(resolve => {
    child.once('error', () => resolve())
    child.once('close', () => resolve())
  })
  const close = async () => {
    child.kill('SIGKILL')
    await ended
    running.delete(child)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await eventually(`${name} to lead to PostgreSQL`, () => answers(port))
  } catch (error) {
    await close()
    throw new Error(`${name} did not start: ${words}`, { cause: error })
  }
  return { port, log: async () => words, [Symbol.asyncDispose]: close }
}

async function answers(port: number): Promise<boolean> {
  const client = new pg.Client({ host: '127.0.0.1', port, ...account, connectionTimeoutMillis: 1_000 })
  client.on('error', () => undefined) // it is told by the statement
  try {
    await client.connect()
    await client.query('SELECT 1')
    return true
  } catch {
    return false // not yet
  } finally {
    await client.end().catch(() => undefined) // it was never connected
  }
}

/** A test runner that is ended leaves none behind. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  signalAll(
    [...running].map(({ pid }) => pid).filter(pid => pid !== undefined),
    'SIGKILL',
  )
})
