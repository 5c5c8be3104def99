import { expect, test } from 'vitest'
import { type Appliance, startAppliance } from '../support/appliance.ts'
import { type Archived, type Arrival, archiveOf, GoodClient, rhythm } from './good-client.ts'
import { canBreakProcesses, gone, postgresOf, signalAll } from './processes.ts'
import { type Chance, chance, isThorough } from './random.ts'
import { repeated } from './repeated.ts'

const rounds = isThorough ? 20 : 4
const limitMs = 180_000

interface Round {
  readonly withPostgres: boolean
  readonly isJulietManaged: boolean
  readonly trafficMs: number
}

/** Every other round kills PostgreSQL too; pairs of rounds with and without acknowledgements by the receiver take turns. */
function planned(chance: Chance, index: number): Round {
  return { withPostgres: index % 2 === 1, isJulietManaged: index % 4 < 2, trafficMs: chance.between(50, 1_300) }
}

/** Romeo writes in bursts, and asks for acknowledgements now and then, until the time is over. */
async function writeFor(
  romeo: GoodClient,
  numbers: { next: number },
  chance: Chance,
  trafficMs: number,
): Promise<void> {
  const end = performance.now() + trafficMs
  while (performance.now() < end) {
    for (let left = chance.between(1, 40); left > 0; left--) romeo.message('juliet@office.test', `n${numbers.next++}`)
    if (chance.isOnce(80)) romeo.askForAck()
    await rhythm(Math.min(chance.between(1, 120), Math.max(0, end - performance.now())))
  }
}

/** The power cut: no process gets a chance to tidy up. */
async function killed(appliance: Appliance, withPostgres: boolean): Promise<void> {
  const postgres = withPostgres ? await postgresOf(appliance.dataDir) : []
  signalAll([appliance.pid, ...postgres], 'SIGKILL')
  await Promise.all([appliance.ended(), gone(postgres)])
}

const isText = (body: string | undefined): boolean => body?.startsWith('n') ?? false
const inOrder = (bodies: string[]): string[] => bodies.toSorted((a, b) => Number(a.slice(1)) - Number(b.slice(1)))

test.skipIf(!canBreakProcesses)(
  'what was acknowledged survives kill -9 at any moment, once and in order, with and without the database',
  { timeout: limitMs },
  async () => {
    const luck = chance()
    process.stdout.write(`kill: FAULT_SEED=${luck.seed}\n`)
    await using appliance = await startAppliance()
    const romeo = new GoodClient('romeo')
    const juliet = new GoodClient('juliet')
    const numbers = { next: 0 }
    const restartsMs = { server: [] as number[], both: [] as number[] }
    const mustBeSeen: string[] = []
    const deaths: number[] = []
    for (let index = 0; index < rounds; index++) {
      const round = planned(luck, index)
      const first = numbers.next
      // Whoever is first: with romeo before juliet his messages wait for her.
      const both = [
        () => juliet.connect(appliance, { isManaged: round.isJulietManaged }),
        () => romeo.connect(appliance),
      ]
      for (const connect of luck.isOnce(50) ? both : both.toReversed()) await connect()
      await writeFor(romeo, numbers, luck, round.trafficMs)
      deaths.push(performance.now())
      await killed(appliance, round.withPostgres)
      await Promise.all([romeo.over(), juliet.over()])
      // Without acknowledgements from her, what was on its way to her is in the archive only.
      if (round.isJulietManaged && planned(luck, index + 1).isJulietManaged) {
        for (let number = first; number < numbers.next; number++) mustBeSeen.push(`n${number}`)
      }
      const since = performance.now()
      await appliance.start()
      restartsMs[round.withPostgres ? 'both' : 'server'].push(Math.round(performance.now() - since))
    }
    await juliet.connect(appliance)
    await romeo.connect(appliance)
    await romeo.settled()
    const acknowledged = romeo.acknowledged.filter(isText)
    const archive = (await archiveOf(appliance, 'juliet')).filter(({ body }) => isText(body))
    const counted = juliet.arrivals.filter(arrival => arrival.isCounted && !isTooFresh(arrival, deaths))
    process.stdout.write(
      `kill: ${numbers.next} messages in ${rounds} rounds, ${acknowledged.length} acknowledged, ${archive.length} archived, ` +
        `${juliet.arrivals.length} arrived live; restarts after the server's death ${restartsMs.server} ms, ` +
        `after both deaths ${restartsMs.both} ms\n`,
    )
    expect(acknowledged).toHaveLength(numbers.next)
    expectOnceAndInOrder(archive, acknowledged)
    // What she has told that she has, in `h` at the latest, does not come again. One that comes again under another id
    // was not archived the first time, hence not acknowledged, and romeo has rightly sent it again.
    expect(repeated(counted.map(({ stanzaId }) => stanzaId))).toEqual([])
    const live = new Set(juliet.arrivals.map(({ body }) => body))
    expect(mustBeSeen.filter(body => !live.has(body))).toEqual([])
    for (const person of [romeo, juliet]) await person.leave()
  },
)

/** That a waiting message was given to a client is written down right after it: so long it may come twice, with the same id. */
const noteMs = 100

const isTooFresh = ({ isDelayed, at }: Arrival, deaths: readonly number[]): boolean =>
  isDelayed && deaths.some(death => Math.abs(death - at) < noteMs)

function expectOnceAndInOrder(archive: readonly Archived[], acknowledged: readonly string[]): void {
  const bodies = archive.map(({ body }) => body)
  expect(repeated(bodies)).toEqual([])
  const kept = new Set(bodies)
  expect(acknowledged.filter(body => !kept.has(body))).toEqual([])
  expect(bodies).toEqual(inOrder(bodies))
}
