/** XEP-0191: Blocking Command. */
import { Type } from 'typebox'
import { feature } from '../core/feature.ts'
import type { IqRequest } from '../core/iq.ts'
import { forStanza } from '../core/patience.ts'
import type { PerAccount } from '../core/per-account.ts'
import type { Server } from '../core/server.ts'
import { hasFrom, hasTo } from '../core/subscription-states.ts'
import { type Element, xml } from '../xmpp/element.ts'
import { StanzaError, stanzaError } from '../xmpp/errors.ts'
import { type Jid, parseJid } from '../xmpp/jid.ts'
import { NS_BLOCKING } from '../xmpp/namespaces.ts'
import { buildStanza, Stanza } from '../xmpp/stanza.ts'

const NS_ERRORS = 'urn:xmpp:blocking:errors'

declare module '../cluster/directory.ts' {
  interface RouteFlags {
    /** Asked for the block list, so it is told of every change (XEP-0191 §3.3). */
    readonly blocklist?: boolean
  }
}

/** The blocked addresses of one person, as text. */
type BlockList = ReadonlySet<string>
type Stop = undefined | 'stop'

export default feature({
  name: 'blocking',
  title: 'Blocking',
  standards: [{ id: 'XEP-0191', title: 'Blocking Command', version: '1.3' }],
  page: 'Messages',
  settings: Type.Object({
    entriesMax: Type.Integer({
      default: 1_000,
      minimum: 1,
      maximum: 100_000,
      title: 'Blocked addresses per person',
    }),
  }),
  migrations: [
    `CREATE TABLE block (
       username text NOT NULL,
       jid text NOT NULL,
       PRIMARY KEY (username, jid)
     )`,
  ],
  start(server) {
    const lists = server.perAccount<BlockList>(async username => {
      const rows = await server.db.query<{ jid: string }>('SELECT jid FROM block WHERE username = $1', [username], {
        repeat: true,
      })
      return new Set(rows.map(row => row.jid))
    })
    const state: State = { server, lists, goodbyes: new WeakSet() }
    answerCommands(state)
    watchStanzas(state)
    server.on('account:removed', 'store', async ({ username }) => {
      await server.db.exec('DELETE FROM block WHERE username = $1', [username], { repeat: true })
    })
  },
})

interface State {
  readonly server: Server<{ entriesMax: number }>
  readonly lists: PerAccount<BlockList>
  /** Goodbyes to somebody who is being blocked: the only stanzas that still go there. */
  readonly goodbyes: WeakSet<Stanza>
}

/** XEP-0191 §3.2 to §3.5: what the person asks for. */
function answerCommands(state: State): void {
  const { server, lists } = state
  server.advertise('host', { features: [NS_BLOCKING] })
  server.iq('account', 'get', NS_BLOCKING, 'blocklist', async request => {
    const session = ownSession(request)
    const list = await lists.get(session.username)
    session.flags = { ...session.flags, blocklist: true }
    server.sessions.announce(session)
    return listElement('blocklist', list)
  })
  server.iq('account', 'set', NS_BLOCKING, 'block', async request => {
    const { jid: own, username } = ownSession(request)
    const items = itemsOf(request.payload)
    // XEP-0191 §3.3: at least one item.
    if (items.length === 0) throw stanzaError('bad-request', 'Name at least one address to block.')
    const { entriesMax } = server.settings
    if (new Set([...(await lists.get(username)), ...items]).size > entriesMax) {
      throw stanzaError('resource-constraint', `You can block ${entriesMax} addresses at most.`)
    }
    const write = () =>
      server.db.exec(
        'INSERT INTO block (username, jid) SELECT $1, unnest($2::text[]) ON CONFLICT (username, jid) DO NOTHING',
        [username, items],
        forStanza,
      )
    const [before, after] = await lists.change(username, write, list => new Set([...list, ...items]))
    await sayGoodbye(state, own, before, after)
    push(server, own, listElement('block', items))
  })
  server.iq('account', 'set', NS_BLOCKING, 'unblock', async request => {
    const { jid: own, username } = ownSession(request)
    const items = itemsOf(request.payload)
    // XEP-0191 §3.5: an empty <unblock/> means all.
    const isAll = items.length === 0
    const write = () =>
      server.db.exec(
        'DELETE FROM block WHERE username = $1 AND ($2 OR jid = ANY($3::text[]))',
        [username, isAll, items],
        forStanza,
      )
    const rest = (list: BlockList) => new Set([...list].filter(jid => !isAll && !items.includes(jid)))
    const [before, after] = await lists.change(username, write, rest)
    push(server, own, listElement('unblock', items))
    await sayHello(server, own, before, after)
  })
}

