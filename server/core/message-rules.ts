/** What becomes of a message, as a matter of its type and of who is there: nothing here does anything. */
import type { Route } from '../cluster/directory.ts'
import type { Jid } from '../xmpp/jid.ts'
import { NS_CHAT_STATES, NS_CLIENT, NS_HINTS, NS_STANZA_ID } from '../xmpp/namespaces.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { Keep, KeptRow } from './kept-row.ts'

/** Payloads that say nothing worth keeping (XEP-0085, XEP-0184 is kept: a receipt lost is a doubt for ever). */
const fleeting = new Set([NS_CHAT_STATES, NS_STANZA_ID, `${NS_CLIENT} thread`])

/** What to do with a message for a local account (RFC 6121 §8.5, Table 1). */
export type Decision = { readonly targets: readonly Route[] } | 'store' | 'bounce' | 'ignore'

/**
 * Whether and how a message is kept: chat and normal messages that say something, unless they ask not to be
 * (XEP-0160 §3, XEP-0313 §5.1.1, XEP-0334).
 */
export function keepOf(stanza: Stanza): Keep | undefined {
  const { type } = stanza
  if (type === 'groupchat' || type === 'error' || type === 'headline') return undefined
  let says = false
  let isPermanent = true
  for (const child of stanza.children) {
    if (child.ns === NS_HINTS) {
      if (child.name === 'no-store' || child.name === 'no-storage') return undefined
      if (child.name === 'no-permanent-store' || child.name === 'no-permanent-storage') isPermanent = false
      if (child.name === 'store') says = true
    } else if (!fleeting.has(child.ns) && !fleeting.has(`${child.ns} ${child.name}`)) says = true
  }
  return says ? { pending: true, inSender: isPermanent, inReceiver: isPermanent } : undefined
}

/** RFC 6121 §8.5.2 and §8.5.3, one row of Table 1 after the other. `routes` are all resources of the account. */
export function decide(to: Jid, type: string | undefined, routes: readonly Route[]): Decision {
  if (to.resource !== undefined) {
    for (const route of routes) if (route.resource === to.resource) return { targets: [route] }
    // §8.5.3.2.1: only chat is worth another resource; an error is never answered.
    if (type === 'error' || type === 'headline') return 'ignore'
    if (type !== 'chat') return 'bounce'
  }
  if (type === 'groupchat') return 'bounce'
  if (type === 'error') return 'ignore'
  let best: Route[] = []
  let priority = 0
  for (const route of routes) {
    if (route.priority === undefined || route.priority < 0) continue
    if (type === 'headline' || route.priority === priority) best.push(route)
    else if (route.priority > priority) {
      best = [route]
      priority = route.priority
    }
  }
  if (best.length > 0) return { targets: best }
  return type === 'headline' ? 'ignore' : 'store'
}

/** XEP-0359 §3: the receiver's copy carries the id it has in the receiver's archive. */
export function stampedFor(stanza: Stanza, row: KeptRow | undefined): Stanza {
  if (!row?.input.keep.inReceiver) return stanza
  return stanza.append(`<stanza-id xmlns='${NS_STANZA_ID}' by='${escapeBare(row.input.to.bare)}' id='${row.id}'/>`)
}

const escapeBare = (bare: string): string => bare.replaceAll('&', '&amp;').replaceAll("'", '&apos;')
