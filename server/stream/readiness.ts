/** Whether a load balancer should send people here. */
import type { Database } from '../db/pool.ts'
import type { Streams } from './streams.ts'

/**
 * Why nobody can sign in here now.
 * @param options.cluster what the cluster says about it, if there is one
 * @returns a sentence, undefined when people can
 */
export function whyNotReady(options: {
  readonly streams: Streams
  readonly db: Pick<Database, 'state'>
  readonly cluster?: (() => string | undefined) | undefined
}): string | undefined {
  const { streams, db, cluster } = options
  if (streams.isClosed) return 'Chat is being closed on this PC.'
  if (streams.isDraining) return 'Nobody can log in on this PC now: it is taken out, or about to stop.'
  const fault = cluster?.()
  if (fault !== undefined) return fault
  // All PCs have the same database: while it is away, those who are here go on, and who signed in lately still can.
  if (db.state !== 'up' && streams.parts.sessions.size === 0) return 'The database is away.'
  return undefined
}
