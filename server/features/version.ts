/** XEP-0092: Software Version. */
import { Type } from 'typebox'
import { feature } from '../core/feature.ts'
import { xml } from '../xmpp/element.ts'

const NS = 'jabber:iq:version'

export default feature({
  name: 'version',
  title: 'Software version',
  standards: [{ id: 'XEP-0092', title: 'Software Version', version: '1.1' }],
  page: 'Advanced',
  settings: Type.Object({
    shown: Type.Boolean({
      default: true,
      title: 'Tell the version of this server',
      description: 'Anybody who can reach the server may ask for it. When off, only the name is told.',
    }),
  }),
  start(server) {
    server.advertise('host', { features: [NS] })
    server.iq('host', 'get', NS, 'query', () =>
      xml(
        'query',
        { xmlns: NS },
        xml('name', {}, 'Lanthorn'),
        // XEP-0092 §2: <name/> and <version/> are required; the operating system is nobody's business (§5).
        xml('version', {}, server.settings.shown ? server.version : 'hidden'),
      ),
    )
  },
})
