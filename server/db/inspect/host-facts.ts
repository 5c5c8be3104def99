/** What is known of one PostgreSQL server after a look at it. */
import type { Connection } from '../address.ts'

/** PostgreSQL before this version is not supported any more by its makers, and not looked at further. */
export const VERSION_MIN = 14

/** A copy as the main database sees it. What our user may not see is absent. */
export interface SeenCopy {
  readonly name?: string
  /** `streaming` when it follows. */
  readonly state?: string
  /** `async`, `potential`, `sync` or `quorum`. */
  readonly syncState?: string
}

/** What one server said about itself. */
export interface HostFacts {
  /** “15.18”. */
  readonly version: string
  /** 150018. */
  readonly versionNumber: number
  readonly isCopy: boolean
  /** When its postmaster started: tells two servers from two ways to the same one. */
  readonly bornAt: string
  /** Absent where our user may not ask. */
  readonly systemId?: string
  readonly timeline?: number
  /** How far its log of changes goes, in bytes: a main database wrote it, a copy has it. */
  readonly position?: number
  readonly user: string
  readonly database: string
  /** The schema that new tables go to; absent when there is none. */
  readonly schema?: string
  readonly mayCreate: boolean
  readonly maySeeReplication: boolean
  readonly encoding: string
  /** It makes transactions that cannot write (default_transaction_read_only). */
  readonly isReadOnly: boolean
  readonly fsync: boolean
  readonly fullPageWrites: boolean
  /** Idle connections are ended after this time; 0: never. */
  readonly idleSessionTimeoutMs: number
  /** What counts for connections of our user. */
  readonly synchronousCommit: string
  readonly standbyNames: string
  /** A main database: who copies it. */
  readonly copies: readonly SeenCopy[]
  /** A copy: whether it receives changes from somebody. */
  readonly isFollowing?: boolean
  /** A copy: its name at the main database, where it can be seen. */
  readonly copyName?: string
  /** A copy: how far it is behind what the main database had written a moment before; 0 when it has everything. */
  readonly lagMs?: number
  /** A copy that follows nobody: it has changes that the main database has not. */
  readonly isAhead?: boolean
  /** A copy: somebody has stopped it from applying what it receives. */
  readonly isPaused?: boolean
  /** “TLSv1.3”, or “none”. */
  readonly tls: string
  readonly roundTripMs: number
  /** How far its clock is ahead of ours; negative: behind. */
  readonly clockAheadMs: number
  /** Connections that our user may still open, and those of ours that are open; absent behind a connection pooler. */
  readonly freeConnections?: number
  readonly ownConnections?: number
  /** Something between us and the server shares connections (PgBouncer). */
  readonly isPooled: boolean
}

/** Why nothing could be found out about a server. */
export interface LookFault {
  readonly sentence: string
  /** SQLSTATE 28000 with this text: the server's pg_hba.conf has no line for us; our address as it saw it. */
  readonly refusedAddress?: string
}

/** A look whose connection is closed. */
export interface HostLook {
  readonly connection: Connection
  readonly fault?: LookFault | undefined
  readonly facts?: HostFacts | undefined
}
