/** XEP-0297: Stanza Forwarding, as carbons and archives use it. */
import { delayXml } from './delay.ts'
import { NS_FORWARD } from './namespaces.ts'
import type { Stanza } from './stanza.ts'

/**
 * `<forwarded/>` as text around a stanza, which keeps its namespace (XEP-0297 section 3.2, rule 3).
 * @param stampMs when the stanza was received (milliseconds since 1970); undefined for one that is on its way right now
 */
export function forwardedXml(stanza: Stanza, stampMs?: number): string {
  const delay = stampMs === undefined ? '' : delayXml({ stampMs })
  return `<forwarded xmlns='${NS_FORWARD}'>${delay}${stanza.toDocument().toString()}</forwarded>`
}
