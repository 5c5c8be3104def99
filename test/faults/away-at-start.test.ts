import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Connection } from '../../server/db/address.ts'
import { type Appliance, startAppliance } from '../support/appliance.ts'
import { freshDatabase } from '../support/database.ts'
import { type Door, openDoor } from '../support/door.ts'

/** Where a test's PostgreSQL answers: a Unix socket, or a port. */
const targetOf = ({ host, port }: Connection) =>
  host.startsWith('/') ? { path: path.join(host, `.s.PGSQL.${port}`) } : { host, port }

describe('an outside database that is away when a set-up appliance starts', () => {
  let door: Door
  let appliance: Appliance
  let database: Awaited<ReturnType<typeof freshDatabase>>

  beforeAll(async () => {
    database = await freshDatabase()
    const { connection } = database
    door = await openDoor(targetOf(connection))
    const { user, password, database: name } = connection
    const url = `postgresql://${user}:${encodeURIComponent(password)}@127.0.0.1:${door.port}/${name}?sslmode=disable`
    appliance = await startAppliance({ config: { database: { url } } })
    await appliance.stop()
  }, 90_000)

  afterAll(async () => {
    await appliance?.cleanup()
    await door?.close()
    await database?.drop()
  }, 60_000)

  const log = () => readFile(path.join(appliance.dataDir, 'logs', 'lanthorn.log'), 'utf8')
  const waits = async () => (await log()).split('Waiting for the database.').length - 1

  test('is waited for, and people can log in as soon as it is back', async () => {
    const before = await waits()
    await door.shut()
    const starting = appliance.start()
    await expect.poll(waits, { timeout: 20_000 }).toBe(before + 1)
    await door.open()
    await starting
    expect(appliance.ready.domain).toBe('office.test')
    expect(await appliance.stop()).toBe(0)
  }, 60_000)

  test('does not keep the appliance from being stopped', async () => {
    const before = await waits()
    await door.shut()
    const starting = appliance.start()
    starting.catch(() => 'it is stopped before it is ready')
    await expect.poll(waits, { timeout: 20_000 }).toBe(before + 1)
    expect(await appliance.stop()).toBe(0)
    await expect(starting).rejects.toThrow('before it was ready')
    await door.open()
  }, 60_000)
})
