/** RFC 6121 §2: the roster: get, set, remove, versioning. Subscriptions are core/subscriptions.ts. */
import { Type } from 'typebox'
import { feature } from '../core/feature.ts'
import { itemElement, type RosterItem } from '../core/roster.ts'
import { type Element, xml } from '../xmpp/element.ts'
import { stanzaError } from '../xmpp/errors.ts'
import { type Jid, parseJid } from '../xmpp/jid.ts'
import { NS_PREAPPROVAL, NS_ROSTER, NS_ROSTERVER } from '../xmpp/namespaces.ts'

interface ItemRequest {
  readonly jid: Jid
  readonly name: string | undefined
  readonly groups: readonly string[]
  readonly isRemoval: boolean
}

export default feature({
  name: 'contacts',
  title: 'Contact lists',
  page: 'Messages',
  standards: [{ id: 'RFC 6121', title: 'Instant messaging and presence' }],
  settings: Type.Object({
    maxContacts: Type.Integer({
      title: 'Most contacts per person',
      default: 1000,
      minimum: 10,
      maximum: 5000,
    }),
    maxNameLength: Type.Integer({
      title: 'Longest name of a contact or group, in letters',
      default: 200,
      minimum: 20,
      maximum: 1000,
    }),
  }),
  start(server) {
    server.streamFeature(xml('ver', { xmlns: NS_ROSTERVER }))
    server.streamFeature(xml('sub', { xmlns: NS_PREAPPROVAL }))
    server.advertise('both', { features: [NS_ROSTER] })

    server.iq('account', 'get', NS_ROSTER, 'query', async request => {
      const { isOwn, account, session, payload } = request
      if (!isOwn || account === undefined) throw stanzaError('forbidden')
      const roster = await server.rosters.get(account)
      if (session && !session.isInterested) {
        session.isInterested = true
        server.sessions.announce(session)
      }
      // §2.6.2: nothing is sent when the client has this very version; changes since come as pushes.
      const version = String(roster.version)
      if (payload.attrs.ver === version) return undefined
      const items = [...roster.items.values()].filter(item => item.isListed)
      return xml('query', { xmlns: NS_ROSTER, ver: version }, ...items.map(itemElement))
    })

    server.iq('account', 'set', NS_ROSTER, 'query', async ({ isOwn, account, payload }) => {
      if (!isOwn || account === undefined) throw stanzaError('forbidden')
      const wanted = read(payload, server.settings.maxNameLength)
      if (wanted.isRemoval) return remove(account, wanted.jid)
      await server.rosters.change(account, wanted.jid.bare, (item, roster) => {
        if (!item.isListed && roster.items.size >= server.settings.maxContacts) {
          throw stanzaError('resource-constraint', `The contact list is full: ${server.settings.maxContacts} contacts.`)
        }
        return { ...item, name: wanted.name, groups: wanted.groups, isListed: true }
      })
      return undefined
    })

    async function remove(username: string, jid: Jid): Promise<undefined> {
      let removed: RosterItem | undefined
      await server.rosters.change(username, jid.bare, item => {
        // §2.5.3
        if (!item.isListed) throw stanzaError('item-not-found')
        removed = item
        return 'remove'
      })
      if (removed) await server.subscriptions.endBoth(username, jid, removed)
      return undefined
    }

    // Somebody who was removed disappears from everybody's list.
    server.on('account:removed', 'change', async ({ username }) => {
      const own = parseJid(`${username}@${server.domain}`)
      const roster = await server.rosters.get(username)
      for (const item of roster.items.values()) await server.subscriptions.endBoth(username, parseJid(item.jid), item)
      for (const owner of await server.rosters.ownersOf(own.bare)) {
        await server.rosters.change(owner, own.bare, () => 'remove')
      }
    })
  },
})

/** Checks a roster set (§2.3.3). @throws StanzaError */
function read(query: Element, nameLengthMax: number): ItemRequest {
  const items = query.getChildElements()
  const [item] = items
  if (!item || items.length !== 1 || item.name !== 'item')
    throw stanzaError('bad-request', 'A roster set has exactly one item.')
  const address: unknown = item.attrs.jid
  if (typeof address !== 'string') throw stanzaError('bad-request', 'The item has no jid.')
  const jid = parseJid(address).toBare()
  const name = typeof item.attrs.name === 'string' && item.attrs.name !== '' ? item.attrs.name : undefined
  if (name && name.length > nameLengthMax) throw stanzaError('not-acceptable', 'The name is too long.')
  const groups = item.getChildren('group').map(group => group.getText())
  if (new Set(groups).size !== groups.length) throw stanzaError('bad-request', 'A group is named twice.')
  if (groups.length > 100 || groups.some(group => group === '' || group.length > nameLengthMax)) {
    throw stanzaError('not-acceptable', 'A group has no name, or one that is too long.')
  }
  return { jid, name, groups, isRemoval: item.attrs.subscription === 'remove' }
}
