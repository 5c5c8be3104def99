/** One look at one PostgreSQL server of somebody else's: what it is, what it may, how far away. Nothing is changed there. */
import type net from 'node:net'
import { performance } from 'node:perf_hooks'
import tls from 'node:tls'
import type pg from 'pg'
import { type Connection, placeOf } from '../address.ts'
import { away, classify, DatabaseFault } from '../errors.ts'
import { farewell, openClient } from '../open.ts'
import { cut, within } from '../session.ts'
import { type HostFacts, type LookFault, type SeenCopy, VERSION_MIN } from './host-facts.ts'

const ROUND_TRIPS = 5
/** A look at a server that answered, with the open connection for further questions. */
export interface AnsweredLook {
  readonly connection: Connection
  readonly facts: HostFacts
  readonly client: pg.Client
  readonly fault?: undefined
}

/** A look just made. */
export type OpenLook =
  | AnsweredLook
  | { readonly connection: Connection; readonly fault: LookFault; readonly facts?: undefined }

/**
 * Looks at one server.
 * @param limitMs for everything together; then the server counts as one that does not answer
 * @returns the look; whoever gets one with facts ends its client with `endLook`
 */
export async function lookAt(connection: Connection, limitMs: number): Promise<OpenLook> {
  const deadline = performance.now() + limitMs
  const where = placeOf(connection)
  try {
    const limits = { connectTimeoutMs: limitMs, queryTimeoutMs: limitMs }
    const { client } = await openClient(connection, limits)
    try {
      const leftMs = Math.max(1, deadline - performance.now())
      const facts = await within(readFacts(client, connection), leftMs, () => away('timeout', where))
      return { connection, facts, client }
    } catch (error) {
      cut(client)
      throw classify(error, where, 'query')
    }
  } catch (error) {
    return { connection, fault: faultOf(error) }
  }
}

/** Closes the connection of a look. */
export async function endLook(look: OpenLook): Promise<void> {
  if (look.facts) await farewell(look.client)
}

async function readFacts(client: pg.Client, connection: Connection): Promise<HostFacts> {
  const pace = await measurePace(client)
  const { stream, processID } = insidesOf(client)
  const encryption = stream instanceof tls.TLSSocket ? (stream.getProtocol() ?? 'none') : 'none'
  const basics = await readBasics(client)
  const isPooled = processID !== undefined && basics.pid !== processID
  const { pid: _pid, ...rest } = basics
  return {
    ...rest,
    ...pace,
    tls: encryption,
    isPooled,
    ...(await tolerant(() => readSystemId(client))),
    ...(await tolerant(() => readPlace(client, basics.isCopy))),
    ...(isPooled ? {} : await tolerant(() => readConnections(client, connection))),
    copies: basics.isCopy ? [] : await readCopies(client),
    ...(basics.isCopy ? await tolerant(() => readReceiver(client)) : {}),
  }
}

/** What a user of somebody else's server may not ask is simply not known. */
async function tolerant<T extends object>(read: () => Promise<T>): Promise<T | Record<string, never>> {
  try {
    return await read()
  } catch (error) {
    const known = classify(error, '', 'query')
    if (known instanceof DatabaseFault) return {}
    throw error
  }
}

