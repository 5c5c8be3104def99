/** People who chat all the while their office's database fails, and what has become of what they said. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { archiveOf, GoodClient } from '../faults/good-client.ts'
import { type Appliance, people } from '../support/appliance.ts'
import { type ChatClient, logIn, pythonWithSlixmpp } from '../support/clients.ts'
import { account, eventually, type PostgresServer } from '../support/postgres-server.ts'
import type { Matcher } from '../support/received.ts'

const goodRhythmMs = 25
const foreignRhythmMs = 200
const settleMs = 30_000
/** The longest that a message between people who are here may take, whatever the database does. */
const deliveryMsMax = 2_000

/** Two people with chat programs of other people: one's side of their conversation. */
interface Foreign {
  readonly client: ChatClient
  readonly to: ChatClient
  readonly prefix: string
  readonly sent: string[]
}

/** What has come of it. */
function bodiesOf({ client, to }: Foreign): (string | null)[] {
  const isOurs: Matcher = ({ name, attrs }) => name === 'message' && String(attrs.from).startsWith(client.bareJid)
  return to.received(isOurs).map(message => message.getChildText('body'))
}

/** What the archive holds of one message. */
export interface ArchivedRow {
  readonly id: string
  readonly body: string
  readonly pending: boolean
}

/** All rows of the archive on one server, in order. */
export async function archiveOn(server: PostgresServer, database: string = account.database): Promise<ArchivedRow[]> {
  return await server.ask<{ id: string; body: string; pending: boolean }>(
    "SELECT id::text, coalesce(substring(stanza FROM '<body>(.*?)</body>'), '') AS body, pending FROM archive ORDER BY id",
    [],
    database,
  )
}

/**
 * Romeo and juliet, who count and remember everything (XEP-0198), write to each other forty times a second; mercutio and anna, with chat
 * programs of other people, five times. All go on until `stop`.
 */
export class Load implements AsyncDisposable {
  readonly romeo = new GoodClient('romeo')
  readonly juliet = new GoodClient('juliet')
  readonly #appliance: Appliance
  #foreign: readonly Foreign[] = []
  readonly #sentAt = new Map<string, number>()
  /** When acknowledgements came, on the clock of performance.now(). */
  readonly #acks: number[] = []
  #running: Promise<unknown> = Promise.resolve()
  #isOver = false

  private constructor(appliance: Appliance) {
    this.#appliance = appliance
  }

