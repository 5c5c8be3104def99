/** RFC 7622: XMPP addresses. A Jid is always in its enforced form, so two are the same exactly if their `full` strings are. */
import { domainToASCII, domainToUnicode } from 'node:url'
import { enforceOpaque, enforceUsername, isUnicodeLabel, PrecisError } from './precis.ts'

/** Most bytes (UTF-8) of each of the three parts (RFC 7622 section 3.1). */
export const JID_PART_BYTES_MAX = 1023

/** Not an XMPP address; the message is a sentence that names the address and what is wrong with it. */
export class JidError extends Error {
  override readonly name = 'JidError'
}

/** An XMPP address in its enforced form. Made by parseJid, tryJid and createJid only. */
export class Jid {
  /** The part before the @, as in romeo@office.test; undefined for the address of a server or service. */
  readonly local: string | undefined
  readonly domain: string
  /** The part after the first slash; undefined in a bare JID. */
  readonly resource: string | undefined
  /** `local@domain`, or the domain alone. */
  readonly bare: string
  /** The whole address as text; equal to `bare` when there is no resource. */
  readonly full: string
  #bareJid: Jid | undefined

  /** For this file only: takes parts that are enforced already. */
  constructor(local: string | undefined, domain: string, resource: string | undefined) {
    this.local = local
    this.domain = domain
    this.resource = resource
    this.bare = local === undefined ? domain : `${local}@${domain}`
    this.full = resource === undefined ? this.bare : `${this.bare}/${resource}`
  }

  /** No resource: an account, a room, or a server. */
  get isBare(): boolean {
    return this.resource === undefined
  }

  /** With a resource: a connection, or an occupant of a room. */
  get isFull(): boolean {
    return this.resource !== undefined
  }

  /** Neither local part nor resource: a server or service itself. */
  get isDomain(): boolean {
    return this.local === undefined && this.resource === undefined
  }

  /** The same address without resource (itself when it has none). */
  toBare(): Jid {
    if (this.resource === undefined) return this
    this.#bareJid ??= new Jid(this.local, this.domain, undefined)
    return this.#bareJid
  }

  /** The same address with another resource; undefined takes it away. @throws JidError when the resource is not allowed */
  withResource(resource: string | undefined): Jid {
    if (resource === undefined) return this.toBare()
    return new Jid(this.local, this.domain, enforceResource(resource))
  }

  /** Same local part, domain and resource. */
  equals(other: Jid): boolean {
    return this.full === other.full
  }

  /** Same local part and domain, whatever the resource. */
  equalsBare(other: Jid): boolean {
    return this.bare === other.bare
  }

  toString(): string {
    return this.full
  }

  toJSON(): string {
    return this.full
  }
}

// Two generations of at most this many addresses each: when the young one is full it becomes the old one, and what was not asked for since is forgotten.
const MEMO_ENTRIES_MAX = 5000
const MEMO_TEXT_LENGTH_MAX = 256
let young = new Map<string, Jid>()
let old = new Map<string, Jid>()

function remember(text: string, jid: Jid): Jid {
  if (text.length > MEMO_TEXT_LENGTH_MAX) return jid
  if (young.size >= MEMO_ENTRIES_MAX) {
    old = young
    young = new Map()
  }
  young.set(text, jid)
  return jid
}

/**
 * Reads an address (RFC 7622 section 3); text already read lately costs one look-up.
 * @throws JidError with a sentence when it is not one
 */
export function parseJid(text: string): Jid {
  const known = young.get(text)
  if (known !== undefined) return known
  const aged = old.get(text)
  if (aged !== undefined) return remember(text, aged)
  if (text.length > 3 * JID_PART_BYTES_MAX + 2) throw new JidError('The address is longer than 3071 bytes.')
  // A copy of its own, because a part cut out of a stanza would keep the whole stanza in memory.
  const own = text.length > 12 ? Buffer.from(text, 'utf16le').toString('utf16le') : text
  const slash = own.indexOf('/')
  const beforeSlash = slash === -1 ? own : own.slice(0, slash)
  const at = beforeSlash.indexOf('@')
  return remember(
    own,
    createJid(
      at === -1 ? undefined : beforeSlash.slice(0, at),
      beforeSlash.slice(at + 1),
      slash === -1 ? undefined : own.slice(slash + 1),
    ),
  )
}

/** As parseJid, but undefined when it is not an address (or there is no text). */
export function tryJid(text: string | undefined): Jid | undefined {
  if (text === undefined) return undefined
  try {
    return parseJid(text)
  } catch (error) {
    if (error instanceof JidError) return undefined
    throw error
  }
}

