import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDatabase, quietLog } from '../../test/support/database.ts'
import { registryMigrations } from '../cluster/registry.ts'
import type { Database } from '../db/pool.ts'
import { LoneWatch, loneMigrations } from './lone-watch.ts'

const times = { touchMs: 100, silenceMs: 600, lookMs: 20 }
const watch = (name: string): LoneWatch => new LoneWatch({ id: `id-of-${name}`, name }, quietLog, times)
const { signal } = new AbortController()

let db: Database

beforeAll(async () => {
  db = await openDatabase()
  for (const sql of [...registryMigrations, ...loneMigrations]) await db.exec(sql)
})

afterAll(() => db?.close())

test('of two PCs that would each carry the office alone on one database the second is refused, by name, until the first has stopped', async () => {
  const first = watch('front-desk')
  await first.start(db, signal)
  await expect(watch('back-office').start(db, signal)).rejects.toThrow('in use by the PC front-desk')
  await first.stop()
  const second = watch('back-office')
  await second.start(db, signal)
  await second.stop()
})

test('a PC that died is waited for as long as it could still be alive', async () => {
  await db.exec("INSERT INTO lone_node (id, name) VALUES ('dead', 'dead-pc')")
  const since = performance.now()
  const next = watch('back-office')
  await next.start(db, signal)
  expect(performance.now() - since).toBeGreaterThan(times.silenceMs * 0.8)
  await next.stop()
})

test('the same PC starts again at once, though it was killed', async () => {
  await db.exec("INSERT INTO lone_node (id, name) VALUES ('id-of-hall', 'hall')")
  const hall = watch('hall')
  await hall.start(db, signal)
  await hall.stop()
})
