/** Two PostgreSQL servers that carry one database: a primary and a standby that follows it. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Door, openDoor } from './door.ts'
import {
  account,
  eventually,
  makeAccount,
  ownPrograms,
  PostgresServer,
  type Programs,
  quietPort,
  removeServers,
  serverFolder,
} from './postgres-server.ts'

/** Whether a commit waits for the standby: not, until it is on its disk, or until it can be read there (remote_apply). */
export type Replication = 'asynchronous' | 'synchronous' | 'applied'

export interface PairOptions {
  replication?: Replication
  /** Databases of our account; the first is the one of `url`. */
  databases?: readonly string[]
  /** Other programs than the ones that the appliance brings. */
  programs?: Programs
  /** Further settings of both. */
  settings?: Record<string, string>
}

/** Starts both and waits until the standby follows. `await using` ends them and removes their folder. */
export async function startPair(options: PairOptions = {}): Promise<PostgresPair> {
  const programs = options.programs ?? (await ownPrograms())
  const parent = await serverFolder()
  const server = async (name: string) => new PostgresServer({ name, parent, programs, port: await quietPort() })
  const pair = new PostgresPair(parent, await server('first'), await server('second'))
  try {
    await pair.start(options)
  } catch (error) {
    await pair.close()
    throw error
  }
  return pair
}

export class PostgresPair implements AsyncDisposable {
  readonly #parent: string
  readonly servers: readonly [PostgresServer, PostgresServer]
  /** Who is meant to be the primary now. */
  primary: PostgresServer
  standby: PostgresServer
  #link: Door | undefined

  constructor(parent: string, first: PostgresServer, second: PostgresServer) {
    this.#parent = parent
    this.servers = [first, second]
    this.primary = first
    this.standby = second
  }

  async start(options: PairOptions): Promise<void> {
    await this.primary.create(options.settings)
    await this.primary.start()
    await makeAccount(this.primary, options.databases)
    await this.clone()
    await this.replicate(options.replication ?? 'asynchronous')
  }

  /** What the standby hears comes through this door: shut, it hears nothing more; frozen, the primary does not even notice. */
  get link(): Door {
    if (!this.#link) throw new Error('there is no standby')
    return this.#link
  }

  /** Makes the standby anew from the primary, and starts it. */
  async clone(): Promise<void> {
    await this.standby.kill9()
    await this.#link?.close()
    this.#link = await openDoor({ host: '127.0.0.1', port: this.primary.port })
    await this.standby.cloneFrom(this.primary)
    await this.standby.configure({
      primary_conninfo: `host=127.0.0.1 port=${this.#link.port} user=postgres application_name=${this.standby.name}`,
    })
    await writeFile(path.join(this.standby.dataFolder, 'standby.signal'), '')
    await this.standby.start()
    await this.caughtUp()
  }

  /** Makes commits wait for the standby, or not. Resolves when it counts. */
  async replicate(how: Replication): Promise<void> {
    await this.primary.set('synchronous_commit', how === 'applied' ? 'remote_apply' : 'on')
    await this.primary.set('synchronous_standby_names', how === 'asynchronous' ? '' : '*')
    const wanted = how === 'asynchronous' ? 'async' : 'sync'
    await eventually(`${how} replication`, async () => {
      const rows = await this.primary.ask<{ sync_state: string }>('SELECT sync_state FROM pg_stat_replication')
      return rows.length > 0 && rows.every(({ sync_state }) => sync_state === wanted)
    })
  }

  /** Resolves when the standby has applied all that the primary has written so far. */
  async caughtUp(): Promise<void> {
    const [row] = await this.primary.ask<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn')
    await eventually('the standby to have everything', async () => {
      const [at] = await this.standby.ask<{ has: boolean }>('SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS has', [
        row?.lsn,
      ])
      return at?.has ?? false
    })
  }

  /** The standby goes on receiving, but what it receives is not to be read there until `resumeReplay`. */
  async pauseReplay(): Promise<void> {
    await this.standby.ask('SELECT pg_wal_replay_pause()')
    await eventually('replay to pause', async () => {
      const [row] = await this.standby.ask<{ state: string }>('SELECT pg_get_wal_replay_pause_state() AS state')
      return row?.state === 'paused'
    })
  }

  async resumeReplay(): Promise<void> {
    await this.standby.ask('SELECT pg_wal_replay_resume()')
  }

  /** From now on the standby receives nothing: what the primary commits is on the primary alone. */
  async cutReplication(): Promise<void> {
    await this.link.shut()
    await eventually('the primary to miss its standby', async () => {
      return (await this.primary.ask('SELECT 1 FROM pg_stat_replication')).length === 0
    })
  }

  /** Makes the standby the primary; the other one, if it still runs, is a stale one from now on. Resolves when it can be written to. */
  async promote(): Promise<void> {
    const [old, next] = [this.primary, this.standby]
    await next.ask('SELECT pg_promote(true, 30)')
    await eventually('the promotion', async () => (await next.role()) === 'primary')
    this.primary = next
    this.standby = old
  }

  /** The URL of both, in the order given. */
  url(options: { servers?: readonly PostgresServer[]; database?: string; parameters?: string } = {}): string {
    return urlOf(options.servers ?? this.servers, options)
  }

  async close(): Promise<void> {
    await this.#link?.close()
    await removeServers(this.servers, this.#parent)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** A libpq URL of our account on several servers (or on what stands before them). */
export function urlOf(
  places: readonly { readonly port: number }[],
  options: { database?: string; parameters?: string } = {},
): string {
  const { database = account.database, parameters = 'target_session_attrs=read-write' } = options
  const hosts = places.map(({ port }) => `127.0.0.1:${port}`).join(',')
  return `postgresql://${account.user}:${account.password}@${hosts}/${database}${parameters ? `?${parameters}` : ''}`
}
