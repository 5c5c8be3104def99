/** XEP-0199: XMPP Ping. */
import { feature } from '../core/feature.ts'
import { stanzaError } from '../xmpp/errors.ts'
import { NS_PING } from '../xmpp/namespaces.ts'

export default feature({
  name: 'ping',
  title: 'Ping',
  standards: [{ id: 'XEP-0199', title: 'XMPP Ping', version: '2.0.1' }],
  start(server) {
    server.advertise('both', { features: [NS_PING] })
    server.iq('host', 'get', NS_PING, 'ping', () => undefined)
    server.iq('account', 'get', NS_PING, 'ping', ({ isOwn }) => {
      // A pong for somebody else's account would tell strangers that it exists (RFC 6120 §13.10.2).
      if (!isOwn) throw stanzaError('service-unavailable')
    })
  },
})
