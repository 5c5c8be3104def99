/** A connected device as the pages show it. */
import type { Session } from '../core/session.ts'
import type { Connection } from './contract/connections.ts'

/** One device of this PC; `name` is the user name, pages show the person’s. */
export function describeSession(session: Session, pc: string, now: number): Connection {
  const { outlet, outbox, resumableMs, presence } = session
  const address = outlet?.address ?? ''
  return {
    jid: session.jid.full,
    username: session.username,
    name: session.username,
    client: session.client ?? null,
    address: address.replace(/^::ffff:/i, ''),
    transport: outlet?.transport ?? 'tcp',
    encrypted: outlet?.isSecure ?? false,
    since: new Date(session.boundAt).toISOString(),
    presence: presence ? showOf(presence) : 'none',
    streamManagement: outbox ? (resumableMs > 0 ? 'resumable' : 'on') : 'none',
    resting: session.restingSince !== undefined,
    idleSeconds: Math.max(0, Math.round((now - (outlet?.receivedAt ?? session.restingSince ?? now)) / 1000)),
    pc,
  }
}

/** RFC 6121 §4.7.2.1: `<show/>` says how available somebody is; without it, available. */
function showOf(presence: NonNullable<Session['presence']>): Connection['presence'] {
  const show = presence.child('show', 'jabber:client')?.getText()
  return show === 'chat' || show === 'away' || show === 'xa' || show === 'dnd' ? show : 'available'
}
