import type { Directory } from '../cluster/directory.ts'
import { stanzaError } from '../xmpp/errors.ts'
import { type Jid, parseJid } from '../xmpp/jid.ts'
import { buildStanza, type Stanza } from '../xmpp/stanza.ts'
import type { Accounts } from './accounts.ts'
import type { HookTable } from './hooks.ts'
import type { Presence } from './presence.ts'
import type { Reach } from './reach.ts'
import type { RosterItem, Rosters } from './roster.ts'
import type { Session } from './session.ts'
import { hasFrom, hasTo, inbound, outbound, type SubscriptionStanza, type Transition } from './subscription-states.ts'

/** A stored request is cut down to its header above this (RFC 6121 §3.1.3, the warning about exhaustion). */
const REQUEST_BYTES_MAX = 4_096
/** Contacts and requests together, per person. */
const ITEMS_MAX = 5_000

interface SubscriptionParts {
  readonly domain: string
  readonly hooks: HookTable
  readonly accounts: Accounts
  readonly rosters: Rosters
  readonly directory: Directory
  readonly reach: Reach
  readonly presence: Presence
}

export function isSubscriptionStanza(type: string | undefined): type is SubscriptionStanza {
  return type === 'subscribe' || type === 'subscribed' || type === 'unsubscribe' || type === 'unsubscribed'
}

/** Presence subscriptions (RFC 6121 §3, Appendix A): each side's roster is changed by its own rules, one after the other. */
export class Subscriptions {
  readonly #parts: SubscriptionParts

  constructor(parts: SubscriptionParts) {
    this.#parts = parts
  }

  /** A person sends a subscription stanza (§3.1.2, 3.1.5, 3.2.2, 3.3.2, 3.4). @throws StanzaError */
  async send(session: Session, stanza: Stanza, type: SubscriptionStanza, to: Jid): Promise<void> {
    if (to.bare === session.jid.bare) throw stanzaError('not-allowed', 'You see your own presence anyhow.')
    if (to.domain !== this.#parts.domain) throw stanzaError('remote-server-not-found')
    // The bare JIDs are stamped (§3.1.2).
    const stamped = stanza.with({ from: session.jid.bare, to: to.bare })
    await this.#outbound(session.username, stamped, type, session.jid.toBare(), to.toBare())
  }

  /** A contact was removed from the roster: both directions are ended (§2.5.2). */
  async endBoth(username: string, contact: Jid, item: RosterItem): Promise<void> {
    const own = parseJid(`${username}@${this.#parts.domain}`)
    const types: SubscriptionStanza[] = []
    if (hasTo(item.subscription) || item.isAsking) types.push('unsubscribe')
    if (hasFrom(item.subscription) || item.isAsked) types.push('unsubscribed')
    if (hasFrom(item.subscription)) await this.#parts.presence.sendUnavailable(own.bare, contact)
    for (const type of types) {
      await this.#inbound(buildStanza('presence', { from: own.bare, to: contact.bare, type }), type, own, contact)
    }
  }

  async #outbound(username: string, stanza: Stanza, type: SubscriptionStanza, own: Jid, contact: Jid): Promise<void> {
    let transition: Transition | undefined
    let wasSeen = false
    await this.#parts.rosters.change(username, contact.bare, (item, roster) => {
      transition = outbound(item, type)
      wasSeen = hasFrom(item.subscription)
      const next = { ...item, ...transition.next }
      const isNew = !item.isListed && (next.isAsking || next.isApproved || hasFrom(next.subscription))
      if (isNew && roster.items.size >= ITEMS_MAX) throw stanzaError('resource-constraint', 'The contact list is full.')
      return settle({ ...next, isListed: item.isListed || isNew }, item)
    })
    if (!transition?.pass) return
    // §3.2.2: unavailable goes first, while the other side is still subscribed. Who was only asking must not learn what devices there are.
    if (type === 'unsubscribed' && wasSeen) await this.#parts.presence.sendUnavailable(own.bare, contact)
    await this.#inbound(stanza, type, own, contact)
    if (type === 'subscribed') await this.#parts.presence.sendCurrent(own.bare, contact)
  }

  /** The other side of it, when that is a local account (§3.1.3, 3.1.6, 3.2.3, 3.3.3). */
  async #inbound(stanza: Stanza, type: SubscriptionStanza, from: Jid, to: Jid): Promise<void> {
    const username = to.local
    // §8.5.1: for somebody who does not exist such a stanza is silently ignored.
    if (username === undefined || !(await this.#parts.accounts.get(username))) return
    if (!(await this.#parts.hooks.run('presence:deliver', { stanza, from, to, sender: undefined }))) return
    let transition: Transition | undefined
    let before: RosterItem | undefined
    await this.#parts.rosters.change(
      username,
      from.bare,
      (item, roster) => {
        before = item
        transition = inbound(item, type)
        if (roster.items.size >= ITEMS_MAX && !roster.items.has(from.bare)) {
          transition = { ...transition, pass: false }
          return undefined
        }
        const next = { ...item, ...transition.next }
        return settle({ ...next, request: next.isAsked ? (item.request ?? requestOf(stanza)) : undefined }, item)
      },
      // §3.1.6: the person's clients hear of it before the roster push.
      () => transition?.pass && this.#deliver(username, stanza, type),
    )
    if (!transition?.reply) return
    if (type === 'unsubscribe' && before && hasFrom(before.subscription)) {
      await this.#parts.presence.sendUnavailable(to.bare, from)
    }
    const { reply } = transition
    const answer = buildStanza('presence', { from: to.bare, to: from.bare, type: reply, id: stanza.id })
    await this.#inbound(answer, reply, to.toBare(), from)
    if (reply === 'subscribed') await this.#parts.presence.sendCurrent(to.bare, from)
  }

  /** Requests go to available resources (§3.1.3), the rest to interested ones (§3.1.6). */
  #deliver(username: string, stanza: Stanza, type: SubscriptionStanza): void {
    const { directory, domain, reach } = this.#parts
    const routes = directory.routes(`${username}@${domain}`)
    reach.sendAll(routes, stanza, ({ priority, flags }) =>
      type === 'subscribe' ? priority !== undefined : flags.interested === true,
    )
  }
}

/** What is to be stored: nothing when nothing changed, no row when nothing is left to remember. */
function settle(next: RosterItem, before: RosterItem): RosterItem | 'remove' | undefined {
  const isSame =
    next.subscription === before.subscription &&
    next.isAsking === before.isAsking &&
    next.isAsked === before.isAsked &&
    next.isApproved === before.isApproved &&
    next.isListed === before.isListed
  if (isSame) return undefined
  return next.isListed || next.isAsked ? next : 'remove'
}

function requestOf(stanza: Stanza): string {
  const kept = stanza.bytes.length <= REQUEST_BYTES_MAX ? stanza : stanza.without(() => true)
  return kept.toString()
}
