import path from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { freshDatabase, openDatabase, quietLog, temporaryFolder, testServer } from '../../test/support/database.ts'
import { type Door, openDoor } from '../../test/support/door.ts'
import { addressOf } from './address.ts'
import { MEMORY_FILE, openMemory } from './hosts/memory.ts'
import { Database, DatabaseAway, DatabaseFault, type DatabaseOptions, type Queryable } from './pool.ts'

/** A database behind a door, with time limits short enough for a test. */
async function behindDoor(options: Partial<DatabaseOptions> = {}) {
  const { connection, drop } = await freshDatabase()
  const door = await openDoor({ path: `${connection.host}/.s.PGSQL.${connection.port}` })
  const database = new Database({
    connection: { ...connection, host: '127.0.0.1', port: door.port },
    log: quietLog,
    connectTimeoutMs: 300,
    queryTimeoutMs: 500,
    probeIntervalMs: 20,
    ...options,
  })
  return {
    door,
    database,
    async [Symbol.asyncDispose]() {
      await door.open()
      await database.close()
      await door.close()
      await drop()
    },
  }
}

function turnsTo(database: Database, state: 'up' | 'away'): Promise<string> {
  return new Promise(resolve => {
    const end = database.onState((now, sentence) => {
      if (now !== state) return
      end()
      resolve(sentence)
    })
  })
}

async function failureOf(promise: Promise<unknown>): Promise<DatabaseAway | DatabaseFault> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof DatabaseAway || error instanceof DatabaseFault) return error
  throw new Error(`no failure of the database, but ${error}`)
}

describe('statements', () => {
  test('give rows, one row, or the number of rows that were written', async () => {
    await using database = await openDatabase()
    expect(await database.exec('CREATE TABLE number (value int)')).toBe(0)
    expect(await database.exec('INSERT INTO number SELECT generate_series(1, 5)')).toBe(5)
    expect(await database.query('SELECT value FROM number WHERE value > $1 ORDER BY value', [3])).toEqual([
      { value: 4 },
      { value: 5 },
    ])
    expect(await database.one('SELECT count(*) AS n FROM number')).toEqual({ n: 5 })
    expect(await database.one('SELECT value FROM number WHERE value = $1', [6])).toBeUndefined()
  })

  test('refuse to round a bigint that a number cannot hold', async () => {
    await using database = await openDatabase()
    await expect(database.one(`SELECT 9007199254740993 AS n`)).rejects.toThrow(RangeError)
    expect(await database.one(`SELECT 9007199254740991 AS n`)).toEqual({ n: 9007199254740991 })
  })

  test('fail with the SQLSTATE and without the values of the row', async () => {
    await using database = await openDatabase()
    await database.exec('CREATE TABLE person (name text PRIMARY KEY)')
    await database.exec(`INSERT INTO person VALUES ('hidden')`)
    const failure = await failureOf(database.exec(`INSERT INTO person VALUES ('hidden')`))
    expect(failure).toMatchObject({ name: 'DatabaseFault', code: '23505', constraint: 'person_pkey', table: 'person' })
    expect(failure.message).not.toContain('hidden')
    expect(database.state).toBe('up')
  })

  test('that are late are cancelled, and their connection is never used again', async () => {
    await using database = await openDatabase({ connectionsMax: 1 })
    const { pid } = (await database.one<{ pid: number }>('SELECT pg_backend_pid() AS pid'))!
    const failure = await failureOf(database.query('SELECT pg_sleep(60)', [], { timeoutMs: 50 }))
    expect(failure).toMatchObject({ name: 'DatabaseAway', reason: 'timeout', mayHaveRun: true })
    expect((await database.one<{ pid: number }>('SELECT pg_backend_pid() AS pid'))!.pid).not.toBe(pid)
    const running = 'SELECT count(*) AS n FROM pg_stat_activity WHERE pid = $1'
    await vi.waitFor(async () => expect(await database.one(running, [pid])).toEqual({ n: 0 }), { timeout: 5_000 })
    expect(database.state).toBe('up')
  })

  test('are refused at once when too many wait for a connection', async () => {
    await using database = await openDatabase({ connectionsMax: 1, waitersMax: 1 })
    const [running, waiting, refused] = [1, 2, 3].map(n => database.query('SELECT $1::int AS n, pg_sleep(0.05)', [n]))
    expect(await failureOf(refused!)).toMatchObject({ name: 'DatabaseAway', reason: 'busy', mayHaveRun: false })
    expect((await running!)[0]).toMatchObject({ n: 1 })
    expect((await waiting!)[0]).toMatchObject({ n: 2 })
  })
})

