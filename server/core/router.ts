import type { Logger } from 'pino'
import type { Directory } from '../cluster/directory.ts'
import { DatabaseAway } from '../db/pool.ts'
import { StanzaError, stanzaError } from '../xmpp/errors.ts'
import { type Jid, JidError, parseJid } from '../xmpp/jid.ts'
import { buildStanza, type Stanza } from '../xmpp/stanza.ts'
import type { HookTable, MessageEvent } from './hooks.ts'
import type { IqHandler, IqRequest, IqTable } from './iq.ts'
import type { Messages } from './message.ts'
import { keepOf } from './message-rules.ts'
import type { Presence } from './presence.ts'
import type { Reach } from './reach.ts'
import type { Rosters } from './roster.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'
import { sharesPresence } from './sharing.ts'
import { isSubscriptionStanza, type Subscriptions } from './subscriptions.ts'

interface RouterParts {
  readonly domain: string
  readonly log: Logger
  readonly directory: Directory
  readonly hooks: HookTable
  readonly iqs: IqTable
  readonly messages: Messages
  readonly presence: Presence
  readonly subscriptions: Subscriptions
  readonly rosters: Rosters
  readonly sessions: Sessions
  readonly reach: Reach
}

/**
 * Where a stanza goes (RFC 6120 §10, RFC 6121 §8). The order is Prosody's: check `to` → hooks of the sender → hooks of
 * the receiver → nobody answers a get or set: service-unavailable. An error is never answered by an error.
 */
export class Router {
  readonly #parts: RouterParts

  constructor(parts: RouterParts) {
    this.#parts = parts
    parts.messages.onUnanswered = stanza => this.#fail(stanza, stanzaError('service-unavailable'))
  }