/** Median round trip, and the clock of the server as it was in the quickest one. */
async function measurePace(client: pg.Client): Promise<Pick<HostFacts, 'roundTripMs' | 'clockAheadMs'>> {
  const trips: { ms: number; clockAheadMs: number }[] = []
  for (let count = 0; count < ROUND_TRIPS; count++) {
    const sentAt = Date.now()
    const startedAt = performance.now()
    const row = await one<{ now: string }>(client, 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::text AS now')
    const ms = performance.now() - startedAt
    trips.push({ ms, clockAheadMs: Number(row.now) - (sentAt + ms / 2) })
  }
  trips.sort((a, b) => a.ms - b.ms)
  const median = trips[Math.floor(ROUND_TRIPS / 2)]?.ms ?? 0
  return { roundTripMs: Math.round(median * 100) / 100, clockAheadMs: Math.round(trips[0]?.clockAheadMs ?? 0) }
}

type Basics = Omit<
  HostFacts,
  'roundTripMs' | 'clockAheadMs' | 'tls' | 'isPooled' | 'copies' | 'systemId' | 'timeline' | 'position'
> & { pid: number }

async function readBasics(client: pg.Client): Promise<Basics> {
  const { number } = await one<{ number: number }>(
    client,
    `SELECT current_setting('server_version_num')::int AS number`,
  )
  // Older ones lack half of what is asked below; all that matters is that they are too old.
  const schema = number >= VERSION_MIN * 10_000 ? 'current_schema()::text' : `'public'`
  const row = await one<Record<string, string | number | boolean | null>>(
    client,
    `SELECT split_part(current_setting('server_version'), ' ', 1) AS version, pg_is_in_recovery() AS is_copy,
            extract(epoch FROM pg_postmaster_start_time())::text AS born_at, pg_backend_pid() AS pid, current_user::text AS user, current_database()::text AS database,
            ${schema} AS schema, coalesce(has_schema_privilege(${schema}, 'CREATE'), false) AS may_create,
            EXISTS (SELECT FROM pg_roles WHERE rolname IN ('pg_monitor', 'pg_read_all_stats')
                      AND pg_has_role(current_user, oid, 'USAGE')) AS may_see,
            current_setting('server_encoding') AS encoding,
            current_setting('default_transaction_read_only')::bool AS is_read_only,
            current_setting('fsync')::bool AS fsync, current_setting('full_page_writes')::bool AS full_page_writes,
            coalesce((SELECT setting::int FROM pg_settings WHERE name = 'idle_session_timeout'), 0) AS idle_ms,
            current_setting('synchronous_commit') AS synchronous_commit,
            current_setting('synchronous_standby_names') AS standby_names`,
  )
  return {
    version: String(row.version),
    versionNumber: number,
    isCopy: row.is_copy === true,
    bornAt: String(row.born_at),
    pid: Number(row.pid),
    user: String(row.user),
    database: String(row.database),
    ...(row.schema !== null && { schema: String(row.schema) }),
    mayCreate: row.may_create === true,
    maySeeReplication: row.may_see === true,
    encoding: String(row.encoding),
    isReadOnly: row.is_read_only === true,
    fsync: row.fsync === true,
    fullPageWrites: row.full_page_writes === true,
    idleSessionTimeoutMs: Number(row.idle_ms),
    synchronousCommit: String(row.synchronous_commit),
    standbyNames: String(row.standby_names),
  }
}

async function readSystemId(client: pg.Client): Promise<Pick<HostFacts, 'systemId'>> {
  const row = await one<{ id: string }>(client, 'SELECT system_identifier::text AS id FROM pg_control_system()')
  return { systemId: row.id }
}

/**
 * Where in its history the server is. A main database's own next log file names its timeline; the control file, and what a copy has there,
 * follow a promotion later.
 */
async function readPlace(client: pg.Client, isCopy: boolean): Promise<Pick<HostFacts, 'timeline' | 'position'>> {
  const timeline = isCopy
    ? `greatest((SELECT timeline_id FROM pg_control_checkpoint()),
                (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
                (SELECT received_tli FROM pg_stat_wal_receiver))`
    : `('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int`
  const row = await one<{ timeline: number; position: string }>(
    client,
    `SELECT ${timeline} AS timeline, (${isCopy ? copyPosition : 'pg_current_wal_lsn()'} - '0/0'::pg_lsn)::text AS position`,
  )
  return { timeline: row.timeline, position: Number(row.position) }
}

const copyPosition = 'greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())'

/** How many more connections our user may open: the smallest of the limits of the server, the database and the user. */
async function readConnections(
  client: pg.Client,
  { applicationName = 'lanthorn' }: Connection,
): Promise<Pick<HostFacts, 'freeConnections' | 'ownConnections'>> {
  const row = await one<{ free: number; own: number }>(
    client,
    `SELECT least(
              current_setting('max_connections')::int
                - CASE WHEN r.rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::int
                    + coalesce(current_setting('reserved_connections', true)::int, 0) END
                - (SELECT sum(numbackends)::int FROM pg_stat_database),
              CASE WHEN d.datconnlimit >= 0 AND NOT r.rolsuper
                   THEN d.datconnlimit - (SELECT numbackends FROM pg_stat_database WHERE datid = d.oid) END,
              CASE WHEN r.rolconnlimit >= 0 AND NOT r.rolsuper THEN r.rolconnlimit - mine.count END) AS free,
            mine.own
       FROM pg_roles r, pg_database d,
            (SELECT count(*)::int AS count, (count(*) FILTER (WHERE application_name = $1))::int AS own
               FROM pg_stat_activity WHERE usename = current_user) AS mine
      WHERE r.rolname = current_user AND d.datname = current_database()`,
    [applicationName],
  )
  return { freeConnections: row.free, ownConnections: row.own }
}

async function readCopies(client: pg.Client): Promise<SeenCopy[]> {
  const { rows } = await client.query<{ name: string | null; state: string | null; sync_state: string | null }>(
    `SELECT application_name AS name, state, sync_state FROM pg_stat_replication
      WHERE application_name IS DISTINCT FROM 'pg_basebackup' ORDER BY application_name LIMIT 32`,
  )
  return rows.map(({ name, state, sync_state }) => ({
    ...(name !== null && { name }),
    ...(state !== null && { state }),
    ...(sync_state !== null && { syncState: sync_state }),
  }))
}

/** Without the right to see statistics there is a row with nothing but a process in it: that much is known of a receiver that works. */
async function readReceiver(client: pg.Client): Promise<Pick<HostFacts, 'isFollowing' | 'copyName' | 'isPaused'>> {
  const row = await one<{ is_following: boolean; conninfo: string | null; is_paused: boolean }>(
    client,
    `SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE coalesce(status, 'streaming') = 'streaming') AS is_following,
            (SELECT conninfo FROM pg_stat_wal_receiver) AS conninfo, pg_is_wal_replay_paused() AS is_paused`,
  )
  // Without a name of its own it goes by its cluster_name, which it sends as fallback_application_name.
  const name = /(?:^|\s)(?:fallback_)?application_name=('(?:[^'\\]|\\.)*'|\S+)/.exec(row.conninfo ?? '')?.[1]
  const copyName = name?.replace(/^'|'$/g, '').replaceAll(/\\(.)/g, '$1')
  return { isFollowing: row.is_following, isPaused: row.is_paused, ...(copyName !== undefined && { copyName }) }
}

