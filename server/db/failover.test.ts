import { createRequire } from 'node:module'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { quietLog, temporaryFolder } from '../../test/support/database.ts'
import { openDoor } from '../../test/support/door.ts'
import { type PostgresPair, startPair, urlOf } from '../../test/support/postgres-pair.ts'
import { eventually } from '../../test/support/postgres-server.ts'
import type { DatabaseAddress } from './address.ts'
import { MEMORY_FILE, openMemory } from './hosts/memory.ts'
import { Database, type DatabaseAway, type DatabaseOptions, type DirectSession, type Move } from './pool.ts'
import { parseDatabaseUrl } from './url.ts'

let pair: PostgresPair

beforeAll(async () => {
  pair = await startPair()
  await pair.primary.ask('GRANT pg_monitor TO lanthorn')
  const database = open()
  await database.exec('CREATE TABLE note (id int PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())')
  await database.close()
})
afterAll(() => pair.close())

// Each test begins with a primary that a standby follows, whatever the one before did to them.
beforeEach(async () => {
  if ((await pair.primary.role()) !== 'primary') throw new Error('the pair has no primary')
  const isFollowed = async () => (await pair.primary.ask('SELECT 1 FROM pg_stat_replication')).length === 1
  if ((await pair.standby.role()) !== 'standby' || !(await isFollowed())) await pair.clone()
  await eventually('the standby to follow', isFollowed)
}, 60_000)

function addressOf(url: string): DatabaseAddress {
  const target = parseDatabaseUrl(url)
  if (target.kind !== 'server') throw new Error('not an address')
  return target.address
}

function open(
  options: Partial<DatabaseOptions> & { places?: { port: number }[]; memory?: ReturnType<typeof openMemory> } = {},
) {
  const { places = pair.servers, ...rest } = options
  return new Database({ address: addressOf(urlOf(places)), log: quietLog, ...rest } as DatabaseOptions)
}

/** Writes one row after the other with `repeat` until told to stop; gives the times at which they were acknowledged. */
function load(database: Database, firstId: number) {
  const acknowledged: { id: number; at: number }[] = []
  const failures: unknown[] = []
  let isOver = false
  const done = (async () => {
    for (let id = firstId; !isOver; id++) {
      try {
        await database.exec('INSERT INTO note (id) VALUES ($1) ON CONFLICT DO NOTHING', [id], {
          repeat: true,
          timeoutMs: 15_000,
        })
        acknowledged.push({ id, at: performance.now() })
      } catch (error) {
        failures.push(error)
      }
      await sleep(5)
    }
  })()
  return {
    acknowledged,
    failures,
    async stop() {
      isOver = true
      await done
    },
  }
}

/** Prints a time. It is meant to be below the limit; a machine that has much else to do may take twice as long without being wrong. */
function tell(what: string, ms: number, limitMs: number): void {
  process.stdout.write(`failover: ${what} after ${Math.round(ms)} ms (limit ${limitMs})\n`)
  expect(ms).toBeLessThan(limitMs * 2)
}

const nextMove = (database: Database) => new Promise<Move>(resolve => database.onMove(resolve))
const nextState = (database: Database) =>
  new Promise<string>(resolve => {
    const end = database.onState(state => {
      end()
      resolve(state)
    })
  })

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => {
      throw new Error('no failure')
    },
    (error: unknown) => error as DatabaseAway,
  )

/** Promotes a standby while this process does nothing at all for a while. */
function standStill(port: number, ms: number): void {
  const shared = new Int32Array(new SharedArrayBuffer(4))
  const script = `
    const { workerData } = require('node:worker_threads')
    const pg = require(workerData.pg)
    const client = new pg.Client({ host: '127.0.0.1', port: workerData.port, user: 'postgres', database: 'postgres' })
    client.connect().then(() => client.query('SELECT pg_promote(true, 30)')).then(() => client.end()).then(() => {
      Atomics.store(workerData.shared, 0, 1)
      Atomics.notify(workerData.shared, 0)
    })`
  const workerData = { port, shared, pg: createRequire(import.meta.url).resolve('pg') }
  new Worker(script, { eval: true, workerData }).unref()
  expect(Atomics.wait(shared, 0, 0, 20_000)).not.toBe('timed-out')
  Atomics.wait(shared, 0, 1, ms)
}

