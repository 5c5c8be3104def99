import pino from 'pino'
import { describe, expect, test, vi } from 'vitest'
import { openAdmin } from '../../test/support/admin.ts'
import { allLinked, aNode } from '../../test/support/node-desks.ts'
import type { PeerState } from '../cluster/mesh.ts'
import type { HealthCheck } from './contract/health.ts'
import { Health } from './health.ts'
import type { Check, CheckResult } from './parts.ts'

const quiet = pino({ level: 'silent' })

/** A check whose result a test sets. */
function checkThat(id: string, result: () => CheckResult | undefined | Promise<CheckResult>): Check {
  return { id, group: 'pcs', why: 'It matters.', run: result }
}

describe('health', () => {
  test('shows what fails first, hides what does not apply, and survives a check that breaks', async () => {
    const health = new Health({
      sentence: () => 'One PC carries the office.',
      log: quiet,
      now: Date.now,
      checks: [
        checkThat('fine', () => ({ state: 'ok', sentence: 'Fine.' })),
        checkThat('absent', () => undefined),
        checkThat('broken', () => {
          throw new Error('bug')
        }),
        checkThat('bad', () => ({ state: 'bad', sentence: 'Bad.' })),
      ],
    })
    const report = await health.check()
    expect(report.checks.map(({ id, state }) => [id, state])).toEqual([
      ['bad', 'bad'],
      ['broken', 'warn'],
      ['fine', 'ok'],
    ])
    expect(health.summary).toEqual({ state: 'bad', headline: 'Something is broken', sentence: 'Bad.' })
    health.close()
  })

  test('does not wait for a check that hangs', async () => {
    vi.useFakeTimers()
    try {
      const health = new Health({
        sentence: () => 'One PC carries the office.',
        log: quiet,
        now: Date.now,
        checks: [checkThat('hangs', () => new Promise(() => undefined))],
      })
      const checking = health.check()
      await vi.advanceTimersByTimeAsync(8_000)
      expect((await checking).checks[0]).toMatchObject({
        state: 'warn',
        sentence: 'This took longer than 8 seconds to check.',
      })
      health.close()
    } finally {
      vi.useRealTimers()
    }
  })

  test('tells when the state changes, and only then', async () => {
    let state: 'ok' | 'warn' = 'ok'
    const told: string[] = []
    const health = new Health({
      sentence: () => 'One PC carries the office.',
      log: quiet,
      now: Date.now,
      checks: [checkThat('one', () => ({ state, sentence: `It is ${state}.` }))],
    })
    health.onChange = summary => void told.push(summary.sentence)
    await health.check()
    await health.check()
    state = 'warn'
    await health.check()
    await health.check()
    expect(told).toEqual(['It is warn.'])
    health.close()
  })
})

describe('the checks of an office', () => {
  test('are sentences with a reason, and all is well in a new one', async () => {
    await using bench = await openAdmin()
    const cookie = await bench.signIn()
    const { json } = await bench.ask<{ state: string; checks: HealthCheck[] }>('POST', '/api/health/check', {
      cookie,
      body: {},
    })
    expect(json.checks.map(({ id, state }) => [id, state])).toEqual(
      expect.arrayContaining([
        ['database', 'ok'],
        ['certificate', 'ok'],
        ['authority', 'ok'],
        ['clock', 'ok'],
        ['disk-space', expect.any(String)],
      ]),
    )
    for (const { id, sentence, why } of json.checks) {
      expect(sentence, id).toMatch(/\.$/)
      expect(why, id).toMatch(/\.$/)
    }
  })

  test('notice a clock that was set, and mend what has a button', async () => {
    let mended = 0
    const check: Check = {
      ...checkThat('door', () => ({
        state: mended > 0 ? 'ok' : 'bad',
        sentence: 'The door.',
        mend: { label: 'Open the door', run: 'door' },
      })),
      mend: async () => {
        mended++
      },
    }
    await using bench = await openAdmin({ checks: [check] })
    const cookie = await bench.signIn()
    await bench.ask('POST', '/api/health/check', { cookie, body: {} })
    bench.clock.ahead += 90_000
    const { json } = await bench.ask<{ checks: HealthCheck[] }>('POST', '/api/health/mend', {
      cookie,
      body: { run: 'door' },
    })
    expect(mended).toBe(1)
    expect(json.checks.find(({ id }) => id === 'door')?.state).toBe('ok')
    expect(json.checks.find(({ id }) => id === 'clock')?.sentence).toBe(
      'The clock of this PC was just set forward by 90 seconds, or this PC slept.',
    )
    expect((await bench.ask('POST', '/api/health/mend', { cookie, body: { run: 'nothing' } })).json.error.code).toBe(
      'not-found',
    )
    expect((await bench.ask('GET', '/health/ready')).status).toBe(200)
  })

  test('tell that the database is away, and the pages go on for who is signed in', async () => {
    await using bench = await openAdmin()
    const cookie = await bench.signIn()
    await bench.ask('GET', '/api/home', { cookie })
    await bench.db.close()
    const home = await bench.ask<{ state: string; headline: string; sentence: string }>('GET', '/api/home', { cookie })
    expect(home.status).toBe(200)
    const { json } = await bench.ask<{ state: string; checks: HealthCheck[] }>('POST', '/api/health/check', {
      cookie,
      body: {},
    })
    expect(json.state).toBe('bad')
    expect(json.checks[0]).toMatchObject({ id: 'database', state: 'bad' })
    const people = await bench.ask('GET', '/api/people', { cookie })
    expect([people.status, people.json.error.code]).toEqual([503, 'database-away'])
    expect(people.json.error.sentence).toMatch(/\.$/)
  })
})

