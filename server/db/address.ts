/** Where a PostgreSQL database is: one server or several that carry the same database, and how to reach each. */

/** libpq's sslmode, with its meaning (manual 32.19.3): only `verify-ca` and `verify-full` check the certificate. */
export type TlsMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'

/** libpq's target_session_attrs (manual 32.1.2): which of the hosts is wanted. */
export type SessionAttrs = 'any' | 'read-write' | 'read-only' | 'primary' | 'standby' | 'prefer-standby'

/** libpq's channel_binding: whether SCRAM is bound to the TLS connection. */
export type ChannelBinding = 'disable' | 'prefer' | 'require'

/** One server. `host` is a name, an address without brackets, or a folder with a Unix socket. */
export interface HostPort {
  readonly host: string
  readonly port: number
  /** libpq's hostaddr: connect here, `host` is only the name in the certificate. */
  readonly address?: string
}

/** Everything a database URL says. What it does not say is absent: then libpq's default counts. */
export interface DatabaseAddress {
  /** In order of preference. 1 to 16. */
  readonly hosts: readonly HostPort[]
  readonly user: string
  readonly password: string
  readonly database: string
  readonly tls: TlsMode
  /** PEM file with the authority that signed the servers' certificates; the system's authorities otherwise. */
  readonly authorityFile?: string
  readonly channelBinding?: ChannelBinding
  readonly targetSessionAttrs?: SessionAttrs
  /** `random`: hosts are tried in random order; otherwise in the order of the URL. */
  readonly loadBalanceHosts?: 'disable' | 'random'
  /** Seconds for one host; 0 or absent: our own limit. */
  readonly connectTimeoutS?: number
  readonly applicationName?: string
  /** Command line options for the session (`-c search_path=…`). */
  readonly options?: string
}

/** Everything needed to open one connection to one server. `host` may be a folder: then the Unix socket in it is used. */
export interface Connection {
  readonly host: string
  readonly port: number
  /** Connect here instead of looking `host` up. */
  readonly address?: string
  readonly user: string
  readonly password: string
  readonly database: string
  readonly tls: TlsMode
  readonly authorityFile?: string
  readonly channelBinding?: ChannelBinding
  readonly connectTimeoutS?: number
  readonly applicationName?: string
  readonly options?: string
}

/** The longest list of hosts that is read. */
export const HOSTS_MAX = 16

/** One connection per host, in the order of the address. */
export function connectionsOf(address: DatabaseAddress): Connection[] {
  const { hosts, targetSessionAttrs: _attrs, loadBalanceHosts: _balance, ...rest } = address
  return hosts.map(host => ({ ...rest, ...host }))
}

/** The address of one server alone. */
export function addressOf(connection: Connection): DatabaseAddress {
  const { host, port, address, ...rest } = connection
  return { ...rest, hosts: [{ host, port, ...(address === undefined ? {} : { address }) }] }
}

/** Where something is, for sentences and logs: no user, no password. Several hosts are joined by commas. */
export function placeOf(where: Connection | DatabaseAddress | HostPort): string {
  if ('hosts' in where) return where.hosts.map(placeOf).join(', ')
  const { host, port } = where
  if (host.startsWith('/')) return `${host} (socket)`
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
