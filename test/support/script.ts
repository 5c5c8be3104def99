/**
 * Protocol tests as scripts of two or three people:
 *
 *     const { romeo, juliet } = await stage.people('romeo', 'juliet')
 *     romeo.sends(`<message to='${juliet.jid}' type='chat'><body>Hi</body></message>`)
 *     await juliet.receives(`<message from='${romeo.jid}' type='chat'><body>Hi</body></message>`)
 *     await juliet.receivesNothing()
 *
 * `receives` takes the very next stanza: whatever comes unexpectedly fails the test. A pattern names what matters: attributes that
 * it does not name are free (but for `type`: none given means none allowed), an empty element stands for any content, and
 * ids and time stamps of the server (stanza-id, delay) and the texts of errors need not be mentioned. `*` stands for any value, `!` for an
 * attribute that is not there.
 *
 * Scripts play on a server in the test's own process; with the environment variable STAGE=appliance, on a real appliance; with STAGE=two-nodes, on two
 * linked nodes over which the devices are spread; with STAGE=kill, on two of which the second dies where a script says `await stage.breaks()`. Of
 * scripts that are made with the `test` and `breaking` of this file only the breaking ones play then.
 */
import { randomBytes } from 'node:crypto'
import { test as play } from 'vitest'
import { type Element, parseElement } from '../../server/xmpp/element.ts'
import { type House, openAppliance, openOffice, openSharedNodes } from './house.ts'
import type { Office } from './office.ts'
import { RawClient } from './raw.ts'

const NS_STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const optional = new Set(['urn:xmpp:sid:0 stanza-id', 'urn:xmpp:delay delay', `${NS_STANZAS} text`])

const stageName = process.env.STAGE ?? 'one-node'
const isMortal = stageName === 'kill'

const skipped = Object.assign(() => undefined, { each: () => () => undefined }) as unknown as typeof play

/** A script in which nothing breaks: where a node dies it is not played. */
export const test = isMortal ? skipped : play

/** A script in which a node dies at a marked line, where there is one that can. */
export function breaking(name: string, script: () => Promise<void>): void {
  play(isMortal ? `${name}, though a PC dies` : name, script)
}

/** What a client says again when it is back on another PC: how it wants to be treated. */
const standing = /urn:xmpp:carbons:2|<query xmlns='jabber:iq:roster'\/>|<blocklist /
let scenes = 0

/** A server with as many people as a test file needs; each scene gets people of its own. */
export class Stage implements AsyncDisposable {
  readonly house: House
  readonly #actors = new Set<Person>()
  readonly #changed = new Set<string>()
  #isShared = false

  private constructor(house: House) {
    this.house = house
  }

  /** Opens the stage with every feature there is. */
  static async open(): Promise<Stage> {
    if (stageName === 'appliance') return new Stage(await openAppliance())
    if (stageName === 'one-node') return new Stage(await openOffice())
    const stage = new Stage(await openSharedNodes(isMortal))
    stage.#isShared = true
    return stage
  }

  /** The server in this process, for tests that look behind it. */
  static async openOffice(): Promise<Stage & { readonly house: House & { readonly office: Office } }> {
    const house = await openOffice()
    return Object.assign(new Stage(house), { house })
  }

  /** Changes a setting until the end of the test. */
  async sets(key: string, value: boolean | number | string): Promise<void> {
    this.#changed.add(key)
    await this.house.sets(key, value)
  }

  /**
   * New people, each online with one device of the same name ('romeo' is romeo-1@office.test/romeo) and with the presence of
   * itself already read. They do not know each other.
   */
  async people<Name extends string>(...names: Name[]): Promise<Record<Name, Person>> {
    const cast = await this.strangers(...names)
    for (const person of Object.values<Person>(cast)) await person.comesOnline()
    return cast
  }

  /** As `people`, but with a session only: nobody has sent presence. */
  async strangers<Name extends string>(...names: Name[]): Promise<Record<Name, Person>> {
    await this.house.mends?.()
    const scene = ++scenes
    const cast = await Promise.all(
      names.map(async (name, index) => {
        const username = `${name}-${scene}`
        await this.house.adds(username)
        return [name, await this.device(username, name, index)] as const
      }),
    )
    return Object.fromEntries(cast) as Record<Name, Person>
  }

  /** As `people`, and everybody sees everybody's presence. */
  async friends<Name extends string>(...names: Name[]): Promise<Record<Name, Person>> {
    const cast = await this.people(...names)
    const persons = Object.values<Person>(cast)
    for (const one of persons) {
      for (const other of persons) {
        if (one === other) continue
        one.sends(`<presence to='${other.bare}' type='subscribed'/>`)
        await one.settles()
        other.sends(`<presence to='${one.bare}' type='subscribe'/>`)
        await other.settles()
      }
    }
    await this.settle()
    for (const one of persons) await one.forgets()
    return cast
  }

