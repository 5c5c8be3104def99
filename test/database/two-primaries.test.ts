import { expect, test } from 'vitest'
import { GoodClient } from '../faults/good-client.ts'
import { canBreakProcesses } from '../faults/processes.ts'
import { startAppliance } from '../support/appliance.ts'
import { type Door, openDoor } from '../support/door.ts'
import { type PostgresPair, startPair, urlOf } from '../support/postgres-pair.ts'
import { eventually, type PostgresServer } from '../support/postgres-server.ts'
import { archiveOn, Load } from './load.ts'

const bodiesOf = (rows: readonly { body: string }[]): string[] => rows.map(({ body }) => body)

/** How many tables the office's database has on a server. */
async function tablesOn(server: PostgresServer): Promise<number> {
  return (await server.ask("SELECT 1 FROM pg_tables WHERE schemaname = 'public'", [], 'lanthorn')).length
}

/** A pair whose standby was promoted while its primary goes on: the stale one first, each behind a door. */
async function twoPrimaries(): Promise<{ pair: PostgresPair; stale: Door; current: Door } & AsyncDisposable> {
  const pair = await startPair()
  await pair.promote()
  const stale = await openDoor({ host: '127.0.0.1', port: pair.standby.port })
  const current = await openDoor({ host: '127.0.0.1', port: pair.primary.port })
  const close = async () => {
    await Promise.all([stale.close(), current.close()])
    await pair.close()
  }
  return { pair, stale, current, [Symbol.asyncDispose]: close }
}

test.skipIf(!canBreakProcesses)(
  'an appliance that starts while two primaries are up uses the newer one, though the stale one is listed first',
  { timeout: 60_000 },
  async () => {
    await using servers = await twoPrimaries()
    const { pair, stale, current } = servers
    expect([await pair.standby.role(), await pair.primary.role()]).toEqual(['primary', 'primary'])
    await using appliance = await startAppliance({ config: { database: { url: urlOf([stale, current]) } } })
    await using romeo = new GoodClient('romeo')
    await romeo.connect(appliance)
    romeo.message('juliet@office.test', 'hello')
    await romeo.settled()
    expect(bodiesOf(await archiveOn(pair.primary))).toEqual(['hello'])
    expect(await tablesOn(pair.standby)).toBe(0)
  },
)

test.skipIf(!canBreakProcesses)(
  'an appliance that has known the newer primary refuses the stale one when that is all it can reach, also after a start, and says so',
  { timeout: 90_000 },
  async () => {
    await using servers = await twoPrimaries()
    const { pair, stale, current } = servers
    await using appliance = await startAppliance({ config: { database: { url: urlOf([stale, current]) } } })
    await using romeo = new GoodClient('romeo')
    await romeo.connect(appliance)
    romeo.message('juliet@office.test', 'one')
    await romeo.settled()

    await current.shut()
    romeo.message('juliet@office.test', 'two')
    romeo.askForAck()
    const says = () => `${appliance.stdout}${appliance.stderr}`
    const refusal = new RegExp(`127\\.0\\.0\\.1:${stale.port} is a main database of the past`)
    await eventually('a sentence about the stale primary', () => refusal.test(says()))
    process.stdout.write(`two primaries: ${refusal.exec(says())?.[0]}\n`)
    expect(romeo.acknowledged).toEqual(['one'])
    expect(await tablesOn(pair.standby)).toBe(0)

    await appliance.kill()
    await romeo.over()
    const started = appliance.start()
    await eventually('the same sentence at the start', () => refusal.test(says()))
    expect(await tablesOn(pair.standby)).toBe(0)
    await current.open()
    await started
    await romeo.connect(appliance)
    await romeo.settled()
    expect(bodiesOf(await archiveOn(pair.primary))).toEqual(['one', 'two'])
    expect(await tablesOn(pair.standby)).toBe(0)
  },
)

test.skipIf(!canBreakProcesses)(
  'a standby that is promoted while its primary goes on gets everything that was acknowledged by either',
  { timeout: 60_000 },
  async () => {
    await using pair = await startPair()
    await using appliance = await startAppliance({ config: { database: { url: pair.url() } } })
    await using load = await Load.start(appliance)
    await load.goesOn(50)
    await pair.promote()
    const since = performance.now()
    await eventually('the new primary to be used', async () => {
      const last = load.acknowledged.at(-1)
      return (await archiveOn(pair.primary)).some(({ body }) => body === last)
    })
    const foundMs = performance.now() - since
    await load.goesOn(50)
    const stale = await archiveOn(pair.standby)
    await load.goesOn(50)
    expect(await archiveOn(pair.standby)).toEqual(stale)
    await load.stop()
    const kept = await archiveOn(pair.primary)
    const ids = new Set(kept.map(({ id }) => id))
    const stray = stale.filter(({ id }) => !ids.has(id))
    process.stdout.write(`two primaries: the newer one was used ${Math.round(foundMs)} ms after its promotion\n`)
    expect(stray).toEqual([])
    load.expectUnbroken()
    await load.expectArchived()
  },
)
