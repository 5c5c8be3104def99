import { describe, expect, test } from 'vitest'
import { addressOf, type DatabaseAddress, type TlsMode } from '../address.ts'
import { findingsOf, summaryOf } from './findings.ts'
import { synchronousAdvice } from './findings-replication.ts'
import type { HostFacts, HostLook, LookFault } from './host-facts.ts'
import { rowOf } from './host-row.ts'
import { quoted, readableMs, standbysWanted } from './looks.ts'

const facts: HostFacts = {
  version: '17.2',
  versionNumber: 170_002,
  isCopy: false,
  bornAt: '1',
  systemId: '7711106828689439595',
  timeline: 3,
  position: 1_000,
  user: 'lanthorn',
  database: 'chat',
  schema: 'public',
  mayCreate: true,
  maySeeReplication: true,
  encoding: 'UTF8',
  isReadOnly: false,
  fsync: true,
  fullPageWrites: true,
  idleSessionTimeoutMs: 0,
  synchronousCommit: 'remote_apply',
  standbyNames: '',
  copies: [],
  tls: 'TLSv1.3',
  roundTripMs: 0.4,
  clockAheadMs: 3,
  freeConnections: 80,
  ownConnections: 0,
  isPooled: false,
}
const streaming = { name: 'h2', state: 'streaming', syncState: 'async' } as const

/** A host of the made-up office. */
function host(name: string, what: Partial<HostFacts> | LookFault, tls: TlsMode = 'verify-full'): HostLook {
  const connection = { host: name, port: 5432, user: 'lanthorn', password: 'p', database: 'chat', tls }
  return 'sentence' in what ? { connection, fault: what } : { connection, facts: { ...facts, bornAt: name, ...what } }
}
const main = (what: Partial<HostFacts> = {}): HostLook => host('h1', { copies: [streaming], ...what })
const copy = (what: Partial<HostFacts> = {}): HostLook =>
  host('h2', { isCopy: true, isFollowing: true, lagMs: 0, copyName: 'h2', ...what })
const synchronous = {
  standbyNames: 'ANY 1 (*)',
  copies: [{ ...streaming, syncState: 'quorum' }],
} as const

function address(looks: readonly HostLook[], more: Partial<DatabaseAddress> = {}): DatabaseAddress {
  const [first] = looks
  if (!first) throw new Error('an address needs a host')
  return {
    ...addressOf(first.connection),
    hosts: looks.map(({ connection: { host, port } }) => ({ host, port })),
    ...more,
  }
}
function judge(looks: readonly HostLook[], more: Partial<DatabaseAddress> = {}) {
  const findings = findingsOf(looks, address(looks, more))
  return { ...summaryOf(looks, findings), findings, ids: findings.map(({ id }) => id) }
}
const find = (looks: readonly HostLook[], id: string, more: Partial<DatabaseAddress> = {}) =>
  judge(looks, more).findings.find(finding => finding.id === id)

describe('servers as they should be', () => {
  test('a main database that waits for its copy has nothing to say', () => {
    expect(judge([main(synchronous), copy()])).toMatchObject({
      state: 'ok',
      sentence: 'The main database at h1:5432 (PostgreSQL 17.2, with a copy at h2:5432) can be used.',
      ids: [],
    })
  })

  test('rows say what each is, how far, and what the copy is worth', () => {
    const looks = [main(synchronous), copy()]
    expect(looks.map(look => rowOf(look, looks))).toMatchObject([
      { state: 'ok', role: 'main', sentence: 'Main database, PostgreSQL 17.2, 0.4 ms away.' },
      {
        state: 'ok',
        role: 'copy',
        replication: 'applied',
        sentence: 'Copy, PostgreSQL 17.2, 0.4 ms away; has everything; the main database waits for it.',
      },
    ])
  })

  test('one server alone is fine, and told what a second would be good for', () => {
    expect(judge([host('h1', {})])).toMatchObject({ state: 'ok', ids: ['single'] })
  })

  test('the order of the URL does not matter', () => {
    expect(judge([copy(), main(synchronous)])).toMatchObject({ state: 'ok', ids: [] })
  })
})

