/**
 * The Clustered Database Guide's example: two PostgreSQL servers under repmgr, whose daemons promote the standby by themselves when the
 * primary does not answer three times in a row, a second apart.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readdirSync } from 'node:fs'
import { chown, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { databaseUser } from '../../server/db/embedded/os-user.ts'
import { signalAll } from '../faults/processes.ts'
import { urlOf } from './postgres-pair.ts'
import {
  eventually,
  makeAccount,
  PostgresServer,
  type Programs,
  programEnvironment,
  quietPort,
  removeServers,
  runProgram,
  serverFolder,
} from './postgres-server.ts'

/** How often a daemon looks at its server and the other one. */
const looksMs = 1_000
const failoverMs = 25_000
const rejoinMs = 60_000

/** Folder of a PostgreSQL (14 to 18) that has repmgr: named in LANTHORN_POSTGRES, or Debian's; undefined when there is none. */
export function repmgrFolder(): string | undefined {
  const versions = '/usr/lib/postgresql'
  const found = existsSync(versions) ? readdirSync(versions).toSorted((a, b) => Number(b) - Number(a)) : []
  const folders = found.filter(isSupported).map(version => path.join(versions, version, 'bin'))
  const named = process.env.LANTHORN_POSTGRES
  return [...(named ? [named] : []), ...folders].find(folder => existsSync(path.join(folder, 'repmgrd')))
}

const isSupported = (version: string): boolean => Number(version) >= 14 && Number(version) <= 18

export interface RepmgrOptions {
  /** Databases of our account; the first is the one of `url`. */
  databases?: readonly string[]
  settings?: Record<string, string>
}

/** Starts both servers and both daemons. `await using` ends them and removes their folder. */
export async function startRepmgr(options: RepmgrOptions = {}): Promise<RepmgrPair> {
  const folder = repmgrFolder()
  if (folder === undefined) throw new Error('there is no PostgreSQL with repmgr')
  const programs = { folder, user: await databaseUser() }
  const parent = await serverFolder()
  const server = async (name: string) => new PostgresServer({ name, parent, programs, port: await quietPort() })
  const pair = new RepmgrPair(parent, await server('first'), await server('second'))
  try {
    await pair.start(options)
  } catch (error) {
    await pair.close()
    throw error
  }
  return pair
}

export class RepmgrPair implements AsyncDisposable {
  readonly #parent: string
  readonly servers: readonly [PostgresServer, PostgresServer]
  readonly #daemons = new Map<PostgresServer, ChildProcess>()

  constructor(parent: string, first: PostgresServer, second: PostgresServer) {
    this.#parent = parent
    this.servers = [first, second]
  }

  async start(options: RepmgrOptions): Promise<void> {
    const [first, second] = this.servers
    await first.create({ shared_preload_libraries: 'repmgr', ...options.settings })
    await first.start()
    await makeAccount(first, options.databases)
    await first.ask('CREATE ROLE repmgr SUPERUSER LOGIN')
    await first.ask('CREATE DATABASE repmgr OWNER repmgr')
    await second.prepare()
    for (const server of this.servers) await this.#writeConfiguration(server)
    await this.#repmgr(first, ['primary', 'register'])
    await this.#repmgr(second, [...to(first), 'standby', 'clone', '--fast-checkpoint'])
    await second.start()
    await this.#repmgr(second, ['standby', 'register'])
    for (const server of this.servers) this.#watch(server)
    await this.watched(second)
  }

  /** The one of the two that is not `server`. */
  other(server: PostgresServer): PostgresServer {
    const [first, second] = this.servers
    return server === first ? second : first
  }

  /** The URL of both in the guide's manner. */
  url(options: { servers?: readonly PostgresServer[]; database?: string; parameters?: string } = {}): string {
    return urlOf(options.servers ?? this.servers, options)
  }

  /**
   * Resolves when `server`, a standby until now, was promoted by its daemon: with the moment, on the clock of performance.now(). Looked at
   * every 20 ms over one connection, opened now. A daemon that hangs (see `betweenLooks`) is helped by hand, as an administrator would.
   */
  async promoted(server: PostgresServer): Promise<{ at: number; isByHand: boolean }> {
    const client = await server.connect()
    const isPrimary = async (): Promise<boolean> => {
      const text = "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off' AS is"
      return (await client.query(text)).rows[0].is
    }
    const what = `${server.name} to be promoted`
    try {
      await eventually(what, isPrimary, failoverMs)
      return { at: performance.now(), isByHand: false }
    } catch (error) {
      const said = (await this.daemonLog(server)).slice(-2_000)
      process.stdout.write(`${error}; its daemon says:\n${said}\nIt is promoted by hand.\n`)
      const promotion = this.#repmgr(server, ['standby', 'promote'])
      await Promise.race([promotion, eventually(what, isPrimary)])
      const at = performance.now()
      await promotion
      return { at, isByHand: true }
    } finally {
      await client.end()
    }
  }

