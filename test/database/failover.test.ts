import { expect, test } from 'vitest'
import { rhythm } from '../faults/good-client.ts'
import { canBreakProcesses } from '../faults/processes.ts'
import { chance, isThorough, some } from '../faults/random.ts'
import { type Appliance, startAppliance } from '../support/appliance.ts'
import type { PostgresServer } from '../support/postgres-server.ts'
import { type RepmgrPair, repmgrFolder, startRepmgr } from '../support/repmgr.ts'
import { archiveOn, Load } from './load.ts'
import { madeAt, noteWrites, writesSince } from './stale.ts'

/** How long acknowledgements may need after the new primary can be written to: a computer with nothing else to do never needs more. */
const gapMsMax = 500
/** What a round may need while other programs hold the processors. */
const busyGapMsMax = 1_500
/** How long the old primary lives on beside the new one. */
const twoPrimariesMs = 2_500

const faults = ['kill -9', 'immediate stop', 'freeze, thaw'] as const
type Fault = (typeof faults)[number]

const isLeftOut = !canBreakProcesses || repmgrFolder() === undefined

interface Round {
  fault: Fault
  from: string
  to: string
  promotedMs: number
  isByHand: boolean
  gapMs: number
  silenceMs: number
  acknowledged: number
  lost: number
  staleWrites: string
  rejoinMs: number
}

/** One primary fails, the other is promoted by its daemon, the first one comes back as a standby; people chat all the while. */
async function play(
  fault: Fault,
  primary: PostgresServer,
  { pair, load }: { pair: RepmgrPair; load: Load },
): Promise<Round> {
  const next = pair.other(primary)
  await load.goesOn()
  await pair.betweenLooks(next)
  const promotion = pair.promoted(next)
  // It is awaited below; if the fault cannot be brought about, that is what is to be told.
  promotion.catch(() => undefined)
  const since = performance.now()
  const frozen = await bringAbout(fault, primary)
  const { at: promotedAt, isByHand } = await promotion
  const promotedTime = Date.now()
  const ackedAt = await load.firstAckAfter(promotedAt)
  await load.goesOn(100)
  const stale = frozen ? await letLive(primary, next, frozen, load) : undefined
  const end = performance.now()
  const acknowledged = load.acknowledged
  const kept = await archiveOn(next)
  const bodies = new Set(kept.map(({ body }) => body))
  if (stale) {
    expect(stale.rows.filter(({ id }) => madeAt(id) >= promotedTime)).toEqual([])
    const ids = new Set(kept.map(({ id }) => id))
    expect(stale.rows.filter(({ id }) => !ids.has(id))).toEqual([])
  }
  const rejoinSince = performance.now()
  await pair.rejoin(primary)
  return {
    fault,
    from: primary.name,
    to: next.name,
    promotedMs: promotedAt - since,
    isByHand,
    gapMs: ackedAt - promotedAt,
    silenceMs: load.longestGap(since, end),
    acknowledged: acknowledged.length,
    lost: acknowledged.filter(body => !bodies.has(body)).length,
    staleWrites: stale ? `${stale.newWrites} (${stale.lateWrites} sent before)` : '',
    rejoinMs: performance.now() - rejoinSince,
  }
}

async function bringAbout(fault: Fault, server: PostgresServer): Promise<{ thaw(): void } | undefined> {
  switch (fault) {
    case 'kill -9':
      await server.kill9()
      return undefined
    case 'immediate stop':
      await server.stop('immediate')
      return undefined
    case 'freeze, thaw':
      return await server.freeze()
  }
}

/**
 * The frozen primary wakes up and does not know that it is not the primary any more. What had been sent to it before it froze, it may
 * still carry out; nobody who looks for a database now may use it.
 */
async function letLive(server: PostgresServer, next: PostgresServer, frozen: { thaw(): void }, load: Load) {
  const thawedTime = Date.now()
  frozen.thaw()
  await rhythm(twoPrimariesMs)
  await load.goesOn(50)
  expect(await server.role()).toBe('primary')
  const writes = await writesSince(server, thawedTime)
  // Times of connections are noted to the second.
  const isNew = ({ connectedAt }: { connectedAt: number }) => connectedAt >= Math.floor(thawedTime / 1_000) * 1_000
  const newWrites = writes.filter(isNew)
  expect(newWrites).toEqual([])
  // That writes are seen at all is seen where they belong.
  expect(await writesSince(next, thawedTime)).not.toEqual([])
  return { rows: await archiveOn(server), newWrites: newWrites.length, lateWrites: writes.length - newWrites.length }
}

function print(rounds: readonly Round[]): void {
  const ms = (value: number): string => `${Math.round(value)}`
  const rows = [
    [
      'fault',
      'from → to',
      'promoted after',
      'first ack after that',
      'silence',
      'acked so far',
      'lost',
      'stale written',
      'rejoined in',
    ],
    ...rounds.map(round => [
      round.fault,
      `${round.from} → ${round.to}`,
      `${ms(round.promotedMs)}${round.isByHand ? ' (by hand)' : ''}`,
      ms(round.gapMs),
      ms(round.silenceMs),
      String(round.acknowledged),
      String(round.lost),
      round.staleWrites,
      ms(round.rejoinMs),
    ]),
  ]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0))) ?? []
  const line = (row: string[]): string => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')
  process.stdout.write(`failover (milliseconds):\n${rows.map(row => `  ${line(row)}\n`).join('')}`)
}

test.skipIf(isLeftOut)(
  'people chat on while the primary of a repmgr pair is killed, stopped or frozen, first one server and then the other',
  { timeout: 240_000 },
  async () => {
    await using pair = await startRepmgr({ settings: noteWrites })
    await using appliance: Appliance = await startAppliance({ config: { database: { url: pair.url() } } })
    await using load = await Load.start(appliance)
    const rounds: Round[] = []
    let [primary] = pair.servers
    const luck = chance()
    const played = some(faults, 2, luck)
    const order = luck.isOnce(50) ? played : played.toReversed()
    process.stdout.write(`failover: FAULT_SEED=${luck.seed}\n`)
    for (const fault of isThorough ? [...order, ...order] : order) {
      rounds.push(await play(fault, primary, { pair, load }))
      primary = pair.other(primary)
    }
    await load.stop()
    print(rounds)
    process.stdout.write(
      `failover: ${load.counts.sent} messages of two people, all acknowledged: ${load.counts.acknowledged}; sessions dropped: ${load.dropped}; longest delivery ${Math.round(load.longestDelivery)} ms\n`,
    )
    load.expectUnbroken()
    await load.expectArchived()
    expect(rounds.map(({ lost }) => lost)).toEqual(rounds.map(() => 0))
    // A daemon may hang with the primary that it watches; in the other rounds it has no excuse.
    expect(rounds.filter(({ fault, isByHand }) => isByHand && fault !== 'freeze, thaw')).toEqual([])
    const gaps = rounds.map(({ gapMs }) => gapMs).toSorted((a, b) => a - b)
    expect(gaps[gaps.length >> 1]).toBeLessThan(gapMsMax)
    expect(gaps.at(-1)).toBeLessThan(busyGapMsMax)
  },
)
