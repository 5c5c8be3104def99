/** Addresses of cluster ports as people write them: 'pc-1.example', '192.168.1.20:5275', '[fd00::1]:5275'. */
import net from 'node:net'

/** The port of the cluster where nothing else is said. */
export const clusterPort = 5275

export interface HostAddress {
  /** A name or an address without brackets; a link-local one with its zone: 'fe80::1%eth0'. */
  readonly host: string
  readonly port: number
}

const hostMax = 253
const nameParts = /^(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?$/i

/** Reads an address; without a port it is the cluster's usual one. Undefined when it is none. */
export function readAddress(text: string): HostAddress | undefined {
  const trimmed = text.trim()
  if (net.isIPv6(trimmed)) return { host: trimmed, port: clusterPort }
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(trimmed) ?? []
  const port = digits === undefined ? clusterPort : Number(digits)
  if (port < 1 || port > 65_535) return undefined
  if (bracketed !== undefined) return net.isIPv6(bracketed) ? { host: bracketed, port } : undefined
  if (plain === undefined || plain.length > hostMax || !(net.isIPv4(plain) || isName(plain))) return undefined
  return { host: plain, port }
}

/** 'host:port', IPv6 in brackets. */
export function printAddress(address: HostAddress): string {
  return `${net.isIPv6(address.host) ? `[${address.host}]` : address.host}:${address.port}`
}

/** An address of the operating system in one form: IPv4 in IPv6 ('::ffff:10.0.0.1') as IPv4. */
export function plainHost(host: string): string {
  return host.toLowerCase().startsWith('::ffff:') && net.isIPv4(host.slice(7)) ? host.slice(7) : host
}

// '10.0.0' or '1.2.3.400' is a mistyped address and no name.
const isName = (text: string): boolean => nameParts.test(text) && !/^[\d.]+$/.test(text)