describe('a database on two servers', () => {
  test('goes on with the promoted one after the other was killed: nothing is lost, and repeated statements do not fail', async () => {
    const memory = openMemory(path.join(await temporaryFolder(), MEMORY_FILE))
    await using database = open({ memory })
    await database.check()
    const [old, next] = [pair.primary, pair.standby]
    expect(database.place).toBe(old.place)
    const { timeline } = memory.read()!
    const writing = load(database, 1_000)
    await eventually('some rows', () => writing.acknowledged.length > 20)
    await pair.caughtUp()
    const moved = nextMove(database)
    const slow = `INSERT INTO note (id) SELECT 999 FROM pg_sleep(0.2) ON CONFLICT DO NOTHING`
    const running = database.exec(slow, [], { repeat: true, timeoutMs: 15_000 })
    const sleeping = `SELECT 1 FROM pg_stat_activity WHERE query LIKE '%SELECT 999%' AND wait_event = 'PgSleep'`
    await eventually('a statement in the middle of it', async () => (await old.ask(sleeping)).length === 1)
    await old.kill9()
    await pair.promote()
    const promotedAt = performance.now()
    const move = await moved
    expect(move).toMatchObject({ from: old.place, to: next.place, isNewTimeline: true })
    expect(move.repeated).toBeGreaterThan(0)
    expect(move.sentence).toMatch(
      /^The main database moved from .* in \d+\.\d s; (1 statement was|\d statements were) repeated\.$/,
    )
    expect(await running).toBe(1)
    expect(memory.read()).toMatchObject({ timeline: timeline + 1, place: next.place })
    const count = writing.acknowledged.length
    await eventually('rows on the new one', () => writing.acknowledged.length > count + 5)
    await writing.stop()
    expect(writing.failures).toEqual([])
    tell(
      'acknowledged again after the promotion',
      writing.acknowledged.find(({ at }) => at > promotedAt)!.at - promotedAt,
      500,
    )
    expect(database.hosts.find(({ place }) => place === next.place)).toMatchObject({
      state: 'in-use',
      timeline: timeline + 1,
    })
    expect(database.hosts.find(({ place }) => place === old.place)).toMatchObject({ state: 'away' })
  })

  test('leaves a frozen one within 3 s, and never writes to it again when it thaws as a second primary', async () => {
    const folder = await temporaryFolder()
    const memory = openMemory(path.join(folder, MEMORY_FILE))
    await using database = open({ memory })
    await database.check()
    await database.query('SELECT 1')
    const [old, next] = [pair.primary, pair.standby]
    const left = nextState(database)
    const frozen = await old.freeze()
    const since = performance.now()
    // These sit in the sockets of the frozen server.
    const late = [
      failureOf(database.exec('INSERT INTO note (id) VALUES ($1)', [1])),
      failureOf(database.exec('INSERT INTO note (id) VALUES (2)')),
      failureOf(
        database.transaction(async transaction => {
          await transaction.exec('INSERT INTO note (id) VALUES ($1)', [3])
        }),
      ),
    ]
    expect(await left).toBe('away')
    tell('a frozen server was left', performance.now() - since, 3_000)
    expect((await late[0]!).mayHaveRun).toBe(true)
    await Promise.all(late)
    const moved = nextMove(database)
    await pair.promote()
    const promotedAt = performance.now()
    expect(await moved).toMatchObject({ to: next.place, isNewTimeline: true })
    tell('the promoted server was used', performance.now() - promotedAt, 500)
    frozen.thaw()
    await eventually('the old one to answer', async () => (await old.role()) === 'primary')
    await eventually('the old one to be refused', () => database.hosts.some(({ state }) => state === 'refused'))
    const refused = database.hosts.find(({ state }) => state === 'refused')!
    expect(refused.sentence).toContain(`${old.place} is a main database of the past`)
    expect(database.place).toBe(next.place)
    expect(await old.ask('SELECT id FROM note WHERE id < 10', [], 'lanthorn')).toEqual([])
    // One that starts now, the old one listed first, with and without knowing anything.
    for (const known of [openMemory(path.join(folder, MEMORY_FILE)), undefined]) {
      await using starting = open({ places: [old, next], ...(known ? { memory: known } : {}) })
      await starting.check()
      expect(starting.place).toBe(next.place)
    }
    // One that knows, and finds nobody but the old one.
    await using alone = open({ places: [old], memory: openMemory(path.join(folder, MEMORY_FILE)) })
    const refusal = await failureOf(alone.check())
    expect(refusal.reason).toBe('outdated')
    expect(refusal.message).toContain('lanthorn db trust')
    expect((await failureOf(alone.query('SELECT 1'))).reason).toBe('outdated')
    await alone.trust()
    expect(alone.place).toBe(old.place)
  })

  test('does not carry out what a frozen server finds in its sockets when it thaws late', async () => {
    await using database = open({ heartbeatMs: 60_000, queryTimeoutMs: 20_000 })
    await database.check()
    const statements: ((session: DirectSession) => Promise<unknown>)[] = [
      session => session.exec('INSERT INTO note (id) VALUES ($1)', [11]),
      session => session.exec('INSERT INTO note (id) VALUES (12)'),
      session => session.query('COMMIT'),
    ]
    const ready: Promise<void>[] = []
    const go = Promise.withResolvers<void>()
    const results = statements.map(statement => {
      const begun = Promise.withResolvers<void>()
      ready.push(begun.promise)
      return failureOf(
        database.direct(async session => {
          if (statement === statements[2]) await session.query('BEGIN; INSERT INTO note (id) VALUES (13)')
          begun.resolve()
          await go.promise
          await statement(session)
        }),
      )
    })
    await Promise.all(ready)
    const frozen = await pair.primary.freeze()
    go.resolve()
    await sleep(2_300) // the deadline of a write is 2 s in the server's clock, which cannot be turned from here
    frozen.thaw()
    for (const failure of await Promise.all(results)) {
      expect(failure).toMatchObject({ name: 'DatabaseAway', reason: 'timeout', mayHaveRun: false })
    }
    expect(await database.query('SELECT id FROM note WHERE id IN (11, 12, 13)')).toEqual([])
    // In time they do.
    await database.direct(async session => {
      await statements[0]!(session)
      await session.query('BEGIN')
      await session.exec('INSERT INTO note (id) VALUES (13)')
      await session.query('COMMIT')
    })
    expect(await database.query('SELECT id FROM note WHERE id IN (11, 13) ORDER BY id')).toEqual([
      { id: 11 },
      { id: 13 },
    ])
  })

  test('leaves one that was made read-only, and comes back when it may be written to again', async () => {
    await using database = open()
    await database.check()
    const left = nextState(database)
    await pair.primary.set('default_transaction_read_only', 'on')
    expect(await left).toBe('away')
    expect((await failureOf(database.exec('DELETE FROM note', [], { waitMs: 0 }))).reason).toBe('readonly')
    const back = nextState(database)
    await pair.primary.ask('ALTER SYSTEM RESET default_transaction_read_only')
    await pair.primary.ask('SELECT pg_reload_conf()')
    expect(await back).toBe('up')
    expect(database.moves).toEqual([])
  })

  test('looks before it writes when this process stood still meanwhile: the server in use may be of the past', async () => {
    await using database = open({ heartbeatMs: 100, lookTimeoutMs: 1_000 })
    await database.check()
    const [old, next] = [pair.primary, pair.standby]
    const port = 'SELECT inet_server_port() AS port'
    expect(await database.one(port)).toEqual({ port: old.port })
    // Both are primaries when we wake up, and the first word must not go to the wrong one.
    standStill(next.port, 2_500)
    expect(await database.one(port)).toEqual({ port: next.port })
    pair.primary = next
    pair.standby = old
  })

  test('refuses URLs that ask for a server that cannot be written to', async () => {
    const address = { ...addressOf(urlOf(pair.servers)), targetSessionAttrs: 'standby' as const }
    await using database = new Database({ address, log: quietLog })
    expect(await failureOf(database.check())).toMatchObject({ reason: 'misconfigured' })
  })

  test('is used by a role that may not call the control functions', async () => {
    const revoke = 'REVOKE EXECUTE ON FUNCTION pg_control_system(), pg_control_checkpoint() FROM PUBLIC'
    await pair.primary.ask(revoke, [], 'lanthorn')
    try {
      await pair.caughtUp()
      await using database = open()
      await database.check()
      expect(database.place).toBe(pair.primary.place)
      expect(database.timeline).toBe(await pair.primary.timeline())
      expect(await database.one('SELECT 1 AS one')).toEqual({ one: 1 })
    } finally {
      await pair.primary.ask(revoke.replace('REVOKE', 'GRANT').replace('FROM', 'TO'), [], 'lanthorn')
    }
  })
})

