/** Lines for the zone of the office's domain: how chat apps find the PCs (RFC 6120 §3.2.1, RFC 2782, XEP-0368). */
import net from 'node:net'

/** One PC in the zone. */
export interface ZoneNode {
  /** 'front-desk': becomes the host front-desk.<domain> when it is known by address only. */
  readonly name: string
  /** Addresses or host names it can be reached at, best first. */
  readonly addresses: readonly string[]
  /** Ports that are open; a service whose port is undefined gets no line. */
  readonly c2s?: number | undefined
  readonly c2sTls?: number | undefined
}

const TTL_SECONDS = 300
const label = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/

/**
 * SRV lines for all PCs with the same priority and weight, so that apps spread over them and try another one when one does not answer, and the
 * address lines that they need. TTL five minutes: a PC that is taken out is forgotten soon.
 * @param domain as people write it in their addresses; other alphabets are written in ASCII (RFC 5891)
 * @returns lines of a zone file (RFC 1035 §5), each ending with a line feed; '' when no PC can stand in it
 */
export function zoneLines(domain: string, nodes: readonly ZoneNode[]): string {
  const zone = asciiOf(domain)
  if (zone === undefined) return ''
  const hosts = nodes.flatMap(node => {
    const host = hostOf(node, zone)
    return host === undefined ? [] : [{ node, host }]
  })
  const service = (name: string, port: (node: ZoneNode) => number | undefined): string[] =>
    hosts.flatMap(({ node, host }) => {
      const own = port(node)
      return own === undefined ? [] : [line(`${name}._tcp.${zone}.`, 'SRV', `10 50 ${own} ${host.name}.`)]
    })
  const addresses = hosts.flatMap(({ host }) =>
    host.addresses.map(address => line(`${host.name}.`, net.isIPv6(address) ? 'AAAA' : 'A', address)),
  )
  return [
    ...service('_xmpp-client', node => node.c2s),
    ...service('_xmpps-client', node => node.c2sTls),
    ...new Set(addresses),
  ].join('')
}

const line = (name: string, type: string, value: string): string => `${name} ${TTL_SECONDS} IN ${type} ${value}\n`

/** The name a PC has in the zone: its own host name, or one made of its name and the domain, with its addresses. */
function hostOf({ name, addresses }: ZoneNode, zone: string): { name: string; addresses: string[] } | undefined {
  const known = addresses.map(address => address.replace(/^\[(.*)\]$/, '$1'))
  const own = known.find(address => net.isIP(address) === 0 && address.includes('.'))
  const hostName = own === undefined ? undefined : asciiOf(own)
  // RFC 2782: the target must be a name with address lines; another zone has those of a name that is not below ours.
  if (hostName !== undefined) return { name: hostName, addresses: [] }
  // Link-local addresses mean something else on every PC.
  const reachable = known.filter(
    address => net.isIP(address) !== 0 && !/^(?:fe80:|169\.254\.|127\.|::1$)/i.test(address),
  )
  return label.test(name) && reachable.length > 0 ? { name: `${name}.${zone}`, addresses: reachable } : undefined
}

/** A domain as DNS has it; undefined when it cannot be one. */
function asciiOf(domain: string): string | undefined {
  const ascii = URL.parse(`http://${domain.replace(/\.$/, '')}`)?.hostname
  if (!ascii || ascii.length > 253 || net.isIP(ascii) !== 0) return undefined
  return ascii.split('.').every(part => label.test(part) || /^_?[A-Za-z0-9-]{1,62}$/.test(part)) ? ascii : undefined
}
