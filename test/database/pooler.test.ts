import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GoodClient, rhythm } from '../faults/good-client.ts'
import { canBreakProcesses } from '../faults/processes.ts'
import { chance, some } from '../faults/random.ts'
import { type Ask, signInAs } from '../support/admin-session.ts'
import { type Appliance, people, startAppliance } from '../support/appliance.ts'
import { type Pooler, poolerProgram, startHaproxy, startPgBouncer } from '../support/poolers.ts'
import { type PostgresPair, startPair, urlOf } from '../support/postgres-pair.ts'
import { eventually } from '../support/postgres-server.ts'
import { archiveOn, Load } from './load.ts'

const hasPgBouncer = canBreakProcesses && poolerProgram('pgbouncer') !== undefined
const hasHaproxy = canBreakProcesses && poolerProgram('haproxy') !== undefined

/** Each needs servers of its own, which takes time: of them two in a usual run. */
const luck = chance()
const played = some(['PgBouncer', 'HAProxy', 'two PgBouncers'] as const, 2, luck)
process.stdout.write(`pooler: FAULT_SEED=${luck.seed}, plays ${played.join(' and ')}\n`)
const playsOne = hasPgBouncer && played.includes('PgBouncer')
const playsHaproxy = hasHaproxy && played.includes('HAProxy')
const playsTwo = hasPgBouncer && played.includes('two PgBouncers')

const bodiesOf = (rows: readonly { body: string }[]): string[] => rows.map(({ body }) => body)

async function settingOf(ask: Ask, key: string): Promise<unknown> {
  const { groups } = (await (await ask('GET', '/api/settings')).json()) as {
    groups: { settings: { key: string; value: unknown }[] }[]
  }
  return groups.flatMap(group => group.settings).find(setting => setting.key === key)?.value
}

describe.skipIf(!playsOne)('through PgBouncer in transaction mode', () => {
  let pair: PostgresPair
  let pooler: Pooler

  beforeAll(async () => {
    pair = await startPair()
    pooler = await startPgBouncer(pair.primary)
  })
  afterAll(async () => {
    await pooler?.[Symbol.asyncDispose]()
    await pair?.close()
  })

  test('an appliance makes its tables, people chat, and settings change', { timeout: 60_000 }, async () => {
    await using appliance = await startAppliance({ config: { database: { url: urlOf([pooler]) } } })
    {
      await using load = await Load.start(appliance)
      await load.goesOn(200)
      const ask = await signInAs(appliance, people.anna)
      await ask('PUT', '/api/settings/registration.open', { value: true })
      expect(await settingOf(ask, 'registration.open')).toBe(true)
      await load.stop()
      load.expectUnbroken()
      await load.expectArchived()
    }
    await appliance.restart()
    expect(await settingOf(await signInAs(appliance, people.anna), 'registration.open')).toBe(true)
    await using again = new GoodClient('romeo')
    await again.connect(appliance)
    again.message('juliet@office.test', 'after the restart')
    await again.settled()
    expect(bodiesOf(await archiveOn(pair.primary)).at(-1)).toBe('after the restart')
  })

  test('an appliance starts though its URL has start-up parameters that PgBouncer refuses', {
    timeout: 60_000,
  }, async () => {
    await pair.primary.ask('CREATE DATABASE strict OWNER lanthorn')
    const parameters = 'target_session_attrs=read-write&application_name=office&options=-c%20lock_timeout%3D2s'
    const url = urlOf([pooler], { database: 'strict', parameters })
    await using appliance = await startAppliance({ config: { database: { url } } })
    await using romeo = new GoodClient('romeo')
    await romeo.connect(appliance)
    romeo.message('juliet@office.test', 'strict')
    await romeo.settled()
    expect(bodiesOf(await archiveOn(pair.primary, 'strict'))).toEqual(['strict'])
  })
})

describe.skipIf(!playsHaproxy)('behind HAProxy, which leads to whichever server is the primary', () => {
  test('an appliance goes on after a failover without a loss', { timeout: 90_000 }, async () => {
    await using pair = await startPair({ replication: 'applied' })
    await using pooler = await startHaproxy(pair.servers)
    await using appliance: Appliance = await startAppliance({ config: { database: { url: urlOf([pooler]) } } })
    await using load = await Load.start(appliance)
    await load.goesOn(100)
    await pair.primary.kill9()
    await pair.promote()
    const since = performance.now()
    const tookMs = (await load.firstAckAfter(since)) - since
    await load.goesOn(100)
    await load.stop()
    process.stdout.write(`pooler: acknowledged again ${Math.round(tookMs)} ms after the promotion behind HAProxy\n`)
    const kept = new Set(bodiesOf(await archiveOn(pair.primary)))
    expect(load.acknowledged.filter(body => !kept.has(body))).toEqual([])
    load.expectUnbroken()
    await load.expectArchived()
  })

  test('an appliance that is led back to the old primary refuses it, and says so', { timeout: 90_000 }, async () => {
    await using pair = await startPair()
    await using pooler = await startHaproxy(pair.servers)
    await using appliance = await startAppliance({ config: { database: { url: urlOf([pooler]) } } })
    await using load = await Load.start(appliance)
    await load.goesOn(50)
    const frozen = await pair.primary.freeze()
    await pair.promote()
    await load.firstAckAfter(performance.now())
    const stale = pair.standby
    frozen.thaw()
    // HAProxy prefers the first server, and breaks the connections to the other one.
    const refusal = new RegExp(`127\\.0\\.0\\.1:${pooler.port} is a main database of the past`)
    await eventually('a sentence about the old primary', () => refusal.test(appliance.stderr + appliance.stdout))
    process.stdout.write(`pooler: ${refusal.exec(appliance.stderr + appliance.stdout)?.[0]}\n`)
    const after = await archiveOn(stale)
    await rhythm(1_000)
    expect(await archiveOn(stale)).toEqual(after)
    await stale.stop()
    await load.goesOn(50)
    await load.stop()
    const kept = await archiveOn(pair.primary)
    const ids = new Set(kept.map(({ id }) => id))
    expect(after.filter(({ id }) => !ids.has(id))).toEqual([])
    load.expectUnbroken()
    await load.expectArchived()
  })
})

describe.skipIf(!playsTwo)('two servers, each behind a PgBouncer of its own', () => {
  test('are one database whose primary may change', { timeout: 90_000 }, async () => {
    await using pair = await startPair()
    await using first = await startPgBouncer(pair.primary)
    await using second = await startPgBouncer(pair.standby)
    await using appliance = await startAppliance({ config: { database: { url: urlOf([first, second]) } } })
    await using load = await Load.start(appliance)
    await load.goesOn(100)
    await pair.primary.kill9()
    await pair.promote()
    const since = performance.now()
    const tookMs = (await load.firstAckAfter(since)) - since
    await load.goesOn(100)
    await load.stop()
    process.stdout.write(`pooler: acknowledged again ${Math.round(tookMs)} ms after the promotion behind PgBouncers\n`)
    const kept = new Set(bodiesOf(await archiveOn(pair.primary)))
    expect(load.acknowledged.filter(body => !kept.has(body))).toEqual([])
    load.expectUnbroken()
    await load.expectArchived()
  })
})
