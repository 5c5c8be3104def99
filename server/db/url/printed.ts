/** What every spelling prints of an address. */
import type { DatabaseAddress, HostPort, TlsMode } from '../address.ts'

/** What stands where a password is not shown. */
export const hidden = '••••'

/** How an address is printed: `isHidden` puts •••• in the place of the password. */
export interface PrintOptions {
  readonly isHidden?: boolean
}

/** The words behind hosts, user, password and database, by libpq's names, in the order in which they are printed. */
export function furtherWords(address: DatabaseAddress): [name: string, value: string][] {
  const { connectTimeoutS } = address
  const words: [string, string | undefined][] = [
    ['target_session_attrs', address.targetSessionAttrs],
    ['load_balance_hosts', address.loadBalanceHosts],
    ['connect_timeout', connectTimeoutS === undefined ? undefined : String(connectTimeoutS)],
    ['sslmode', address.tls],
    ['sslrootcert', authorityOf(address)],
    ['channel_binding', address.channelBinding],
    ['application_name', address.applicationName],
    ['options', address.options],
  ]
  return words.filter((word): word is [string, string] => word[1] !== undefined)
}

/** libpq looks for a file in the home folder unless it is told to ask the system (PostgreSQL 16 and later), which is what we do. */
function authorityOf({ tls, authorityFile }: DatabaseAddress): string | undefined {
  return authorityFile ?? (tls === 'verify-full' ? 'system' : undefined)
}

/** A host with its port as URLs and lists write it: an IPv6 address in brackets. */
export function withPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/**
 * The host for a spelling that has no word for hostaddr: the address itself, because the connection goes there, unless the name is
 * needed for the certificate.
 */
export function reachedAt({ host, address }: HostPort, tls: TlsMode): string {
  return address === undefined || tls === 'verify-full' ? host : address
}

/** hostaddr for all hosts, with nothing where a host has none; undefined when no host has one. */
export function addressList({ hosts }: DatabaseAddress): string | undefined {
  return hosts.some(host => host.address !== undefined) ? hosts.map(host => host.address ?? '').join(',') : undefined
}
