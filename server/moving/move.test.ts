import { setTimeout } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { openDoor } from '../../test/support/door.ts'
import { MoveBench } from '../../test/support/moving.ts'
import { hasOutside } from '../../test/support/outside.ts'
import { DatabaseAway } from '../db/pool.ts'
import type { MoveStep } from './move.ts'

/** Writers that never stop: new messages in groups, old ones taken, settings changed. What is acknowledged is counted. */
class Writers {
  readonly acknowledged: string[] = []
  longestMs = 0
  readonly #bench: MoveBench
  readonly #running: Promise<void>[]
  #isOver = false
  #next = 0

  constructor(bench: MoveBench, count = 3) {
    this.#bench = bench
    this.#running = Array.from({ length: count }, (_, index) => this.#write(index))
  }

  end(): void {
    this.#isOver = true
  }

  async stop(): Promise<void> {
    this.end()
    await Promise.all(this.#running)
  }

  async #write(who: number): Promise<void> {
    const { db } = this.#bench
    while (!this.#isOver) {
      const ids = Array.from(
        { length: 10 },
        () => `01990000-0000-7000-8000-${(this.#next++).toString(16).padStart(12, '0')}`,
      )
      const since = performance.now()
      await db.exec(
        `INSERT INTO archive (id, sender, receiver, from_jid, to_jid, stanza, in_sender, in_receiver, pending)
         SELECT id, 'a', 'b', 'a@x', 'b@x', '<message/>', true, true, true FROM unnest($1::uuid[]) AS id ON CONFLICT DO NOTHING`,
        [ids],
        { repeat: true },
      )
      this.longestMs = Math.max(this.longestMs, performance.now() - since)
      this.acknowledged.push(...ids)
      // Some hundred messages a second: a large office on a busy day.
      await setTimeout(15)
      await db.exec('UPDATE archive SET pending = false WHERE id = ANY($1::uuid[])', [ids.slice(0, 5)], {
        repeat: true,
      })
      await db.exec('DELETE FROM archive WHERE id = $1', [oldId(who * 1_000 + this.#next)], { repeat: true })
      await db.exec(
        `INSERT INTO setting (key, value, changed_by) VALUES ($1, to_jsonb($2::int), 'w')
         ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
        [`w${who}`, this.#next],
        { repeat: true },
      )
    }
  }
}

const oldId = (n: number): string => `01900000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`

const ways = [
  [18, 18],
  ...(hasOutside
    ? ([
        [18, 15],
        [15, 18],
      ] as const)
    : []),
] as [18 | 15, 18 | 15][]

describe.each(ways)('from PostgreSQL %i to %i', (from, to) => {
  test('everything arrives while people go on writing, each row once, and nobody waits for longer than two seconds', {
    timeout: 120_000,
  }, async () => {
    await using bench = await MoveBench.open(from, to, 50_000)
    const writers = new Writers(bench)
    const since = performance.now()
    await bench.move().finally(() => writers.end())
    const tookMs = performance.now() - since
    const beforeStop = writers.acknowledged.length
    await writers.stop()
    process.stdout.write(
      `move ${from} to ${to}: ${Math.round(tookMs)} ms for ${bench.record.tables.reduce((sum, one) => sum + one.rows, 0)} rows, ` +
        `paused ${bench.record.pauseMs} ms, longest write ${Math.round(writers.longestMs)} ms, ${beforeStop} written meanwhile\n`,
    )
    expect(bench.pointsTo).toBe('new')
    expect(bench.record.pauseMs).toBeLessThan(2_000)
    expect(writers.longestMs).toBeLessThan(2_500)
    const rows = await bench.ask<{ id: string }>('new', 'SELECT id::text FROM archive')
    const ids = new Set(rows.map(row => row.id))
    expect(writers.acknowledged.filter(id => !ids.has(id))).toEqual([])
    expect(beforeStop).toBeGreaterThan(100)
    await expect(bench.ask('old', `DELETE FROM archive`)).rejects.toThrow(DatabaseAway)
    // Numbered rows go on behind the greatest number.
    await bench.db.exec(`INSERT INTO setting_history (key, changed_by) VALUES ('after', 'me')`)
  })
})

test('a move that is interrupted goes on behind what was done, and what changed meanwhile comes along', async () => {
  await using bench = await MoveBench.open(18, 18, 65_000)
  const abort = new AbortController()
  let ranges = 0
  bench.onStep = name => {
    if (name === 'range' && bench.record.tables.some(one => one.table === 'archive' && one.done >= 40_000))
      abort.abort()
  }
  await expect(bench.move(abort.signal)).rejects.toThrow()
  const archive = bench.record.tables.find(one => one.table === 'archive')!
  expect(archive).toMatchObject({ done: 40_000, state: 'waiting' })
  await bench.db.exec('DELETE FROM archive WHERE id <= $1', [oldId(10)])
  await bench.db.exec(`UPDATE archive SET pending = true WHERE id = $1`, [oldId(60_000)])
  await bench.db.exec(`UPDATE roster SET jid = 'new@office.test' WHERE username = 'u1'`)
  bench.onStep = name => {
    if (name === 'range') ranges++
  }
  await bench.move()
  // Two ranges were left of the archive; tables behind it in the alphabet were left too.
  expect(ranges).toBeLessThan(2 + bench.record.tables.length)
  const [row] = await bench.ask<{ count: number }>('new', 'SELECT count(*)::int AS count FROM archive')
  expect(row?.count).toBe(64_990)
  expect(await bench.ask('new', `SELECT jid FROM roster WHERE username = 'u1'`)).toEqual([{ jid: 'new@office.test' }])
})

test.each<MoveStep>([
  'made',
  'captured',
  'copied',
  'caught-up',
  'paused',
  'locked',
  'carried',
  'sealing',
  'sealed',
  'pointed',
])('a failure at “%s” leaves the old database in use, and the next try moves everything', async at => {
  await using bench = await MoveBench.open(18, 18, 300)
  bench.onStep = name => {
    if (name === at) throw new Error('as a bug would')
  }
  await expect(bench.move()).rejects.toThrow('as a bug would')
  expect(bench.pointsTo).toBe('old')
  await bench.db.exec(`INSERT INTO setting (key, value, changed_by) VALUES ('still', '1', 'me')`)
  bench.onStep = () => undefined
  await bench.move()
  expect(await bench.ask('new', `SELECT changed_by FROM setting WHERE key = 'still'`)).toEqual([{ changed_by: 'me' }])
  expect(await bench.db.one(`SELECT changed_by FROM setting WHERE key = 'still'`)).toEqual({ changed_by: 'me' })
})

test('a target that breaks off and comes back is gone on with by itself, behind what it has', {
  timeout: 60_000,
}, async () => {
  await using bench = await MoveBench.open(18, 18, 65_000)
  const { host, port } = bench.to
  const door = await openDoor(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port })
  bench.via = { ...bench.to, host: '127.0.0.1', port: door.port }
  let ranges = 0
  bench.onStep = async name => {
    if (name !== 'range' || !bench.record.tables.some(one => one.table === 'archive' && one.done >= 20_000)) return
    if (ranges++ > 0) return
    await door.shut()
    await door.open()
  }
  await bench.move()
  expect(await bench.ask('new', 'SELECT count(*)::int AS count FROM archive')).toEqual([{ count: 65_000 }])
  // The rest of the archive: three ranges; the first was not copied again.
  expect(ranges).toBeLessThanOrEqual(4 + bench.record.tables.length)
  await door.close()
})

test('a copy that is not the same is copied once more, and nothing is switched while it is not', async () => {
  await using bench = await MoveBench.open(18, 18, 300)
  let spoiled = 0
  bench.onStep = async name => {
    if (name === 'copied' && spoiled++ === 0)
      await bench.ask('new', `UPDATE roster SET name = 'spoiled' WHERE username = 'u7'`)
  }
  await bench.move()
  expect(spoiled).toBe(2)
  expect(await bench.ask('new', `SELECT name FROM roster WHERE username = 'u7'`)).toEqual([{ name: null }])
})