describe('transactions', () => {
  test('commit what they return from and roll back what they throw from', async () => {
    await using database = await openDatabase({ connectionsMax: 1 })
    await database.exec('CREATE TABLE number (value int)')
    const insert = 'INSERT INTO number VALUES ($1)'
    expect(await database.transaction(transaction => transaction.exec(insert, [1]))).toBe(1)
    const failing = database.transaction(async transaction => {
      await transaction.exec(insert, [2])
      throw new Error('changed my mind')
    })
    await expect(failing).rejects.toThrow('changed my mind')
    expect(await database.query('SELECT value FROM number')).toEqual([{ value: 1 }])
  })

  test('never report success when a statement failed and somebody swallowed the error', async () => {
    await using database = await openDatabase()
    const swallowing = database.transaction(async transaction => {
      await transaction.query('SELECT nonsense').catch(() => undefined)
    })
    expect(await failureOf(swallowing)).toMatchObject({ name: 'DatabaseFault', code: '25P02' })
  })

  test('run again after a serialization failure', async () => {
    await using database = await openDatabase()
    await database.exec('CREATE TABLE counter (value int)')
    await database.exec('INSERT INTO counter VALUES (0)')
    let runs = 0
    const count = () =>
      database.transaction(
        async transaction => {
          runs++
          const { value } = (await transaction.one<{ value: number }>('SELECT value FROM counter'))!
          // The first two read before either writes, so one of them must be run again.
          if (runs <= 2) await vi.waitFor(() => expect(runs).toBeGreaterThanOrEqual(2))
          await transaction.exec('UPDATE counter SET value = $1', [value + 1])
        },
        { isolation: 'serializable' },
      )
    await Promise.all([count(), count()])
    expect(runs).toBe(3)
    expect(await database.one('SELECT value FROM counter')).toEqual({ value: 2 })
  })

  test('that take too long as a whole are given up, whatever they wait for', async () => {
    await using database = await openDatabase({ connectionsMax: 1 })
    await database.exec('CREATE TABLE number (value int)')
    const hanging = database.transaction(
      async transaction => {
        await transaction.exec('INSERT INTO number VALUES (1)')
        await new Promise(() => undefined)
      },
      { timeoutMs: 100 },
    )
    expect(await failureOf(hanging)).toMatchObject({ reason: 'timeout' })
    expect(await database.query('SELECT value FROM number')).toEqual([])
  })
})

describe('a connection that breaks', () => {
  const breakOff = 'SELECT pg_terminate_backend(pg_backend_pid())'

  test('under a statement is told, and not when the statement may be repeated', async () => {
    await using database = await openDatabase()
    await database.exec('CREATE SEQUENCE runs')
    const once = `SELECT CASE nextval('runs') WHEN 1 THEN pg_terminate_backend(pg_backend_pid()) ELSE false END AS broken`
    expect(await failureOf(database.query(once))).toMatchObject({ reason: 'lost', mayHaveRun: true })
    await database.exec('ALTER SEQUENCE runs RESTART')
    expect(await database.one(once, [], { repeat: true })).toEqual({ broken: false })
    expect(database.state).toBe('up')
  })

  test('before the commit of a transaction means that nothing was written: it is run again', async () => {
    await using database = await openDatabase()
    await database.exec('CREATE TABLE number (value int)')
    let runs = 0
    const insert = async (transaction: Queryable) => {
      runs++
      await transaction.exec('INSERT INTO number VALUES ($1)', [runs])
      if (runs === 1) await transaction.query(breakOff)
    }
    await database.transaction(insert)
    expect(await database.query('SELECT value FROM number')).toEqual([{ value: 2 }])
  })

  test('again and again is not tried for ever', async () => {
    await using database = await openDatabase()
    let runs = 0
    const failure = failureOf(
      database.transaction(async transaction => {
        runs++
        await transaction.query(breakOff)
      }),
    )
    expect(await failure).toMatchObject({ reason: 'lost', mayHaveRun: false })
    expect(runs).toBeLessThan(20)
  })
})

describe('direct connections', () => {
  test('hear NOTIFY, and tell when they are lost', async () => {
    await using database = await openDatabase()
    await database.direct(async session => {
      const heard = new Promise(resolve => session.onNotification((channel, payload) => resolve([channel, payload])))
      await session.query('LISTEN news')
      await database.query(`SELECT pg_notify('news', 'hello')`)
      expect(await heard).toEqual(['news', 'hello'])
      const { pid } = (await session.one<{ pid: number }>('SELECT pg_backend_pid() AS pid'))!
      await database.query('SELECT pg_terminate_backend($1)', [pid])
      await session.closed
      expect(await failureOf(session.query('SELECT 1'))).toMatchObject({ name: 'DatabaseAway', reason: 'lost' })
    })
    expect(database.state).toBe('up')
  })

  test('are limited in number', async () => {
    await using database = await openDatabase({ directMax: 1 })
    await database.direct(async () => {
      expect(await failureOf(database.direct(async () => undefined))).toMatchObject({ reason: 'busy' })
    })
    await database.direct(async () => undefined)
  })
})

