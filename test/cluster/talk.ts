/** People on different PCs who write to each other all the while one of the PCs fails, come back where they can, and keep account of everything. */
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { archiveOf, GoodClient, type Person } from '../faults/good-client.ts'
import { repeated } from '../faults/repeated.ts'
import type { LabNode } from '../support/lab/office.ts'

const rhythmMs = 20
const backMs = 250
const settleMs = 60_000
const seenMs = 10_000

const everybody = ['romeo', 'juliet', 'mercutio', 'anna'] as const satisfies Person[]
const jidOf = (person: Person): string => `${person}@office.test`

/** One person and where it is, or would like to be. */
interface Seat {
  readonly client: GoodClient
  readonly to: Person
  nodes: readonly LabNode[]
  number: number
  /** When its connection had broken, and when it was back, on the clock of `performance.now()`. */
  readonly returns: { readonly brokenAt: number; readonly backAt: number }[]
}

/** Romeo and Juliet write to each other, each on a PC of its own; Mercutio and Anna too, both on the same PC. */
export class Talk implements AsyncDisposable {
  /** Tells the messages of one talk from those of others in the same archive. */
  static #talks = 0
  readonly #id = ++Talk.#talks
  readonly #seats = new Map<Person, Seat>()
  #isOver = false
  #running: Promise<unknown> = Promise.resolve()

  /** @param places for each person the PCs where it may log in, the best first */
  static async start(places: Record<Person, readonly LabNode[]>): Promise<Talk> {
    const talk = new Talk()
    const partner: Record<Person, Person> = { romeo: 'juliet', juliet: 'romeo', mercutio: 'anna', anna: 'mercutio' }
    for (const [person, nodes] of Object.entries(places) as [Person, readonly LabNode[]][]) {
      const seat = { client: new GoodClient(person), to: partner[person], nodes, number: 0, returns: [] }
      talk.#seats.set(person, seat)
      await talk.#connect(seat)
    }
    talk.#running = Promise.all([...talk.#seats.values()].map(seat => talk.#talk(seat)))
    talk.#running.catch(() => undefined) // whoever waits for it in `stop` hears of it
    return talk
  }

  /** Where a person logs in from now on when its connection breaks. */
  moves(person: Person, nodes: readonly LabNode[]): void {
    this.#seat(person).nodes = nodes
  }

  client(person: Person): GoodClient {
    return this.#seat(person).client
  }

  /** How long each reconnection of this person took, milliseconds after the client noticed; or, for what it may not have noticed, after `from`. */
  backAfter(person: Person, from?: number): readonly number[] {
    return this.#seat(person).returns.map(({ brokenAt, backAt }) => backAt - (from ?? brokenAt))
  }

  /** All four become contacts of each other, if they are not yet: each sees the others come and go. */
  async befriend(): Promise<void> {
    for (const one of everybody) {
      for (const other of everybody) {
        if (one === other) continue
        this.client(one).stanza(`<presence to='${jidOf(other)}' type='subscribe'/>`)
        this.client(one).stanza(`<presence to='${jidOf(other)}' type='subscribed'/>`)
      }
    }
    await this.expectPresence()
  }

  /** Within ten seconds everybody is shown as there to everybody else, each with one device: nobody is missing, there are no ghosts. */
  async expectPresence(): Promise<void> {
    for (const one of everybody) {
      const { present, resource } = this.client(one)
      const others = everybody.filter(other => other !== one).map(other => `${jidOf(other)}/${resource}`)
      const shown = (): string[] => [...present].filter(jid => !jid.startsWith(`${jidOf(one)}/`)).sort()
      await this.client(one)
        .until(() => shown().join() === others.toSorted().join(), 'to see the others', seenMs)
        .catch(() => expect(shown(), `${one} sees`).toEqual(others.toSorted()))
    }
  }

  /** Lets `count` more messages of this person be acknowledged. */
  async goesOn(person: Person, count = 20): Promise<void> {
    const { client } = this.#seat(person)
    const goal = client.acknowledged.length + count
    const end = performance.now() + settleMs
    while (client.acknowledged.length < goal) {
      if (performance.now() > end) throw new Error(`${person} waited ${settleMs} ms for ${count} acknowledgements`)
      await delay(5)
    }
  }