describe('two ways to one server', () => {
  test('are no second primary; the first is gone back to when it has been usable for a while', async () => {
    const doors = await Promise.all([1, 2].map(() => openDoor({ host: '127.0.0.1', port: pair.primary.port })))
    const [first, second] = doors.map(({ port }) => `127.0.0.1:${port}`)
    await using database = open({ places: doors, preferAfterMs: 300, heartbeatMs: 100 })
    await database.check()
    expect(database.place).toBe(first)
    const moved = nextMove(database)
    await doors[0]!.shut()
    expect(await moved).toMatchObject({ from: first, to: second, isNewTimeline: false })
    const back = nextMove(database)
    await doors[0]!.open()
    expect(await back).toMatchObject({ from: second, to: first, isNewTimeline: false })
    await eventually('both to be seen', () =>
      database.hosts.every(({ state }) => state === 'in-use' || state === 'ready'),
    )
    await database.close()
    for (const door of doors) await door.close()
  })
})

describe('reads that a standby may answer', () => {
  const where = 'SELECT pg_is_in_recovery() AS standby, max(id) AS id FROM note WHERE id BETWEEN 500 AND 600'

  test('are never given to one that is behind, and are to one that every commit waits for', async () => {
    await using database = open({ heartbeatMs: 100 })
    await database.check()
    expect(database.replication.kind).toBe('asynchronous')
    await database.exec('INSERT INTO note (id) VALUES (500)')
    await pair.caughtUp()
    await pair.pauseReplay()
    await database.exec('INSERT INTO note (id) VALUES (501)')
    expect(
      await pair.standby.ask('SELECT max(id) AS id FROM note WHERE id BETWEEN 500 AND 600', [], 'lanthorn'),
    ).toEqual([{ id: 500 }])
    for (let n = 0; n < 20; n++) {
      expect(await database.one(where, [], { tolerant: true })).toEqual({ standby: false, id: 501 })
      await sleep(20)
    }
    await pair.resumeReplay()
    await pair.replicate('applied')
    await eventually('a standby that can be read', async () => {
      return (await database.one<{ standby: boolean }>(where, [], { tolerant: true }))!.standby
    })
    expect(database.replication.kind).toBe('applied')
    for (let id = 502; id < 550; id++) {
      await database.exec('INSERT INTO note (id) VALUES ($1)', [id])
      expect((await database.one<{ id: number }>(where, [], { tolerant: true }))!.id).toBe(id)
    }
    // A standby that breaks is no reason to fail.
    await pair.replicate('asynchronous')
    await pair.standby.kill9()
    expect(await database.one(where, [], { tolerant: true })).toEqual({ standby: false, id: 549 })
  })
})
