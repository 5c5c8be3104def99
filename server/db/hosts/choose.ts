/** Which of the hosts is used: a pure decision from what was seen of each and what is known from before. */
import type { SessionAttrs } from '../address.ts'
import { DatabaseAway } from '../errors.ts'
import type { HostLook } from './hosts.ts'
import type { ServerReport } from './probe.ts'

/** What is known of the database for good: survives restarts, so that neither a primary of the past nor another database is taken for it. */
export interface KnownCluster {
  /** pg_control_system()'s identifier as text; empty when our role may not read it. */
  readonly systemId: string
  /** The highest timeline that was ever used. */
  readonly timeline: number
  /** The host that was used last. */
  readonly place: string
}

/** A host as the decision sees it. */
export interface Seen {
  readonly place: string
  /** Lower is preferred. */
  readonly rank: number
  /** The last look; absent before the first one has ended. */
  readonly look?: HostLook
}

/** What a host is worth at the moment. */
export type Verdict =
  | 'unseen'
  | 'away'
  | 'usable'
  | 'copy'
  | 'readonly'
  | 'outdated'
  | 'other-cluster'
  /** Writable, on the right timeline, but another server than the one that is used. */
  | 'rival'

export interface Choice {
  /** use: this host now; wait: one of them, as soon as the others were looked at; none: see `fault`. */
  readonly kind: 'use' | 'wait' | 'none'
  /** Index of the host when `kind` is 'use'. */
  readonly index?: number
  readonly fault?: DatabaseAway
  readonly verdicts: readonly Verdict[]
  /** The lowest timeline that may be used, as far as it is known. */
  readonly leastTimeline: number
}

export interface Question {
  readonly hosts: readonly Seen[]
  readonly known?: KnownCluster | undefined
  readonly attrs?: SessionAttrs | undefined
  /** Index of the host in use. */
  readonly inUse?: number | undefined
  /** performance.now(), for going back to a preferred host. */
  readonly now: number
  /** How long a preferred way to the same server must have been usable before it is gone back to. */
  readonly preferAfterMs?: number
}

const whatToDo = 'If the servers were rebuilt on purpose, "lanthorn db trust" forgets what is known of the old ones.'

/** Decides. Takes no time, looks at nothing but its argument. */
export function choose(question: Question): Choice {
  const { hosts, known, attrs } = question
  if (attrs === 'read-only' || attrs === 'standby' || attrs === 'prefer-standby') {
    const message = `The database URL says target_session_attrs=${attrs}, but this server must write: take it out, or write read-write.`
    return none(
      hosts.map(() => 'unseen'),
      0,
      new DatabaseAway('misconfigured', message),
    )
  }
  const systemId = known?.systemId || undefined
  const leastTimeline = leastTimelineOf(hosts, known)
  const verdicts = hosts.map(({ look }) => judge(look, systemId, leastTimeline))
  const usable = hosts.map((_, index) => index).filter(index => verdicts[index] === 'usable')
  const servers = new Set(usable.map(index => serverOf(hosts[index]?.look?.report)))
  const clusters = new Set(usable.map(index => hosts[index]?.look?.report?.systemId).filter(Boolean))
  if (clusters.size > 1) return none(verdicts, leastTimeline, strangers(hosts, usable))
  const candidates = servers.size > 1 ? wayToOurs(question, usable) : usable
  if (usable.length > 0 && candidates.length === 0) return none(verdicts, leastTimeline, twoPrimaries(hosts, usable))
  const seen = verdicts.map((verdict, index) =>
    verdict === 'usable' && !candidates.includes(index) ? 'rival' : verdict,
  )
  const index = best(question, candidates)
  if (index === undefined && verdicts.includes('unseen')) return { kind: 'wait', verdicts: seen, leastTimeline }
  if (index === undefined) return none(seen, leastTimeline, faultOf(hosts, verdicts, known, leastTimeline))
  const kind = isCertain(question, index, leastTimeline) ? 'use' : 'wait'
  return { kind, index, verdicts: seen, leastTimeline }
}

const none = (verdicts: readonly Verdict[], leastTimeline: number, fault: DatabaseAway): Choice => ({
  kind: 'none',
  verdicts,
  leastTimeline,
  fault,
})

/** The highest timeline that is known of: used before, written to now, or received by a copy from somebody whom we do not see. */
function leastTimelineOf(hosts: readonly Seen[], known: KnownCluster | undefined): number {
  const ours = hosts
    .map(({ look }) => look?.report)
    .filter(report => report && !(known?.systemId && report.systemId && report.systemId !== known.systemId))
  const clusters = new Set(ours.map(report => report?.systemId).filter(Boolean))
  // Before anything is known, timelines of different databases must not be compared.
  if (!known && clusters.size > 1) return 0
  const timelines = ours.map(report => (report && isWritable(report) ? report.timeline : report?.receivedTimeline) ?? 0)
  return Math.max(known?.timeline ?? 0, ...timelines)
}

function judge(look: HostLook | undefined, systemId: string | undefined, leastTimeline: number): Verdict {
  if (!look) return 'unseen'
  const { report } = look
  if (!report) return 'away'
  if (systemId && report.systemId && report.systemId !== systemId) return 'other-cluster'
  if (report.isCopy) return 'copy'
  if (report.isReadOnly) return 'readonly'
  return report.timeline !== undefined && report.timeline < leastTimeline ? 'outdated' : 'usable'
}

