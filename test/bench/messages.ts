/** Messages in a closed loop: 100 sessions in pairs, each with 4 messages under way; the next leaves when one has arrived. */
import type { Appliance } from '../support/appliance.ts'
import { cpuOf } from './accounting.ts'
import type { Account, Connection, Target } from './connection.ts'
import { logInAll } from './crowd.ts'

const sessions = 100
const window = 4
const messageBytes = 188

export interface MessageCost {
  /** Microseconds of CPU for one message. */
  server: number
  postgres: number
  perSecond: number
}

/**
 * What one routed message costs.
 * Without archive it carries XEP-0334's `no-store`, and a message that has arrived lets the next one go.
 * With archive it is the server's XEP-0198 acknowledgement ("it is safe now") of four messages that lets the next four go.
 */
export async function measureMessages(
  appliance: Appliance,
  target: Target,
  people: Account[],
  { isArchived, seconds }: { isArchived: boolean; seconds: number },
): Promise<MessageCost> {
  const connections = await logInAll(target, people, sessions)
  try {
    const messages = connections.map((_, index) => batches(connections[index ^ 1]?.jid ?? '', isArchived))
    const traffic = isArchived ? await startAcknowledged(connections, messages) : startDelivered(connections, messages)
    await sleep(1_000) // both sides get warm
    const [fromCpu, fromTime, fromCount] = [await cpuOf(appliance.pid), performance.now(), traffic.done]
    await sleep(seconds * 1_000)
    const [cpu, time, count] = [await cpuOf(appliance.pid), performance.now(), traffic.done]
    const done = count - fromCount
    const { refused, delivered } = traffic
    if (refused > 0) throw new Error(`the server refused ${refused} messages: this is no measurement`)
    if (done === 0 || delivered < 0.9 * count) throw new Error(`only ${delivered} of ${count} messages arrived`)
    return {
      server: ((cpu.server - fromCpu.server) * 1_000) / done,
      postgres: ((cpu.postgres - fromCpu.postgres) * 1_000) / done,
      perSecond: (done * 1_000) / (time - fromTime),
    }
  } finally {
    for (const connection of connections) connection.destroy()
  }
}

/** One to `window` messages as bytes: what arrives together is answered together. */
function batches(to: string, isArchived: boolean): Buffer[] {
  const hint = isArchived ? '' : "<no-store xmlns='urn:xmpp:hints'/>"
  const frame = (body: string) => `<message to='${to}' type='chat' id='m1'><body>${body}</body>${hint}</message>`
  const message = frame('x'.repeat(Math.max(1, messageBytes - frame('').length)))
  return Array.from({ length: window + 1 }, (_, times) => Buffer.from(message.repeat(times)))
}

/** What has happened so far, on all connections together. */
interface Traffic {
  /** Messages that are done: delivered, or with archive acknowledged to their sender. */
  done: number
  delivered: number
  /** Messages that came back as errors: one spoils the measurement. */
  refused: number
}

const marks = ['</message>', " type='error'", ' type="error"', '<a ', '<r ']

function startDelivered(connections: Connection[], messages: Buffer[][]): Traffic {
  const traffic: Traffic = { done: 0, delivered: 0, refused: 0 }
  for (const [index, connection] of connections.entries()) {
    const partner = connections[index ^ 1]
    // What arrives here was sent by the partner, who may send as many again.
    connection.watch(marks, ([arrived = 0, single = 0, double = 0]) => {
      traffic.refused += single + double
      traffic.delivered += arrived
      traffic.done += arrived
      for (let left = arrived; left > 0; left -= window) {
        partner?.write(bytesOf(messages[index ^ 1], Math.min(left, window)))
      }
    })
  }
  for (const [index, connection] of connections.entries()) connection.write(bytesOf(messages[index], window))
  return traffic
}

async function startAcknowledged(connections: Connection[], messages: Buffer[][]): Promise<Traffic> {
  const traffic: Traffic = { done: 0, delivered: 0, refused: 0 }
  await Promise.all(connections.map(connection => connection.enableAcks()))
  const ask = Buffer.from("<r xmlns='urn:xmpp:sm:3'/>")
  const write = (index: number) => {
    connections[index]?.write(Buffer.concat([bytesOf(messages[index], window), ask]))
  }
  for (const [index, connection] of connections.entries()) {
    let received = 0
    connection.watch(marks, ([arrived = 0, single = 0, double = 0, acks = 0, questions = 0]) => {
      traffic.refused += single + double
      received += arrived
      traffic.delivered += arrived
      traffic.done += acks * window
      if (questions > 0) connection.write(`<a xmlns='urn:xmpp:sm:3' h='${received}'/>`)
      for (let left = acks; left > 0; left--) write(index)
    })
    write(index)
  }
  return traffic
}

function bytesOf(list: Buffer[] | undefined, times: number): Buffer {
  return list?.[times] ?? Buffer.alloc(0)
}

async function sleep(ms: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, ms))
}
