import type { Session } from '../../core/session.ts'
import type { RouteParts } from '../admin.ts'
import { type Connection, endConnection, listConnections } from '../contract/connections.ts'
import { refusal } from '../problem.ts'
import { callerOf, type Desk } from '../serve.ts'

const PAGE_DEFAULT = 100

export function connectionRoutes(desk: Desk, { parts, office }: RouteParts): void {
  desk.serve(listConnections, async ({ query }) => {
    const { sessions, accounts } = office().parts
    const names = new Map((await accounts.list()).map(account => [account.username, account.name]))
    const wanted = query.username
    const text = query.search?.toLowerCase() ?? ''
    const all = [...sessions.all()]
      .filter(session => wanted === undefined || session.username === wanted)
      .map(session => describe(session, names.get(session.username) ?? session.username, parts.pc, parts.now()))
      .filter(one =>
        [one.name, one.jid, one.address, one.client ?? ''].some(field => field.toLowerCase().includes(text)),
      )
      .sort((a, b) => a.name.localeCompare(b.name) || a.jid.localeCompare(b.jid))
    const { offset = 0, limit = PAGE_DEFAULT } = query
    return { connections: all.slice(offset, offset + limit), total: all.length }
  })

  desk.serve(endConnection, async call => {
    const { parts: chat, history } = office()
    const { jid } = call.body
    const session = chat.sessions.get(jid)
    if (!session) throw refusal('not-found', `${jid} is not connected any more.`)
    const { name, address } = callerOf(call)
    await history.add({ by: name, kind: 'connection', sentence: `Ended the connection ${jid}.`, address })
    await chat.sessions.end(session, 'kicked')
    return {}
  })
}

function describe(session: Session, name: string, pc: string, now: number): Connection {
  const { outlet, outbox, resumableMs, presence } = session
  const address = outlet?.address ?? ''
  return {
    jid: session.jid.full,
    username: session.username,
    name,
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
