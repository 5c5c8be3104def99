/** The two servers that the ready-made configuration is for: those of the URL, or made-up ones. */
import net from 'node:net'
import type { DatabaseAddress } from '../db/address.ts'

/** One of them. */
export interface SnippetServer {
  /** What the configuration calls it: “db-1”. */
  readonly name: string
  /** Name or address in the network. */
  readonly host: string
  readonly port: number
}

/** Everything that the configuration needs to know. */
export interface SnippetParts {
  readonly servers: readonly [SnippetServer, SnippetServer]
  readonly user: string
  readonly database: string
}

/** What may stand in a configuration file or a shell command without quotes. */
const plainName = /^[A-Za-z_][A-Za-z0-9_-]{0,62}$/
/** Words that mean somebody else in pg_hba.conf (manual 20.1) or in PgBouncer. */
const reserved = /^(all|replication|sameuser|samerole|samegroup|pgbouncer|postgres|repmgr)$/i
const plainHost = /^[A-Za-z0-9_.-]{1,253}$/

/** Takes what it can from an address; anything that would need quoting somewhere gives way to a made-up name. */
export function snippetParts(address: DatabaseAddress | undefined): SnippetParts {
  const server = (index: 0 | 1): SnippetServer => {
    const name = `db-${index + 1}`
    const { host, port } = address?.hosts[index] ?? { host: name, port: 5432 }
    return { name, host: plainHost.test(host) || net.isIPv6(host) ? host : name, port }
  }
  const plain = (text: string | undefined): string =>
    text !== undefined && plainName.test(text) && !reserved.test(text) ? text : 'lanthorn'
  return { servers: [server(0), server(1)], user: plain(address?.user), database: plain(address?.database) }
}

/** A host as pg_hba.conf names it: a name, or an address with the whole of its bits. */
export function hbaAddress(host: string): string {
  if (net.isIPv4(host)) return `${host}/32`
  return net.isIPv6(host) ? `${host}/128` : host
}

/** Host and port with brackets around an IPv6 address. */
export const placeIn = ({ host, port }: SnippetServer): string =>
  net.isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
