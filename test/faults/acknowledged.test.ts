import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Appliance, startAppliance } from '../support/appliance.ts'
import { archiveOf, GoodClient, type Person, rhythm } from './good-client.ts'
import { canBreakProcesses, freezePostgres } from './processes.ts'
import { chance } from './random.ts'

let appliance: Appliance

beforeAll(async () => {
  appliance = await startAppliance()
})
afterAll(async () => {
  await appliance?.cleanup()
})

const numbered = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, at) => `${prefix}${at}`)

/** The bodies of an archive that belong to one test. */
async function archived(person: Person, prefix: string): Promise<string[]> {
  const all = await archiveOf(appliance, person)
  return all.map(({ body }) => body).filter(body => body.startsWith(prefix))
}

const arrived = (client: GoodClient, prefix: string): string[] =>
  client.arrivals.map(({ body }) => body).filter(body => body.startsWith(prefix))

describe('an acknowledgement', () => {
  test.skipIf(!canBreakProcesses)(
    'is not given for what the database has not committed, and is given once it has',
    async () => {
      await using romeo = new GoodClient('romeo')
      await using juliet = new GoodClient('juliet')
      await juliet.connect(appliance)
      await romeo.connect(appliance)
      romeo.message('juliet@office.test', 'early0')
      await romeo.settled()
      const frozen = await freezePostgres(appliance.dataDir)
      const wanted = numbered('frozen', 5)
      try {
        for (const body of wanted) romeo.message('juliet@office.test', body)
        romeo.askForAck()
        await juliet.until(() => arrived(juliet, 'frozen').length === 5, 'messages that wait for nobody', 1_000)
        // The server answers <r/> with what is safe when it cannot wait any longer.
        await rhythm(1_500)
        expect(romeo.acknowledged).toEqual(['early0'])
      } finally {
        frozen.thaw()
      }
      await romeo.settled()
      expect(romeo.acknowledged).toEqual(['early0', ...wanted])
      expect(await archived('juliet', 'frozen')).toEqual(wanted)
    },
  )

  test.skipIf(!canBreakProcesses)(
    'that never came is made up for: what a dead server had not committed is sent again, and only that',
    async () => {
      const romeo = new GoodClient('romeo')
      const juliet = new GoodClient('juliet')
      await juliet.connect(appliance)
      await romeo.connect(appliance)
      for (const body of numbered('doubt', 10)) romeo.message('juliet@office.test', body)
      await romeo.settled()
      const frozen = await freezePostgres(appliance.dataDir)
      for (const body of numbered('lost', 10)) romeo.message('juliet@office.test', body)
      await juliet.until(() => arrived(juliet, 'lost').length === 10, 'messages that wait for nobody', 1_000)
      await appliance.kill()
      // The first group may have reached PostgreSQL's socket: it commits that now, with nobody left to be told.
      frozen.thaw()
      await Promise.all([romeo.over(), juliet.over()])
      await appliance.start()
      await romeo.connect(appliance)
      await juliet.connect(appliance)
      await romeo.settled()
      expect(await archived('juliet', 'doubt')).toEqual(numbered('doubt', 10))
      expect(await archived('juliet', 'lost')).toEqual(numbered('lost', 10))
      await romeo.leave()
      await juliet.leave()
    },
  )
})

