import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import {
  type DatabaseMove,
  type DatabaseStatus,
  getDatabase,
  moveDatabase,
  removeOldDatabase,
  steerMove,
} from '../../server/admin/contract/database.ts'
import { type Client, connect } from '../../server/cli/client.ts'
import type { MoveStep } from '../../server/moving/move.ts'
import { GoodClient } from '../faults/good-client.ts'
import { canBreakProcesses } from '../faults/processes.ts'
import { chance, some } from '../faults/random.ts'
import { type Appliance, startAppliance } from '../support/appliance.ts'
import { freshOutside, hasOutside } from '../support/outside.ts'

const main = fileURLToPath(new URL('../../server/main.ts', import.meta.url))
const ROWS = 50_000

/** Runs the program as an administrator at the terminal does. */
async function lanthorn(appliance: Appliance, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, [main, ...args, '--data', appliance.dataDir], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.on('data', text => (out += text))
  child.stderr.on('data', text => (err += text))
  const code = await new Promise<number>(resolve => child.on('close', status => resolve(status ?? -1)))
  return { code, out, err }
}

async function status(appliance: Appliance): Promise<DatabaseStatus> {
  const { out } = await lanthorn(appliance, 'db', 'status', '--json')
  return JSON.parse(out) as DatabaseStatus
}

/** A statement in the built-in database, past the server. */
async function inside<R>(appliance: Appliance, statement: string): Promise<R[]> {
  const passwords = JSON.parse(await readFile(path.join(appliance.dataDir, 'database.json'), 'utf8'))
  const folder = path.join(appliance.dataDir, 'database')
  const [, , , port = '5432', socket = ''] = (await readFile(path.join(folder, 'postmaster.pid'), 'utf8')).split('\n')
  const host = socket.trim() === '' ? '127.0.0.1' : folder
  const { lanthorn: password, database = 'lanthorn' } = passwords
  return query({ host, port: Number(port), user: 'lanthorn', password, database }, statement)
}

async function query<R>(config: pg.ClientConfig, statement: string): Promise<R[]> {
  const client = new pg.Client({ ...config, ssl: false })
  await client.connect()
  try {
    return (await client.query(statement)).rows as R[]
  } finally {
    await client.end()
  }
}

const fill = (count: number): string =>
  `INSERT INTO archive (id, sender, receiver, from_jid, to_jid, stanza, in_sender, in_receiver, pending)
   SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'mercutio', 'anna', 'mercutio@office.test/a', 'anna@office.test',
          '<message><body>' || repeat('wherefore ', 12) || n || '</body></message>', true, true, false FROM generate_series(1, ${count}) AS n`

const bodies = `SELECT substring(stanza from '<body>(n[0-9]+)</body>') AS body FROM archive WHERE stanza LIKE '%<body>n%'`

/** Romeo writes to Juliet all the time and asks for acknowledgements; the longest wait for one is kept. */
class Talk {
  readonly romeo = new GoodClient('romeo')
  readonly juliet = new GoodClient('juliet')
  sent = 0
  longestMs = 0
  #isOver = false
  #running: Promise<void> | undefined

  async begin(appliance: Appliance): Promise<void> {
    await this.juliet.connect(appliance)
    await this.romeo.connect(appliance)
    this.#running = this.#talk()
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#running
    await this.romeo.settled()
  }

  async #talk(): Promise<void> {
    while (!this.#isOver) {
      for (let count = 0; count < 5; count++) this.romeo.message('juliet@office.test', `n${this.sent++}`)
      const since = performance.now()
      await this.romeo.settled()
      this.longestMs = Math.max(this.longestMs, performance.now() - since)
      await setTimeout(10)
    }
  }
}

