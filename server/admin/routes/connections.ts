import type { RouteParts } from '../admin.ts'
import { endConnection, listConnections } from '../contract/connections.ts'
import { refusal } from '../problem.ts'
import { callerOf, type Desk } from '../serve.ts'

const PAGE_DEFAULT = 100

export function connectionRoutes(desk: Desk, { office }: RouteParts): void {
  desk.serve(listConnections, async ({ query }) => {
    const open = office()
    const { parts: chat, far } = open
    const [accounts, others] = await Promise.all([chat.accounts.list(), far.connections()])
    const names = new Map(accounts.map(account => [account.username, account.name]))
    const wanted = query.username
    const text = query.search?.toLowerCase() ?? ''
    const all = [...open.connections(), ...others]
      .filter(one => wanted === undefined || one.username === wanted)
      .map(one => ({ ...one, name: names.get(one.username) ?? one.username }))
      .filter(one =>
        [one.name, one.jid, one.address, one.client ?? '', one.pc].some(field => field.toLowerCase().includes(text)),
      )
      .sort((a, b) => a.name.localeCompare(b.name) || a.jid.localeCompare(b.jid))
    const { offset = 0, limit = PAGE_DEFAULT } = query
    return { connections: all.slice(offset, offset + limit), total: all.length }
  })

  desk.serve(endConnection, async call => {
    const { parts: chat, far, history } = office()
    const { jid } = call.body
    const session = chat.sessions.get(jid)
    if (session) await chat.sessions.end(session, 'kicked')
    else if (!(await far.end(jid, 'kicked'))) throw refusal('not-found', `${jid} is not connected any more.`)
    const { name, address } = callerOf(call)
    await history.add({ by: name, kind: 'connection', sentence: `Ended the connection ${jid}.`, address })
    return {}
  })
}
