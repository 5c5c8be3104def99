import { expect, test } from 'vitest'
import { type Appliance, people, startAppliance } from '../support/appliance.ts'
import { RawClient } from '../support/raw.ts'
import { archiveOf, GoodClient, type Person, rhythm, targetOf } from './good-client.ts'
import { canBreakProcesses, freezePostgres } from './processes.ts'

const frozenMs = 12_000
/** The longest that a message between two people who are here may take meanwhile. */
const deliveryMsMax = 1_000
/** The longest that anybody may wait for an answer, be it yes or no. */
const answerMsMax = 5_000

interface Answer {
  what: string
  answer: string
  tookMs: number
}

/** Logs in, and binds if that went well; each answer with the time it took. */
async function tryToLogIn(appliance: Appliance, person: Person): Promise<Answer[]> {
  const raw = await RawClient.connect(await targetOf(appliance))
  await raw.open()
  const answers: Answer[] = []
  const timed = async (what: string, answered: () => Promise<string>): Promise<string> => {
    const since = performance.now()
    const answer = await answered()
    answers.push({ what: `${what} of ${person}`, answer, tookMs: Math.round(performance.now() - since) })
    return answer
  }
  const login = await timed('login', async () => {
    const element = await raw.trySasl(people[person])
    return element.getChildElements()[0]?.name ?? element.name
  })
  if (login === 'success') {
    await raw.open()
    await timed('binding', async () => {
      raw.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
      const element = await raw.receives(({ attrs }) => attrs.id === 'b', 20_000)
      return String(element.attrs.type)
    })
  }
  raw.cut()
  return answers
}

test.skipIf(!canBreakProcesses)(
  'a database that hangs for 12 seconds stops no chat between people who are here, and loses nothing',
  { timeout: 90_000 },
  async () => {
    await using appliance = await startAppliance()
    // Nobody has been seen since the start, except those who log in now.
    await appliance.restart()
    await using anna = new GoodClient('anna')
    await anna.connect(appliance)
    await anna.leave()
    await using romeo = new GoodClient('romeo')
    await using juliet = new GoodClient('juliet')
    await juliet.connect(appliance)
    await romeo.connect(appliance)
    const bodies: string[] = []
    const sentAt = new Map<string, number>()
    const send = (): void => {
      const body = `m${bodies.length}`
      bodies.push(body)
      sentAt.set(body, performance.now())
      romeo.message('juliet@office.test', body)
      romeo.askForAck()
    }
    for (let count = 0; count < 20; count++) send()
    await romeo.settled()

    const frozen = await freezePostgres(appliance.dataDir)
    const since = performance.now()
    const asked: Promise<Answer[]>[] = []
    try {
      // The first to ask meet a database that nobody knows to hang; the others one that is known to be away.
      for (const after of [0, 9_000]) {
        while (performance.now() - since < after) {
          send()
          await rhythm(50)
        }
        for (const person of ['mercutio', 'anna'] as const) asked.push(tryToLogIn(appliance, person))
      }
      while (performance.now() - since < frozenMs) {
        send()
        await rhythm(50)
      }
      const unkept = bodies.slice(20)
      expect(romeo.acknowledged).toEqual(bodies.slice(0, 20))
      await juliet.until(
        () => juliet.arrivals.length === bodies.length,
        'messages sent while the database hangs',
        1_000,
      )
      expect(juliet.handled).toBeGreaterThanOrEqual(unkept.length)
    } finally {
      frozen.thaw()
    }
    const delays = juliet.arrivals.map(({ body, at }) => at - (sentAt.get(body) ?? 0))
    const sorted = delays.toSorted((a, b) => a - b)
    const [median = 0, longest = 0] = [sorted[sorted.length >> 1], sorted.at(-1)]
    const answers = (await Promise.all(asked)).flat()
    const thawedAt = performance.now()
    await romeo.settled()
    process.stdout.write(
      `frozen database: ${bodies.length} messages, delivered after ${median.toFixed(1)} ms (median), ${longest.toFixed(1)} ms (longest); ` +
        `all acknowledged ${Math.round(performance.now() - thawedAt)} ms after it went on; ` +
        `${answers.map(({ what, answer, tookMs }) => `${what}: ${answer} after ${tookMs} ms`).join(', ')}\n`,
    )
    expect(longest).toBeLessThan(deliveryMsMax)
    for (const { answer, tookMs } of answers) {
      expect(answer).toMatch(/^(success|temporary-auth-failure|result|error)$/)
      expect(tookMs).toBeLessThan(answerMsMax)
    }
    expect(romeo.acknowledged).toEqual(bodies)
    expect(juliet.arrivals.map(({ body }) => body)).toEqual(bodies)
    expect((await archiveOf(appliance, 'juliet')).map(({ body }) => body)).toEqual(bodies)

    // What she has acknowledged meanwhile is written down now, even where a write had seemed to fail.
    await juliet.settled()
    await juliet.leave()
    await appliance.restart()
    await juliet.connect(appliance)
    romeo.message('juliet@office.test', 'end')
    await romeo.over()
    await romeo.connect(appliance)
    await juliet.until(() => juliet.arrivals.at(-1)?.body === 'end', 'a message after it all')
    expect(juliet.arrivals.map(({ body }) => body)).toEqual([...bodies, 'end'])
  },
)

