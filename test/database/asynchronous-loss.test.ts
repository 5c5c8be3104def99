import { expect, test } from 'vitest'
import { archiveOf, GoodClient, type Person } from '../faults/good-client.ts'
import { canBreakProcesses } from '../faults/processes.ts'
import { signInAs } from '../support/admin-session.ts'
import { type Appliance, people, startAppliance } from '../support/appliance.ts'
import { startPair } from '../support/postgres-pair.ts'
import { eventually } from '../support/postgres-server.ts'
import { archiveOn } from './load.ts'

const numbered = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, at) => `${prefix}${at}`)
const bodiesOf = (rows: readonly { body: string }[]): string[] => rows.map(({ body }) => body)

async function says(romeo: GoodClient, to: Person, bodies: readonly string[]): Promise<void> {
  for (const body of bodies) romeo.message(`${to}@office.test`, body)
  await romeo.settled()
}

/** Tells the server that everything that came was received. */
function acknowledges(client: GoodClient): void {
  client.raw.send(`<a xmlns='urn:xmpp:sm:3' h='${client.handled}'/>`)
}

/** What somebody who comes now is given, up to a message that is sent once he is here. */
async function givenTo(person: Person, { appliance, romeo }: { appliance: Appliance; romeo: GoodClient }) {
  await using client = new GoodClient(person)
  await client.connect(appliance)
  await says(romeo, person, [`end-${person}`])
  await client.until(() => client.hasReceived(`end-${person}`), 'the message after it all')
  return bodiesOf(client.arrivals).filter(body => !body.startsWith('end-'))
}

test.skipIf(!canBreakProcesses)(
  'what a standby had not received when it was promoted comes back from the appliance, and nobody gets a message twice',
  { timeout: 90_000 },
  async () => {
    await using pair = await startPair()
    await using appliance = await startAppliance({ config: { database: { url: pair.url() } } })
    await using romeo = new GoodClient('romeo')
    const juliet = new GoodClient('juliet')
    await romeo.connect(appliance)
    await juliet.connect(appliance)
    const [early, waited] = [numbered('early', 20), numbered('waited', 20)]
    await says(romeo, 'juliet', early)
    await says(romeo, 'anna', waited)
    await pair.caughtUp()

    await pair.cutReplication()
    const [there, away] = [numbered('there', 300), numbered('away', 50)]
    await says(romeo, 'juliet', there)
    await says(romeo, 'mercutio', away)
    // Anna has taken what waited for her: that it waits no more is known to the old primary alone.
    const anna = new GoodClient('anna')
    await anna.connect(appliance)
    await anna.until(() => anna.arrivals.length === waited.length, 'what waited for anna')
    acknowledges(anna)
    await anna.leave()
    await juliet.until(() => juliet.arrivals.length === early.length + there.length, 'all messages for juliet')
    acknowledges(juliet)
    await juliet.leave()
    const delivered = ({ body }: { body: string }) => !body.startsWith('away')
    await eventually('deliveries to be noted', async () =>
      (await archiveOn(pair.primary)).filter(delivered).every(({ pending }) => !pending),
    )
    const before = await archiveOn(pair.primary)
    await pair.primary.kill9()
    const received = await archiveOn(pair.standby)
    const ids = new Set(received.map(({ id }) => id))
    const missing = before.filter(({ id }) => !ids.has(id))
    expect(bodiesOf(missing)).toEqual([...there, ...away])
    expect(bodiesOf(received.filter(({ pending }) => pending))).toEqual(waited)

    const since = performance.now()
    await pair.promote()
    const promotedMs = performance.now() - since
    await eventually('the lost rows to come back', async () => {
      const rows = await archiveOn(pair.primary)
      return rows.length === before.length && rows.every(({ body, pending }) => pending === body.startsWith('away'))
    })
    const backMs = performance.now() - since - promotedMs
    process.stdout.write(
      `asynchronous loss: ${missing.length} of ${before.length} acknowledged messages were not on the new primary; all were back ${Math.round(backMs)} ms after the promotion (${Math.round(promotedMs)} ms)\n`,
    )
    expect(await archiveOn(pair.primary)).toEqual(before)
    expect(romeo.isOnline).toBe(true)

    expect(await givenTo('mercutio', { appliance, romeo })).toEqual(away)
    expect(await givenTo('anna', { appliance, romeo })).toEqual([])
    expect(await givenTo('juliet', { appliance, romeo })).toEqual([])
    const texts = (person: Person, prefix: string) =>
      archiveOf(appliance, person).then(all => bodiesOf(all).filter(body => body.startsWith(prefix)))
    expect(await texts('juliet', 'early')).toEqual(early)
    expect(await texts('juliet', 'there')).toEqual(there)
    expect(await texts('mercutio', 'away')).toEqual(away)
  },
)

test.skipIf(!canBreakProcesses)(
  'a warning says what may be lost as long as the standby is not waited for, and goes away when it is',
  { timeout: 60_000 },
  async () => {
    await using pair = await startPair()
    await pair.primary.ask('GRANT pg_monitor TO lanthorn')
    await using appliance = await startAppliance({ config: { database: { url: pair.url() } } })
    const ask = await signInAs(appliance, people.anna)
    const check = async (): Promise<{ state: string; sentence: string }> => {
      const health = (await (await ask('POST', '/api/health/check', {})).json()) as {
        checks: { id: string; state: string; sentence: string }[]
      }
      return health.checks.find(({ id }) => id === 'database-replication') ?? { state: 'none', sentence: '' }
    }
    await eventually('the warning', async () => (await check()).state === 'warn')
    const { sentence } = await check()
    process.stdout.write(`asynchronous: ${sentence}\n`)
    expect(sentence).toMatch(/may be missing/)
    await pair.replicate('applied')
    await eventually('the end of the warning', async () => (await check()).state === 'ok')
  },
)