describe('which is the main database', () => {
  test('two on different timelines: the newer is used, the other must become a copy again', () => {
    const looks = [host('h1', { timeline: 6 }), host('h2', { timeline: 7 })]
    expect(judge(looks)).toMatchObject({
      state: 'warn',
      sentence: 'The main database at h2:5432 (PostgreSQL 17.2) can be used, but one thing deserves your attention.',
      ids: ['two-primaries'],
    })
    expect(find(looks, 'two-primaries')?.sentence).toMatch(/h2:5432 has taken over .* never h1:5432/)
    expect(find(looks, 'two-primaries')?.advice).toMatch(/Stop PostgreSQL at h1:5432 and make it a copy of h2:5432/)
    expect(looks.map(look => rowOf(look, looks).state)).toEqual(['bad', 'ok'])
  })

  test('two on the same timeline: nobody can tell, so neither is used', () => {
    expect(judge([host('h1', {}), host('h2', {})])).toMatchObject({
      state: 'bad',
      sentence: 'h1:5432 and h2:5432 both call themselves the main database, and nothing tells which one is right.',
    })
  })

  test('two ways to the same server are one main database', () => {
    const looks = [host('h1', { bornAt: 'x' }), host('h2', { bornAt: 'x' })]
    expect(judge(looks).ids).toEqual([])
    expect(looks.map(look => rowOf(look, looks).state)).toEqual(['ok', 'ok'])
  })

  test('servers of different data are never used together', () => {
    const looks = [host('h1', {}), host('h2', { systemId: '42' })]
    expect(judge(looks)).toMatchObject({ state: 'bad', ids: ['different-clusters'] })
    expect(judge(looks).sentence).toBe(
      'h1:5432 and h2:5432 carry different data: what is written to one never reaches the other.',
    )
    expect(rowOf(looks[1] as HostLook, looks)).toMatchObject({ state: 'bad' })
  })

  test('a copy of something else is told apart', () => {
    const looks = [main(), copy({ systemId: '42' })]
    expect(judge(looks).ids).toContain('different-clusters')
    expect(rowOf(looks[1] as HostLook, looks).sentence).toMatch(/it copies something else than h1:5432\.$/)
  })

  test('copies alone cannot be written to', () => {
    expect(judge([copy()])).toMatchObject({
      state: 'bad',
      sentence: 'h2:5432 is a copy that can only be read; the main database is not there.',
    })
    expect(find([copy(), host('h3', { isCopy: true })], 'no-primary')?.advice).toMatch(/^Add the host/)
    expect(find([copy(), host('h3', { sentence: 'off.' })], 'no-primary')?.advice).toMatch(/does not answer/)
  })

  test('a URL that asks for a copy is a mistake', () => {
    for (const targetSessionAttrs of ['read-only', 'standby', 'prefer-standby'] as const) {
      expect(judge([main(synchronous), copy()], { targetSessionAttrs })).toMatchObject({ state: 'bad', ids: ['attrs'] })
    }
    for (const targetSessionAttrs of ['any', 'primary', 'read-write'] as const) {
      expect(judge([main(synchronous), copy()], { targetSessionAttrs }).ids).toEqual([])
    }
  })

  test('a main database that lets nobody write is of no use', () => {
    expect(judge([host('h1', { isReadOnly: true })])).toMatchObject({ state: 'bad' })
    expect(find([host('h1', { isReadOnly: true })], 'read-only')?.advice).toContain(
      'ALTER ROLE "lanthorn" SET default_transaction_read_only = off;',
    )
  })
})

