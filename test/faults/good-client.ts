/**
 * A chat client that keeps its side of XEP-0198, as the good ones do: it counts, acknowledges, comes back with
 * `<resume/>`, and sends again exactly what the server says was not kept. It remembers everything, for a test to judge.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Element } from 'ltx'
import { type Appliance, people } from '../support/appliance.ts'
import { RawClient, type RawTarget } from '../support/raw.ts'

const nsSm = 'urn:xmpp:sm:3'
const answerMs = 20_000

/** A message as it came. */
export interface Arrival {
  readonly body: string
  /** The id in the receiver's archive (XEP-0359). */
  readonly stanzaId: string | undefined
  readonly isDelayed: boolean
  /** The stream it came on was managed, so the client has told, or will tell, that it has it. */
  readonly isCounted: boolean
  /** Milliseconds on the clock of `performance.now()`. */
  readonly at: number
}

interface Sent {
  readonly xml: string
  /** Of a message; other stanzas are not sent again on a new stream. */
  readonly body: string | undefined
}

export type Person = keyof typeof people

/** Where an appliance takes clients by direct TLS now; ports are new after each start. */
export async function targetOf(appliance: Appliance): Promise<RawTarget> {
  const { domain, c2sTls: port } = appliance.ready
  return { domain, host: appliance.host, port, over: 'tls', ca: await appliance.officeCa() }
}

export class GoodClient implements AsyncDisposable {
  readonly person: Person
  readonly resource: string
  readonly arrivals: Arrival[] = []
  /** Everything else that came: IQs, presence, errors. */
  readonly others: Element[] = []
  /** Full JIDs of those that this client shows as there. */
  readonly present = new Set<string>()
  /** Bodies of the messages that the server has acknowledged, in the order of their acknowledgement. */
  readonly acknowledged: string[] = []
  /** How the last `connect` went. */
  outcome: 'new' | 'resumed' | 'failed' = 'new'
  /** The `h` of the last `<failed/>`; undefined when it had none. */
  recovered: number | undefined
  /** `<a/>` are sent for what comes. Switch it off to be a client that is slow to acknowledge. */
  isAcknowledging = true
  #raw: RawClient | undefined
  #isManaged = false
  #isLeaving = false
  #previd: string | undefined
  /** Stanzas received on the managed stream. */
  #handled = 0
  /** Stanzas that the server has acknowledged on this stream. */
  #acked = 0
  #unacked: Sent[] = []
  readonly #bodies = new Set<string>()
  #pumping: Promise<void> = Promise.resolve()
  #watchers = new Set<() => void>()

  constructor(person: Person, resource = 'desk') {
    this.person = person
    this.resource = resource
  }