/** Where the log of changes of a server ends: written by a main database, received or `applied` by a copy. */
export async function readPosition(look: AnsweredLook, of: 'end' | 'applied'): Promise<number> {
  const { isCopy } = look.facts
  const position = isCopy ? (of === 'applied' ? 'pg_last_wal_replay_lsn()' : copyPosition) : 'pg_current_wal_lsn()'
  const row = await one<{ at: string }>(look.client, `SELECT (${position} - '0/0'::pg_lsn)::text AS at`)
  return Number(row.at)
}

/** Milliseconds since the last change that a copy has applied was made. */
export async function readReplayAge(client: pg.Client): Promise<number> {
  const row = await one<{ ms: string | null }>(
    client,
    'SELECT (extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::text AS ms',
  )
  return Math.max(0, Math.round(Number(row.ms ?? 0)))
}

async function one<R extends object>(client: pg.Client, text: string, values?: unknown[]): Promise<R> {
  const { rows } = await (values ? client.query<R>(text, values) : client.query<R>(text))
  const [row] = rows
  if (!row) throw new Error('PostgreSQL answered a look at itself without a row.')
  return row
}

function faultOf(error: unknown): LookFault {
  if (!(error instanceof Error)) return { sentence: String(error) }
  const text = error.cause instanceof Error ? error.cause.message : error.message
  const refusedAddress = /no pg_hba\.conf entry for (?:host|replication connection from host) "([^"]+)"/.exec(text)?.[1]
  return { sentence: error.message, ...(refusedAddress !== undefined && { refusedAddress }) }
}

interface Insides {
  processID?: number | null
  connection?: { stream: net.Socket }
}

function insidesOf(client: pg.Client): { stream: net.Socket | undefined; processID: number | undefined } {
  const { processID, connection } = client as unknown as Insides
  return { stream: connection?.stream, processID: processID ?? undefined }
}