const isWritable = (report: ServerReport): boolean => !report.isCopy && !report.isReadOnly

/** Two ways (proxies, names) to one server give the same; two servers never do. */
const serverOf = (report: ServerReport | undefined): string => `${report?.systemId ?? ''} ${report?.bornAt ?? ''}`

/** Of two main databases on one timeline: the ways to the one that is, or was last, in use. None when neither was. */
function wayToOurs({ hosts, inUse, known }: Question, usable: readonly number[]): number[] {
  const ours = usable.find(index => index === inUse) ?? usable.find(index => hosts[index]?.place === known?.place)
  if (ours === undefined) return []
  const server = serverOf(hosts[ours]?.look?.report)
  return usable.filter(index => serverOf(hosts[index]?.look?.report) === server)
}

/** The one in use, unless a preferred way to the same server has been usable for long enough; otherwise the most preferred one. */
function best(
  { hosts, inUse, now, preferAfterMs = 10_000 }: Question,
  candidates: readonly number[],
): number | undefined {
  const rank = (index: number): number => hosts[index]?.rank ?? Number.POSITIVE_INFINITY
  const sorted = [...candidates].sort((a, b) => rank(a) - rank(b))
  if (inUse === undefined || !candidates.includes(inUse)) return sorted[0]
  const isSteady = (index: number): boolean => now - (hosts[index]?.look?.usableSince ?? now) >= preferAfterMs
  return sorted.find(index => index === inUse || isSteady(index))
}

/**
 * Whether nothing that is not known yet could speak against this host. A new timeline speaks for itself; on the timeline of before, a primary
 * that was frozen looks as good as ever: then all others must have been looked at since, so that the new primary is seen first.
 */
function isCertain({ hosts, inUse, known }: Question, index: number, leastTimeline: number): boolean {
  if (index === inUse) return true
  const look = hosts[index]?.look
  if (known && look?.report?.timeline === leastTimeline && leastTimeline > known.timeline) return true
  const since = look?.usableSince ?? Number.POSITIVE_INFINITY
  return hosts.every(({ look: other }, at) => at === index || isSeenSince(other, since))
}

/** Whether a look tells what a host was after that moment: one that began later, or one that nobody had answered by then. */
export function isSeenSince(look: HostLook | undefined, since: number): boolean {
  return look !== undefined && (look.startedAt >= since || (look.fault !== undefined && look.endedAt >= since))
}

function strangers(hosts: readonly Seen[], usable: readonly number[]): DatabaseAway {
  const places = usable.map(index => hosts[index]?.place).join(' and ')
  return new DatabaseAway(
    'other-cluster',
    `${places} carry different databases (their system identifiers differ), so none of them is used: leave only the servers of one database in the URL.`,
  )
}

function twoPrimaries(hosts: readonly Seen[], usable: readonly number[]): DatabaseAway {
  const places = usable.map(index => hosts[index]?.place).join(' and ')
  return new DatabaseAway(
    'two-primaries',
    `${places} are main databases at the same time and none of them was used here before, so none is used now: stop the one that is wrong and make it a copy of the other.`,
  )
}

/** Why none can be used, in one sentence (several when there are several hosts). */
function faultOf(
  hosts: readonly Seen[],
  verdicts: readonly Verdict[],
  known: KnownCluster | undefined,
  leastTimeline: number,
): DatabaseAway {
  const reasons = hosts.map((host, index) => reasonOf(host, verdicts[index] ?? 'unseen', known, leastTimeline))
  const worst =
    reasons.find(({ reason }) => reason === 'other-cluster' || reason === 'outdated') ??
    reasons.find(({ reason }) => reason === 'readonly') ??
    reasons[0]
  if (!worst) return new DatabaseAway('misconfigured', 'The database URL names no host.')
  if (hosts.length === 1) return worst
  const message = `None of the database servers can be used. ${reasons.map(({ message }) => message).join(' ')}`
  return new DatabaseAway(worst.reason, message, { cause: worst })
}

/** What is wrong with one host that is not used. */
export function reasonOf(
  { place, look }: Seen,
  verdict: Verdict,
  known: KnownCluster | undefined,
  leastTimeline: number,
): DatabaseAway {
  const { report, fault } = look ?? {}
  if (fault) return fault
  if (verdict === 'other-cluster') {
    return new DatabaseAway(
      'other-cluster',
      `${place} carries another database (system identifier ${report?.systemId}; ours is ${known?.systemId}), so it is not used. ${whatToDo}`,
    )
  }
  if (verdict === 'outdated') {
    return new DatabaseAway(
      'outdated',
      `${place} is a main database of the past (timeline ${report?.timeline}; timeline ${leastTimeline} is known of), so it is not used: what was written since is not on it. Stop it and make it a copy of the new one. ${whatToDo}`,
    )
  }
  if (verdict === 'copy' || verdict === 'readonly') {
    const what = verdict === 'copy' ? 'it is a copy' : 'default_transaction_read_only is on'
    return new DatabaseAway('readonly', `The database at ${place} only lets us read at the moment (${what}).`)
  }
  return new DatabaseAway('timeout', `The database at ${place} did not answer in time.`)
}