  /** The connection, for what only a bad client would do. */
  get raw(): RawClient {
    if (!this.#raw) throw new Error(`${this.person} is not connected`)
    return this.#raw
  }

  /** Whether a message with this text has come. */
  hasReceived(body: string): boolean {
    return this.#bodies.has(body)
  }

  /** What the client may say it has received on its present, or last, managed stream. */
  get handled(): number {
    return this.#handled
  }

  get isOnline(): boolean {
    return this.#raw !== undefined && !this.#raw.isClosed
  }

  /**
   * Logs in; goes on with the former stream if there was one; else binds, says that it is here, and sends again what
   * was not kept.
   * @param options.isManaged whether a new stream gets stream management
   */
  async connect(appliance: Appliance, options: { isManaged?: boolean } = {}): Promise<void> {
    const raw = await RawClient.connect(await targetOf(appliance))
    await raw.authenticate({ ...people[this.person], resource: this.resource })
    this.#raw = raw
    if (await this.#resumes(raw)) {
      this.#pumping = this.#pump(raw)
      for (const { xml } of this.#unacked) raw.send(xml)
      this.#askForAck()
      return
    }
    await raw.bind(this.resource)
    await this.#begin(raw, options.isManaged ?? true)
  }

  /** Sends a chat message that is remembered until it is acknowledged. */
  message(to: string, body: string): void {
    const xml = `<message to='${to}' type='chat' id='${body}'><body>${body}</body></message>`
    this.#send({ xml, body })
  }

  /** Sends any stanza. */
  stanza(xml: string): void {
    this.#send({ xml, body: undefined })
  }

  /** Sends `<r/>`. */
  askForAck(): void {
    this.#askForAck()
  }

  /** Resolves when `isTrue`, which is looked at after everything that comes. Throws after `limitMs`, saying what was waited for. */
  async until(isTrue: () => boolean, what: string, limitMs = answerMs): Promise<void> {
    const end = performance.now() + limitMs
    while (!isTrue()) {
      const left = end - performance.now()
      if (left <= 0) throw new Error(`${this.person} waited ${limitMs} ms for ${what}`)
      await new Promise<void>(resolve => {
        const timer = setTimeout(wake, Math.min(left, 500))
        const watchers = this.#watchers
        function wake(): void {
          clearTimeout(timer)
          watchers.delete(wake)
          resolve()
        }
        watchers.add(wake)
      })
    }
  }

  /** Asks for an acknowledgement and waits until everything sent before is acknowledged. */
  async settled(limitMs = answerMs): Promise<void> {
    const last = this.#unacked.at(-1)
    this.#askForAck()
    if (last) await this.until(() => !this.#unacked.includes(last), 'its messages to be acknowledged', limitMs)
  }

  /** The connection breaks without a word; resolves when everything that had arrived was handled. */
  async cut(): Promise<void> {
    this.raw.cut()
    await this.#pumping
  }

  /** Resolves when the connection is over and everything that had arrived was handled. */
  async over(): Promise<void> {
    await this.#pumping
  }

  /** Says what it has, takes nothing more, and leaves. */
  async signOff(): Promise<void> {
    this.#isLeaving = true
    this.raw.send(`<a xmlns='${nsSm}' h='${this.#handled}'/>`)
    await this.leave()
  }

  /** Leaves as one should. There is nothing to resume then. */
  async leave(): Promise<void> {
    if (this.#raw && !this.#raw.isClosed) await this.#raw[Symbol.asyncDispose]()
    await this.#pumping
    this.#previd = undefined
    this.#raw = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave()
  }

  async #resumes(raw: RawClient): Promise<boolean> {
    const previd = this.#previd
    if (previd === undefined) {
      this.outcome = 'new'
      return false
    }
    raw.send(`<resume xmlns='${nsSm}' previd='${previd}' h='${this.#handled}'/>`)
    const answer = await raw.receives(({ name }) => name === 'resumed' || name === 'failed', answerMs)
    const h = answer.attrs.h === undefined ? undefined : Number(answer.attrs.h)
    if (h !== undefined && h > this.#acked) this.#confirm(h)
    if (answer.name === 'resumed') {
      this.outcome = 'resumed'
      return true
    }
    this.outcome = 'failed'
    this.recovered = h
    this.#previd = undefined
    return false
  }

  async #begin(raw: RawClient, isManaged: boolean): Promise<void> {
    const again = this.#unacked.filter(({ body }) => body !== undefined)
    this.#unacked = []
    this.#acked = 0
    this.#handled = 0
    this.#isManaged = isManaged
    this.#isLeaving = false
    this.present.clear()
    if (isManaged) {
      const enabled = await raw.manage()
      this.#previd = String(enabled.attrs.id)
    }
    this.#pumping = this.#pump(raw)
    this.stanza('<presence/>')
    for (const sent of again) this.#send(sent)
    if (again.length > 0) this.#askForAck()
  }

  #send(sent: Sent): void {
    if (this.#isManaged) this.#unacked.push(sent)
    this.#raw?.send(sent.xml)
  }

  #askForAck(): void {
    if (this.#isManaged) this.#raw?.send(`<r xmlns='${nsSm}'/>`)
  }

  /** Takes everything that comes, in order, until the connection is over. */
  async #pump(raw: RawClient): Promise<void> {
    const over = raw.closed().then(() => undefined)
    for (;;) {
      const taking = next(raw, 5_000)
      let element = await Promise.race([taking, over])
      // What had arrived before the end still counts.
      if (!element && raw.isClosed) element = await Promise.race([taking, rhythm(1)])
      if (element) this.#take(raw, element)
      else if (raw.isClosed) break
    }
    this.#wake()
  }

  #take(raw: RawClient, element: Element): void {
    if (this.#isLeaving) return
    if (element.attrs.xmlns === nsSm || element.getNS() === nsSm) this.#manage(raw, element)
    else if (element.name === 'message' || element.name === 'presence' || element.name === 'iq') {
      if (this.#isManaged) this.#handled++
      if (element.name === 'message' && element.attrs.type !== 'error') this.#arrived(element)
      else this.others.push(element)
      if (element.name === 'presence') this.#sees(element)
    } else this.others.push(element)
    this.#wake()
  }

  #manage(raw: RawClient, element: Element): void {
    if (element.name === 'a') this.#confirm(Number(element.attrs.h))
    else if (element.name === 'r' && this.isAcknowledging && !raw.isClosed) {
      raw.send(`<a xmlns='${nsSm}' h='${this.#handled}'/>`)
    }
  }

  #sees({ attrs: { from, type } }: Element): void {
    if (type === undefined) this.present.add(String(from))
    else if (type === 'unavailable') this.present.delete(String(from))
  }

  #arrived(element: Element): void {
    const body = element.getChildText('body') ?? ''
    this.#bodies.add(body)
    this.arrivals.push({
      body,
      stanzaId: element.getChild('stanza-id', 'urn:xmpp:sid:0')?.attrs.id,
      isDelayed: element.getChild('delay', 'urn:xmpp:delay') !== undefined,
      isCounted: this.#isManaged,
      at: performance.now(),
    })
  }

