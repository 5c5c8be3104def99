/** How a Database is made: where it is, and every limit it has. */
import type { Logger } from 'pino'
import { addressOf, type Connection, type DatabaseAddress } from './address.ts'
import type { ClusterMemory } from './hosts/memory.ts'
import type { CallOptions } from './session.ts'

/** Where the database is, and whether its servers are watched: an outside one is, the embedded one has a supervisor. */
export interface Target {
  readonly locate: () => DatabaseAddress
  readonly isWatched: boolean
  readonly memory?: ClusterMemory
}

interface Limits {
  log: Logger
  /** Most connections of the pool. */
  connectionsMax?: number
  /** Most connections beside the pool (LISTEN, advisory locks). */
  directMax?: number
  /** Most callers that may wait for a connection, and as many for a database that fails over; the next one is refused at once. */
  waitersMax?: number
  connectTimeoutMs?: number
  queryTimeoutMs?: number
  /** How often a database that is away is looked for. */
  probeIntervalMs?: number
  /** How often the servers of an outside database are looked at. */
  heartbeatMs?: number
  /** Longest time for one such look: a frozen server is left after both together. */
  lookTimeoutMs?: number
  /** How long a preferred way to the same server must have been usable before it is gone back to. */
  preferAfterMs?: number
  /** How long a call that never ran waits while the database fails over, unless it says otherwise. */
  awayWaitMs?: number
}

/** One server that nobody watches (the embedded one, tests). Asked again before each attempt to find it: it may come back at another port. */
interface OneServer extends Limits {
  connection: Connection | (() => Connection)
}

/** Somebody else's servers, watched. */
interface Servers extends Limits {
  address: DatabaseAddress | (() => DatabaseAddress)
  /** What is known for good; without it only what was seen since the start is. */
  memory?: ClusterMemory
}

export type DatabaseOptions = OneServer | Servers

export interface TransactionOptions extends CallOptions {
  isolation?: 'read committed' | 'repeatable read' | 'serializable'
}

/** Where the database of these options is. */
export function firstTarget(options: DatabaseOptions): Target {
  if ('address' in options) return { ...targetOf(options.address, options.memory), isWatched: true }
  const { connection } = options
  const locate = typeof connection === 'function' ? connection : () => connection
  return { locate: () => addressOf(locate()), isWatched: false }
}

/** A function without a memory means a server that nobody need watch: the embedded one. */
export function targetOf(target: DatabaseAddress | (() => DatabaseAddress), memory?: ClusterMemory): Target {
  const isFixed = typeof target !== 'function'
  return {
    locate: isFixed ? () => target : target,
    isWatched: isFixed || memory !== undefined,
    ...(memory ? { memory } : {}),
  }
}
