import type { Directory } from '../cluster/directory.ts'
import { stanzaError } from '../xmpp/errors.ts'
import { type Jid, parseJid } from '../xmpp/jid.ts'
import { buildStanza, Stanza } from '../xmpp/stanza.ts'
import type { HookTable } from './hooks.ts'
import type { Reach } from './reach.ts'
import type { Roster, Rosters } from './roster.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'
import { hasFrom, hasTo } from './subscription-states.ts'

/** Most entities one resource may keep informed by directed presence. */
const DIRECTED_MAX = 500

interface PresenceParts {
  readonly domain: string
  readonly directory: Directory
  readonly hooks: HookTable
  readonly rosters: Rosters
  readonly sessions: Sessions
  readonly reach: Reach
}

/** Availability (RFC 6121 §4): broadcast to subscribers, probes, directed presence, and the end of it. */
export class Presence {
  readonly #parts: PresenceParts

  constructor(parts: PresenceParts) {
    this.#parts = parts
    parts.hooks.on('session:unavailable', 'store', ({ session, stanza }) => this.#broadcastUnavailable(session, stanza))
  }

  /** Presence without `to`: initial (§4.2), changed (§4.4) or unavailable (§4.5). @throws StanzaError */
  async broadcast(session: Session, stanza: Stanza): Promise<void> {
    if (stanza.type === 'unavailable') {
      if (!session.isAvailable) return
      session.presence = undefined
      session.priority = undefined
      this.#parts.sessions.announce(session)
      await this.#parts.hooks.run('session:unavailable', { session, stanza })
      return
    }
    const isInitial = !session.isAvailable
    session.priority = priorityOf(stanza)
    session.presence = stanza
    this.#parts.sessions.announce(session)
    const roster = await this.#parts.rosters.get(session.username)
    await this.#toSubscribers(session, stanza, roster)
    this.#toOwn(session, stanza)
    if (!isInitial) return
    await this.#probeAll(session, roster)
    this.#deliverRequests(session, roster)
    await this.#parts.hooks.run('session:available', { session })
  }

  /** Presence to one entity (§4.6): the sender remembers to tell it when it leaves. @throws StanzaError */
  async direct(session: Session, stanza: Stanza, to: Jid): Promise<void> {
    if (stanza.type === undefined) {
      if (session.directed.size >= DIRECTED_MAX) throw stanzaError('resource-constraint')
      session.directed.add(to.full)
    } else session.directed.delete(to.full)
    await this.deliver(stanza, session.jid, to, session)
  }

  /** Delivers presence (no type, unavailable, error) to a local account or one of its resources (§8.5.2.1.2, §8.5.3.1). */
  deliver(stanza: Stanza, from: Jid, to: Jid, sender?: Session): void | Promise<void> {
    const routes = this.#parts.directory.routes(to.bare)
    if (to.domain !== this.#parts.domain || routes.length === 0) return undefined
    const event = { stanza, from, to, sender }
    const send = (goesOn: boolean): void => {
      if (!goesOn) return
      this.#parts.reach.sendAll(routes, event.stanza, route =>
        to.resource === undefined ? route.priority !== undefined : route.resource === to.resource,
      )
    }
    const goesOn = this.#parts.hooks.run('presence:deliver', event)
    return goesOn instanceof Promise ? goesOn.then(send) : send(goesOn)
  }

  /**
   * A probe reached a local account (§4.3.2): answered with the presence of each available resource if the asking one
   * may know, else with `unsubscribed`.
   */
  async probed(from: Jid, to: Jid): Promise<void> {
    const username = to.local
    if (username === undefined) return
    const isOwn = from.bare === to.bare
    const roster = await this.#parts.rosters.get(username)
    const item = roster.items.get(from.bare)
    if (!isOwn && !(item && hasFrom(item.subscription))) {
      await this.deliver(
        buildStanza('presence', { from: to.bare, to: from.bare, type: 'unsubscribed' }),
        to.toBare(),
        from,
      )
      return
    }
    await this.sendCurrent(to.bare, from)
  }

  /** Sends the presence of each available resource of an account to somebody who may know. */
  async sendCurrent(bare: string, to: Jid): Promise<void> {
    for (const route of this.#parts.directory.routes(bare)) {
      if (!route.presence) continue
      const presence = this.#parts.sessions.get(route.jid)?.presence ?? Stanza.fromBytes(route.presence)
      await this.deliver(presence.with({ to: to.full }), parseJid(route.jid), to)
    }
  }

  /** Tells somebody who may no longer know that each available resource of an account is unavailable (§3.2.2). */
  async sendUnavailable(bare: string, to: Jid): Promise<void> {
    for (const route of this.#parts.directory.routes(bare)) {
      if (route.priority === undefined) continue
      await this.deliver(
        buildStanza('presence', { from: route.jid, to: to.full, type: 'unavailable' }),
        parseJid(route.jid),
        to,
      )
    }
  }

  async #toSubscribers(session: Session, stanza: Stanza, roster: Roster): Promise<void> {
    for (const item of roster.items.values()) {
      if (!hasFrom(item.subscription) || this.#parts.directory.routes(item.jid).length === 0) continue
      const waiting = this.deliver(stanza.with({ to: item.jid }), session.jid, parseJid(item.jid), session)
      if (waiting) await waiting
    }
  }

  /** §4.2.2: also to all own available resources, the sending one included. */
  #toOwn(session: Session, stanza: Stanza): void {
    for (const route of this.#parts.directory.routes(session.jid.bare)) {
      if (route.priority === undefined) continue
      this.#parts.reach.send(route, stanza.with({ to: route.jid }))
    }
  }