  /** A further device of somebody, with a session only. `node`: counts through the nodes of the house. */
  async device(username: string, resource: string, node = this.#actors.size): Promise<Person> {
    const client = await this.connect(username, node)
    await client.bind(resource)
    const person = new Person(this, client, username, node % this.house.targets.length)
    this.#actors.add(person)
    return person
  }

  /** A connection that somebody has logged in on, without a resource. */
  async connect(username: string, node = 0): Promise<RawClient> {
    const { targets } = this.house
    const client = await RawClient.connect(targets[node % targets.length] ?? targets[0])
    await client.authenticate({ username, password: `${username}-password` })
    return client
  }

  /** Resolves when everything that anybody has sent is done, and what came of it has arrived. */
  async settle(): Promise<void> {
    const present = [...this.#actors].filter(actor => !actor.client.isClosed)
    for (const actor of present) await actor.settles()
    for (const actor of present) await actor.settles()
  }

  /**
   * Here the second node dies, where there is one that can: its people come back on the first, under the same names, and say again how they want to
   * be treated. What they get thereby is forgotten, but for messages.
   * @param without people who stay away; then nothing is forgotten, so that one can see what others are told
   */
  async breaks(without: readonly Person[] = []): Promise<void> {
    if (!this.house.breaks) return
    const lost = [...this.#actors].filter(actor => actor.node === 1 && !actor.client.isClosed)
    await this.house.breaks()
    for (const actor of lost) {
      await actor.client.closed()
      if (!without.includes(actor)) await actor.returns(await this.connect(actor.username))
    }
    if (without.length > 0) return
    await this.settle()
    for (const actor of this.#actors) if (!actor.client.isClosed) await actor.forgets(stanza => !stanza.is('message'))
  }

  /** Sends everybody home and puts the settings back. Called after each test. */
  async clear(): Promise<void> {
    for (const key of this.#changed) await this.house.sets(key, undefined)
    this.#changed.clear()
    const actors = [...this.#actors]
    this.#actors.clear()
    for (const actor of actors) await actor.client[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clear()
    if (!this.#isShared) await this.house[Symbol.asyncDispose]()
  }
}

/** One device of somebody. */
export class Person {
  client: RawClient
  readonly username: string
  /** The index of its node in the house. */
  node: number
  readonly #stage: Stage
  /** What was said that holds for the session: the last presence, and requests. */
  readonly #said = new Map<string, string>()

  constructor(stage: Stage, client: RawClient, username: string, node: number) {
    this.#stage = stage
    this.client = client
    this.username = username
    this.node = node
  }

  /** Comes back on another connection, to the first node, as the same device. */
  async returns(client: RawClient): Promise<void> {
    const { jid } = this
    this.client = client
    this.node = 0
    await client.bind(jid.slice(jid.indexOf('/') + 1))
    const { presence, ...requests } = Object.fromEntries(this.#said)
    for (const request of Object.values(requests)) await this.asks(request)
    if (presence) this.sends(presence)
  }

  get jid(): string {
    return this.client.jid
  }

  get bare(): string {
    return this.jid.slice(0, this.jid.indexOf('/'))
  }

  /** A further device of the same person, online; `presence` may bring a priority. Its own presence is read. */
  async device(resource: string, presence = '<presence/>'): Promise<Person> {
    const other = await this.#stage.device(this.username, resource)
    await other.comesOnline(presence)
    return other
  }

  /**
   * Sends presence, and forgets what comes in answer to it. What waited in the archive is here before a message to
   * oneself is: until then messages are held back, and would come later than the test says.
   */
  async comesOnline(presence = '<presence/>'): Promise<void> {
    const id = `here-${randomBytes(6).toString('hex')}`
    this.sends(presence)
    this.sends(`<message to='${this.jid}' type='headline' id='${id}'/>`)
    await this.client.receives(element => element.attrs.id === id)
    await this.settles()
    await this.forgets()
  }

  /** Ends the stream, and waits until the server has done the same. */
  async leaves(): Promise<void> {
    await this.client[Symbol.asyncDispose]()
  }

  sends(xml: string): void {
    if (/^<presence(?![^>]* (to|type)=)/.test(xml)) this.#said.set('presence', xml)
    this.client.send(xml)
  }

  /** The next stanza is like this one. @returns it */
  async receives(pattern: string): Promise<Element> {
    const stanza = await this.client.receives(() => true)
    const fault = difference(stanza, parsed(pattern))
    if (fault !== undefined)
      throw new Error(`${this.jid} expected\n  ${pattern}\nbut received\n  ${stanza}\n(${fault})`)
    return stanza
  }

  /** The next stanzas are like these, in whatever order. @returns them in the order of the patterns */
  async receivesInAnyOrder(...patterns: string[]): Promise<Element[]> {
    const wanted = patterns.map(parsed)
    const found: Element[] = []
    for (let count = 0; count < patterns.length; count++) {
      const stanza = await this.client.receives(() => true)
      const index = wanted.findIndex((pattern, at) => !found[at] && difference(stanza, pattern) === undefined)
      if (index < 0)
        throw new Error(`${this.jid} expected one of\n  ${patterns.join('\n  ')}\nbut received\n  ${stanza}`)
      found[index] = stanza
    }
    return found
  }

  /** Everything that was sent by anybody is done, and nothing of it came here. */
  async receivesNothing(): Promise<void> {
    await this.#stage.settle()
    const stanzas = await this.client.leftovers()
    if (stanzas.length > 0) throw new Error(`${this.jid} expected nothing but received\n  ${stanzas.join('\n  ')}`)
  }

  /** Sends an IQ (the id is added) and takes the answer to it, before whatever else came. */
  async asks(iq: string): Promise<Element> {
    const id = `ask-${randomBytes(6).toString('hex')}`
    const request = standing.exec(iq)
    if (request) this.#said.set(request[0], iq)
    this.sends(iq.replace(/^<iq /, `<iq id='${id}' `))
    const answer = await this.client.receives(element => element.name === 'iq' && element.attrs.id === id)
    // What it has changed is known on all nodes.
    await this.#stage.house.settles?.()
    return answer
  }

  /** Asks, and the answer is like this one. */
  async gets(iq: string, pattern: string): Promise<Element> {
    const answer = await this.asks(iq)
    const fault = difference(answer, parsed(pattern))
    if (fault !== undefined)
      throw new Error(`${this.jid} asked\n  ${iq}\nexpected\n  ${pattern}\nbut got\n  ${answer}\n(${fault})`)
    return answer
  }

  /** Resolves when the server has done all that this device has sent. */
  async settles(): Promise<void> {
    const nothing = "<iq type='get'><query xmlns='urn:example:nobody'/></iq>"
    await this.asks(nothing)
    // What came from the other node meanwhile.
    if (this.#stage.house.settles) await this.asks(nothing)
  }

  /** Drops what came and nobody asked for. */
  async forgets(isForgotten: (stanza: Element) => boolean = () => true): Promise<void> {
    for (const stanza of await this.client.leftovers()) {
      if (isForgotten(stanza)) await this.client.receives(other => other === stanza)
    }
  }
}

/** The content of an error stanza as a pattern: `failure('cancel', 'item-not-found')`. */
export function failure(type: string, condition: string, more = ''): string {
  return `<error type='${type}'><${condition} xmlns='${NS_STANZAS}'/>${more}</error>`
}

/** A pattern in the namespace of clients. */
function parsed(pattern: string): Element {
  const element = parseElement(pattern.replace(/>\s+</g, '><').trim())
  element.attrs.xmlns ??= 'jabber:client'
  return element
}

/** Why an element is not like the pattern; undefined when it is. */
export function difference(element: Element, pattern: Element): string | undefined {
  if (nameOf(element) !== nameOf(pattern)) return `${nameOf(element)} is not ${nameOf(pattern)}`
  const attributes = { ...(isStanza(pattern) && { type: undefined }), ...pattern.attrs }
  for (const [name, wanted] of Object.entries(attributes)) {
    if (name === 'xmlns' || name.startsWith('xmlns:')) continue
    const value: unknown = element.attrs[name]
    if (wanted === '*' ? value === undefined : value !== (wanted === '!' ? undefined : wanted)) {
      return `${name} of <${pattern.name}> is ${String(value)}, not ${String(wanted)}`
    }
  }
  if (pattern.children.length === 0) return undefined
  const rest = [...element.getChildElements()]
  for (const child of pattern.getChildElements()) {
    const index = rest.findIndex(other => difference(other, child) === undefined)
    if (index < 0) {
      const near = rest.find(other => nameOf(other) === nameOf(child))
      return near ? (difference(near, child) ?? '') : `there is no ${nameOf(child)} in <${pattern.name}>`
    }
    rest.splice(index, 1)
  }
  const extra = rest.find(other => !optional.has(nameOf(other)))
  if (extra) return `there is ${nameOf(extra)} in <${pattern.name}>, which was not expected`
  const text = pattern.getText()
  return text === '*' || text === element.getText()
    ? undefined
    : `the text of <${pattern.name}> is ${element.getText()}`
}

const nameOf = (element: Element): string => `${element.getNS() ?? ''} ${element.getName()}`

const isStanza = ({ name }: Element): boolean => name === 'message' || name === 'presence' || name === 'iq'
