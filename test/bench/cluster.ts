/** What it costs that two people are on two PCs, and what a member of the cluster needs. */
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { processorSeconds } from '../../server/cluster/hazelcast/process-figures.ts'
import { childrenOf } from '../faults/processes.ts'
import type { Appliance } from '../support/appliance.ts'
import { figureOf } from '../support/figures.ts'
import { eventually } from '../support/postgres-server.ts'
import { cpuOf, median, memoryOf } from './accounting.ts'
import { type Account, Connection, type Target } from './connection.ts'

/** The first half of them only warms both servers up: an office's have been running for a while. */
const singles = 12_000
const window = 256
const mark = '</message>'
/** How long the two PCs are left alone to see what they need for that, and before: their start is not their rest. */
const restSeconds = 15
const settleSeconds = 20

export interface ClusterCost {
  /** Messages a second from one person to one on another PC. */
  perSecond: number
  archivedPerSecond: number
  /** Microseconds of both servers for one of them. */
  crossCpu: number
}

/** What a PC needs while nothing happens, as most of an office's day. */
export interface Needs {
  serverMb: number
  memberMb: number
  /** Of one processor, while nothing happens. */
  serverIdlePercent: number
  memberIdlePercent: number
  /** From the start of its process until it was a member. */
  memberStartSeconds: number
}

/** Half of the messages of one person to another arrive within, milliseconds. */
export interface Distance {
  sameP50: number
  crossP50: number
}

/**
 * How far it is to another PC, one message at a time.
 * @param targets where the two PCs take people
 */
export async function measureDistance(
  targets: readonly [Target, Target],
  people: readonly [Account, Account, Account],
): Promise<Distance> {
  const { sender, near, far } = await threeOf(targets, people)
  try {
    const same = { receiver: near, arrivals: arrivalsOf(near), times: [] as number[] }
    const cross = { receiver: far, arrivals: arrivalsOf(far), times: [] as number[] }
    for (const { receiver, arrivals } of [same, cross]) await rate(sender, arrivals, message(receiver.jid, false), 2)
    // Interleaved, so that a noisy moment hurts both alike.
    for (let index = 0; index < singles; index++) {
      for (const { receiver, arrivals, times } of [same, cross]) {
        const since = performance.now()
        const arrived = arrivals.next()
        sender.write(message(receiver.jid, false))
        await arrived
        times.push(performance.now() - since)
      }
    }
    return { sameP50: median(same.times.slice(singles / 2)), crossP50: median(cross.times.slice(singles / 2)) }
  } finally {
    for (const one of [sender, near, far]) one.destroy()
  }
}

async function threeOf(
  [here, there]: readonly [Target, Target],
  [romeo, juliet, nurse]: readonly [Account, Account, Account],
): Promise<{ sender: Connection; near: Connection; far: Connection }> {
  const sender = await Connection.open(here, romeo, 'bench', 'SCRAM-SHA-1')
  const near = await Connection.open(here, nurse, 'bench', 'SCRAM-SHA-1')
  const far = await Connection.open(there, juliet, 'bench', 'SCRAM-SHA-1')
  return { sender, near, far }
}

/** @param targets where the two PCs take people */
export async function measureCluster(
  appliances: readonly [Appliance, Appliance],
  targets: readonly [Target, Target],
  people: readonly [Account, Account, Account],
  seconds: number,
): Promise<ClusterCost> {
  const { sender, near, far } = await threeOf(targets, people)
  try {
    const counter = arrivalsOf(far)
    const before = await Promise.all(appliances.map(({ pid }) => cpuOf(pid)))
    const from = counter.count
    const perSecond = await rate(sender, counter, message(far.jid, false), seconds)
    const after = await Promise.all(appliances.map(({ pid }) => cpuOf(pid)))
    const cpu = after.reduce((sum, one, index) => sum + one.server - (before[index]?.server ?? 0), 0)
    const crossCpu = (cpu * 1_000) / (counter.count - from)
    const archivedPerSecond = await rate(sender, counter, message(far.jid, true), seconds)
    return {
      perSecond,
      archivedPerSecond,
      crossCpu,
    }
  } finally {
    for (const one of [sender, near, far]) one.destroy()
  }
}

interface Arrivals {
  count: number
  /** Resolves with the next message that arrives. */
  next(): Promise<void>
  onArrival: (() => void) | undefined
}

function arrivalsOf(connection: Connection): Arrivals {
  let waiting: (() => void) | undefined
  const arrivals: Arrivals = {
    count: 0,
    next: () =>
      new Promise(resolve => {
        waiting = resolve
      }),
    onArrival: undefined,
  }
  connection.watch([mark], ([found = 0]) => {
    if (found === 0) return
    arrivals.count += found
    waiting?.()
    arrivals.onArrival?.()
  })
  return arrivals
}

/** As many as go through with at most `window` under way. */
async function rate(sender: Connection, arrivals: Arrivals, one: Buffer, seconds: number): Promise<number> {
  let sent = 0
  const first = arrivals.count
  let isOver = false
  const refill = (): void => {
    const room = window - (sent - (arrivals.count - first))
    if (isOver || room < window / 4) return
    sender.write(Buffer.concat(Array.from({ length: room }, () => one)))
    sent += room
  }
  arrivals.onArrival = refill
  const since = performance.now()
  refill()
  await new Promise(resolve => setTimeout(resolve, seconds * 1_000))
  isOver = true
  const result = ((arrivals.count - first) * 1_000) / (performance.now() - since)
  const end = performance.now() + 10_000
  while (arrivals.count - first < sent && performance.now() < end) await new Promise(resolve => setTimeout(resolve, 10))
  if (arrivals.count - first < sent) throw new Error(`${sent - (arrivals.count - first)} messages did not arrive`)
  arrivals.onArrival = undefined
  return result
}

function message(to: string, isArchived: boolean): Buffer {
  const hint = isArchived ? '' : "<no-store xmlns='urn:xmpp:hints'/>"
  return Buffer.from(`<message to='${to}' type='chat' id='m1'><body>${'x'.repeat(60)}</body>${hint}</message>`)
}

/** Ends a PC's Hazelcast member, and waits until its server has started another. */
export async function startMemberAnew(appliance: Appliance): Promise<void> {
  // While there is none, there is no such number.
  const restarts = () => figureOf(appliance, 'lanthorn_hazelcast_restarts_total').catch(() => 0)
  const before = await restarts()
  for (const pid of await childrenOf(appliance.pid, 'java')) process.kill(pid, 'SIGKILL')
  await eventually('another member', async () => (await restarts()) > before)
}

/** What a PC needs at rest. */
export async function needsOf(appliance: Appliance): Promise<Needs> {
  const { pid } = appliance
  const [member] = await childrenOf(pid, 'java')
  if (member === undefined) throw new Error('no Hazelcast member runs: is there a Java?')
  await delay(settleSeconds * 1_000)
  const used = (): (number | undefined)[] => [pid, member].map(processorSeconds)
  const before = used()
  await delay(restSeconds * 1_000)
  const [server = Number.NaN, ofMember = Number.NaN] = used().map((now, index) => (now ?? 0) - (before[index] ?? 0))
  return {
    serverMb: (await memoryOf(pid)) / 2 ** 20,
    memberMb: (await memoryOf(member)) / 2 ** 20,
    serverIdlePercent: (server / restSeconds) * 100,
    memberIdlePercent: (ofMember / restSeconds) * 100,
    memberStartSeconds: await figureOf(appliance, 'lanthorn_hazelcast_start_seconds'),
  }
}