describe('copies', () => {
  test('one that nobody waits for may lose the last moments', () => {
    const finding = find([main(), copy()], 'asynchronous')
    expect(finding).toMatchObject({ state: 'warn' })
    expect(finding?.sentence).toMatch(/last moments of changes may be lost .* Messages are written again by Lanthorn/)
    expect(finding?.advice).toContain("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)';")
    expect(finding?.advice).toContain('ALTER ROLE "lanthorn" SET synchronous_commit = \'remote_apply\';')
    expect(rowOf(copy(), [main(), copy()])).toMatchObject({ replication: 'asynchronous', state: 'ok' })
  })

  test('the lines for one copy say its price; with two the work goes on', () => {
    expect(synchronousAdvice('x"y', 1)).toMatch(
      /^As a superuser, on the main .* Changes then wait while .*\nALTER SYSTEM/,
    )
    expect(synchronousAdvice('x"y', 1)).toMatch(/\nALTER ROLE "x""y" SET .*;$/)
    expect(synchronousAdvice('x', 2)).toMatch(/on every server.* go on while at least one copy is there\.\n/)
  })

  test('standby names without waiting commits are still asynchronous', () => {
    for (const synchronousCommit of ['local', 'off']) {
      expect(judge([main({ ...synchronous, synchronousCommit }), copy()]).ids).toEqual(['asynchronous'])
    }
  })

  test('waiting for the disk of a copy, but not for its reading, is worth knowing', () => {
    const looks = [main({ ...synchronous, synchronousCommit: 'on' }), copy()]
    expect(judge(looks)).toMatchObject({ state: 'ok', ids: ['not-applied'] })
    expect(rowOf(looks[1] as HostLook, looks).replication).toBe('synchronous')
  })

  test('a main database that waits for a copy which is not there would hang', () => {
    const gone = { standbyNames: 'FIRST 1 (h2)', copies: [] }
    expect(judge([main(gone), host('h2', { sentence: 'h2 is off.' })])).toMatchObject({
      state: 'bad',
      sentence: 'h1:5432 waits for a copy with every change, but none is there: every change would hang.',
    })
    const twoWanted = { ...synchronous, standbyNames: 'ANY 2 (*)' }
    expect(find([main(twoWanted), copy()], 'sync-missing')?.sentence).toMatch(/waits for 2 copies .* only 1 is there/)
    const catchingUp = { ...synchronous, copies: [{ ...streaming, state: 'catchup', syncState: 'quorum' }] }
    expect(find([main(catchingUp), copy()], 'sync-missing')).toBeDefined()
  })

  test('without the right to see it, what is sure is said, and the right is named', () => {
    const blind = { maySeeReplication: false, copies: [{}] }
    const unsure = judge([main({ ...blind, standbyNames: '*' }), copy()])
    expect(unsure).toMatchObject({ state: 'warn', ids: ['no-monitor'] })
    expect(unsure.findings[0]?.advice).toContain('GRANT pg_monitor TO "lanthorn";')
    expect(judge([main({ ...blind, copies: [], standbyNames: '*' }), copy()]).ids).toContain('sync-missing')
    expect(judge([main(blind), copy()]).ids).toEqual(['asynchronous', 'no-monitor'])
    const looks = [main({ ...blind, standbyNames: '*' }), copy()]
    expect(rowOf(looks[1] as HostLook, looks)).not.toHaveProperty('replication')
  })

  test('of several copies each is told apart by its name', () => {
    const copies = [
      { ...streaming, syncState: 'sync' },
      { name: 'h3', state: 'streaming', syncState: 'async' },
    ]
    const looks = [
      main({ standbyNames: 'h2', copies }),
      copy(),
      host('h3', { isCopy: true, isFollowing: true, copyName: 'h3' }),
      host('h4', { isCopy: true, isFollowing: true }),
    ]
    expect(looks.slice(1).map(look => rowOf(look, looks).replication)).toEqual(['applied', 'asynchronous', undefined])
  })

  test('one that follows nobody, is behind, or was paused cannot take over well', () => {
    expect(judge([main(synchronous), copy({ isFollowing: false })])).toMatchObject({
      state: 'warn',
      ids: ['follows-nobody'],
    })
    expect(find([main(synchronous), copy({ lagMs: 61_000 })], 'lag')?.sentence).toMatch(/a copy that is 61 s behind/)
    expect(judge([main(synchronous), copy({ lagMs: 900 })]).ids).toEqual([])
    expect(judge([main(synchronous), copy({ isPaused: true, lagMs: 61_000 })]).ids).toEqual(['paused'])
    expect(rowOf(copy({ lagMs: 61_000 }), [main()])).toMatchObject({ state: 'warn' })
  })

  test('one that is ahead of its main database is a danger', () => {
    for (const what of [{ isAhead: true }, { timeline: 4 }]) {
      const looks = [main(), copy({ isFollowing: false, ...what })]
      expect(judge(looks)).toMatchObject({ state: 'bad' })
      expect(find(looks, 'ahead')?.sentence).toBe(
        'h2:5432 is a copy with changes that the main database h1:5432 does not have.',
      )
    }
    expect(find([main(synchronous), copy()], 'ahead')).toBeUndefined()
  })

  test('one that follows somebody newer tells of a main database that is not named', () => {
    expect(find([main(), copy({ timeline: 4 })], 'main-elsewhere')).toMatchObject({ state: 'bad' })
  })

  test('copies that the URL does not name would not be found', () => {
    expect(find([main()], 'unnamed-copies')?.sentence).toMatch(/has a copy \(h2\) that the URL does not name/)
    expect(find([main({ copies: [streaming, { ...streaming, name: 'h3' }] }), copy()], 'unnamed-copies')).toBeDefined()
    expect(find([main(), host('h2', { sentence: 'off.' })], 'unnamed-copies')).toBeUndefined()
    expect(find([main({ isPooled: true })], 'unnamed-copies')).toBeUndefined()
  })
})

