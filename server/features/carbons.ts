/** XEP-0280: Message Carbons. */
import { feature } from '../core/feature.ts'
import type { MessageEvent } from '../core/hooks.ts'
import type { IqRequest } from '../core/iq.ts'
import { escapeAttribute } from '../xmpp/element.ts'
import { stanzaError } from '../xmpp/errors.ts'
import { forwardedXml, forwardingMessage } from '../xmpp/forward.ts'
import type { Jid } from '../xmpp/jid.ts'
import {
  NS_CARBONS,
  NS_CHAT_MARKERS,
  NS_CHAT_STATES,
  NS_CLIENT,
  NS_HINTS,
  NS_MUC_USER,
  NS_RECEIPTS,
  NS_STANZA_ID,
} from '../xmpp/namespaces.ts'
import type { Stanza } from '../xmpp/stanza.ts'

const NS_RULES = 'urn:xmpp:carbons:rules:0'
const NS_DIRECT_INVITATION = 'jabber:x:conference'

/** Payloads that make a message of any type part of a conversation (XEP-0280 §6.1). */
const conversational = new Set([NS_RECEIPTS, NS_CHAT_STATES, NS_CHAT_MARKERS, NS_DIRECT_INVITATION])

/** Copied messages that are remembered, so that an error that answers one is copied too. */
const COPIED_MAX = 5_000
const ASK_MS = 1_000

export default feature({
  name: 'carbons',
  title: 'Conversations on all devices',
  standards: [{ id: 'XEP-0280', title: 'Message Carbons', version: '1.0.1' }],
  start(server) {
    // Messages of which other devices got a copy: an error in answer to one concerns them as well. Two generations, as in xmpp/jid.ts.
    let young = new Set<string>()
    let old = new Set<string>()

    const remember = (stanza: Stanza, owner: Jid, other: Jid): void => {
      if (stanza.id === undefined) return
      if (young.size >= COPIED_MAX) {
        old = young
        young = new Set()
      }
      young.add(exchangeKey(stanza.id, owner, other))
    }

    const wasCopied = (key: string): boolean => young.delete(key) || old.delete(key)

    /** Errors are rare: only then the node that decided about the message, whichever it was, is asked. */
    const wasCopiedElsewhere = async (key: string): Promise<boolean> =>
      (await server.everywhere.askAll('carbons-copied', { key }, ASK_MS)).includes(true)
    const unanswer = server.bus.onAsk('carbons-copied', ({ key }: { key: string }) => wasCopied(key))

    const copy = (
      event: MessageEvent,
      kind: 'sent' | 'received',
      owner: Jid,
      without: (jid: string) => boolean,
    ): void => {
      const { stanza } = event
      const targets = server.directory
        .routes(owner.bare)
        .filter(route => route.flags.carbons === true && !without(route.jid))
      if (targets.length === 0) return
      const isReceived = kind === 'received'
      const send = (): void => {
        const isArchived = isReceived ? event.keep?.inReceiver : event.keep?.inSender
        const stamped = event.id !== undefined && isArchived ? stanza.append(stanzaId(owner.bare, event.id)) : stanza
        const forwarded = forwardedXml(stamped)
        for (const route of targets) {
          const header = { type: stanza.type, from: owner.bare, to: route.jid }
          server.reach.send(route, forwardingMessage(header, { name: kind, ns: NS_CARBONS }, forwarded))
        }
      }
      const other = isReceived ? event.from : event.to
      if (stanza.type !== 'error') {
        if (!isConversation(stanza, isReceived)) return
        remember(stanza, owner, other)
        send()
        return
      }
      // XEP-0280 §6.1: an error is eligible when it answers a message that was.
      const key = exchangeKey(stanza.id ?? '', owner, other)
      if (wasCopied(key)) send()
      else void wasCopiedElsewhere(key).then(was => was && send())
    }

    const set = (request: IqRequest, carbons: boolean): void => {
      const { session, isOwn } = request
      // XEP-0280 §4.1: not-allowed for somebody who is no client of this server.
      if (!session || !isOwn) throw stanzaError('not-allowed')
      session.flags = { ...session.flags, carbons }
      server.sessions.announce(session)
    }

    server.advertise('both', { features: [NS_CARBONS, NS_RULES] })
    server.iq('account', 'set', NS_CARBONS, 'enable', request => set(request, true))
    server.iq('account', 'set', NS_CARBONS, 'disable', request => set(request, false))
    server.on('message:delivered', 'watch', event => {
      const { from, to, sender, taken } = event
      const isToSelf = from.bare === to.bare
      // What somebody sends to the own account is received there by all: a copy of the sending would be a second one.
      if (sender && !isToSelf) copy(event, 'sent', from, jid => jid === from.full)
      if (to.domain !== server.domain) return
      copy(event, 'received', to, jid => taken.has(jid) || jid === from.full)
    })
    return unanswer
  },
})

const stanzaId = (by: string, id: string): string =>
  `<stanza-id xmlns='${NS_STANZA_ID}' by='${escapeAttribute(by)}' id='${id}'/>`

/** Under which key a message of `owner` to or from `other` and an error in answer to it are the same. */
const exchangeKey = (id: string, owner: Jid, other: Jid): string => `${owner.bare} ${other.bare} ${id}`

/** XEP-0280 §6.1, all rules but that on errors. */
export function isConversation(stanza: Stanza, isReceived: boolean): boolean {
  const { type } = stanza
  if (type === 'groupchat' || type === 'error') return false
  let hasPayload = type === 'chat'
  for (const { name, ns } of stanza.children) {
    // §9, and XEP-0334 §4.3.
    if ((name === 'private' && ns === NS_CARBONS) || (name === 'no-copy' && ns === NS_HINTS)) return false
    if (conversational.has(ns)) hasPayload = true
    if (name === 'body' && ns === NS_CLIENT && type !== 'headline') hasPayload = true
    if (name === 'x' && ns === NS_MUC_USER) {
      // An invitation is copied; a private message out of a room is not: the room sends it to each device by itself.
      if (stanza.child('x', NS_MUC_USER)?.getChild('invite')) hasPayload = true
      else if (isReceived) return false
    }
  }
  return hasPayload
}
