/** XEP-0049: Private XML Storage. */
import { Type } from 'typebox'
import { feature } from '../core/feature.ts'
import type { IqRequest } from '../core/iq.ts'
import { forStanza } from '../core/patience.ts'
import type { Queryable } from '../db/pool.ts'
import { type Element, parseElement, xml } from '../xmpp/element.ts'
import { stanzaError } from '../xmpp/errors.ts'
import { NS_PRIVATE } from '../xmpp/namespaces.ts'

export default feature({
  name: 'private',
  title: 'Private storage',
  standards: [{ id: 'XEP-0049', title: 'Private XML Storage', version: '1.2' }],
  page: 'Advanced',
  settings: Type.Object({
    entriesMax: Type.Integer({
      default: 100,
      minimum: 1,
      maximum: 10_000,
      title: 'Entries per person',
      description: 'How many things (bookmarks, preferences) the chat programs of one person may keep on the server.',
    }),
    kilobytesMax: Type.Integer({
      default: 64,
      minimum: 1,
      maximum: 1024,
      title: 'Size of one entry, in kB',
    }),
  }),
  migrations: [
    `CREATE TABLE private_entry (
       username text NOT NULL,
       ns text NOT NULL,
       name text NOT NULL,
       content text NOT NULL,
       PRIMARY KEY (username, ns, name)
     )`,
  ],
  start(server) {
    server.iq('account', 'get', NS_PRIVATE, 'query', async request => {
      const username = ownUsername(request)
      const [wanted, ...others] = request.payload.getChildElements()
      if (!wanted) throw stanzaError('bad-request', 'Name the element that you want to have.')
      // XEP-0049 §2.3: a client MUST NOT query for more than one namespace in a single IQ get.
      if (others.length > 0) throw stanzaError('not-acceptable', 'Ask for one element at a time.')
      const row = await server.db.one<{ content: string }>(
        'SELECT content FROM private_entry WHERE username = $1 AND ns = $2 AND name = $3',
        [username, namespaceOf(wanted), wanted.getName()],
        forStanza,
      )
      return xml('query', { xmlns: NS_PRIVATE }, row ? parseElement(row.content) : wanted)
    })
    server.iq('account', 'set', NS_PRIVATE, 'query', async request => {
      const username = ownUsername(request)
      const entries = request.payload.getChildElements().map(child => entryOf(request.payload, child))
      if (entries.length === 0) throw stanzaError('not-acceptable', 'There is nothing to keep in this request.')
      const { entriesMax, kilobytesMax } = server.settings
      if (entries.some(entry => Buffer.byteLength(entry.content) > kilobytesMax * 1024)) {
        throw stanzaError('resource-constraint', `One entry may have ${kilobytesMax} kB at most.`)
      }
      const write = async (transaction: Queryable): Promise<void> => {
        for (const { ns, name, content } of entries) {
          await transaction.exec(
            `INSERT INTO private_entry (username, ns, name, content) VALUES ($1, $2, $3, $4)
             ON CONFLICT (username, ns, name) DO UPDATE SET content = $4`,
            [username, ns, name, content],
          )
        }
        const row = await transaction.one<{ count: number }>(
          'SELECT count(*)::int AS count FROM private_entry WHERE username = $1',
          [username],
        )
        if ((row?.count ?? 0) > entriesMax) {
          throw stanzaError('resource-constraint', `You may keep ${entriesMax} entries at most.`)
        }
      }
      await server.db.transaction(write, forStanza)
    })
    server.on('account:removed', 'store', async ({ username }) => {
      await server.db.exec('DELETE FROM private_entry WHERE username = $1', [username], { repeat: true })
    })
  },
})

function ownUsername(request: IqRequest): string {
  // XEP-0049 §2.3: data of another user MUST be refused.
  if (!request.isOwn || request.from.local === undefined) throw stanzaError('forbidden')
  return request.from.local
}

function entryOf(payload: Element, child: Element): { ns: string; name: string; content: string } {
  const ns = namespaceOf(child)
  // The entry is kept alone: it takes the prefixes along that were declared around it.
  for (const [name, value] of Object.entries(payload.attrs)) {
    if (name.startsWith('xmlns:')) child.attrs[name] ??= value
  }
  return { ns, name: child.getName(), content: child.toString() }
}

function namespaceOf(child: Element): string {
  const ns = child.getNS() ?? ''
  // XEP-0049 §2.1: the root element of the fragment is scoped by its own namespace.
  if (ns === '' || ns === NS_PRIVATE) throw stanzaError('not-acceptable', 'The element needs a namespace of its own.')
  return ns
}
