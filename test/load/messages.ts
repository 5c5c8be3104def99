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
    const delivered = isArchived
      ? await startAcknowledged(connections, messages)
      : startDelivered(connections, messages)
    await sleep(1_000) // both sides get warm
    const [fromCpu, fromTime, fromCount] = [await cpuOf(appliance.pid), performance.now(), delivered.count]
    await sleep(seconds * 1_000)
    const [cpu, time, count] = [await cpuOf(appliance.pid), performance.now(), delivered.count]
    const done = count - fromCount
    if (done === 0) throw new Error('not one message arrived')
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

function startDelivered(connections: Connection[], messages: Buffer[][]): { count: number } {
  const delivered = { count: 0 }
  for (const [index, connection] of connections.entries()) {
    const partner = connections[index ^ 1]
    // What arrives here was sent by the partner, who may send as many again.
    connection.watch(['</message>'], ([times = 0]) => {
      delivered.count += times
      for (let left = times; left > 0; left -= window)
        partner?.write(bytesOf(messages[index ^ 1], Math.min(left, window)))
    })
  }
  for (const [index, connection] of connections.entries()) connection.write(bytesOf(messages[index], window))
  return delivered
}

async function startAcknowledged(connections: Connection[], messages: Buffer[][]): Promise<{ count: number }> {
  const safe = { count: 0 }
  await Promise.all(connections.map(connection => connection.enableAcks()))
  const ask = Buffer.from("<r xmlns='urn:xmpp:sm:3'/>")
  const write = (index: number) => {
    connections[index]?.write(Buffer.concat([bytesOf(messages[index], window), ask]))
  }
  for (const [index, connection] of connections.entries()) {
    let received = 0
    connection.watch(['</message>', '<a ', '<r '], ([messagesCome = 0, acks = 0, questions = 0]) => {
      received += messagesCome
      if (questions > 0) connection.write(`<a xmlns='urn:xmpp:sm:3' h='${received}'/>`)
      safe.count += acks * window
      for (let left = acks; left > 0; left--) write(index)
    })
    write(index)
  }
  return safe
}

function bytesOf(list: Buffer[] | undefined, times: number): Buffer {
  return list?.[times] ?? Buffer.alloc(0)
}

async function sleep(ms: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, ms))
}