  /** The server has `h` of our stanzas. */
  #confirm(h: number): void {
    const count = h - this.#acked
    if (count < 0 || count > this.#unacked.length) {
      throw new Error(
        `${this.person} was told h='${h}' after ${this.#acked} with ${this.#unacked.length} unacknowledged`,
      )
    }
    for (const { body } of this.#unacked.splice(0, count)) if (body !== undefined) this.acknowledged.push(body)
    this.#acked = h
  }

  #wake(): void {
    for (const watcher of this.#watchers) watcher()
  }
}

/** The next element, or undefined when none comes in time. */
async function next(raw: RawClient, limitMs: number): Promise<Element | undefined> {
  try {
    return await raw.receives(() => true, limitMs)
  } catch {
    return undefined // `receives` tells by throwing that nothing came
  }
}

/** A message of an archive. */
export interface Archived {
  readonly id: string
  readonly body: string
}

/** The whole archive of a person (XEP-0313) by pages, oldest first. */
export async function archiveOf(appliance: Appliance, person: Person, pageSize = 200): Promise<Archived[]> {
  await using raw = await RawClient.logIn(await targetOf(appliance), { ...people[person], resource: 'reader' })
  const found: Archived[] = []
  let after = ''
  for (let page = 0; page < 1_000; page++) {
    const id = `page-${page}`
    raw.send(
      `<iq type='set' id='${id}'><query xmlns='urn:xmpp:mam:2' queryid='${id}'><set xmlns='http://jabber.org/protocol/rsm'><max>${pageSize}</max>${after}</set></query></iq>`,
    )
    const { results, answer } = await pageOf(raw, id)
    found.push(...results)
    const fin = answer.getChild('fin', 'urn:xmpp:mam:2')
    if (!fin) throw new Error(`the archive was not shown: ${answer}`)
    if (fin.attrs.complete === 'true' || results.length === 0) return found
    after = `<after>${found.at(-1)?.id}</after>`
  }
  throw new Error('the archive has no end')
}

async function pageOf(raw: RawClient, id: string): Promise<{ results: Archived[]; answer: Element }> {
  const results: Archived[] = []
  for (;;) {
    const element = await raw.receives(
      ({ name, attrs }) => name === 'message' || (name === 'iq' && attrs.id === id),
      answerMs,
    )
    if (element.name === 'iq') return { results, answer: element }
    const result = element.getChild('result', 'urn:xmpp:mam:2')
    if (result?.attrs.queryid !== id) continue
    const message = result.getChild('forwarded')?.getChild('message')
    results.push({ id: String(result.attrs.id), body: message?.getChildText('body') ?? '' })
  }
}

/** Lets the event loop run for a while: the traffic's own rhythm, not a wait for something to happen. */
export const rhythm = (milliseconds: number): Promise<undefined> => delay(milliseconds, undefined)