  static async start(appliance: Appliance): Promise<Load> {
    const load = new Load(appliance)
    await load.#connect()
    const { romeo, juliet } = load
    load.#running = Promise.all([
      load.#talk(romeo, 'juliet@office.test', 'r'),
      load.#talk(juliet, 'romeo@office.test', 'j'),
      load.#watch(romeo),
      load.#watch(juliet),
      ...load.#foreign.map(one => load.#talkForeign(one)),
    ])
    // Whoever waits for it hears of a failure; until then it must not end the process.
    load.#running.catch(() => undefined)
    return load
  }

  async #connect(): Promise<void> {
    await this.romeo.connect(this.#appliance)
    await this.juliet.connect(this.#appliance)
    const python = { library: 'slixmpp', transport: 'direct TLS' } as const
    const other = pythonWithSlixmpp() ? python : ({ library: '@xmpp/client', transport: 'WebSocket' } as const)
    const one = { library: '@xmpp/client', transport: 'STARTTLS' } as const
    const mercutio = await logIn(this.#appliance, one, people.mercutio)
    const anna = await logIn(this.#appliance, other, people.anna)
    this.#foreign = [
      { client: mercutio, to: anna, prefix: 'm', sent: [] },
      { client: anna, to: mercutio, prefix: 'a', sent: [] },
    ]
  }

  /** How many messages romeo and juliet have sent, and how many of those are acknowledged. */
  get counts(): { sent: number; acknowledged: number } {
    return { sent: this.#sentAt.size, acknowledged: this.acknowledged.length }
  }

  get acknowledged(): string[] {
    return [...this.romeo.acknowledged, ...this.juliet.acknowledged]
  }

  /** How many of the four were disconnected, or had to connect again. */
  get dropped(): number {
    const good = [this.romeo, this.juliet].filter(({ isOnline }) => !isOnline)
    return good.length + this.#foreign.filter(({ client }) => client.connections !== 1).length
  }

  /** The moment of the first acknowledgement after another moment; waits for it. */
  async firstAckAfter(moment: number, limitMs = settleMs): Promise<number> {
    const end = performance.now() + limitMs
    for (;;) {
      const found = this.#acks.find(at => at > moment)
      if (found !== undefined) return found
      if (performance.now() > end) throw new Error(`no acknowledgement came for ${limitMs} ms`)
      await delay(2)
    }
  }

  /** The longest time without an acknowledgement between two moments. */
  longestGap(from: number, to: number): number {
    const moments = [from, ...this.#acks.filter(at => at > from && at < to), to]
    return Math.max(...moments.slice(1).map((at, index) => at - (moments[index] ?? at)))
  }

  /** Lets the traffic of `count` more acknowledgements pass. */
  async goesOn(count = 20): Promise<void> {
    const until = this.#acks.length + count
    const end = performance.now() + settleMs
    while (this.#acks.length < until) {
      if (performance.now() > end) throw new Error(`${count} acknowledgements did not come within ${settleMs} ms`)
      await delay(5)
    }
  }

  /** Says nothing more, and waits until everything is acknowledged and has arrived. */
  async stop(): Promise<void> {
    this.#isOver = true
    await this.#running
    await Promise.all([this.romeo.settled(settleMs), this.juliet.settled(settleMs)])
    for (const one of this.#foreign) {
      const hasAll = () => bodiesOf(one).length >= one.sent.length
      await eventually(`the ${one.sent.length} messages of ${one.client.jid}`, hasAll, settleMs)
    }
  }

  /** That nobody was disconnected, and everything that was said arrived where it should, once, in order, and in time. */
  expectUnbroken(): void {
    const bodies = (prefix: string) => [...this.#sentAt.keys()].filter(body => body.startsWith(prefix))
    expect(this.dropped).toBe(0)
    expect(this.juliet.arrivals.map(({ body }) => body)).toEqual(bodies('r'))
    expect(this.romeo.arrivals.map(({ body }) => body)).toEqual(bodies('j'))
    expect(this.longestDelivery).toBeLessThan(deliveryMsMax)
    for (const one of this.#foreign) expect(bodiesOf(one)).toEqual(one.sent)
  }

  /** The longest that one message was under way, in milliseconds. */
  get longestDelivery(): number {
    const both = [...this.romeo.arrivals, ...this.juliet.arrivals]
    return Math.max(0, ...both.map(({ body, at }) => at - (this.#sentAt.get(body) ?? at)))
  }

  /** That the office's archive, read by chat, holds all of it once and in the order of each sender. */
  async expectArchived(): Promise<void> {
    const archived = (await archiveOf(this.#appliance, 'juliet')).map(({ body }) => body)
    for (const client of [this.romeo, this.juliet]) {
      const prefix = client === this.romeo ? 'r' : 'j'
      expect(archived.filter(body => body.startsWith(prefix))).toEqual(client.acknowledged)
      expect(client.acknowledged).toEqual([...this.#sentAt.keys()].filter(body => body.startsWith(prefix)))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.#running.catch(() => undefined) // told in `stop` already, or the test has failed before it
    for (const { client } of this.#foreign) await client.close()
    await this.romeo.leave()
    await this.juliet.leave()
  }

  async #talk(client: GoodClient, to: string, prefix: string): Promise<void> {
    for (let number = 0; !this.#isOver; number++) {
      const body = `${prefix}${number}`
      this.#sentAt.set(body, performance.now())
      client.message(to, body)
      client.askForAck()
      await delay(goodRhythmMs)
    }
  }

  async #talkForeign({ client, to, prefix, sent }: Foreign): Promise<void> {
    for (let number = 0; !this.#isOver; number++) {
      const body = `${prefix}${number}`
      sent.push(body)
      await client.message(to.bareJid, body)
      await delay(foreignRhythmMs)
    }
  }

  async #watch(client: GoodClient): Promise<void> {
    while (!this.#isOver) {
      const before = client.acknowledged.length
      await client.until(() => this.#isOver || client.acknowledged.length > before, 'an acknowledgement', 120_000)
      this.#acks.push(performance.now())
    }
  }
}