test.skipIf(!canBreakProcesses)(
  'a message to somebody who is away is answered while the database hangs, and holds up nothing else',
  { timeout: 60_000 },
  async () => {
    await using appliance = await startAppliance()
    await using romeo = new GoodClient('romeo')
    await using juliet = new GoodClient('juliet')
    await juliet.connect(appliance)
    await romeo.connect(appliance)
    const frozen = await freezePostgres(appliance.dataDir)
    try {
      romeo.message('mercutio@office.test', 'to-nobody')
      const since = performance.now()
      romeo.message('juliet@office.test', 'behind-it')
      await juliet.until(() => juliet.arrivals.length === 1, 'the message behind', 20_000)
      const tookMs = Math.round(performance.now() - since)
      process.stdout.write(`frozen database: a message behind one to somebody unknown took ${tookMs} ms\n`)
      expect(tookMs).toBeLessThan(deliveryMsMax)
    } finally {
      frozen.thaw()
    }
    await romeo.settled()
  },
)

test.skipIf(!canBreakProcesses)(
  'a connection that breaks while the database hangs is taken up again within 5 seconds',
  { timeout: 60_000 },
  async () => {
    await using appliance = await startAppliance()
    await using romeo = new GoodClient('romeo')
    await using juliet = new GoodClient('juliet')
    await juliet.connect(appliance)
    await romeo.connect(appliance)
    const frozen = await freezePostgres(appliance.dataDir)
    const bodies = ['a', 'b', 'c']
    try {
      for (const body of bodies) romeo.message('juliet@office.test', body)
      await juliet.until(() => juliet.arrivals.length === 3, 'three messages', 1_000)
      await romeo.cut()
      const since = performance.now()
      await romeo.connect(appliance)
      const tookMs = Math.round(performance.now() - since)
      process.stdout.write(`frozen database: ${romeo.outcome} after ${tookMs} ms\n`)
      expect(romeo.outcome).toBe('resumed')
      expect(tookMs).toBeLessThan(answerMsMax)
      romeo.message('juliet@office.test', 'd')
      await juliet.until(() => juliet.arrivals.length === 4, 'a message after that', 1_000)
    } finally {
      frozen.thaw()
    }
    await romeo.settled()
    expect((await archiveOf(appliance, 'juliet')).map(({ body }) => body)).toEqual([...bodies, 'd'])
    expect(juliet.arrivals.map(({ body }) => body)).toEqual([...bodies, 'd'])
  },
)
