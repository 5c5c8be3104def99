/** XEP-0202: Entity Time. */
import { feature } from '../core/feature.ts'
import { xml } from '../xmpp/element.ts'
import { NS_TIME } from '../xmpp/namespaces.ts'

export default feature({
  name: 'time',
  title: 'Time of the server',
  standards: [{ id: 'XEP-0202', title: 'Entity Time', version: '2.0' }],
  start(server) {
    server.advertise('host', { features: [NS_TIME] })
    server.iq('host', 'get', NS_TIME, 'time', () => {
      const now = new Date(server.now())
      return xml(
        'time',
        { xmlns: NS_TIME },
        xml('tzo', {}, offsetText(-now.getTimezoneOffset())),
        xml('utc', {}, `${now.toISOString().slice(0, 19)}Z`),
      )
    })
  },
})

/** An offset from UTC as XEP-0082 §3.2 writes it. @param minutes east of UTC */
export function offsetText(minutes: number): string {
  const size = Math.abs(minutes)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`
}