describe('single servers', () => {
  test.each<[string, Partial<HostFacts>, 'ok' | 'warn' | 'bad', RegExp]>([
    ['version', { version: '13.9', versionNumber: 130_009 }, 'bad', /13\.9\. Lanthorn needs 14 or newer/],
    ['no-create', { mayCreate: false }, 'bad', /may not make tables in the schema public/],
    ['encoding', { encoding: 'SQL_ASCII' }, 'bad', /has the encoding SQL_ASCII/],
    ['no-slots', { freeConnections: 0 }, 'bad', /has no connection free; Lanthorn uses up to 20/],
    ['no-slots', { freeConnections: 1 }, 'warn', /has only 1 connection free/],
    ['clock', { clockAheadMs: 7_000 }, 'warn', /is 7 s ahead of that of this PC/],
    ['clock', { clockAheadMs: -300_000 }, 'warn', /is 5 minutes behind that of this PC/],
    ['fsync', { fsync: false }, 'warn', /fsync = off, without waiting for the disk/],
    ['full_page_writes', { fullPageWrites: false }, 'warn', /full_page_writes = off/],
    ['idle-timeout', { idleSessionTimeoutMs: 30_000 }, 'warn', /idle for 30 s/],
    ['far', { roundTripMs: 80 }, 'warn', /is 80 ms away/],
    ['pooled', { isPooled: true }, 'ok', /shares its connections/],
    ['no-tls', { tls: 'none' }, 'warn', /is not encrypted/],
  ])('%s is said in a sentence', (id, what, state, sentence) => {
    const looks = [host('h1', what)]
    expect(find(looks, id)).toMatchObject({ state, sentence: expect.stringMatching(sentence) })
    if (state === 'bad') expect(judge(looks).state).toBe('bad')
  })

  test('rights that are missing come with the line that gives them', () => {
    expect(find([host('h1', { mayCreate: false })], 'no-create')?.advice).toContain(
      'GRANT CREATE, USAGE ON SCHEMA "public" TO "lanthorn";',
    )
    const { schema: _none, ...without } = facts
    const look = { ...host('h1', {}), facts: { ...without, mayCreate: false } }
    expect(find([look], 'no-create')?.advice).toContain('CREATE SCHEMA "lanthorn" AUTHORIZATION "lanthorn";')
  })

  test('connections that Lanthorn has itself count as free', () => {
    expect(judge([host('h1', { freeConnections: 8, ownConnections: 14 })]).ids).toEqual(['single'])
  })

  test('encryption matters in the network only', () => {
    expect(judge([host('127.0.0.1', { tls: 'none' }, 'prefer')]).ids).toEqual(['single'])
    expect(judge([host('/run/postgresql', { tls: 'none' }, 'prefer')]).ids).toEqual(['single'])
    expect(judge([host('h1', {}, 'require')]).ids).toEqual(['single', 'tls-unverified'])
  })

  test('servers of different versions should be updated', () => {
    const looks = [main(synchronous), copy({ version: '17.4', versionNumber: 170_004 })]
    expect(judge(looks)).toMatchObject({ state: 'warn', ids: ['versions-differ'] })
  })
})

