/** What one PostgreSQL server says of itself: one statement, one round trip. */
import type pg from 'pg'

/** A row of the primary's pg_stat_replication. Our role sees more than the first only when it may (pg_monitor). */
export interface FollowerRow {
  readonly name: string | null
  readonly address: string | null
  readonly state: string | null
  readonly sync: string | null
}

/** What one server said of itself. What it could not say, or our role may not know, is absent. */
export interface ServerReport {
  /** It follows another server and cannot be written to. */
  readonly isCopy: boolean
  /** It refuses to write for another reason (default_transaction_read_only). */
  readonly isReadOnly: boolean
  /** Counts the promotions of this database: a server with a lower one is of the past. */
  readonly timeline?: number
  /** A copy: the timeline it receives at this moment. */
  readonly receivedTimeline?: number
  /** pg_control_system(): the same for all servers that carry one database. As text: it exceeds 2^53. */
  readonly systemId?: string
  /** When its postmaster started, in microseconds: tells two servers from two ways to the same one. */
  readonly bornAt: string
  /** “17.2”. */
  readonly version: string
  /** Its clock, in milliseconds since 1970. */
  readonly clock: number
  /** Whether our role may see the state of replication. */
  readonly maySeeReplication: boolean
  /** A primary: who follows it. */
  readonly followers: readonly FollowerRow[]
  /** A primary: synchronous_standby_names. */
  readonly standbyNames: string
  /** synchronous_commit of our sessions. */
  readonly commitLevel: string
  /** A copy: the name under which the primary knows it. */
  readonly followerName?: string
  /** A copy: whether it receives at this moment. */
  readonly isFollowing?: boolean
  /** A copy: how far behind, in milliseconds; 0 when it has applied all that it received. */
  readonly lagMs?: number
  /** Its own address, when we came over TCP. */
  readonly address?: string
}

/** How much of a server may be asked: `control` functions may be revoked, and some services have no WAL functions at all. */
export type Depth = 'all' | 'no-control' | 'plain'

const columns = (depth: Depth): string => {
  const control = depth === 'all'
  return [
    'pg_is_in_recovery() AS copy',
    `current_setting('transaction_read_only') = 'on' AS readonly`,
    `current_setting('server_version') AS version`,
    'extract(epoch FROM clock_timestamp())::float8 * 1000 AS clock',
    'extract(epoch FROM pg_postmaster_start_time())::text AS born',
    `current_setting('synchronous_commit') AS level`,
    `current_setting('synchronous_standby_names') AS names`,
    `pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees`,
    'host(inet_server_addr()) AS address',
    control ? '(SELECT system_identifier::text FROM pg_control_system()) AS system' : 'NULL AS system',
    depth === 'plain' ? 'NULL::int AS timeline' : `${timelineOf(control)} AS timeline`,
    depth === 'plain' ? 'NULL::json AS received' : `${received} AS received`,
    depth === 'plain' ? 'NULL::json AS followers' : `${followers} AS followers`,
    depth === 'plain' ? 'NULL::float8 AS lag' : `${lag} AS lag`,
  ].join(',\n ')
}

/** A primary's checkpoint lags behind its promotion, so its timeline is read from where it writes (measured). */
const timelineOf = (control: boolean): string => `CASE WHEN pg_is_in_recovery()
   THEN ${control ? '(SELECT timeline_id FROM pg_control_checkpoint())' : 'NULL'}
   ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END`

const received = `CASE WHEN pg_is_in_recovery() THEN
   (SELECT json_build_object('status', status, 'timeline', received_tli, 'conninfo', conninfo,
                             'cluster', current_setting('cluster_name')) FROM pg_stat_wal_receiver) END`

const followers = `CASE WHEN pg_is_in_recovery() THEN NULL ELSE
   (SELECT json_agg(json_build_object('name', application_name, 'address', host(client_addr), 'state', state,
                                      'sync', sync_state)) FROM pg_stat_replication) END`

const lag = `CASE WHEN NOT pg_is_in_recovery() THEN NULL
   WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
   ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000 END`

