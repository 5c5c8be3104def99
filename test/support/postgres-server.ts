/** A PostgreSQL server outside of any appliance, for tests: somebody else's, which can be killed, frozen and cloned. */
import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { appendFile, chmod, chown, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { findBinaries } from '../../server/db/embedded/binaries.ts'
import { databaseUser, type OsUser } from '../../server/db/embedded/os-user.ts'
import { gone, postgresOf, signalAll } from '../faults/processes.ts'

const programMs = 60_000
const pollMs = 20

/** What the office's own account is called on these servers, and the database it owns. */
export const account = { user: 'lanthorn', password: 'a-secret-of-theirs', database: 'lanthorn' } as const

/** Settings that both servers of a pair need, and none that a careful person would not have. A killed process needs no fsync. */
const settings: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  shared_buffers: '32MB',
  max_connections: '60',
  wal_level: 'replica',
  wal_log_hints: 'on',
  wal_keep_size: '256MB',
  max_wal_senders: '10',
  hot_standby: 'on',
  wal_retrieve_retry_interval: '200ms',
  fsync: 'off',
  jit: 'off',
  log_line_prefix: '%m [%p] %q%u@%d ',
}

/** Who may come: our account with its password, the servers themselves and the test without. */
const hba = `
host all postgres,repmgr 127.0.0.1/32 trust
host replication postgres,repmgr 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
`

/** Where programs of PostgreSQL are, and who may run them. */
export interface Programs {
  /** Folder with `postgres`, `initdb` and `pg_ctl`. */
  readonly folder: string
  readonly user: OsUser | undefined
}

/** The programs that the appliance brings itself. */
export async function ownPrograms(): Promise<Programs> {
  const user = await databaseUser()
  return { folder: path.dirname((await findBinaries(user)).postgres), user }
}

/** A temporary folder that the database's user can pass through. */
export async function serverFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'lanthorn-pair-'))
  await chmod(folder, 0o755)
  return folder
}

/**
 * A port of 127.0.0.1 that is free, and that no outgoing connection can get while its server is down: connections to a port in that range
 * may even meet themselves.
 */
export async function quietPort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(15_000, 32_000)
    if (await isFree(port)) return port
  }
  throw new Error('no port is free')
}