  /** The longest that a person was sent nothing between two moments, milliseconds, and when that began. */
  longestGap(receiver: Person, from: number, to: number): { ms: number; at: number } {
    const moments = this.#seat(receiver)
      .client.arrivals.map(({ at }) => at)
      .filter(at => at >= from && at <= to)
    const all = [from, ...moments, to]
    let longest = { ms: 0, at: from }
    for (const [index, at] of all.entries()) {
      const ms = (all[index + 1] ?? at) - at
      if (ms > longest.ms) longest = { ms, at }
    }
    return longest
  }

  /** Nobody says anything more; everybody gets everything. */
  async stop(): Promise<void> {
    this.#isOver = true
    await this.#running
    for (const seat of this.#seats.values()) {
      if (!seat.client.isOnline) await this.#back(seat)
      await seat.client.settled(settleMs)
    }
  }

  /**
   * That everything that was acknowledged stands once in the archive of its receiver, reached it, and did not reach it twice.
   * @param reader a PC that is there
   * @param options.mayRepeat whose server could not tell them what was kept: what was not acknowledged they have sent again
   */
  async expectKept(
    reader: LabNode,
    options: { mayRepeat?: readonly Person[] } = {},
  ): Promise<{ acknowledged: number }> {
    const { mayRepeat = [] } = options
    let acknowledged = 0
    for (const { client, to } of this.#seats.values()) {
      const archive = (await archiveOf(reader.appliance, to)).filter(({ body }) =>
        body.startsWith(`${client.person}-${this.#id}-`),
      )
      const bodies = archive.map(({ body }) => body)
      const kept = new Set(bodies)
      const receiver = this.#seat(to).client
      const refusals = client.others.filter(({ name, attrs }) => name === 'message' && attrs.type === 'error')
      expect(
        client.acknowledged.filter(body => !kept.has(body)),
        `${client.person}: acknowledged and lost; ${refusals.length} were refused: ${refusals[0] ?? '–'}`,
      ).toEqual([])
      if (!mayRepeat.includes(client.person)) {
        expect(repeated(bodies), `${client.person}: twice in the archive`).toEqual([])
      }
      await receiver.until(
        () => client.acknowledged.every(body => receiver.hasReceived(body)),
        `what ${client.person} was told is kept`,
        settleMs,
      )
      const ids = receiver.arrivals.filter(({ isCounted }) => isCounted).map(({ stanzaId }) => stanzaId)
      expect(repeated(ids), `${to}: arrived twice`).toEqual([])
      acknowledged += client.acknowledged.length
    }
    return { acknowledged }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.#running.catch(() => undefined)
    for (const { client } of this.#seats.values()) await client.leave()
  }

  #seat(person: Person): Seat {
    const seat = this.#seats.get(person)
    if (!seat) throw new Error(`${person} does not take part`)
    return seat
  }

  async #talk(seat: Seat): Promise<void> {
    while (!this.#isOver) {
      if (!seat.client.isOnline) await this.#back(seat)
      const body = `${seat.client.person}-${this.#id}-${seat.number++}`
      seat.client.message(`${seat.to}@office.test`, body)
      seat.client.askForAck()
      await delay(rhythmMs)
    }
  }

  /** Back where it can be, and with what was not kept. */
  async #back(seat: Seat): Promise<void> {
    await seat.client.over()
    const brokenAt = performance.now()
    await this.#connect(seat)
    seat.returns.push({ brokenAt, backAt: performance.now() })
  }

  async #connect(seat: Seat): Promise<void> {
    const end = performance.now() + settleMs
    for (let tries = 0; ; tries++) {
      const node = seat.nodes[tries % seat.nodes.length]
      if (!node) throw new Error(`${seat.client.person} has no PC`)
      try {
        return await seat.client.connect(node.appliance)
      } catch (error) {
        if (performance.now() > end) throw error
        if (tries % seat.nodes.length === seat.nodes.length - 1) await delay(backMs)
      }
    }
  }
}