/** XEP-0191 §3.3: what becomes of stanzas between the two. */
function watchStanzas({ server, lists, goodbyes }: State): void {
  /** Whether the person with this bare JID blocks the other; at once when the list is in memory. */
  const blocks = (owner: Jid, other: Jid): boolean | Promise<boolean> => {
    // XEP-0191 §5: communications from one of a user's resources to another MUST NOT be blocked.
    if (owner.local === undefined || owner.domain !== server.domain || owner.bare === other.bare) return false
    const list = lists.get(owner.local)
    return list instanceof Promise ? list.then(loaded => isBlocked(loaded, other)) : isBlocked(list, other)
  }

  server.on('message:send', 'filter', ({ from, to }) => then(blocks(from, to), refuseOutbound))
  server.on('presence:send', 'filter', ({ from, to }) => to && then(blocks(from, to), refuseOutbound))
  server.on('message:deliver', 'filter', ({ stanza, from, to }) =>
    then(blocks(to, from), () => {
      if (stanza.type === 'error' || stanza.type === 'groupchat') return 'stop'
      throw stanzaError('service-unavailable')
    }),
  )
  server.on('presence:deliver', 'filter', ({ stanza, from, to }) => {
    // Presence is also sent on behalf of a person: to subscribers, in answer to probes.
    if (goodbyes.has(stanza)) return undefined
    return then(either(blocks(to, from), blocks(from, to)), () => 'stop')
  })
  server.on('iq:deliver', 'filter', async ({ stanza, from, to }) => {
    const isRequest = stanza.type === 'get' || stanza.type === 'set'
    if (await blocks(from, to)) return isRequest ? refuseOutbound() : 'stop'
    if (!(await blocks(to, from))) return undefined
    if (isRequest) throw stanzaError('service-unavailable')
    return 'stop'
  })
}

/** XEP-0191 §3.3: to all resources that have requested the block list. */
function push(server: State['server'], own: Jid, payload: Element): void {
  for (const route of server.directory.routes(own.bare)) {
    if (!route.flags.blocklist) continue
    const header = { type: 'set', id: `block-${server.nextId()}`, from: own.bare, to: route.jid }
    server.reach.send(route, buildStanza('iq', header, payload))
  }
}

/** Contacts, or single devices of theirs, that `list` covers and `without` does not. */
async function contactsIn(server: State['server'], own: Jid, list: BlockList, without: BlockList) {
  const roster = await server.rosters.get(own.local ?? '')
  const devices = [...list].filter(jid => !without.has(jid) && jid.includes('/')).map(parseJid)
  return [...roster.items.values()].flatMap(item => {
    const contact = parseJid(item.jid)
    const isCovered = isBlocked(list, contact) && !isBlocked(without, contact)
    const jids = isCovered ? [contact] : devices.filter(jid => jid.bare === contact.bare)
    return jids.map(jid => ({ jid, item }))
  })
}

async function sayGoodbye({ server, goodbyes }: State, own: Jid, before: BlockList, after: BlockList): Promise<void> {
  const watchers = (await contactsIn(server, own, after, before)).filter(({ item }) => hasFrom(item.subscription))
  const informed = (await server.everywhere.directedOf(own.local ?? '', own.bare)).map(parseJid)
  const directed = informed.filter(jid => isBlocked(after, jid) && !isBlocked(before, jid))
  const targets = new Set([...watchers.map(({ jid }) => jid.full), ...directed.map(jid => jid.full)])
  for (const { jid, priority } of server.directory.routes(own.bare)) {
    if (priority === undefined) continue
    for (const to of targets) {
      const goodbye = buildStanza('presence', { type: 'unavailable', from: jid, to })
      goodbyes.add(goodbye)
      server.route(goodbye)
    }
  }
}

/** XEP-0191 §3.4; and what the other one does now is asked for, as nothing of it came through meanwhile. */
async function sayHello(server: State['server'], own: Jid, before: BlockList, after: BlockList): Promise<void> {
  const watchers = await contactsIn(server, own, before, after)
  for (const { jid: from, presence } of server.directory.routes(own.bare)) {
    if (!presence) continue
    for (const { jid, item } of watchers) {
      if (hasFrom(item.subscription)) server.route(Stanza.fromBytes(presence).with({ to: jid.full }))
      if (hasTo(item.subscription)) server.route(buildStanza('presence', { type: 'probe', from, to: jid.full }))
    }
  }
}

/** XEP-0191 §6: the full address, the bare one, or the domain is in the list. */
export function isBlocked(list: BlockList, jid: Jid): boolean {
  return list.size > 0 && (list.has(jid.full) || list.has(jid.bare) || list.has(jid.domain))
}

const listElement = (name: 'blocklist' | 'block' | 'unblock', jids: Iterable<string>): Element =>
  xml(name, { xmlns: NS_BLOCKING }, ...[...jids].map(jid => xml('item', { jid })))

function itemsOf(payload: Element): string[] {
  return payload.getChildren('item', NS_BLOCKING).map((item: Element) => {
    const { jid } = item.attrs
    if (typeof jid !== 'string') throw stanzaError('bad-request', 'An item needs the address in its attribute jid.')
    return parseJid(jid).full
  })
}

function ownSession({ session, isOwn }: IqRequest): NonNullable<IqRequest['session']> {
  if (!session || !isOwn) throw stanzaError('forbidden', 'The block list is for its owner only.')
  return session
}

/** XEP-0191 §3.3: what the person sends to somebody blocked. @throws StanzaError always */
function refuseOutbound(): never {
  const blocked = xml('blocked', { xmlns: NS_ERRORS })
  throw new StanzaError('cancel', 'not-acceptable', 'You have blocked this address.', blocked)
}

/** Runs `action` if the answer is yes, at once if the answer is there. */
function then(answer: boolean | Promise<boolean>, action: () => 'stop'): Stop | Promise<Stop> {
  if (answer instanceof Promise) return answer.then(yes => (yes ? action() : undefined))
  return answer ? action() : undefined
}

function either(one: boolean | Promise<boolean>, other: boolean | Promise<boolean>): boolean | Promise<boolean> {
  if (one === true || other === true) return true
  if (one === false && other === false) return false
  return Promise.all([one, other]).then(answers => answers.includes(true))
}