async function isFree(port: number): Promise<boolean> {
  const server = net.createServer()
  return await new Promise(resolve => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** Runs a program as the database's user. Throws an error with what it wrote. */
export async function runProgram(
  { folder, user }: Programs,
  name: string,
  args: readonly string[],
  options: { timeoutMs?: number; cwd?: string } = {},
): Promise<string> {
  try {
    const { stdout, stderr } = await promisify(execFile)(path.join(folder, name), args, {
      cwd: options.cwd ?? os.tmpdir(),
      timeout: options.timeoutMs ?? programMs,
      env: programEnvironment(folder),
      ...(user ? { uid: user.uid, gid: user.gid } : {}),
    })
    return stdout + stderr
  } catch (error) {
    const { stdout = '', stderr = '', message } = error as Error & { stdout?: string; stderr?: string }
    throw new Error(`${name} failed: ${message}\n${stdout}${stderr}`, { cause: error })
  }
}

/** The environment of PostgreSQL's programs: nobody's own settings, and the other programs beside them. */
export function programEnvironment(folder: string): Record<string, string> {
  return { PATH: `${folder}:${process.env.PATH ?? ''}`, LC_ALL: 'C', TZ: 'UTC', HOME: os.tmpdir() }
}

/** One server: its data in `folder`/database, its log in `folder`/log. */
export class PostgresServer {
  readonly name: string
  readonly folder: string
  readonly port: number
  readonly programs: Programs

  constructor(options: { name: string; parent: string; port: number; programs: Programs }) {
    this.name = options.name
    this.folder = path.join(options.parent, options.name)
    this.port = options.port
    this.programs = options.programs
    started.add(this.folder)
  }

  get dataFolder(): string {
    return path.join(this.folder, 'database')
  }

  get logFile(): string {
    return path.join(this.folder, 'log')
  }

  /** "127.0.0.1:15432", as in URLs and in what the appliance says. */
  get place(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Makes its folder, without data. */
  async prepare(): Promise<void> {
    await mkdir(this.folder, { recursive: true })
    const { user } = this.programs
    if (user) await chown(this.folder, user.uid, user.gid)
  }

  /** Makes new data, as a primary. It is not started. */
  async create(extra: Record<string, string> = {}): Promise<void> {
    await this.prepare()
    const args = ['-D', this.dataFolder, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']
    await runProgram(this.programs, 'initdb', args)
    await writeFile(path.join(this.dataFolder, 'pg_hba.conf'), hba)
    await this.configure({ ...settings, ...extra })
  }

  /** Adds lines to postgresql.conf; they count at the next start or reload. */
  async configure(values: Record<string, string>): Promise<void> {
    const lines = Object.entries(values).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
    await appendFile(path.join(this.dataFolder, 'postgresql.conf'), lines.join(''))
  }

  /** Sets a setting of a running primary. */
  async set(name: string, value: string): Promise<void> {
    await this.ask(`ALTER SYSTEM SET ${name} = '${value.replaceAll("'", "''")}'`)
    await this.ask('SELECT pg_reload_conf()')
  }

  /** What starts it. The port is not in its configuration: that is copied between the servers. */
  get startArguments(): string[] {
    return ['start', '-w', '-t', '50', '-D', this.dataFolder, '-l', this.logFile, '-o', `-p ${this.port}`]
  }

  /** Starts and waits until it takes connections (a standby: for reading). */
  async start(): Promise<void> {
    try {
      await runProgram(this.programs, 'pg_ctl', this.startArguments)
    } catch (error) {
      throw new Error(`${this.name} did not start: ${await this.logEnd()}`, { cause: error })
    }
  }

  async stop(mode: 'smart' | 'fast' | 'immediate' = 'fast'): Promise<void> {
    const pids = await this.pids()
    if (pids.length === 0) return
    signalAll(pids.slice(0, 1), { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' }[mode] as NodeJS.Signals)
    await gone(pids)
  }

  /** As a power cut would: the postmaster and all its processes. */
  async kill9(): Promise<void> {
    const pids = await this.pids()
    signalAll(pids, 'SIGKILL')
    await gone(pids)
    // One that was being started just then.
    const late = await this.pids()
    signalAll(late, 'SIGKILL')
    await gone(late)
  }

  /** Stops all its processes where they are, as a hung host would; connections stay and nothing answers. */
  async freeze(): Promise<{ thaw(): void }> {
    const [postmaster] = await this.pids()
    if (postmaster === undefined) throw new Error(`${this.name} is not running`)
    signalAll([postmaster], 'SIGSTOP')
    const pids = await this.pids()
    signalAll(pids, 'SIGSTOP')
    return { thaw: () => signalAll(pids.toReversed(), 'SIGCONT') }
  }

  /** The postmaster first; empty when it is not running. */
  pids(): Promise<number[]> {
    return postgresOf(this.folder)
  }

  async isRunning(): Promise<boolean> {
    return (await this.pids()).length > 0
  }

  /** A connection as superuser to the office's database, or another. The caller ends it. */
  async connect(database = 'postgres', timeoutMs = 2_000): Promise<pg.Client> {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: this.port,
      user: 'postgres',
      database,
      connectionTimeoutMillis: timeoutMs,
      query_timeout: 20_000,
    })
    client.on('error', () => undefined) // the server is meant to die now and then; statements tell
    await client.connect()
    return client
  }

  /** One statement on a connection of its own, as superuser. */
  async ask<R extends object = Record<string, unknown>>(
    text: string,
    values: readonly unknown[] = [],
    database = 'postgres',
  ): Promise<R[]> {
    const client = await this.connect(database)
    try {
      return (await client.query<R>(text, [...values])).rows
    } finally {
      await client.end()
    }
  }

  /** Whether it answers now, and as what. */
  async role(): Promise<'primary' | 'standby' | 'away'> {
    try {
      const client = await this.connect('postgres', 1_000)
      try {
        const { rows } = await client.query('SELECT pg_is_in_recovery() AS is_standby')
        return rows[0].is_standby ? 'standby' : 'primary'
      } finally {
        await client.end()
      }
    } catch {
      return 'away' // refused, starting, stopping or frozen
    }
  }

  async timeline(): Promise<number> {
    const [row] = await this.ask<{ name: string }>('SELECT pg_walfile_name(pg_current_wal_lsn()) AS name')
    return Number.parseInt(row?.name.slice(0, 8) ?? '', 16)
  }

  /** Copies the data of a running primary in place of its own; `setUp` may change the copy before it is started. */
  async cloneFrom(primary: PostgresServer): Promise<void> {
    await this.prepare()
    await rm(this.dataFolder, { recursive: true, force: true })
    const client = await primary.connect()
    try {
      await client.query("SELECT pg_backup_start('clone', true)")
      const left = ['postmaster.pid', 'postmaster.opts']
      await cp(primary.dataFolder, this.dataFolder, {
        recursive: true,
        filter: source => !left.includes(path.basename(source)),
      })
      const { rows } = await client.query('SELECT labelfile FROM pg_backup_stop(false)')
      await writeFile(path.join(this.dataFolder, 'backup_label'), rows[0].labelfile)
    } finally {
      await client.end()
    }
    await chmod(this.dataFolder, 0o700)
    await this.#give()
  }

  async #give(): Promise<void> {
    const { user } = this.programs
    if (user) await promisify(execFile)('chown', ['-R', `${user.uid}:${user.gid}`, this.dataFolder])
  }

  async logEnd(): Promise<string> {
    try {
      return (await readFile(this.logFile, 'utf8')).slice(-3_000)
    } catch {
      return '' // it never came so far
    }
  }
}

/** Makes the office's account and its database, as a provider of databases does. */
export async function makeAccount(
  server: PostgresServer,
  databases: readonly string[] = [account.database],
): Promise<void> {
  await server.ask(`CREATE ROLE ${account.user} LOGIN PASSWORD '${account.password}'`)
  for (const name of databases) await server.ask(`CREATE DATABASE ${name} OWNER ${account.user}`)
}

/** Resolves when `isTrue` gives true; looked at every 20 ms. Throws after `limitMs`, saying what was waited for. */
export async function eventually(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  limitMs = 20_000,
): Promise<void> {
  const end = performance.now() + limitMs
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms for ${what}`)
    await delay(pollMs)
  }
}

/** A test runner that is ended leaves no server behind, not even a frozen one. */
const started = new Set<string>()
process.on('exit', () => {
  for (const folder of started) signalAll(familyOf(postmasterIn(folder)), 'SIGKILL')
})
process.once('SIGTERM', () => process.exit(143))

/** Forgets a server whose folder is being removed. */
export async function removeServers(servers: readonly PostgresServer[], folder: string): Promise<void> {
  for (const server of servers) {
    await server.kill9()
    started.delete(server.folder)
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
}

function postmasterIn(folder: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(path.join(folder, 'database', 'postmaster.pid'), 'utf8'), 10)
  } catch {
    return undefined // it is not running
  }
}

function familyOf(postmaster: number | undefined): number[] {
  if (postmaster === undefined) return []
  const parentOf = (pid: string): number => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    } catch {
      return 0 // it ended while we looked
    }
  }
  const children = readdirSync('/proc').filter(name => /^\d+$/.test(name) && parentOf(name) === postmaster)
  return [postmaster, ...children.map(Number)]
}
