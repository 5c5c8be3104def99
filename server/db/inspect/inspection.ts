/** What was found when somebody else's PostgreSQL servers were looked at, host by host and all together. */

/** How well something is. */
export type Verdict = 'ok' | 'warn' | 'bad'

/** One host of a database URL. What could not be found out is absent. */
export interface HostInspection {
  /** Host and port as in the URL. */
  readonly host: string
  readonly state: Verdict
  /** One sentence: “Main database, PostgreSQL 17.2, 0.4 ms away.” or what is wrong and what to do. */
  readonly sentence: string
  readonly role?: 'main' | 'copy'
  /** “17.2”. */
  readonly version?: string
  /** pg_control_system(): the same for all servers that carry one database. As text: it exceeds 2^53. */
  readonly systemId?: string
  readonly timeline?: number
  /** A copy: how far behind, in milliseconds; 0 when it has everything. */
  readonly lagMs?: number
  /** A copy: whether the main database waits for it. `applied`: until its rows can be read there (remote_apply). */
  readonly replication?: 'asynchronous' | 'synchronous' | 'applied'
  /** A copy: whether it follows a main database at the moment. */
  readonly isFollowing?: boolean
  /** Whether our user may make tables there. */
  readonly mayCreate?: boolean
  /** Whether our user may see the state of replication (pg_monitor). */
  readonly maySeeReplication?: boolean
  /** “TLSv1.3”, or “none”. */
  readonly tls?: string
  readonly roundTripMs?: number
  readonly freeConnections?: number
  /** How far its clock is ahead of ours; negative: behind. */
  readonly clockAheadMs?: number
}

/** Something that is wrong, or worth knowing, about the hosts together. */
export interface Finding {
  /** Stable: “two-primaries”, “different-clusters”, “asynchronous”, “no-primary”, “no-slots”, “clock”, … */
  readonly id: string
  readonly state: Verdict
  /** What it is and what it means. */
  readonly sentence: string
  /** What to do, if anything. */
  readonly advice?: string
}

/** The same URL in the four spellings, password included. */
export interface Spellings {
  readonly libpq: string
  readonly jdbc: string
  readonly npgsql: string
  readonly keywords: string
}

export interface Inspection {
  /** `bad`: cannot be used as it is. */
  readonly state: Verdict
  /** The whole in one sentence. */
  readonly sentence: string
  readonly hosts: HostInspection[]
  readonly findings: Finding[]
  /** Absent when the URL could not be read. */
  readonly spellings?: Spellings
  /** The URL could not be read from here on: offset in the text as it was given. */
  readonly at?: number
}