describe.skipIf(!hasOutside)('moving the data of a running office', () => {
  test('to an outside PostgreSQL 15 and back: chat goes on, nothing that was acknowledged is lost or doubled, old databases stay until removed', {
    timeout: 240_000,
  }, async () => {
    const outside = await freshOutside()
    await using appliance = await startAppliance()
    await inside(appliance, fill(ROWS))
    const talk = new Talk()
    await talk.begin(appliance)
    const before = talk.sent

    const there = await lanthorn(appliance, 'db', 'move', outside.url)
    expect(there.err).toBe('')
    expect(there.code).toBe(0)
    const between = talk.sent
    const switched = await status(appliance)
    expect(switched).toMatchObject({
      kind: 'outside',
      move: { state: 'switched', percent: 100, to: expect.stringContaining('127.0.0.1') },
    })
    expect(switched.url).not.toContain(`:${outside.connection.password}@`)
    expect(switched.old).toMatchObject([{ place: 'built in (lanthorn)' }])

    const back = await lanthorn(appliance, 'db', 'move', 'embedded')
    expect(back.err).toBe('')
    expect(back.code).toBe(0)
    const home = await status(appliance)
    expect(home).toMatchObject({ kind: 'embedded', url: 'embedded', move: { state: 'switched', to: 'built in' } })
    expect(home.old).toHaveLength(2)
    await talk.end()
    process.stdout.write(
      `move: ${ROWS} rows there and back with ${talk.sent} messages meanwhile (${between - before} on the way there); ` +
        `pauses ${switched.move?.pauseMs} and ${home.move?.pauseMs} ms; longest wait for an acknowledgement ${Math.round(talk.longestMs)} ms\n`,
    )
    for (const { pauseMs = Number.NaN } of [switched.move!, home.move!]) expect(pauseMs).toBeLessThanOrEqual(2_000)
    expect(talk.longestMs).toBeLessThan(3_000)

    await appliance.restart()
    const rows = (await inside<{ body: string }>(appliance, bodies)).map(row => row.body)
    expect(talk.romeo.acknowledged).toHaveLength(talk.sent)
    expect(new Set(rows).size).toBe(rows.length)
    const kept = new Set(rows)
    expect(talk.romeo.acknowledged.filter(body => !kept.has(body))).toEqual([])
    const [count] = await inside<{ count: number }>(
      appliance,
      `SELECT count(*)::int AS count FROM archive WHERE sender = 'mercutio'`,
    )
    expect(count?.count).toBe(ROWS)

    // What was left cannot be used by mistake: the office is said to be elsewhere.
    await expect(query(outside.connection as pg.ClientConfig, `DELETE FROM archive`)).rejects.toThrow('was moved to')
    const call = await connect(appliance.dataDir)
    for (const { id } of home.old) await call(removeOldDatabase, { params: { id } })
    expect((await status(appliance)).old).toEqual([])
    const tables = `SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`
    expect(await query(outside.connection as pg.ClientConfig, tables)).toEqual([])
    expect(await inside(appliance, `SELECT datname FROM pg_database WHERE datname = 'lanthorn'`)).toEqual([])
    await talk.romeo.leave()
    await talk.juliet.leave()
    await outside.drop()
  })

  test('a target that cannot take the data is refused with a sentence, and nothing is changed', {
    timeout: 120_000,
  }, async () => {
    const latin = await freshOutside({ encoding: 'LATIN1' })
    await using appliance = await startAppliance()
    const refused = await lanthorn(appliance, 'db', 'move', latin.url)
    expect(refused.code).toBe(1)
    expect(refused.err).toMatch(/LATIN1/)
    expect((await lanthorn(appliance, 'db', 'move', 'embedded')).err).toMatch(/used already/)
    expect((await lanthorn(appliance, 'db', 'move', 'postgres://x')).code).toBe(1)
    expect((await status(appliance)).move).toBeUndefined()
    await latin.drop()
  })
})

const allSteps: MoveStep[] = [
  'made',
  'captured',
  'range',
  'caught-up',
  'locked',
  'carried',
  'sealing',
  'sealed',
  'pointed',
  'used',
]

/** Waits for the end of a move as the command line does, in this process. */
async function moved(
  appliance: Appliance,
  begin: (call: Client) => Promise<unknown>,
): Promise<DatabaseMove | undefined> {
  const call = await connect(appliance.dataDir)
  await begin(call)
  for (let looks = 0; looks < 1_200; looks++) {
    const { move } = await call(getDatabase)
    if (move?.state === 'switched' || move?.state === 'stopped') return move
    await setTimeout(100)
  }
  throw new Error('The move did not end within two minutes.')
}

test.skipIf(!hasOutside || !canBreakProcesses)(
  'kill -9 at any point of a move: the next start uses exactly one of both databases, with all that was acknowledged; then it goes on',
  { timeout: 600_000 },
  async () => {
    const env: Record<string, string> = {}
    await using appliance = await startAppliance({ env })
    await inside(appliance, fill(2_000))
    const luck = chance()
    const steps = some(allSteps, 3, luck)
    process.stdout.write(`move: FAULT_SEED=${luck.seed}, dies at ${steps.join(', ')}\n`)
    for (const step of steps) {
      const outside = await freshOutside()
      env.LANTHORN_TEST_MOVE_DIES_AT = step
      await appliance.restart()
      const romeo = new GoodClient('romeo')
      await romeo.connect(appliance)
      romeo.message('juliet@office.test', `n${step}`)
      await romeo.settled()
      await (await connect(appliance.dataDir))(moveDatabase, { body: { url: outside.url } })
      await appliance.ended()
      await romeo.over()
      delete env.LANTHORN_TEST_MOVE_DIES_AT
      await appliance.start()
      const isOver = step === 'pointed' || step === 'used'
      expect(await (await connect(appliance.dataDir))(getDatabase), step).toMatchObject({
        kind: isOver ? 'outside' : 'embedded',
        move: { state: isOver ? 'switched' : 'stopped' },
      })
      const again = new GoodClient('romeo')
      await again.connect(appliance)
      again.message('juliet@office.test', `nafter-${step}`)
      await again.settled()
      await again.leave()
      if (!isOver) {
        const resumed = await moved(appliance, call => call(steerMove, { params: { action: 'resume' } }))
        expect(resumed, step).toMatchObject({ state: 'switched' })
      }
      const [row] = await query<{ count: number }>(
        outside.connection as pg.ClientConfig,
        `SELECT count(*)::int AS count FROM archive WHERE stanza LIKE '%<body>n${step}</body>%' OR stanza LIKE '%<body>nafter-${step}</body>%'`,
      )
      expect([step, row?.count]).toEqual([step, 2])
      const back = await moved(appliance, call => call(moveDatabase, { body: { url: 'embedded' } }))
      expect(back, step).toMatchObject({ state: 'switched' })
      await outside.drop()
    }
  },
)