  /**
   * A stanza of a local client, `from` stamped with its full JID. Never throws: errors are answered.
   * @returns a promise only if something must be waited for; the next stanza of this session waits for it
   */
  receive(session: Session, stanza: Stanza): void | Promise<void> {
    try {
      const working = this.#dispatch(stanza, session.jid, session)
      return working instanceof Promise ? working.catch(error => this.#fail(stanza, error)) : undefined
    } catch (error) {
      return this.#fail(stanza, error)
    }
  }

  /** A stanza from the server itself, or on behalf of an account, with `from` and `to`. Never throws. */
  route(stanza: Stanza): void {
    try {
      const working = this.#dispatch(stanza, parseJid(stanza.from ?? this.#parts.domain), undefined)
      if (working instanceof Promise) working.catch(error => this.#fail(stanza, error))
    } catch (error) {
      this.#fail(stanza, error)
    }
  }

  #dispatch(stanza: Stanza, from: Jid, sender: Session | undefined): void | Promise<void> {
    const to = stanza.to === undefined ? undefined : parseJid(stanza.to)
    switch (stanza.kind) {
      case 'message':
        return this.#message(stanza, from, to, sender)
      case 'presence':
        return this.#presence(stanza, from, to, sender)
      case 'iq':
        return this.#iq(stanza, from, to, sender)
      case 'other':
        throw new Error(`The element ${stanza.name} is not a stanza.`)
      default:
        return stanza.kind satisfies never
    }
  }

  #message(stanza: Stanza, from: Jid, to: Jid | undefined, sender: Session | undefined): void | Promise<void> {
    // RFC 6120 §10.3.1: without `to` it is for the sender's own account.
    const addressed = to ? stanza : stanza.with({ to: from.bare })
    const event: MessageEvent = { stanza: addressed, from, to: to ?? from.toBare(), sender, keep: keepOf(stanza) }
    if (!sender) return this.#deliverMessage(event)
    const goesOn = this.#parts.hooks.run('message:send', event)
    if (goesOn instanceof Promise) return goesOn.then(yes => (yes ? this.#deliverMessage(event) : undefined))
    return goesOn ? this.#deliverMessage(event) : undefined
  }

  #deliverMessage(event: MessageEvent): void | Promise<void> {
    if (event.to.domain !== this.#parts.domain) throw stanzaError('remote-server-not-found')
    return this.#parts.messages.deliver(event)
  }

  async #presence(stanza: Stanza, from: Jid, to: Jid | undefined, sender: Session | undefined): Promise<void> {
    const { type } = stanza
    if (sender && !(await this.#parts.hooks.run('presence:send', { stanza, from, to, sender }))) return
    if (isSubscriptionStanza(type)) {
      if (!to) throw stanzaError('bad-request', 'A subscription stanza needs an address.')
      if (sender) await this.#parts.subscriptions.send(sender, stanza, type, to)
      return
    }
    if (type !== undefined && type !== 'unavailable' && type !== 'probe' && type !== 'error') {
      throw stanzaError('bad-request', `There is no presence of type ${type}.`)
    }
    if (!to) {
      if (sender && (type === undefined || type === 'unavailable')) await this.#parts.presence.broadcast(sender, stanza)
      return
    }
    if (to.domain !== this.#parts.domain) throw stanzaError('remote-server-not-found')
    if (type === 'probe') await this.#parts.presence.probed(from, to)
    else if (sender && type !== 'error') await this.#parts.presence.direct(sender, stanza, to)
    else await this.#parts.presence.deliver(stanza, from, to, sender)
  }

  #iq(stanza: Stanza, from: Jid, to: Jid | undefined, sender: Session | undefined): void | Promise<void> {
    const { type } = stanza
    if (stanza.id === undefined) throw stanzaError('bad-request', 'An IQ needs an id.')
    if (type !== 'get' && type !== 'set' && type !== 'result' && type !== 'error') {
      throw stanzaError('bad-request', 'The type of an IQ is get, set, result or error.')
    }
    const isRequest = type === 'get' || type === 'set'
    const isOwn = !to || to.full === from.bare
    if (isOwn) return isRequest ? this.#answer(stanza, type, from, from.local, sender) : undefined
    if (to.domain !== this.#parts.domain) throw stanzaError('remote-server-not-found')
    if (to.local === undefined) return isRequest ? this.#answer(stanza, type, from, undefined, sender) : undefined
    const goesOn = this.#parts.hooks.run('iq:deliver', { stanza, from, to, sender })
    const deliver = (yes: boolean): void | Promise<void> => {
      if (!yes) return undefined
      if (to.resource !== undefined) return this.#iqToResource(stanza, from, to, isRequest)
      return isRequest ? this.#answer(stanza, type, from, to.local, sender) : undefined
    }
    return goesOn instanceof Promise ? goesOn.then(deliver) : deliver(goesOn)
  }

  /** RFC 6121 §8.5.3.1: a request only reaches a resource that shares its presence with the asking one. */
  #iqToResource(stanza: Stanza, from: Jid, to: Jid, isRequest: boolean): void {
    const { directory, reach, rosters, sessions } = this.#parts
    const route = directory.route(to.bare, to.resource ?? '')
    const unreached = isRequest ? () => this.#fail(stanza, stanzaError('service-unavailable')) : undefined
    if (!route) {
      unreached?.()
      return
    }
    const isAsker = isRequest && from.bare !== to.bare
    const session = reach.isHere(route) ? sessions.get(route.jid) : undefined
    if (isAsker && session && !sharesPresence(rosters, session, from)) throw stanzaError('service-unavailable')
    reach.send(route, stanza, { asker: isAsker ? from.full : undefined, unreached })
  }

  #answer(
    stanza: Stanza,
    type: 'get' | 'set',
    from: Jid,
    account: string | undefined,
    session: Session | undefined,
  ): void | Promise<void> {
    const { handler, name, ns } = this.#parts.iqs.find(account === undefined ? 'host' : 'account', stanza)
    const payload = stanza.child(name, ns)
    if (!payload) throw new Error(`The payload ${name} of ${ns} is in the index but not in the stanza.`)
    const isOwn = account !== undefined && from.local === account && from.domain === this.#parts.domain
    const request: IqRequest = { stanza, type, from, account, isOwn, session, payload }
    const reply = (answer: Awaited<ReturnType<IqHandler>>): void => {
      const header = { type: 'result', id: stanza.id, to: from.full, from: stanza.to }
      const result = buildStanza('iq', header, ...(answer === undefined ? [] : [answer.toString()]))
      if (session) session.send(result)
      else this.route(result)
    }
    const answer = handler(request)
    return answer instanceof Promise ? answer.then(reply) : reply(answer)
  }

  /** The one place where what went wrong becomes an error stanza (RFC 6120 §8.3). */
  #fail(stanza: Stanza, error: unknown): void {
    const stanzaFault = this.#faultOf(stanza, error)
    // §8.3.1: an error is never answered by an error, nor is a result.
    if (stanza.type === 'error' || stanza.type === 'result' || stanza.from === undefined) return
    const header = { type: 'error', id: stanza.id, to: stanza.from, from: stanza.to }
    const answer = buildStanza(stanza.kind === 'other' ? 'message' : stanza.kind, header, stanzaFault.toElement())
    const session = this.#parts.sessions.get(stanza.from)
    if (session) session.send(answer)
    else if (parseJid(stanza.from).local !== undefined) this.route(answer)
  }

  #faultOf(stanza: Stanza, error: unknown): StanzaError {
    if (error instanceof StanzaError) return error
    if (error instanceof JidError) return stanzaError('jid-malformed', error.message)
    if (error instanceof DatabaseAway) {
      return new StanzaError('wait', 'internal-server-error', 'The database is away. Please try again in a moment.')
    }
    this.#parts.log.error({ err: error, kind: stanza.kind, from: stanza.from, to: stanza.to }, 'stanza failed')
    return stanzaError('internal-server-error')
  }
}
