import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type AdminBench, openAdmin } from '../../test/support/admin.ts'
import { quietLog } from '../../test/support/database.ts'
import { startPair } from '../../test/support/postgres-pair.ts'
import { Database, type DatabaseOptions } from '../db/pool.ts'
import { hideSecret, parseDatabaseUrl } from '../db/url.ts'
import type { BackupJob } from './contract/backups.ts'
import type { DatabaseInspection, DatabaseMove, DatabaseStatus } from './contract/database.ts'
import { databaseChecks } from './database-checks.ts'
import { databaseStatusOf } from './database-status.ts'
import type { CheckResult, OfficeParts } from './parts.ts'

let bench: AdminBench
let cookie: string
beforeAll(async () => {
  bench = await openAdmin()
  cookie = await bench.signIn()
})
afterAll(async () => bench[Symbol.asyncDispose]())
beforeEach(() => {
  bench.desks.database.move = undefined
  bench.desks.database.kept.length = 0
})

const target = 'postgresql://lanthorn:hunter2-hunter2@db-1,db-2:5433/chat'
const move = (body: object) => bench.ask<DatabaseMove>('POST', '/api/database/move', { cookie, body })
const steer = (action: string) => bench.ask('POST', `/api/database/move/${action}`, { cookie, body: {} })
async function history(): Promise<string[]> {
  const { json } = await bench.ask<{ entries: { sentence: string }[] }>('GET', '/api/history', { cookie })
  return json.entries.map(({ sentence }) => sentence)
}

describe('the Database page', () => {
  test('says where the data is, how large, and on which version', async () => {
    const { json } = await bench.ask<DatabaseStatus>('GET', '/api/database', { cookie })
    expect(json).toMatchObject({
      kind: 'embedded',
      state: 'ok',
      sentence: 'The built-in database answers at once.',
      url: 'embedded',
      version: expect.stringMatching(/^18\./),
      hosts: [],
      replication: { kind: 'none' },
      old: [],
    })
    expect(json.bytes).toBeGreaterThan(1_000_000)
  })

  test('tries a URL without touching anything', async () => {
    const { json } = await bench.ask<DatabaseInspection>('POST', '/api/database/test', {
      cookie,
      body: { url: 'postgresql://a:b@127.0.0.1:9/c' },
    })
    expect(json).toMatchObject({ state: 'bad', hosts: [{ host: '127.0.0.1:9', state: 'bad' }] })
    expect(json.spellings?.keywords).toContain('host=127.0.0.1')
  })

  test('begins a move, and writes it down without the password', async () => {
    const { status, json } = await move({ url: target })
    expect(status).toBe(200)
    expect(json).toMatchObject({ state: 'copying', from: 'built in', to: 'db-1:5432, db-2:5433' })
    expect((await history())[0]).toBe('Began to move the data from built in to db-1:5432, db-2:5433.')
    expect(JSON.stringify(await history())).not.toContain('hunter2')
    const again = await move({ url: target })
    expect(again.status).toBe(422)
    const { json: now } = await bench.ask<DatabaseStatus>('GET', '/api/database', { cookie })
    expect(now.move).toMatchObject({ state: 'copying' })
  })

  test('cancels, resumes and forgets it', async () => {
    await move({ url: target })
    expect((await steer('cancel')).json).toMatchObject({ move: { state: 'stopped' } })
    expect((await steer('resume')).json).toMatchObject({ move: { state: 'copying' } })
    expect((await steer('forget')).json).toEqual({})
    expect((await history()).slice(0, 3)).toEqual([
      'Forgot the move of the data from built in to db-1:5432, db-2:5433.',
      'Resumed the move of the data from built in to db-1:5432, db-2:5433.',
      'Cancelled the move of the data from built in to db-1:5432, db-2:5433.',
    ])
    expect((await steer('cancel')).status).toBe(422)
    expect((await steer('hurry')).status).toBe(400)
  })

  test('a move that ends is told on Home and to open pages', async () => {
    const { json: begun } = await move({ url: target })
    bench.desks.database.goOn({ ...begun, state: 'switched', sentence: 'All data is at db-1 now.', percent: 100 })
    const { json } = await bench.ask<{ happenings: { sentence: string }[] }>('GET', '/api/home', { cookie })
    expect(JSON.stringify(json)).toContain('All data is at db-1 now.')
  })

  test('removes an old database for good, once', async () => {
    const keptSince = new Date().toISOString()
    bench.desks.database.kept.push({ id: 'a/1', place: 'db-0:5432', keptSince })
    expect((await bench.ask('DELETE', '/api/database/old/a%2F1', { cookie })).status).toBe(200)
    expect((await history())[0]).toBe('Removed the old database at db-0:5432 for good.')
    expect((await bench.ask('DELETE', '/api/database/old/a%2F1', { cookie })).status).toBe(404)
  })

  test('has ready-made configuration, for the servers in use when there are any', async () => {
    const snippets = async () => (await bench.ask('GET', '/api/database/snippets', { cookie })).text
    expect(await snippets()).toContain('server db-1 db-1:5432')
    bench.desks.database.shownUrl = hideSecret('postgresql://chat:hunter2-hunter2@10.0.0.7,10.0.0.8:5433/acme')
    expect(await snippets()).toContain('server db-2 10.0.0.8:5433')
    expect(await snippets()).not.toContain('hunter2')
    bench.desks.database.shownUrl = 'embedded'
  })

  test('a finished backup is told on Home', async () => {
    const { json: job } = await bench.ask<BackupJob>('POST', '/api/backups', { cookie, body: {} })
    bench.desks.backups.goOn({ ...job, state: 'done', sentence: 'The backup is made and proven.' })
    const { json } = await bench.ask('GET', '/api/home', { cookie })
    expect(JSON.stringify(json)).toContain('The backup is made and proven.')
  })
})