  /** §4.3: what the contacts and the own other resources are up to. Contacts of this domain are asked without a stanza. */
  async #probeAll(session: Session, roster: Roster): Promise<void> {
    for (const route of this.#parts.directory.routes(session.jid.bare)) {
      if (!route.presence || route.session === session.id) continue
      session.send(Stanza.fromBytes(route.presence).with({ to: session.jid.full }))
    }
    for (const item of roster.items.values()) {
      if (!hasTo(item.subscription) || this.#parts.directory.routes(item.jid).length === 0) continue
      const contact = parseJid(item.jid)
      if (contact.local !== undefined) await this.probed(session.jid, contact)
    }
  }

  /** §3.1.3 rule 4: requests that came while nobody was there, at each new available resource. */
  #deliverRequests(session: Session, roster: Roster): void {
    for (const item of roster.items.values()) {
      if (item.isAsked && item.request) session.send(Stanza.fromBytes(Buffer.from(item.request)))
    }
  }

  /** §4.5.2: to subscribers, own other resources, and whoever got directed presence. */
  async #broadcastUnavailable(session: Session, stanza: Stanza): Promise<void> {
    // Another session of the same full JID, on another node, took its place: it is there.
    if (this.#parts.directory.route(session.jid.bare, session.resource)?.presence) {
      session.directed.clear()
      return
    }
    const roster = this.#parts.rosters.peek(session.username)
    if (roster) await this.#toSubscribers(session, stanza, roster)
    this.#toOwn(session, stanza)
    for (const full of session.directed) {
      const to = parseJid(full)
      const item = roster?.items.get(to.bare)
      if (item && hasFrom(item.subscription) && to.resource === undefined) continue
      await this.deliver(stanza.with({ to: full }), session.jid, to, session)
    }
    session.directed.clear()
    session.presence = undefined
    session.priority = undefined
  }
}

/** §4.7.2.3: an integer from -128 to 127, 0 if absent. @throws StanzaError bad-request */
function priorityOf(stanza: Stanza): number {
  if (!stanza.has('priority', 'jabber:client')) return 0
  const text = stanza.child('priority', 'jabber:client')?.getText().trim() ?? ''
  const priority = Number(text)
  if (!/^[+-]?\d{1,3}$/.test(text) || priority < -128 || priority > 127) {
    throw stanzaError('bad-request', 'A priority is a whole number from -128 to 127.')
  }
  return priority
}