describe('a database that goes away', () => {
  test('is told once, refuses at once while it is away, and is found when it is back', async () => {
    await using parts = await behindDoor()
    const { database, door } = parts
    await database.query('SELECT 1')
    const gone = turnsTo(database, 'away')
    await door.shut()
    expect(await gone).toBe(`The database at 127.0.0.1:${door.port} refuses connections: is PostgreSQL running there?`)
    const since = performance.now()
    expect(await failureOf(database.query('SELECT 1'))).toMatchObject({ reason: 'refused', mayHaveRun: false })
    expect(performance.now() - since).toBeLessThan(50)
    const back = turnsTo(database, 'up')
    await door.open()
    expect(await back).toBe(`The database at 127.0.0.1:${door.port} can be used again.`)
    expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test('that hangs answers no call later than its limit, and comes back without old connections', async () => {
    await using parts = await behindDoor()
    const { database, door } = parts
    await Promise.all(Array.from({ length: 5 }, () => database.query('SELECT pg_sleep(0.01)')))
    const gone = turnsTo(database, 'away')
    door.freeze()
    const since = performance.now()
    const failures = await Promise.all(Array.from({ length: 20 }, () => failureOf(database.query('SELECT 1'))))
    expect(performance.now() - since).toBeLessThan(1_500)
    for (const failure of failures) expect(failure).toBeInstanceOf(DatabaseAway)
    await gone
    const back = turnsTo(database, 'up')
    await door.open()
    await back
    expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test('in the middle of a statement says that it may have been carried out', async () => {
    await using parts = await behindDoor()
    const { database, door } = parts
    await database.exec('CREATE TABLE number (value int)')
    const running = failureOf(database.exec('INSERT INTO number SELECT 1 FROM pg_sleep(0.3)', [], { timeoutMs: 5_000 }))
    const isRunning = `SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE 'INSERT INTO number%'`
    await vi.waitFor(async () => expect(await database.one(isRunning)).toEqual({ n: 1 }))
    await door.shut()
    expect(await running).toMatchObject({ reason: 'lost', mayHaveRun: true })
  })

  test('is looked for where it is now, when it moved', async () => {
    const { connection, drop } = await freshDatabase()
    let place = { ...connection, host: '127.0.0.1', port: 1 }
    await using database = new Database({ connection: () => place, log: quietLog, probeIntervalMs: 20 })
    await expect(database.check()).rejects.toThrow('The database at 127.0.0.1:1 refuses connections')
    const back = turnsTo(database, 'up')
    place = connection
    await back
    expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
    await database.close()
    await drop()
  })

  test.each([
    [{ password: 'wrong' }, 'denied', 'does not let us in'],
    [{ database: 'nowhere' }, 'denied', 'does not let us in'],
    [{ host: 'no-such-host.invalid' }, 'unknown-host', 'cannot be found'],
    [{ tls: 'require' as const }, 'untrusted', 'cannot be trusted'],
  ])('because of %j is told as %s', async (changes, reason, words) => {
    const { connection } = await testServer()
    const door: Door = await openDoor({ path: `${connection.host}/.s.PGSQL.${connection.port}` })
    const wrong = { ...connection, host: '127.0.0.1', port: door.port, ...changes }
    await using database = new Database({ connection: wrong, log: quietLog })
    const failure = await failureOf(database.check())
    expect(failure).toMatchObject({ name: 'DatabaseAway', reason })
    expect(failure.message).toContain(words)
    await database.close()
    await door.close()
  })

  test('has TLS or not: "prefer" takes what there is', async () => {
    const { connection } = await testServer()
    const door = await openDoor({ path: `${connection.host}/.s.PGSQL.${connection.port}` })
    const place = { ...connection, host: '127.0.0.1', port: door.port, tls: 'prefer' as const }
    await using database = new Database({ connection: place, log: quietLog })
    await database.check()
    expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
    await database.close()
    await door.close()
  })

  test('for good, because we stop, is told as that', async () => {
    const { connection } = await testServer()
    const database = new Database({ connection, log: quietLog })
    await database.query('SELECT 1')
    await database.close()
    expect(await failureOf(database.query('SELECT 1'))).toMatchObject({ reason: 'closed' })
    await database.close()
  })
})

describe('a pause', () => {
  test('waits for what runs, holds back what comes, and ends when told', async () => {
    await using database = await openDatabase()
    const running = database.query('SELECT pg_sleep(0.2)')
    const sleeping = `SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(0.2)%' AND state = 'active'`
    await vi.waitFor(async () => expect(await database.one(sleeping)).toEqual({ n: 1 }))
    const pause = await database.pause(5_000)
    const order: string[] = []
    const held = database.query('SELECT 1').then(() => order.push('held'))
    expect(await failureOf(database.query('SELECT 1', [], { timeoutMs: 20 }))).toMatchObject({ mayHaveRun: false })
    await database.direct(async session => expect(await session.one(sleeping)).toEqual({ n: 0 }))
    order.push('resumed')
    pause.resume()
    await held
    await running
    expect(order).toEqual(['resumed', 'held'])
  })

  test('ends by itself', async () => {
    await using database = await openDatabase()
    await database.pause(50)
    expect(await database.one('SELECT 1 AS one')).toEqual({ one: 1 })
  })

  test('is not, when what runs does not end in time', async () => {
    await using database = await openDatabase()
    const running = database.query('SELECT pg_sleep(0.5)')
    await vi.waitFor(async () => {
      const sleeping = `SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(0.5)%' AND state = 'active'`
      expect(await database.one(sleeping)).toEqual({ n: 1 })
    })
    await expect(database.pause(50)).rejects.toThrow(DatabaseAway)
    expect(await database.one('SELECT 1 AS one')).toEqual({ one: 1 })
    await running
  })
})

describe('a switch to another database', () => {
  test('works while paused: what was held back goes to the new one, which is remembered', async () => {
    await using database = await openDatabase()
    const { connection, drop } = await freshDatabase()
    const memory = openMemory(path.join(await temporaryFolder(), MEMORY_FILE))
    const name = `SELECT current_database() AS name`
    await database.query(name)
    const pause = await database.pause(5_000)
    const held = database.one(name)
    await database.switchTo(addressOf(connection), memory)
    pause.resume()
    expect(await held).toEqual({ name: connection.database })
    expect(memory.read()).toMatchObject({ timeline: 1, place: database.place })
    await database.close()
    await drop()
  })

  test('lets what runs on the old one end, and tells when that may be stopped', async () => {
    await using database = await openDatabase()
    const { connection, drop } = await freshDatabase()
    const ended: string[] = []
    const running = database.query('SELECT pg_sleep(0.4)').then(() => ended.push('statement'))
    await vi.waitFor(async () => {
      const sleeping = `SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(0.4)%' AND state = 'active'`
      expect(await database.one(sleeping)).toEqual({ n: 1 })
    })
    await database.switchTo(addressOf(connection))
    await database.drained()
    ended.push('drained')
    await running
    expect(ended).toEqual(['statement', 'drained'])
    await database.close()
    await drop()
  })

  test('to one that is not there is refused, and everything stays as it was', async () => {
    await using database = await openDatabase()
    const before = await database.one('SELECT current_database() AS name')
    const { connection } = await testServer()
    const nowhere = { ...addressOf(connection), hosts: [{ host: '127.0.0.1', port: 1 }] }
    await expect(database.switchTo(nowhere)).rejects.toThrow('The database at 127.0.0.1:1 refuses connections')
    expect(await database.one('SELECT current_database() AS name')).toEqual(before)
    expect(database.state).toBe('up')
  })

  test('from one that is being doubted: what is found out about that later does not count', async () => {
    await using parts = await behindDoor({ connectTimeoutMs: 5_000 })
    const { database, door } = parts
    await database.query('SELECT 1')
    door.freeze()
    const passed = door.passed
    await failureOf(database.query('SELECT 1', [], { timeoutMs: 50 }))
    await vi.waitFor(() => expect(door.passed).toBeGreaterThan(passed))
    const { connection, drop } = await freshDatabase()
    await database.switchTo(() => addressOf(connection))
    const states: string[] = []
    const end = database.onState(state => void states.push(state))
    await door.open()
    for (let times = 0; times < 100; times++) await database.one('SELECT 1 AS one')
    end()
    expect(states).toEqual([])
    await database.close()
    await drop()
  })

  test('from one that is away brings the state back', async () => {
    await using parts = await behindDoor({ connectTimeoutMs: 5_000 })
    const { database, door } = parts
    await database.query('SELECT 1')
    const gone = turnsTo(database, 'away')
    await door.shut()
    await gone
    const { connection, drop } = await freshDatabase()
    const back = turnsTo(database, 'up')
    await database.switchTo(() => addressOf(connection))
    await back
    expect(await database.one('SELECT 1 AS one')).toEqual({ one: 1 })
    await database.close()
    await drop()
  })
})