describe('Health, of the database', () => {
  const results = async (office: Partial<OfficeParts>, now = Date.now()): Promise<Record<string, CheckResult>> => {
    const { database, nodes } = bench.desks
    const parts = { isDatabaseOutside: false, db: bench.db, database, nodes, ...office } as OfficeParts
    const checks = databaseChecks(parts, () => now)
    const all = await Promise.all(checks.map(async check => [check.id, await check.run()] as const))
    return Object.fromEntries(all.filter((one): one is [string, CheckResult] => one[1] !== undefined))
  }

  test('a built-in database is on this PC, and that is all there is to say', async () => {
    expect(await results({})).toEqual({
      'database-place': { state: 'ok', sentence: 'The one database of the office is on this PC.' },
    })
  })

  test('a move that stopped is a warning with a way on', async () => {
    const { json } = await move({ url: target })
    expect((await results({}))['database-move']).toMatchObject({ state: 'ok' })
    bench.desks.database.goOn({ ...json, state: 'stopped', problem: 'The disk there is full.' })
    expect((await results({}))['database-move']).toMatchObject({
      state: 'warn',
      sentence: expect.stringMatching(/stopped half-way; built in is used as before\. The disk there is full\.$/),
      mend: { page: '/database' },
    })
  })

  test('former databases can be removed after a month', async () => {
    const keptSince = '2026-01-01T00:00:00.000Z'
    bench.desks.database.kept.push({ id: '1', place: 'db-0:5432', keptSince, bytes: 61e9 })
    const at = Date.parse(keptSince)
    expect((await results({}, at))['database-old']).toEqual({
      state: 'ok',
      sentence: '1 former database is kept (61 GB).',
    })
    expect((await results({}, at + 31 * 86_400_000))['database-old']).toMatchObject({
      state: 'warn',
      sentence: '1 former database has been kept for more than 30 days and can be removed.',
      lines: ['db-0:5432'],
    })
  })

  test('servers outside: what is missing, what is not used, and whether commits wait', async () => {
    await using pair = await startPair()
    await using db = await openOutside(pair.url())
    const office = { db, isDatabaseOutside: true }
    expect(await results(office)).toMatchObject({
      'database-servers': { state: 'ok' },
      'database-replication': { state: 'warn', sentence: expect.stringContaining('GRANT pg_monitor') },
    })
    await pair.primary.ask('GRANT pg_monitor TO lanthorn')
    await db.check()
    expect((await results(office))['database-replication']).toMatchObject({
      state: 'warn',
      lines: expect.arrayContaining(["ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)';"]),
    })
    const status = await databaseStatusOf({ ...office, database: bench.desks.database } as unknown as OfficeParts)
    expect(status).toMatchObject({
      kind: 'outside',
      state: 'ok',
      hosts: [
        { role: 'main', state: 'ok' },
        { role: 'copy', replication: 'asynchronous' },
      ],
      replication: { kind: 'asynchronous' },
    })
    await pair.standby.kill9()
    await db.check()
    expect((await results(office))['database-servers']).toMatchObject({ state: 'warn' })
  })
})

async function openOutside(url: string): Promise<Database> {
  const parsed = parseDatabaseUrl(url)
  if (parsed.kind !== 'server') throw new Error('not an outside database')
  const options: DatabaseOptions = { address: parsed.address, log: quietLog }
  const db = new Database(options)
  await db.check()
  return db
}
