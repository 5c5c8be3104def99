/** From what was said to the address: defaults, limits and what does not go together (libpq's rules, manual 32.1). */
import { isIP } from 'node:net'
import {
  type ChannelBinding,
  type DatabaseAddress,
  HOSTS_MAX,
  type HostPort,
  type SessionAttrs,
  type TlsMode,
} from '../address.ts'
import type { Draft, Item, Setting } from './draft.ts'
import { atCharacter, DatabaseUrlFault } from './fault.ts'

const portDefault = 5432
const connectTimeoutMaxS = 600

const tlsModes: readonly TlsMode[] = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']
const bindings: readonly ChannelBinding[] = ['disable', 'prefer', 'require']
const balances = ['disable', 'random'] as const
const sessionAttrs: readonly SessionAttrs[] = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby']

/**
 * The address that a draft means.
 * @throws DatabaseUrlFault
 */
export function buildAddress(draft: Draft): DatabaseAddress {
  const { settings } = draft
  const hosts = hostsOf(draft)
  const user = settings.get('user')?.text
  if (user === undefined) throw new DatabaseUrlFault(`The database URL names no user, for example ${draft.example}.`)
  const channelBinding = oneOf(settings, 'channel_binding', bindings)
  const targetSessionAttrs = oneOf(settings, 'target_session_attrs', sessionAttrs)
  const loadBalanceHosts = oneOf(settings, 'load_balance_hosts', balances)
  const connectTimeoutS = secondsOf(settings.get('connect_timeout'))
  const applicationName = settings.get('application_name')?.text
  const options = settings.get('options')?.text
  return {
    hosts,
    user,
    password: settings.get('password')?.text ?? '',
    database: settings.get('dbname')?.text ?? user,
    ...tlsOf(settings, hosts),
    ...(channelBinding ? { channelBinding } : {}),
    ...(targetSessionAttrs ? { targetSessionAttrs } : {}),
    ...(loadBalanceHosts ? { loadBalanceHosts } : {}),
    ...(connectTimeoutS === undefined ? {} : { connectTimeoutS }),
    ...(applicationName ? { applicationName } : {}),
    ...(options ? { options } : {}),
  }
}

/**
 * sslmode and sslrootcert as libpq takes them (manual 32.19.1 and 32.1.2): `require` with an authority is `verify-ca`, `system` asks for
 * `verify-full`, a Unix socket has no TLS. `verify-ca` with the authorities of the whole world would let everybody in.
 */
function tlsOf(
  settings: Draft['settings'],
  hosts: readonly HostPort[],
): Pick<DatabaseAddress, 'tls' | 'authorityFile'> {
  const said = oneOf(settings, 'sslmode', tlsModes)
  const authority = settings.get('sslrootcert')
  if (hosts.every(({ host }) => host.startsWith('/'))) return { tls: 'disable' }
  if (authority?.text === 'system') {
    if (said === undefined || said === 'verify-full') return { tls: 'verify-full' }
    throw new DatabaseUrlFault(
      `The database URL asks for the system's authorities (sslrootcert=system) ${atCharacter(authority.at)}, which goes with sslmode=verify-full only.`,
      authority.at,
    )
  }
  if (said === 'verify-ca' && authority === undefined) {
    const at = settings.get('sslmode')?.at
    throw new DatabaseUrlFault(
      'The database URL has sslmode=verify-ca without sslrootcert: name the file with the authority that signed the servers’ certificates, or write verify-full.',
      at,
    )
  }
  const mode = said ?? 'prefer'
  if (authority === undefined) return { tls: mode }
  return { tls: mode === 'require' ? 'verify-ca' : mode, authorityFile: authority.text }
}

/** Hosts, ports and addresses put together: lists of the same length, or one port for all hosts. */
function hostsOf(draft: Draft): HostPort[] {
  const { hosts, ports, addresses } = draft
  const count = Math.max(hosts.length, addresses.length)
  if (count === 0) throw new DatabaseUrlFault(`The database URL names no host, for example ${draft.example}.`)
  const tooMany = (hosts.length > 0 ? hosts : addresses)[HOSTS_MAX]
  if (tooMany) {
    throw new DatabaseUrlFault(
      `The database URL names ${count} hosts: more than ${HOSTS_MAX} are not read (the first too many is ${atCharacter(tooMany.at)}).`,
      tooMany.at,
    )
  }
  if (hosts.length > 0 && addresses.length > 0 && hosts.length !== addresses.length) {
    throw unequal(`${addresses.length} addresses (hostaddr) for ${hosts.length} hosts`, addresses[0])
  }
  if (ports.length > 1 && ports.length !== count) {
    throw unequal(`${ports.length} ports for ${count} ${count === 1 ? 'host' : 'hosts'}`, ports[0])
  }
  const list = Array.from({ length: count }, (_, index) =>
    hostOf(draft, index, ports.length === 1 ? ports[0] : ports[index]),
  )
  refuseTwins(list, hosts.length > 0 ? hosts : addresses)
  return list
}

