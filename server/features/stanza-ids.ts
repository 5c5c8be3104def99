/** XEP-0359: Unique and Stable Stanza IDs. The ids themselves are put on by core/message.ts; here the forged ones go. */
import { feature } from '../core/feature.ts'
import { tryJid } from '../xmpp/jid.ts'
import { NS_STANZA_ID } from '../xmpp/namespaces.ts'
import type { Stanza } from '../xmpp/stanza.ts'

export default feature({
  name: 'stanza-ids',
  title: 'Stanza ids',
  standards: [{ id: 'XEP-0359', title: 'Unique and Stable Stanza IDs', version: '0.7.0' }],
  start(server) {
    server.advertise('both', { features: [NS_STANZA_ID] })
    server.on('message:send', 'change', event => {
      if (event.stanza.has('stanza-id', NS_STANZA_ID)) event.stanza = withoutIdsBy(event.stanza, event.from.bare)
    })
    server.on('message:deliver', 'change', event => {
      if (event.stanza.has('stanza-id', NS_STANZA_ID)) event.stanza = withoutIdsBy(event.stanza, event.to.bare)
    })
  },
})

/** XEP-0359 §3, rule 2: an id in the name of `by` that `by` did not give MUST be deleted. */
export function withoutIdsBy(stanza: Stanza, by: string): Stanza {
  return stanza.without(child => {
    if (child.name !== 'stanza-id' || child.ns !== NS_STANZA_ID) return false
    return tryJid(stanza.attribute(child, 'by'))?.full === by
  })
}