/** An address from its parts, each enforced. @throws JidError when one of them is not allowed */
export function createJid(local: string | undefined, domain: string, resource?: string): Jid {
  return new Jid(
    local === undefined ? undefined : enforceLocal(local),
    enforceDomain(domain),
    resource === undefined ? undefined : enforceResource(resource),
  )
}

/** The enforced form of a local part, such as a user name (RFC 7622 section 3.3). @throws JidError */
export function enforceLocal(local: string): string {
  const result = enforce('The name before the @', local, enforceUsername)
  // RFC 7622 section 3.3.1: allowed in user names elsewhere, but not in XMPP.
  const forbidden = /["&'/:<>@]/.exec(result)?.[0]
  if (forbidden !== undefined)
    throw new JidError(`The name “${shown(local)}” may not contain ${forbidden} (nor any of " & ' / : < > @).`)
  return result
}

/** The enforced form of a resource (RFC 7622 section 3.4). @throws JidError */
export function enforceResource(resource: string): string {
  const result = enforce('The resource', resource, enforceOpaque)
  // Example 18 of RFC 7622 section 3.5.
  if (result.startsWith(' ')) throw new JidError('The resource may not begin with a space.')
  return result
}

function enforce(what: string, text: string, profile: (text: string) => string): string {
  if (text === '') throw new JidError(`${what} is empty.`)
  try {
    const result = profile(text)
    if (result.length * 3 > JID_PART_BYTES_MAX && Buffer.byteLength(result) > JID_PART_BYTES_MAX)
      throw new JidError(`${what} is longer than ${JID_PART_BYTES_MAX} bytes.`)
    return result
  } catch (error) {
    if (error instanceof PrecisError) throw new JidError(`${what}, “${shown(text)}”, cannot be used: ${error.message}.`)
    throw error
  }
}

const shown = (text: string) => (text.length > 40 ? `${text.slice(0, 40)}…` : text)

// LDH labels, and the underscore that names of office PCs have; RFC 1034: 63 bytes a label, 253 in all.
const ASCII_DOMAIN = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/
const NOT_IN_NAMES = /[\0-,/:-@[-^`{-\u007F]/
const DOMAIN_LENGTH_MAX = 253

/**
 * The enforced form of a domain: lower case, U-labels, no final dot; or an IPv4 address, or an IPv6 address in brackets
 * (RFC 7622 section 3.2, RFC 3986 section 3.2.2, RFC 6874). @throws JidError
 */
export function enforceDomain(domain: string): string {
  const fault = (why: string) => new JidError(`The domain “${shown(domain)}” cannot be used: ${why}.`)
  // RFC 7622 section 3.2: a final label separator MUST be stripped before anything else is done.
  const stripped = /[.\u3002\uFF0E\uFF61]$/.test(domain) ? domain.slice(0, -1) : domain
  if (stripped === '') throw new JidError('The address has no domain.')
  if (stripped.startsWith('[')) return enforceIpv6(stripped) ?? throwFault(fault('it is not an IPv6 address'))
  const lower = stripped.toLowerCase()
  if (ASCII_DOMAIN.test(lower) && !lower.includes('xn--')) {
    if (lower.length > DOMAIN_LENGTH_MAX) throw fault(`it is longer than ${DOMAIN_LENGTH_MAX} bytes`)
    return lower
  }
  const bad = NOT_IN_NAMES.exec(stripped)?.[0]
  if (bad !== undefined) throw fault(`a domain may not contain ${JSON.stringify(bad)}`)
  const ascii = domainToASCII(stripped)
  const unicode = domainToUnicode(stripped)
  if (!ASCII_DOMAIN.test(ascii)) throw fault('it is not a domain name')
  if (ascii.length > DOMAIN_LENGTH_MAX || Buffer.byteLength(unicode) > JID_PART_BYTES_MAX) throw fault('it is too long')
  for (const label of unicode.split('.'))
    if (label.startsWith('xn--') || !isUnicodeLabel(label))
      throw fault(`“${shown(label)}” is not allowed in a domain name`)
  return unicode
}

function throwFault(error: JidError): never {
  throw error
}

function enforceIpv6(literal: string): string | undefined {
  const match = /^\[([0-9A-Fa-f:.]+)(%25[\w.~-]+)?\]$/.exec(literal)
  const address = match === null ? null : URL.parse(`http://[${match[1]}]/`)
  if (address === null) return undefined
  return `${address.hostname.slice(0, -1)}${match?.[2] ?? ''}]`
}