function unequal(what: string, item: Item | undefined): DatabaseUrlFault {
  const place = item ? ` ${atCharacter(item.at)}` : ''
  return new DatabaseUrlFault(
    `The database URL has ${what}${place}: write as many as there are hosts, or one port for all.`,
    item?.at,
  )
}

function hostOf({ hosts, addresses, advice }: Draft, index: number, portItem: Item | undefined): HostPort {
  const port = portOf(portItem, advice)
  const name = hosts[index]
  const address = addresses[index]
  const isNamed = name !== undefined && name.text !== ''
  if (address !== undefined && address.text !== '') {
    if (isIP(address.text) === 0) {
      throw new DatabaseUrlFault(
        `The hostaddr in the database URL ${atCharacter(address.at)} is no IP address: names belong into host.`,
        address.at,
      )
    }
    if (!isNamed) return { host: address.text, port }
    checkHost(name, advice)
    return { host: name.text, port, address: address.text }
  }
  if (!isNamed) {
    const at = name?.at ?? address?.at
    throw new DatabaseUrlFault(
      `Host ${index + 1} in the database URL is empty${at === undefined ? '' : ` ${atCharacter(at)}`}: write its name, or take the comma away.`,
      at,
    )
  }
  checkHost(name, advice)
  return { host: name.text, port }
}

function checkHost({ text, at }: Item, advice: string): void {
  if (text.startsWith('/')) {
    // A comma separates hosts in every spelling, a colon begins the port: a folder with one cannot be written down.
    if (!/[,:]/.test(text)) return
    throw new DatabaseUrlFault(
      `The folder of the socket in the database URL ${atCharacter(at)} has a comma or a colon in its name: such a folder cannot be used.`,
      at,
    )
  }
  if (text.length <= 253 && (isIP(text) > 0 || /^[\p{L}\p{M}\p{N}._-]+$/u.test(text))) return
  throw new DatabaseUrlFault(`The host in the database URL ${atCharacter(at)} is no name and no address. ${advice}`, at)
}

function portOf(item: Item | undefined, advice: string): number {
  if (item === undefined || item.text === '') return portDefault
  const port = /^\d{1,5}$/.test(item.text) ? Number(item.text) : 0
  if (port >= 1 && port <= 65_535) return port
  const help = /^\d+$/.test(item.text) ? '' : ` ${advice}`
  throw new DatabaseUrlFault(
    `The port in the database URL ${atCharacter(item.at)} is not a number from 1 to 65535.${help}`,
    item.at,
  )
}

/** The same server twice would look like two servers that carry the same data, which is what nobody wants to be told wrongly. */
function refuseTwins(hosts: readonly HostPort[], items: readonly Item[]): void {
  const seen = new Map<string, number>()
  for (const [index, { host, port, address }] of hosts.entries()) {
    const key = `${host}|${port}|${address ?? ''}`
    const before = seen.get(key)
    if (before !== undefined) {
      const at = items[index]?.at ?? 0
      throw new DatabaseUrlFault(
        `Host ${index + 1} in the database URL ${atCharacter(at)} is the same as host ${before + 1}: name each server once.`,
        at,
      )
    }
    seen.set(key, index)
  }
}

function oneOf<T extends string>(settings: Draft['settings'], name: Setting, known: readonly T[]): T | undefined {
  const item = settings.get(name)
  if (item === undefined) return undefined
  const found = known.find(value => value === item.text)
  if (found !== undefined) return found
  throw unknownValue(name, known, item.at)
}

/** The fault for a value that is not one of a list. */
export function unknownValue(name: string, known: readonly string[], at: number): DatabaseUrlFault {
  return new DatabaseUrlFault(
    `The database URL has a value for ${name} ${atCharacter(at)} that is not known; known are ${known.join(', ')}.`,
    at,
  )
}

function secondsOf(item: Item | undefined): number | undefined {
  if (item === undefined) return undefined
  const seconds = /^\d{1,4}$/.test(item.text) ? Number(item.text) : -1
  if (seconds >= 0 && seconds <= connectTimeoutMaxS) return seconds
  throw new DatabaseUrlFault(
    `The time for connecting in the database URL ${atCharacter(item.at)} is not a number of seconds from 0 to ${connectTimeoutMaxS}.`,
    item.at,
  )
}
