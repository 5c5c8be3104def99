import { describe, expect, test } from 'vitest'
import { away } from '../errors.ts'
import { type Choice, choose, type KnownCluster, type Question, type Seen } from './choose.ts'
import type { ServerReport } from './probe.ts'

const base: ServerReport = {
  isCopy: false,
  isReadOnly: false,
  timeline: 5,
  systemId: '7100000000000000001',
  bornAt: 'a',
  version: '17.2',
  clock: 0,
  maySeeReplication: true,
  followers: [],
  standbyNames: '',
  commitLevel: 'on',
}

const primary = (change: Partial<ServerReport> = {}): Partial<ServerReport> => ({ ...base, ...change })
const copy = (change: Partial<ServerReport> = {}): Partial<ServerReport> => ({
  ...base,
  isCopy: true,
  bornAt: 'copy',
  ...change,
})

/** Hosts a, b, c, … of which each was looked at after all others, unless `times` says when. */
function seen(
  reports: (Partial<ServerReport> | 'away' | 'unseen')[],
  times: { startedAt: number; endedAt: number; usableSince?: number }[] = [],
): Seen[] {
  return reports.map((report, index) => {
    const place = String.fromCharCode(97 + index)
    const time = times[index] ?? { startedAt: 1_000, endedAt: 1_001 }
    if (report === 'unseen') return { place, rank: index }
    if (report === 'away') return { place, rank: index, look: { ...time, fault: away('refused', place) } }
    const all = { ...base, ...report }
    const since = all.isCopy || all.isReadOnly ? {} : { usableSince: 500 }
    return { place, rank: index, look: { ...since, ...time, report: all } }
  })
}

const known = (change: Partial<KnownCluster> = {}): KnownCluster => ({
  systemId: '7100000000000000001',
  timeline: 5,
  place: 'a',
  ...change,
})

const ask = (hosts: Seen[], rest: Partial<Question> = {}): Choice => choose({ hosts, now: 1_000, ...rest })

/** 'use b', 'wait a', 'none outdated' */
function inWords({ kind, index, fault }: Choice): string {
  return `${kind} ${index === undefined ? (fault?.reason ?? '') : String.fromCharCode(97 + index)}`.trim()
}

