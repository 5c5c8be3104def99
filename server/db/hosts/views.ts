/** The hosts as screens show them: what was seen last, in a word and a sentence. */
import { type KnownCluster, reasonOf, type Seen, type Verdict } from './choose.ts'
import type { Host } from './hosts.ts'
import { type CopyReplication, copyReplication } from './replication.ts'

/** One host as it was seen last. */
export interface HostView {
  readonly place: string
  /** refused: it could be written to, but must not be (a primary of the past, another database, a second primary). */
  readonly state: 'in-use' | 'ready' | 'standby' | 'away' | 'refused'
  readonly sentence: string
  readonly timeline?: number
  /** “17.2”. */
  readonly version?: string
  /** A standby: how far behind, in milliseconds; 0 when it has applied everything. */
  readonly lagMs?: number
  /** A standby: whether the main database waits for it. */
  readonly replication?: CopyReplication
  /** When it was looked at, in milliseconds since 1970; 0: not yet. */
  readonly at: number
}

const copySentences: Record<CopyReplication, string> = {
  asynchronous: 'the main database does not wait for it',
  synchronous: 'every change is written there before it counts',
  applied: 'every change can be read there before it counts',
}

/** All hosts in the order of the URL. */
export function viewsOf(options: {
  seen: readonly Seen[]
  verdicts: readonly Verdict[]
  known: KnownCluster | undefined
  leastTimeline: number
  inUse: Host | undefined
}): HostView[] {
  const { seen, verdicts, inUse, known, leastTimeline } = options
  const primary = seen.find(({ place }) => place === inUse?.place)?.look?.report
  return seen.map((one, index) => {
    const { place, look } = one
    const report = look?.report
    const verdict = verdicts[index] ?? 'unseen'
    const isInUse = place === inUse?.place
    const replication = primary && report?.isCopy ? copyReplication(primary, report) : undefined
    return {
      place,
      state: isInUse ? 'in-use' : stateOf(verdict),
      sentence: isInUse ? inUseSentence(report?.version) : sentenceOf(one, verdict, known, leastTimeline, replication),
      at: look ? Math.round(performance.timeOrigin + look.endedAt) : 0,
      ...(report?.timeline === undefined ? {} : { timeline: report.timeline }),
      ...(report ? { version: report.version } : {}),
      ...(report?.isCopy && report.lagMs !== undefined ? { lagMs: report.lagMs } : {}),
      ...(replication ? { replication } : {}),
    }
  })
}

function stateOf(verdict: Verdict): HostView['state'] {
  switch (verdict) {
    case 'usable':
      return 'ready'
    case 'copy':
      return 'standby'
    case 'readonly':
    case 'outdated':
    case 'other-cluster':
    case 'rival':
      return 'refused'
    case 'away':
    case 'unseen':
      return 'away'
    default:
      return verdict satisfies never
  }
}

const inUseSentence = (version: string | undefined): string =>
  version ? `Main database, PostgreSQL ${version}.` : 'Main database.'

function sentenceOf(
  one: Seen,
  verdict: Verdict,
  known: KnownCluster | undefined,
  leastTimeline: number,
  replication: CopyReplication | undefined,
): string {
  const report = one.look?.report
  if (verdict === 'usable') return 'Leads to the main database as well.'
  if (verdict === 'rival') {
    return `${one.place} is a second main database at the same time, so it is not used: stop it and make it a copy of the other one.`
  }
  if (verdict !== 'copy' || !report) return reasonOf(one, verdict, known, leastTimeline).message
  if (!report.isFollowing && report.maySeeReplication) {
    return `Copy, PostgreSQL ${report.version}; it follows nobody at the moment.`
  }
  return `Copy, PostgreSQL ${report.version}${replication ? `; ${copySentences[replication]}` : ''}.`
}
