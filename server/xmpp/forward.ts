/** XEP-0297: Stanza Forwarding, as carbons and archives use it. */
import { delayXml } from './delay.ts'
import { escapeAttribute } from './element.ts'
import { NS_CLIENT, NS_FORWARD } from './namespaces.ts'
import { type Header, Stanza } from './stanza.ts'

/**
 * `<forwarded/>` as text around a stanza, which keeps its namespace (XEP-0297 section 3.2, rule 3).
 * @param stampMs when the stanza was received (milliseconds since 1970); undefined for one that is on its way right now
 */
export function forwardedXml(stanza: Stanza, stampMs?: number): string {
  const delay = stampMs === undefined ? '' : delayXml({ stampMs })
  return `<forwarded xmlns='${NS_FORWARD}'>${delay}${stanza.toDocument().toString()}</forwarded>`
}

const END = '</message>'

/**
 * A message of our own with one child around a forwarded stanza: a carbon, a result of an archive. Its bytes are put together and not
 * read again, as the forwarded ones were proved before: such messages are many.
 * @param header the attributes of the message
 * @param wrapper name, namespace and further attributes of the child
 * @param forwarded what forwardedXml gave
 */
export function forwardingMessage(
  { to, from, id, type, lang }: Header,
  wrapper: {
    readonly name: string
    readonly ns: string
    readonly attributes?: Readonly<Record<string, string | undefined>>
  },
  forwarded: string,
): Stanza {
  const { name, ns, attributes = {} } = wrapper
  const start = `<message${printed({ to, from, id, type, 'xml:lang': lang })}>`
  const bytes = Buffer.from(`${start}<${name}${printed({ xmlns: ns, ...attributes })}>${forwarded}</${name}>${END}`)
  const child = { name, ns, start: Buffer.byteLength(start), end: bytes.length - END.length }
  const parts = {
    kind: 'message',
    name: 'message',
    ns: NS_CLIENT,
    to,
    from,
    id,
    type,
    lang,
    bytes,
    idStart: 0,
    idEnd: 0,
  } as const
  return new Stanza(parts, [child])
}

function printed(attributes: Readonly<Record<string, string | undefined>>): string {
  let text = ''
  for (const name in attributes) {
    const value = attributes[name]
    if (value !== undefined) text += ` ${name}='${escapeAttribute(value)}'`
  }
  return text
}
