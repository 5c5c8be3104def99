/** A server in use: what it said of itself when it was chosen, and the connections that may only lead to that server. */
import type { Logger } from 'pino'
import { Connections } from '../connections.ts'
import { away, type DatabaseAway } from '../errors.ts'
import { FENCE_MS } from '../fence.ts'
import type { SessionLimits } from '../session.ts'
import type { Host } from './hosts.ts'
import type { Identity, ServerReport } from './probe.ts'
import { isCurrent } from './replication.ts'

export interface Lead {
  readonly connections: Connections
  readonly host: Host
  readonly report: ServerReport
}

export interface LeadLimits {
  limits: SessionLimits
  connectionsMax: number
  directMax: number
  waitersMax: number
}

/** Connections for reading from a standby. */
const STANDBY_CONNECTIONS = 4

/**
 * The connections to the main database.
 * @param isWatched whether new connections are verified and writes are fenced
 * @param onLost called when an idle connection was lost
 */
export function leadOn(
  host: Host,
  report: ServerReport,
  options: LeadLimits & { isWatched: boolean; log: Logger; onLost: () => void },
): Lead {
  const { limits, directMax, waitersMax, connectionsMax, log } = options
  const connections = new Connections({
    host,
    limits,
    directMax,
    waitersMax,
    max: connectionsMax,
    onLost: error => {
      log.info({ code: (error as { code?: string }).code }, 'idle database connection lost')
      options.onLost()
    },
    ...(options.isWatched && {
      verify: (identity: Identity) => objection(host.place, report, identity),
      fence: () => new Date(host.clock + FENCE_MS).toISOString(),
    }),
  })
  return { host, report, connections }
}

/** Why the server at the end of a new connection is not the one that this host was when it was chosen. */
function objection(place: string, report: ServerReport, identity: Identity): DatabaseAway | undefined {
  if (!identity.isWritable) return away('readonly', place)
  const { systemId, timeline } = report
  if (systemId && identity.systemId && identity.systemId !== systemId) return away('other-cluster', place)
  if (timeline === undefined || identity.timeline === undefined || identity.timeline === timeline) return undefined
  if (identity.timeline < timeline) return away('outdated', place)
  // Behind a proxy: the new primary. The look that follows finds it, and then everybody moves.
  return away('lost', place)
}

/** The standby that tolerant reads go to, as long as it is certain that it has everything (replication.ts). */
export class StandbyReads {
  readonly #options: LeadLimits & { heartbeatMs: number }
  #standby: Lead | undefined

  constructor(options: LeadLimits & { heartbeatMs: number }) {
    this.#options = options
  }

  /** Its connections, when both servers were seen a moment ago to be what they must be. */
  current(primary: Host | undefined): Connections | undefined {
    const standby = this.#standby
    const [lead, copy] = [primary?.last, standby?.host.last]
    if (!lead?.report || !copy?.report || !isCurrent(lead.report, copy.report)) return undefined
    const oldest = performance.now() - 2 * this.#options.heartbeatMs
    return lead.startedAt >= oldest && copy.startedAt >= oldest ? standby?.connections : undefined
  }

  /** Looks for one among the hosts after they were looked at. */
  follow(primary: Host, hosts: readonly Host[]): void {
    const report = primary.last?.report
    const isGood = ({ last }: Host): boolean => report !== undefined && !!last?.report && isCurrent(report, last.report)
    if (this.#standby && hosts.includes(this.#standby.host) && isGood(this.#standby.host)) return
    this.drop()
    const host = hosts.find(isGood)
    if (host?.last?.report) this.#standby = this.#connect(host, host.last.report)
  }

  drop(): void {
    this.#standby?.connections.cut()
    this.#standby = undefined
  }

  #connect(host: Host, report: ServerReport): Lead {
    const { limits, waitersMax } = this.#options
    const isSame = (identity: Identity): boolean => identity.bornAt === report.bornAt && !identity.isWritable
    const connections = new Connections({
      host,
      limits,
      waitersMax,
      max: STANDBY_CONNECTIONS,
      directMax: 0,
      verify: identity => (isSame(identity) ? undefined : away('lost', host.place)),
      onLost: () => undefined, // the next look tells
    })
    return { host, report, connections }
  }
}
