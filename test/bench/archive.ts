/** Messages that are kept, so many a second: what the server and its PostgreSQL spend on one of them. */
import type { Appliance } from '../support/appliance.ts'
import { cpuOf } from './accounting.ts'
import type { Account, Connection, Target } from './connection.ts'
import { logInAll } from './crowd.ts'
import type { MessageCost } from './messages.ts'

const sessions = 100
const messageBytes = 188
/** How often the sender looks which messages are due: at 500 a second five leave at each look, from five people. */
const tickMs = 10
/** A client asks for an acknowledgement after so many messages. */
const askAfter = 4
const warmMs = 2_000
/** How long the last acknowledgements are waited for. */
const restMs = 5_000

export interface ArchiveCost extends MessageCost {
  /** Half and 99 of 100 acknowledgements came within so many milliseconds after their question. */
  ackMs: { p50: number; p99: number }
}

/**
 * 100 people in pairs write to each other, together `perSecond` messages, evenly over time and people. Each message is one write;
 * every receiver acknowledges when asked, every sender asks after four messages. Nobody waits for anybody: what the server does not keep up
 * with shows as messages without an acknowledgement, and then there is no figure.
 * @param options.isArchived false: the same messages with XEP-0334's `no-store`: what the traffic costs without the archive
 * @throws Error when messages were refused, not delivered or not acknowledged
 */
export async function measureArchive(
  appliance: Appliance,
  target: Target,
  people: Account[],
  { perSecond, seconds, isArchived = true }: { perSecond: number; seconds: number; isArchived?: boolean },
): Promise<ArchiveCost> {
  const connections = await logInAll(target, people, sessions)
  try {
    await Promise.all(connections.map(connection => connection.enableAcks()))
    const senders = connections.map(
      (connection, index) => new Sender(connection, connections[index ^ 1]?.jid ?? '', isArchived),
    )
    const pace = startPace(senders, perSecond)
    await sleep(warmMs)
    const [fromCpu, fromTime, fromSent] = [await cpuOf(appliance.pid), performance.now(), pace.sent]
    for (const sender of senders) sender.ackMs.length = 0
    await sleep(seconds * 1_000)
    const [cpu, time, sent] = [await cpuOf(appliance.pid), performance.now(), pace.sent]
    pace.stop()
    await finish(senders, pace.sent)
    const done = sent - fromSent
    const acks = senders.flatMap(({ ackMs }) => ackMs).toSorted((a, b) => a - b)
    return {
      server: ((cpu.server - fromCpu.server) * 1_000) / done,
      postgres: ((cpu.postgres - fromCpu.postgres) * 1_000) / done,
      perSecond: (done * 1_000) / (time - fromTime),
      ackMs: { p50: at(acks, 0.5), p99: at(acks, 0.99) },
    }
  } finally {
    for (const connection of connections) connection.destroy()
  }
}

const marks = ['</message>', " type='error'", ' type="error"', '<a ', '<r ']
const ask = "<r xmlns='urn:xmpp:sm:3'/>"

/** One person who writes to one other. */
class Sender {
  sent = 0
  arrived = 0
  refused = 0
  /** Messages that are safe. */
  safe = 0
  readonly ackMs: number[] = []
  readonly #connection: Connection
  readonly #message: string
  readonly #asked: { readonly at: number; readonly count: number }[] = []

  constructor(connection: Connection, to: string, isArchived: boolean) {
    this.#connection = connection
    const hint = isArchived ? '' : "<no-store xmlns='urn:xmpp:hints'/>"
    const frame = (body: string) => `<message to='${to}' type='chat' id='m1'><body>${body}</body>${hint}</message>`
    this.#message = frame('x'.repeat(Math.max(1, messageBytes - frame('').length)))
    connection.watch(marks, ([arrived = 0, single = 0, double = 0, acks = 0, questions = 0], tags) => {
      this.refused += single + double
      this.arrived += arrived
      if (questions > 0) connection.write(`<a xmlns='urn:xmpp:sm:3' h='${this.arrived}'/>`)
      if (acks > 0) this.#acknowledged(handledIn(tags))
    })
  }

  /** The server may answer several questions at once. */
  #acknowledged(count: number): void {
    this.safe = count
    while ((this.#asked[0]?.count ?? Number.POSITIVE_INFINITY) <= count) {
      this.ackMs.push(performance.now() - (this.#asked.shift()?.at ?? 0))
    }
  }

  send(): void {
    this.sent++
    const asks = this.sent % askAfter === 0
    if (asks) this.#asked.push({ at: performance.now(), count: this.sent })
    this.#connection.write(asks ? this.#message + ask : this.#message)
  }

  /** The last messages of a run need not be a full four. */
  get isDone(): boolean {
    return this.safe + askAfter > this.sent
  }
}

/** How many messages the last acknowledgement names. */
function handledIn(tags: Buffer): number {
  const from = tags.lastIndexOf('<a ')
  return Number(/^<a [^>]*h=['"](\d+)['"]/.exec(tags.toString('latin1', from, from + 100))?.[1])
}

/** Sends on time; what a busy computer made late leaves at the next look. */
function startPace(senders: Sender[], perSecond: number): { readonly sent: number; stop(): void } {
  const startedAt = performance.now()
  let sent = 0
  const timer = setInterval(() => {
    const due = ((performance.now() - startedAt) / 1_000) * perSecond
    for (; sent < due; sent++) senders[sent % senders.length]?.send()
  }, tickMs)
  return {
    get sent() {
      return sent
    },
    stop: () => clearInterval(timer),
  }
}

async function finish(senders: Sender[], sent: number): Promise<void> {
  const end = performance.now() + restMs
  const sum = (of: (sender: Sender) => number) => senders.reduce((total, sender) => total + of(sender), 0)
  while (performance.now() < end && !(senders.every(({ isDone }) => isDone) && sum(({ arrived }) => arrived) >= sent)) {
    await sleep(50)
  }
  const [refused, arrived, safe] = [sum(one => one.refused), sum(one => one.arrived), sum(one => one.safe)]
  if (refused > 0) throw new Error(`the server refused ${refused} messages: this is no measurement`)
  if (arrived < sent) throw new Error(`only ${arrived} of ${sent} messages arrived`)
  if (!senders.every(({ isDone }) => isDone)) throw new Error(`only ${safe} of ${sent} messages were acknowledged`)
}

function at(sorted: number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

async function sleep(ms: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, ms))
}