interface ProbeRow {
  copy: boolean
  readonly: boolean
  version: string
  clock: number
  born: string
  level: string
  names: string
  sees: boolean
  address: string | null
  system: string | null
  timeline: number | null
  received: { status: string | null; timeline: number | null; conninfo: string | null; cluster: string } | null
  followers: FollowerRow[] | null
  lag: number | null
}

/**
 * Asks a server what it is. A role that may not call some of the functions learns less: `depth` is what to ask next time.
 * @throws what `pg` throws; the caller sets the time limit
 */
export async function askServer(client: pg.Client, depth: Depth): Promise<{ report: ServerReport; depth: Depth }> {
  const { row, depth: reached } = await askDown<ProbeRow>(client, depth, now => `SELECT ${columns(now)}`)
  return { report: reportOf(row), depth: reached }
}

/** insufficient_privilege, undefined_function, undefined_table or _column, feature_not_supported */
const refusals = ['42501', '42883', '42P01', '42703', '0A000']

/** Asks as much as the server lets us know. */
async function askDown<R extends object>(
  client: pg.ClientBase,
  depth: Depth,
  text: (depth: Depth) => string,
): Promise<{ row: R; depth: Depth }> {
  for (let now = depth; ; ) {
    try {
      const { rows } = await client.query<R>(text(now))
      const [row] = rows
      if (!row) throw new Error('a server that says nothing of itself')
      return { row, depth: now }
    } catch (error) {
      if (now === 'plain' || !refusals.includes(String((error as { code?: string }).code))) throw error
      now = now === 'all' ? 'no-control' : 'plain'
    }
  }
}

function reportOf(row: ProbeRow): ServerReport {
  const { received: receiver } = row
  const name = /(?:^| )application_name=(\S+)/.exec(receiver?.conninfo ?? '')?.[1] ?? receiver?.cluster
  const timeline = Math.max(row.timeline ?? 0, receiver?.timeline ?? 0)
  return {
    isCopy: row.copy,
    isReadOnly: row.readonly,
    bornAt: row.born,
    version: row.version.split(' ', 1)[0] ?? row.version,
    clock: row.clock,
    maySeeReplication: row.sees,
    followers: row.followers ?? [],
    standbyNames: row.names,
    commitLevel: row.level,
    ...(timeline > 0 ? { timeline } : {}),
    ...(receiver?.timeline ? { receivedTimeline: receiver.timeline } : {}),
    ...(row.system ? { systemId: row.system } : {}),
    ...(name ? { followerName: name } : {}),
    ...(row.copy ? { isFollowing: receiver?.status === 'streaming' } : {}),
    ...(row.lag === null ? {} : { lagMs: Math.max(0, Math.round(row.lag)) }),
    ...(row.address ? { address: row.address } : {}),
  }
}

/** Who a server is, as far as a pooled connection must know. */
export interface Identity {
  readonly isWritable: boolean
  readonly timeline?: number
  readonly systemId?: string
  readonly bornAt: string
}

interface IdentityRow {
  copy: boolean
  readonly: boolean
  born: string
  system: string | null
  timeline: number | null
}

/** Asks on a new connection only who is at its other end, in the same words as `askServer` so that both can be compared. */
export async function askIdentity(client: pg.ClientBase, depth: Depth): Promise<Identity> {
  const { row } = await askDown<IdentityRow>(
    client,
    depth,
    now => `SELECT pg_is_in_recovery() AS copy, current_setting('transaction_read_only') = 'on' AS readonly,
       extract(epoch FROM pg_postmaster_start_time())::text AS born,
       ${now === 'all' ? '(SELECT system_identifier::text FROM pg_control_system())' : 'NULL'} AS system,
       ${now === 'plain' ? 'NULL::int' : timelineOf(false)} AS timeline`,
  )
  return {
    isWritable: !row.copy && !row.readonly,
    bornAt: row.born,
    ...(row.system ? { systemId: row.system } : {}),
    ...(row.timeline ? { timeline: row.timeline } : {}),
  }
}