describe('servers that do not answer', () => {
  const off = { sentence: 'The database at h2:5432 refuses connections: is PostgreSQL running there?' }

  test('one of several is a warning', () => {
    expect(judge([host('h1', {}), host('h2', off)])).toMatchObject({ state: 'warn', ids: ['unreachable'] })
    expect(rowOf(host('h2', off), [])).toEqual({ host: 'h2:5432', state: 'bad', sentence: off.sentence })
  })

  test('the only one, or all, cannot be used', () => {
    expect(judge([host('h2', off)])).toMatchObject({ state: 'bad', sentence: off.sentence })
    expect(judge([host('h1', off), host('h2', off)]).sentence).toMatch(/^None of the servers can be used: The database/)
  })

  test('a server whose list does not name us comes with the line to add', () => {
    const fault = { sentence: 'The database at h1:5432 does not let us in.', refusedAddress: '192.168.1.31' }
    expect(find([host('h1', fault)], 'not-allowed')).toMatchObject({
      state: 'bad',
      advice: expect.stringContaining('host "chat" "lanthorn" 192.168.1.31/32 scram-sha-256'),
    })
    expect(find([host('h1', { ...fault, refusedAddress: 'fe80::1' })], 'not-allowed')?.advice).toContain('fe80::1/128')
  })
})

test('every finding is a sentence, and worst come first', () => {
  const looks = [
    main({ mayCreate: false, clockAheadMs: 9_000, isPooled: true, fsync: false, tls: 'none' }),
    copy({ isFollowing: false, version: '16.1' }),
    host('h3', { sentence: 'off.' }),
  ]
  const { findings } = judge(looks)
  expect(findings.length).toBeGreaterThan(5)
  for (const { sentence, advice = 'x' } of findings) {
    expect(sentence).toMatch(/^[A-Z0-9hT].*\.$/)
    expect(advice).not.toBe('')
  }
  const ranks = findings.map(({ state }) => ['bad', 'warn', 'ok'].indexOf(state))
  expect(ranks).toEqual(ranks.toSorted())
})

test('small things read well', () => {
  expect(['', '*', 'a, b', 'ANY 2 (a, b)', 'first 3 (*)', '2 (a, b)'].map(standbysWanted)).toEqual([0, 1, 1, 2, 3, 2])
  expect([0.42, 12.4, 4_200, 180_000, 9e6].map(readableMs)).toEqual([
    '0.4 ms',
    '12 ms',
    '4.2 s',
    '3 minutes',
    '3 hours',
  ])
  expect(quoted('we"ird')).toBe('"we""ird"')
})