describe('the choice among hosts', () => {
  test.each<[string, Seen[], Partial<Question>, string]>([
    ['one that can be written to', seen([primary()]), {}, 'use a'],
    ['the primary, wherever it stands in the list', seen([copy(), primary()]), {}, 'use b'],
    ['the primary, when others are away', seen(['away', primary(), 'away']), {}, 'use b'],
    ['the higher timeline of two', seen([primary(), primary({ timeline: 6, bornAt: 'b' })]), {}, 'use b'],
    [
      'the higher timeline, although the lower one is in use',
      seen([primary(), primary({ timeline: 6, bornAt: 'b' })]),
      { known: known(), inUse: 0 },
      'use b',
    ],
    ['the one in use, although another way stands before it', seen([primary(), primary()]), { inUse: 1 }, 'use b'],
    ['the first of two ways to one server', seen([primary(), primary()]), {}, 'use a'],
    ['one whose timeline nobody may know', seen([primary({ timeline: 0 })]).map(drop('timeline')), {}, 'use a'],
    ['one whose identifier nobody may know', seen([primary()]).map(drop('systemId')), { known: known() }, 'use a'],
    ['any, read-write and primary alike', seen([copy(), primary()]), { attrs: 'primary' }, 'use b'],
  ])('takes %s', (_, hosts, question, words) => {
    expect(inWords(ask(hosts, question))).toBe(words)
  })

  test.each<[string, Seen[], Partial<Question>, string]>([
    ['a standby', seen([copy()]), {}, 'none readonly'],
    ['one that is read-only', seen([primary({ isReadOnly: true })]), {}, 'none readonly'],
    ['hosts that are all away', seen(['away', 'away']), {}, 'none refused'],
    ['a primary of the past', seen([primary()]), { known: known({ timeline: 6 }) }, 'none outdated'],
    [
      'a primary of the past while the new one is away',
      seen([primary(), 'away']),
      { known: known({ timeline: 6 }) },
      'none outdated',
    ],
    [
      'a primary of the past beside a copy of the new one',
      seen([primary(), copy({ receivedTimeline: 6 })]),
      {},
      'none outdated',
    ],
    [
      'the one in use when a copy follows a newer one',
      seen([primary(), copy({ receivedTimeline: 6 })]),
      { known: known(), inUse: 0 },
      'none outdated',
    ],
    ['another database', seen([primary({ systemId: '7' })]), { known: known() }, 'none other-cluster'],
    [
      'another database with a higher timeline',
      seen([primary({ systemId: '7', timeline: 9 })]),
      { known: known() },
      'none other-cluster',
    ],
    [
      'different databases of which none is known',
      seen([primary(), primary({ systemId: '7', timeline: 9 })]),
      {},
      'none other-cluster',
    ],
    ['two primaries of which none is known', seen([primary(), primary({ bornAt: 'b' })]), {}, 'none two-primaries'],
    ['standbys only, as the URL asks', seen([primary()]), { attrs: 'standby' }, 'none misconfigured'],
    ['read-only, as the URL asks', seen([primary()]), { attrs: 'read-only' }, 'none misconfigured'],
    ['a standby first, as the URL asks', seen([primary()]), { attrs: 'prefer-standby' }, 'none misconfigured'],
  ])('refuses %s', (_, hosts, question, words) => {
    expect(inWords(ask(hosts, question))).toBe(words)
  })

  test('keeps the one of two primaries that is, or was last, in use', () => {
    const hosts = seen([primary(), primary({ bornAt: 'b' })])
    expect(inWords(ask(hosts, { known: known({ place: 'b' }) }))).toBe('use b')
    expect(inWords(ask(hosts, { known: known({ place: 'b' }), inUse: 0 }))).toBe('use a')
    expect(ask(hosts, { known: known({ place: 'b' }) }).verdicts).toEqual(['rival', 'usable'])
  })

  test('is not disturbed by another database in the list once it knows its own', () => {
    const hosts = seen([primary({ systemId: '7', timeline: 9 }), primary()])
    expect(inWords(ask(hosts, { known: known() }))).toBe('use b')
    expect(ask(hosts, { known: known() }).verdicts).toEqual(['other-cluster', 'usable'])
  })

  test('waits for hosts that were not looked at yet, unless one speaks for itself', () => {
    expect(inWords(ask(seen([primary(), 'unseen'])))).toBe('wait a')
    expect(inWords(ask(seen([copy(), 'unseen'])))).toBe('wait')
    expect(inWords(ask(seen([primary({ timeline: 6 }), 'unseen']), { known: known() }))).toBe('use a')
  })

  test('takes one that thawed only after all others were looked at since', () => {
    const thawed = { startedAt: 100, endedAt: 900, usableSince: 900 }
    const hosts = (other: { startedAt: number; endedAt: number }, report: Partial<ServerReport> | 'away') =>
      seen([primary(), report], [thawed, other])
    // The copy was seen before: it may have been promoted since.
    expect(inWords(ask(hosts({ startedAt: 850, endedAt: 860 }, copy()), { known: known() }))).toBe('wait a')
    // The look began before and ended after: what it saw may be older.
    expect(inWords(ask(hosts({ startedAt: 850, endedAt: 950 }, copy()), { known: known() }))).toBe('wait a')
    expect(inWords(ask(hosts({ startedAt: 901, endedAt: 950 }, copy()), { known: known() }))).toBe('use a')
    // One that did not answer until after will not have been heard by asking again.
    expect(inWords(ask(hosts({ startedAt: 100, endedAt: 950 }, 'away'), { known: known() }))).toBe('use a')
    expect(inWords(ask(hosts({ startedAt: 100, endedAt: 850 }, 'away'), { known: known() }))).toBe('wait a')
  })

  test('goes back to a preferred way when it has been usable for long enough', () => {
    const since = (usableSince: number) => ({ startedAt: 20_000, endedAt: 20_001, usableSince })
    const question = { inUse: 1, known: known(), now: 20_002, preferAfterMs: 10_000 }
    expect(inWords(ask(seen([primary(), primary()], [since(15_000), since(0)]), question))).toBe('use b')
    expect(inWords(ask(seen([primary(), primary()], [since(9_000), since(0)]), question))).toBe('use a')
    // Another server is no way to ours.
    expect(inWords(ask(seen([primary({ bornAt: 'z' }), primary()], [since(0), since(0)]), question))).toBe('use b')
  })

  test('says what was found, why it is not used and what to do', () => {
    const stale = ask(seen([primary(), 'away']), { known: known({ timeline: 6 }) }).fault!.message
    expect(stale).toContain('a is a main database of the past (timeline 5; timeline 6 is known of), so it is not used')
    expect(stale).toContain('The database at b refuses connections')
    expect(stale).toContain('"lanthorn db trust"')
    expect(ask(seen([primary({ systemId: '7' })]), { known: known() }).fault!.message).toContain(
      'a carries another database (system identifier 7; ours is 7100000000000000001)',
    )
    expect(ask(seen([primary(), primary({ bornAt: 'b' })])).fault!.message).toContain(
      'a and b are main databases at the same time',
    )
    expect(ask(seen([primary()]), { attrs: 'standby' }).fault!.message).toContain('target_session_attrs=standby')
  })

  test('of all small worlds never uses what must not be used', () => {
    const kinds: (Partial<ServerReport> | 'away' | 'unseen')[] = [
      'away',
      'unseen',
      copy(),
      copy({ receivedTimeline: 6, timeline: 6 }),
      primary({ timeline: 4 }),
      primary({ timeline: 5 }),
      primary({ timeline: 6, bornAt: 'b' }),
      primary({ systemId: '7', timeline: 9, bornAt: 'c' }),
      primary({ isReadOnly: true, timeline: 9 }),
    ]
    let used = 0
    for (const first of kinds)
      for (const second of kinds)
        for (const third of kinds)
          for (const inUse of [undefined, 0, 1, 2]) {
            const hosts = seen([first, second, third])
            const choice = ask(hosts, { known: known(), inUse })
            if (choice.kind !== 'use') continue
            used++
            const report = hosts[choice.index!]!.look!.report!
            expect(report).toMatchObject({ isCopy: false, isReadOnly: false, systemId: base.systemId })
            const highest = Math.max(5, ...hosts.map(({ look }) => timelineOf(look?.report)))
            expect(report.timeline).toBe(highest)
          }
    expect(used).toBeGreaterThan(100)
  })
})

/** What a host shows of the highest timeline of our database. */
function timelineOf(report: ServerReport | undefined): number {
  if (!report || report.systemId !== base.systemId || report.isReadOnly) return 0
  return (report.isCopy ? report.receivedTimeline : report.timeline) ?? 0
}

const drop =
  (key: keyof ServerReport) =>
  (host: Seen): Seen => {
    const { [key]: _, ...report } = host.look!.report!
    return { ...host, look: { ...host.look!, report: report as ServerReport } }
  }
