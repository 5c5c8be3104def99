/**
 * A join code as text: 'ACME-7Q4K-M2PX-…'. Behind the office's four letters, in Crockford's base32: where the office is, the hash of its authority's key, and
 * a secret that is good once. Capital or small letters, spaces, O for 0, I or L for 1 do not matter; a typo is told with its place.
 */
import net from 'node:net'
import { JoinFault } from '../welcome.ts'
import { clusterPort, type HostAddress, printAddress, readAddress } from './address.ts'
import { checkedLength, rowSymbols, withChecks, withoutChecks } from './check-symbols.ts'

export interface JoinCode {
  /** First 16 bytes of SHA-256 over the authority's SPKI, lower-case hex. */
  readonly officeId: string
  /** 16 bytes. */
  readonly secret: Buffer
  /** 'host:port' of the PC that made it, best first, 1 to 4. */
  readonly addresses: readonly string[]
}

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const formatVersion = 1
const [idBytes, secretBytes, headBytes] = [16, 16, 2]
const addressesMax = 4
const groupSigns = 4
/** The API takes 400 characters; five of them show four signs. */
const signsMax = 316
/** Shorter ones are something else: the code on two screens, a password. */
const signsMin = 16
const kinds = { ipv4: 1, ipv6: 2, name: 3 } as const
/** Set in the kind when a port follows. */
const hasPort = 0x10

/**
 * Writes a join code.
 * @param office name of the office: its first letters stand in front, for people only
 * @returns groups of four with dashes, at most 400 characters; addresses that do not fit or cannot be read are left out
 */
export function printJoinCode(code: JoinCode, office: string): string {
  const addresses: Buffer[] = []
  const head = Buffer.concat([Buffer.from(code.officeId, 'hex'), code.secret])
  if (head.length !== idBytes + secretBytes) throw new TypeError('a join code holds 16 bytes of id and 16 of secret')
  for (const text of code.addresses) {
    const address = readAddress(text)
    const packed = address && packAddress(address)
    if (!packed || addresses.length === addressesMax) continue
    const bytes = headBytes + head.length + Buffer.concat([...addresses, packed]).length
    if (checkedLength(symbolsOf(bytes)) <= signsMax) addresses.push(packed)
  }
  const tail = Buffer.concat([head, ...addresses])
  const payload = Buffer.concat([Buffer.from([(formatVersion << 4) | addresses.length, tail.length + headBytes]), tail])
  const signs = withChecks(toSymbols(payload)).map(symbol => alphabet.charAt(symbol))
  const groups = signs.join('').match(/.{4}/g) ?? []
  return [labelOf(office), ...groups].join('-')
}

/**
 * Reads a join code as people paste it.
 * @throws JoinFault 'wrong-code' with a sentence that says where the typo is, or what is missing
 */
export function readJoinCode(text: string): JoinCode {
  const signs = signsOf(text)
  if (signs.length < signsMin) {
    throw new JoinFault('wrong-code', 'This is no join code. It looks like ACME-7Q4K-M2PX-…: copy all of it.')
  }
  const symbols = [...signs.slice(groupSigns)].map((sign, index) => {
    const symbol = alphabet.indexOf(sign)
    if (symbol < 0) throw typo(signs, index, index)
    return symbol
  })
  const plain = withoutChecks(symbols.slice(0, rowSymbols))
  const first = Array.isArray(plain) ? toBytes(plain) : Buffer.alloc(0)
  if (first.length < headBytes) throw misread(text, signs, plain)
  if (first.readUInt8(0) >> 4 !== formatVersion) {
    throw new JoinFault(
      'wrong-code',
      'This join code was made by another version of Lanthorn. Install the same version on both PCs.',
    )
  }
  const bytes = first.readUInt8(1)
  const expected = checkedLength(symbolsOf(bytes))
  if (symbols.length !== expected) throw lengthFault(text, signs, expected + groupSigns)
  const all = withoutChecks(symbols)
  if (!Array.isArray(all)) throw typo(signs, all.from, all.to)
  const payload = toBytes(all).subarray(0, bytes)
  const addresses = unpackAddresses(payload.subarray(headBytes + idBytes + secretBytes))
  if (!addresses || addresses.length !== (payload.readUInt8(0) & 0x0f)) {
    throw new JoinFault('wrong-code', 'This is no join code of Lanthorn. Make a new one on the other PC.')
  }
  const secretAt = headBytes + idBytes
  return {
    officeId: payload.subarray(headBytes, secretAt).toString('hex'),
    secret: Buffer.from(payload.subarray(secretAt, secretAt + secretBytes)),
    addresses,
  }
}

/** Only the signs, each in its one form. */
function signsOf(text: string): string {
  // Crockford: O is read as 0, I and L as 1. The letters in front may be anything.
  const signs = text.toUpperCase().replaceAll(/[^\p{L}\p{N}]/gu, '')
  return signs.slice(0, groupSigns) + signs.slice(groupSigns).replaceAll('O', '0').replaceAll(/[IL]/g, '1')
}

function misread(text: string, signs: string, plain: ReturnType<typeof withoutChecks>): JoinFault {
  if (signs.length < groupSigns + rowSymbols || Array.isArray(plain)) return lengthFault(text, signs, undefined)
  return wrongGroup(text) ?? typo(signs, plain.from, plain.to)
}