const aPeer = (name: string, state: PeerState, roundTripMs?: number) => ({
  ...{ node: { number: 2, id: 'id', name, key: '', addresses: [] }, state, roundTripMs },
  ...{ waitingBytes: 640, waitingFrames: 2 },
})

describe('metrics', () => {
  test('are for this PC and for who is signed in', async () => {
    await using bench = await openAdmin()
    const here = await bench.ask('GET', '/metrics')
    expect(here.status).toBe(200)
    for (const series of [
      'lanthorn_sessions 0',
      'lanthorn_database_up 1',
      'lanthorn_messages_total 0',
      'lanthorn_info{version="0.0.0-test"} 1',
    ]) {
      expect(here.text).toContain(series)
    }
    const cookie = await bench.signIn()
    Object.assign(bench.origin, { address: '192.0.2.66', isLocal: false })
    expect((await bench.ask('GET', '/metrics')).status).toBe(401)
    expect((await bench.ask('GET', '/metrics', { cookie })).status).toBe(200)
  })

  test('tell how this PC sees the others, and what its Hazelcast member costs, as it is now', async () => {
    await using bench = await openAdmin()
    const { nodes } = bench.desks
    const lines = async (part: string): Promise<string[]> =>
      (await bench.ask('GET', '/metrics')).text.split('\n').filter(line => line.startsWith(`lanthorn_${part}`))
    expect(await lines('pcs')).toEqual(['lanthorn_pcs 1', 'lanthorn_pcs_on 1'])
    expect(await lines('hazelcast_')).toEqual(['lanthorn_hazelcast_up 0'])
    expect(await lines('link_')).toEqual([])

    nodes.nodes = allLinked([aNode(1, 'front-desk'), aNode(2, 'back-office'), aNode(3, 'workshop', { state: 'away' })])
    const member = { pid: 1, startMs: 2_500, restarts: 2, rssBytes: 1e8, processorSeconds: 3.5, isSafe: true, seen: 2 }
    nodes.figures = {
      peers: [aPeer('back-office', 'up', 0.4), aPeer('workshop', 'gone')],
      member: { ...member, heapUsedBytes: 3e7, heapMaxBytes: 6e7 },
    }
    expect(await lines('pcs')).toEqual(['lanthorn_pcs 3', 'lanthorn_pcs_on 2'])
    expect(await lines('link_')).toEqual([
      ...['up', 'suspected', 'gone', 'away'].map(
        (state, index) => `lanthorn_link_state{pc="back-office",state="${state}"} ${index === 0 ? 1 : 0}`,
      ),
      ...['up', 'suspected', 'gone', 'away'].map(
        (state, index) => `lanthorn_link_state{pc="workshop",state="${state}"} ${index === 2 ? 1 : 0}`,
      ),
      'lanthorn_link_round_trip_seconds{pc="back-office"} 0.0004',
      'lanthorn_link_waiting_bytes{pc="back-office"} 640',
      'lanthorn_link_waiting_bytes{pc="workshop"} 640',
      'lanthorn_link_waiting_frames{pc="back-office"} 2',
      'lanthorn_link_waiting_frames{pc="workshop"} 2',
    ])
    expect(await lines('hazelcast_')).toEqual([
      'lanthorn_hazelcast_up 1',
      'lanthorn_hazelcast_members 2',
      'lanthorn_hazelcast_safe 1',
      'lanthorn_hazelcast_resident_memory_bytes 100000000',
      'lanthorn_hazelcast_heap_used_bytes 30000000',
      'lanthorn_hazelcast_heap_max_bytes 60000000',
      'lanthorn_hazelcast_start_seconds 2.5',
      'lanthorn_hazelcast_cpu_seconds_total 3.5',
      'lanthorn_hazelcast_restarts_total 2',
    ])
    // The PC was removed, the member ended.
    nodes.figures = { peers: [aPeer('back-office', 'up')], member: undefined }
    expect((await lines('link_')).some(line => line.includes('workshop'))).toBe(false)
    expect(await lines('hazelcast_')).toEqual(['lanthorn_hazelcast_up 0'])
  })
})