  /** Makes a server that was the primary the standby of the other one (pg_rewind). Resolves when it follows and its daemon watches again. */
  async rejoin(server: PostgresServer): Promise<void> {
    const primary = this.other(server)
    await server.stop()
    await eventually(`${primary.name} to be registered as the primary`, async () => {
      const text = "SELECT 1 FROM repmgr.nodes WHERE node_name = $1 AND type = 'primary' AND active"
      return (await primary.ask(text, [primary.name], 'repmgr')).length === 1
    })
    // Only a checkpoint writes the new timeline where pg_rewind and repmgr look for it (manual, pg_rewind, notes).
    await primary.ask('CHECKPOINT')
    await this.#repmgr(server, [...to(primary), 'node', 'rejoin', '--force-rewind'], rejoinMs)
    await this.watched(server)
  }

  /** Resolves when `standby` follows the other one, and its daemon would notice if that one died. */
  async watched(standby: PostgresServer): Promise<void> {
    const primary = this.other(standby)
    await eventually(`${standby.name} to follow ${primary.name}`, async () => {
      const rows = await primary.ask("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'")
      return rows.length === 1
    })
    const seen = (await this.daemonLog(standby)).length
    await eventually(`the daemon of ${standby.name} to watch ${primary.name}`, async () => {
      const news = (await this.daemonLog(standby)).slice(seen)
      return new RegExp(`monitoring upstream node "${primary.name}".*normal state`).test(news)
    })
  }

  /**
   * Resolves when the daemon of `standby` has just looked and is not about to: repmgrd has no time limit for its statements, and one that
   * asks a primary in the moment in which that freezes waits for the answer for ever.
   */
  async betweenLooks(standby: PostgresServer): Promise<void> {
    await this.watched(standby)
    await delay(looksMs / 2)
  }

  async daemonLog(server: PostgresServer): Promise<string> {
    return await readFile(daemonLogOf(server), 'utf8')
  }

  async close(): Promise<void> {
    for (const daemon of this.#daemons.values()) await endDaemon(daemon)
    await removeServers(this.servers, this.#parent)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #writeConfiguration(server: PostgresServer): Promise<void> {
    const { programs, name, port, dataFolder } = server
    const file = configurationOf(server)
    const program = path.join(programs.folder, 'repmgr')
    const start = [path.join(programs.folder, 'pg_ctl'), ...server.startArguments.map(quoted)].join(' ')
    const lines = {
      node_id: String(this.servers.indexOf(server) + 1),
      node_name: name,
      conninfo: `host=127.0.0.1 port=${port} user=repmgr dbname=repmgr connect_timeout=2`,
      data_directory: dataFolder,
      pg_bindir: programs.folder,
      service_start_command: start,
      repmgrd_pid_file: path.join(server.folder, 'repmgrd.pid'),
      failover: 'automatic',
      promote_command: `${program} standby promote -f ${file}`,
      follow_command: `${program} standby follow -f ${file} --upstream-node-id=%n`,
      monitor_interval_secs: String(looksMs / 1_000),
      reconnect_attempts: '3',
      reconnect_interval: '1',
      log_status_interval: '1',
    }
    const text = Object.entries(lines).map(([key, value]) => `${key}='${value}'\n`)
    await writeFile(file, text.join(''))
    const { user } = programs
    if (user) await chown(file, user.uid, user.gid)
  }

  async #repmgr(server: PostgresServer, args: readonly string[], timeoutMs?: number): Promise<void> {
    const all = ['-f', configurationOf(server), ...args]
    await runProgram(server.programs, 'repmgr', all, timeoutMs === undefined ? {} : { timeoutMs })
  }

  #watch(server: PostgresServer): void {
    this.#daemons.set(server, startDaemon(server.programs, configurationOf(server), daemonLogOf(server)))
  }
}

const configurationOf = (server: PostgresServer): string => path.join(server.folder, 'repmgr.conf')
const daemonLogOf = (server: PostgresServer): string => path.join(server.folder, 'repmgrd.log')
const to = ({ port }: PostgresServer): string[] => ['-d', `host=127.0.0.1 port=${port} user=repmgr dbname=repmgr`]
/** repmgr's configuration file has strings in single quotes, and the shell must see one word. */
const quoted = (word: string): string => (word.includes(' ') ? `"${word}"` : word)

/** A test runner that is ended leaves no daemon behind, nor what one has started. */
const daemons = new Set<ChildProcess>()
process.on('exit', () => {
  for (const daemon of daemons) signalGroup(daemon)
})

function startDaemon({ folder, user }: Programs, configuration: string, log: string): ChildProcess {
  const output = openSync(log, 'a')
  const child = spawn(path.join(folder, 'repmgrd'), ['-f', configuration, '--daemonize=false', '--verbose'], {
    cwd: path.dirname(log),
    env: programEnvironment(folder),
    stdio: ['ignore', output, output],
    // A group of its own: a promotion that it has started ends with it.
    detached: true,
    ...(user ? { uid: user.uid, gid: user.gid } : {}),
  })
  closeSync(output)
  daemons.add(child)
  return child
}

async function endDaemon(daemon: ChildProcess): Promise<void> {
  const ended = new Promise<void>(resolve => daemon.once('close', () => resolve()))
  const isRunning = daemon.exitCode === null && daemon.signalCode === null
  signalGroup(daemon)
  if (isRunning) await ended
  daemons.delete(daemon)
}

function signalGroup({ pid }: ChildProcess): void {
  if (pid !== undefined) signalAll([-pid], 'SIGKILL')
}