describe('a graceful stop', () => {
  test('ends with code 0 within 10 seconds and loses nothing that had arrived', async () => {
    const romeo = new GoodClient('romeo')
    const juliet = new GoodClient('juliet')
    const mercutio = new GoodClient('mercutio')
    await juliet.connect(appliance)
    await mercutio.connect(appliance, { isManaged: false })
    await romeo.connect(appliance)
    for (const body of numbered('stop', 400)) {
      romeo.message('juliet@office.test', body)
      romeo.message('mercutio@office.test', body)
    }
    const since = performance.now()
    expect(await appliance.stop()).toBe(0)
    expect(performance.now() - since).toBeLessThan(10_000)
    await Promise.all([romeo.over(), juliet.over(), mercutio.over()])
    await appliance.start()
    for (const person of [juliet, mercutio, romeo]) await person.connect(appliance)
    await romeo.settled()
    await juliet.until(() => arrived(juliet, 'stop').length === 400, 'all 400 messages')
    expect(arrived(juliet, 'stop')).toEqual(numbered('stop', 400))
    expect(await archived('juliet', 'stop')).toEqual(numbered('stop', 400))
    expect(await archived('mercutio', 'stop')).toEqual(numbered('stop', 400))
    for (const person of [romeo, juliet, mercutio]) await person.leave()
  })

  test('keeps what waits for somebody who is away', async () => {
    await using romeo = new GoodClient('romeo')
    await romeo.connect(appliance)
    for (const body of numbered('away', 50)) romeo.message('juliet@office.test', body)
    await romeo.settled()
    await romeo.leave()
    await appliance.restart()
    await using juliet = new GoodClient('juliet')
    await juliet.connect(appliance)
    await juliet.until(() => arrived(juliet, 'away').length >= 50, 'the messages that waited')
    expect(arrived(juliet, 'away')).toEqual(numbered('away', 50))
    expect(juliet.arrivals.every(({ isDelayed }) => isDelayed)).toBe(true)
  })
})

describe('a client that comes back', () => {
  test('to a living server goes on where it was, whatever the moment its connection broke', async () => {
    const luck = chance()
    process.stdout.write(`acknowledged: FAULT_SEED=${luck.seed}\n`)
    await using romeo = new GoodClient('romeo')
    await using juliet = new GoodClient('juliet')
    await juliet.connect(appliance)
    await romeo.connect(appliance)
    let next = 0
    for (let cut = 0; cut < 25; cut++) {
      for (let left = luck.between(0, 60); left > 0; left--, next++) {
        romeo.message('juliet@office.test', `cut-there${next}`)
        juliet.message('romeo@office.test', `cut-back${next}`)
        if (luck.isOnce(10)) await rhythm(luck.between(0, 3))
      }
      if (luck.isOnce(50)) romeo.askForAck()
      for (const person of [romeo, juliet]) {
        if (luck.isOnce(30)) continue
        await person.cut()
        if (luck.isOnce(50)) await rhythm(luck.between(0, 20))
        await person.connect(appliance)
        expect(person.outcome).toBe('resumed')
      }
    }
    await romeo.settled()
    await juliet.settled()
    await juliet.until(() => arrived(juliet, 'cut-there').length >= next, 'all of romeo’s messages')
    await romeo.until(() => arrived(romeo, 'cut-back').length >= next, 'all of juliet’s messages')
    expect(arrived(juliet, 'cut-there')).toEqual(numbered('cut-there', next))
    expect(arrived(romeo, 'cut-back')).toEqual(numbered('cut-back', next))
    expect(await archived('juliet', 'cut-there')).toEqual(numbered('cut-there', next))
  })

  test('after the server was killed does not get again what it says it has, waiting messages included', async () => {
    const romeo = new GoodClient('romeo')
    await romeo.connect(appliance)
    for (const body of numbered('waited', 20)) romeo.message('juliet@office.test', body)
    await romeo.settled()
    const juliet = new GoodClient('juliet')
    juliet.isAcknowledging = false
    await juliet.connect(appliance)
    await juliet.until(() => arrived(juliet, 'waited').length === 20, 'the messages that waited')
    for (const body of numbered('live', 20)) romeo.message('juliet@office.test', body)
    await romeo.settled()
    await juliet.until(() => arrived(juliet, 'live').length === 20, 'the messages of now')
    await appliance.kill()
    await Promise.all([romeo.over(), juliet.over()])
    await appliance.start()
    await juliet.connect(appliance)
    expect(juliet.outcome).toBe('failed')
    await romeo.connect(appliance)
    romeo.message('juliet@office.test', 'last')
    await juliet.until(() => arrived(juliet, 'last').length > 0, 'the message after the restart')
    expect(arrived(juliet, 'live')).toEqual(numbered('live', 20))
    expect(arrived(juliet, 'waited')).toEqual(numbered('waited', 20))
    await romeo.leave()
    await juliet.leave()
  })
})
