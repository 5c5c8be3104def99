import type { Jid } from '../xmpp/jid.ts'
import type { Rosters } from './roster.ts'
import type { Session } from './session.ts'
import { hasFrom } from './subscription-states.ts'

/**
 * Whether a session lets somebody know that it is there (RFC 6121 §8.5.3.1): by a subscription, or by directed presence. Requests of others must
 * not reach it. Asked on the node of the session, where the roster of its person is in memory.
 * @param asker full JID of who asks; the server itself may always
 */
export function sharesPresence(rosters: Rosters, session: Session, asker: Jid): boolean {
  if (asker.local === undefined || asker.bare === session.jid.bare) return true
  if (session.directed.has(asker.full) || session.directed.has(asker.bare)) return true
  const item = rosters.peek(session.username)?.items.get(asker.bare)
  return item !== undefined && hasFrom(item.subscription)
}
