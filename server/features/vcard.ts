/** XEP-0054: vcard-temp. */
import { Type } from 'typebox'
import { feature } from '../core/feature.ts'
import { forStanza } from '../core/patience.ts'
import { stanzaError } from '../xmpp/errors.ts'
import { NS_VCARD } from '../xmpp/namespaces.ts'

export default feature({
  name: 'vcard',
  title: 'Business cards',
  standards: [{ id: 'XEP-0054', title: 'vcard-temp', version: '1.3.0' }],
  page: 'Messages',
  settings: Type.Object({
    kilobytesMax: Type.Integer({
      default: 128,
      minimum: 1,
      maximum: 1024,
      title: 'Size of a business card, in kB',
      description: 'A card may carry a picture: this is the most that one card may take.',
    }),
  }),
  migrations: [
    `CREATE TABLE vcard (
       username text PRIMARY KEY,
       content text NOT NULL,
       changed_at timestamptz NOT NULL DEFAULT now()
     )`,
  ],
  start(server) {
    server.advertise('both', { features: [NS_VCARD] })
    server.iq('account', 'get', NS_VCARD, 'vCard', async ({ account, isOwn }) => {
      const row = await server.db.one<{ content: string }>('SELECT content FROM vcard WHERE username = $1', [account], {
        repeat: true,
        tolerant: !isOwn,
      })
      if (row) return row.content
      // XEP-0054 §3.3: no card and no such user MUST look the same to others.
      throw stanzaError(isOwn ? 'item-not-found' : 'service-unavailable')
    })
    server.iq('account', 'set', NS_VCARD, 'vCard', async ({ account, isOwn, payload }) => {
      // XEP-0054 §3.2: only the own card.
      if (!isOwn) throw stanzaError('forbidden')
      const content = payload.toString()
      const { kilobytesMax } = server.settings
      if (Buffer.byteLength(content) > kilobytesMax * 1024) {
        throw stanzaError('resource-constraint', `A card may have ${kilobytesMax} kB at most, its picture included.`)
      }
      await server.db.exec(
        `INSERT INTO vcard (username, content) VALUES ($1, $2)
         ON CONFLICT (username) DO UPDATE SET content = $2, changed_at = now()`,
        [account, content],
        forStanza,
      )
    })
    server.on('account:removed', 'store', async ({ username }) => {
      await server.db.exec('DELETE FROM vcard WHERE username = $1', [username], { repeat: true })
    })
  },
})