function lengthFault(text: string, signs: string, expected: number | undefined): JoinFault {
  const group = wrongGroup(text)
  if (group) return group
  const is = expected !== undefined && signs.length > expected ? 'too long' : 'not whole'
  const of = expected === undefined ? '' : ` instead of ${expected}`
  return new JoinFault('wrong-code', `The join code is ${is}: it has ${signs.length} signs${of}. Copy all of it.`)
}

/** A group that has lost or gained a sign, when the groups were kept apart. */
function wrongGroup(text: string): JoinFault | undefined {
  const groups = text.split(/[^\p{L}\p{N}]+/u).filter(group => group !== '')
  const index = groups.findIndex(group => group.length !== groupSigns)
  const group = groups[index]
  const areKeptApart = groups.filter(one => one.length === groupSigns).length >= 3
  if (group === undefined || !areKeptApart) return undefined
  return new JoinFault(
    'wrong-code',
    `Group ${index + 1} of the join code, “${group.slice(0, 12)}”, has ${group.length} ${group.length === 1 ? 'sign' : 'signs'} instead of four.`,
  )
}

/** @param from first wrong sign, counted behind the letters in front @param to last one */
function typo(signs: string, from: number, to: number): JoinFault {
  const [first, last] = [from, to].map(place => Math.floor(place / groupSigns) + 1) as [number, number]
  const where =
    first === last
      ? `in group ${first + 1}, “${signs.slice(first * groupSigns, (first + 1) * groupSigns)}”`
      : `somewhere in groups ${first + 1} to ${last + 1}, “${signs.slice(first * groupSigns, (first + 1) * groupSigns)}” to “${signs.slice(last * groupSigns, (last + 1) * groupSigns)}”`
  return new JoinFault('wrong-code', `The join code has a typo ${where}. Compare it with the other screen.`)
}

/** Four letters of the office's name. */
function labelOf(office: string): string {
  const letters = office
    .normalize('NFKD')
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]/g, '')
  return letters.slice(0, groupSigns).padEnd(groupSigns, 'X')
}

function packAddress({ host, port }: HostAddress): Buffer | undefined {
  const portBytes = port === clusterPort ? Buffer.alloc(0) : Buffer.from([port >> 8, port & 0xff])
  const mark = port === clusterPort ? 0 : hasPort
  if (net.isIPv4(host)) return Buffer.from([kinds.ipv4 | mark, ...host.split('.').map(Number), ...portBytes])
  // A zone ('%eth0') has a meaning on this PC only.
  if (host.includes('%')) return undefined
  if (net.isIPv6(host)) return Buffer.concat([Buffer.from([kinds.ipv6 | mark]), ipv6Bytes(host), portBytes])
  const name = Buffer.from(host.toLowerCase())
  return Buffer.concat([Buffer.from([kinds.name | mark, name.length]), name, portBytes])
}

function unpackAddresses(bytes: Buffer): string[] | undefined {
  const addresses: string[] = []
  let at = 0
  const take = (count: number) => {
    at += count
    return bytes.subarray(at - count, at)
  }
  while (at < bytes.length) {
    const mark = take(1)[0] ?? 0
    const kind = mark & ~hasPort
    const host = unpackHost(kind, take)
    const portBytes = (mark & hasPort) === 0 ? undefined : take(2)
    if (host === undefined || at > bytes.length) return undefined
    const address = readAddress(printAddress({ host, port: portBytes?.readUInt16BE(0) ?? clusterPort }))
    if (!address) return undefined
    addresses.push(printAddress(address))
  }
  return addresses
}

function unpackHost(kind: number, take: (count: number) => Buffer): string | undefined {
  if (kind === kinds.ipv4) return [...take(4)].join('.')
  if (kind === kinds.name) return take(take(1)[0] ?? 0).toString('latin1')
  if (kind !== kinds.ipv6) return undefined
  const groups = take(16).toString('hex').match(/.{4}/g) ?? []
  const text = groups.map(group => Number.parseInt(group, 16).toString(16)).join(':')
  // The platform's own way to shorten an address (RFC 5952).
  return net.isIPv6(text) ? new URL(`http://[${text}]`).hostname.slice(1, -1) : undefined
}

function ipv6Bytes(host: string): Buffer {
  const plain = new URL(`http://[${host}]`).hostname.slice(1, -1)
  const [left = '', right] = plain.split('::')
  const before = left === '' ? [] : left.split(':')
  const behind = right === undefined || right === '' ? [] : right.split(':')
  const zeros = Array.from({ length: 8 - before.length - behind.length }, () => '0')
  return Buffer.from([...before, ...zeros, ...behind].map(group => group.padStart(4, '0')).join(''), 'hex')
}

const symbolsOf = (bytes: number): number => Math.ceil((bytes * 8) / 5)

function toSymbols(bytes: Buffer): number[] {
  const bits = [...bytes].map(byte => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{1,5}/g) ?? []).map(group => Number.parseInt(group.padEnd(5, '0'), 2))
}

function toBytes(symbols: readonly number[]): Buffer {
  const bits = symbols.map(symbol => symbol.toString(2).padStart(5, '0')).join('')
  return Buffer.from((bits.match(/.{8}/g) ?? []).map(group => Number.parseInt(group, 2)))
}
