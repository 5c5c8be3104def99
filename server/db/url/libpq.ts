/** libpq's connection URIs (manual 32.1.1.2): postgresql://user:password@host1:port1,host2:port2/database?name=value&… */
import { isIPv6 } from 'node:net'
import type { DatabaseAddress } from '../address.ts'
import { buildAddress } from './build.ts'
import { cutAt, type Draft, type Item, isList, newDraft, say } from './draft.ts'
import { atCharacter, DatabaseUrlFault, example } from './fault.ts'
import { libpqWords } from './libpq-words.ts'
import { decodePercent, encodePercent } from './percent.ts'
import { addressList, furtherWords, hidden, type PrintOptions, withPort } from './printed.ts'

const advice = 'Write @ : / ? # % and , in a password as %40 %3A %2F %3F %23 %25 %2C, and an IPv6 address in [ ].'

/**
 * Reads a URI that begins with postgresql:// or postgres://.
 * @param start where it begins in `text`; `end`: where it ends (spaces around it are left out)
 * @throws DatabaseUrlFault
 */
export function readLibpq(text: string, start: number, end: number): DatabaseAddress {
  const draft = newDraft(advice, example)
  const uri = text.slice(0, end)
  let at = uri.indexOf('//', start) + 2
  refuseSpaces(uri, at)
  refuseStraySigns(uri, at)
  at = readUser(uri, at, draft)
  at = readHosts(uri, at, draft)
  if (uri[at] === '/') {
    const question = uri.indexOf('?', at)
    const stop = question < 0 ? end : question
    const name = { text: uri.slice(at + 1, stop), at: at + 1 }
    say(draft, 'dbname', [{ text: decodePercent(name, 'database name'), at: name.at }])
    at = stop
  }
  if (uri[at] === '?') readParameters({ text: uri.slice(at + 1), at: at + 1 }, draft)
  return buildAddress(draft)
}

function refuseSpaces(uri: string, from: number): void {
  const space = uri.slice(from).search(/\s/)
  if (space < 0) return
  const at = from + space
  throw new DatabaseUrlFault(
    `The database URL has a space or a line break ${atCharacter(at)}: take it away, or write it as %20 if it belongs there.`,
    at,
  )
}

/**
 * libpq would take what stands behind the first @ for the hosts, and what stands behind a slash for the database. With a second @, or one
 * behind a slash, that is not what was meant: a part of the password would become the name of a host.
 */
function refuseStraySigns(uri: string, start: number): void {
  const wrong = start + uri.slice(start).search(/[@/]/)
  const question = uri.indexOf('?', wrong)
  const last = uri.slice(0, question < 0 ? uri.length : question).lastIndexOf('@')
  if (wrong < start || last <= wrong) return
  throw new DatabaseUrlFault(
    `The password in the database URL has an @ or a / ${atCharacter(wrong)} that must be written as a code. ${advice}`,
    wrong,
  )
}

/** user:password@, if there is one: libpq looks for an @ before the first slash. Gives where the hosts begin. */
function readUser(uri: string, start: number, draft: Draft): number {
  const sign = uri.slice(start).search(/[@/]/)
  if (sign < 0 || uri[start + sign] !== '@') return start
  const stop = start + sign
  const colon = uri.slice(start, stop).indexOf(':')
  const name = { text: uri.slice(start, colon < 0 ? stop : start + colon), at: start }
  say(draft, 'user', [{ text: decodePercent(name, 'user name'), at: start }])
  if (colon >= 0) {
    const password = { text: uri.slice(start + colon + 1, stop), at: start + colon + 1 }
    say(draft, 'password', [{ text: decodePercent(password, 'password'), at: password.at }])
  }
  return stop + 1
}

/** host:port,host:port up to / or ?. Gives where they end. */
function readHosts(uri: string, start: number, draft: Draft): number {
  const length = uri.slice(start).search(/[/?]/)
  const end = length < 0 ? uri.length : start + length
  const hosts: Item[] = []
  const ports: Item[] = []
  for (const { text, at } of cutAt(uri.slice(start, end), start, /,/g)) {
    const { host, port } = splitPort(text, at)
    hosts.push({ text: decodePercent(host, 'host'), at: host.at })
    ports.push({ text: decodePercent(port, 'port'), at: port.at })
  }
  say(draft, 'host', hosts)
  say(draft, 'port', ports)
  return end
}

/** One host with its port. An IPv6 address stands in brackets. */
function splitPort(text: string, at: number): { host: Item; port: Item } {
  if (isIPv6(text)) {
    throw new DatabaseUrlFault(
      `The database URL has an IPv6 address ${atCharacter(at)} without brackets: it is written as [2001:db8::1]:5432.`,
      at,
    )
  }
  if (!text.startsWith('[')) {
    const colon = text.indexOf(':')
    if (colon < 0) return { host: { text, at }, port: { text: '', at: at + text.length } }
    return { host: { text: text.slice(0, colon), at }, port: { text: text.slice(colon + 1), at: at + colon + 1 } }
  }
  const close = text.indexOf(']')
  const rest = text.slice(close + 1)
  if (close < 2 || (rest !== '' && !rest.startsWith(':'))) {
    const wrong = close < 2 ? at : at + close + 1
    throw new DatabaseUrlFault(
      `The database URL has an IPv6 address ${atCharacter(wrong)} that is not in whole brackets: it is written as [2001:db8::1]:5432.`,
      wrong,
    )
  }
  return { host: { text: text.slice(1, close), at: at + 1 }, port: { text: rest.slice(1), at: at + close + 2 } }
}

/** name=value&name=value. */
function readParameters(query: Item, draft: Draft): void {
  if (query.text === '') return
  for (const { text, at } of cutAt(query.text, query.at, /&/g)) {
    const equals = text.indexOf('=')
    if (equals < 0) {
      throw new DatabaseUrlFault(
        `The database URL has a parameter ${atCharacter(at)} without a value: it is written as name=value, and an & inside of a value as %26.`,
        at,
      )
    }
    const name = decodePercent({ text: text.slice(0, equals), at }, 'name of a parameter')
    const value = { text: text.slice(equals + 1), at: at + equals + 1 }
    readParameter(name, at, value, draft)
  }
}

function readParameter(name: string, at: number, value: Item, draft: Draft): void {
  // "For improved compatibility with JDBC connection URIs, instances of parameter ssl=true are translated into sslmode=require."
  if (name === 'ssl' && value.text === 'true') {
    say(draft, 'sslmode', [{ text: 'require', at }])
    return
  }
  const part = 'value of a parameter'
  const setting = libpqWords.meaningOf(name, decodePercent(value, part), at)
  if (setting === undefined) return
  const pieces = isList(setting) ? cutAt(value.text, value.at, /,|%2c/gi) : [value]
  say(
    draft,
    setting,
    pieces.map(piece => ({ text: decodePercent(piece, part), at: piece.at })),
  )
}

/** Prints an address as a libpq URI, with its password unless it is to be hidden. */
export function printLibpq(address: DatabaseAddress, { isHidden = false }: PrintOptions = {}): string {
  const { user, password, database } = address
  const secret = password === '' ? '' : `:${isHidden ? hidden : encodePercent(password)}`
  const hosts = address.hosts.map(({ host, port }) =>
    host.includes(':') ? withPort(host.replaceAll('%', '%25'), port) : withPort(encodePercent(host), port),
  )
  const addresses = addressList(address)
  const words = [...(addresses === undefined ? [] : [['hostaddr', addresses] as const]), ...furtherWords(address)]
  const query = words.map(([name, value]) => `${name}=${encodePercent(value)}`).join('&')
  return `postgresql://${encodePercent(user)}${secret}@${hosts.join(',')}/${encodePercent(database)}?${query}`
}
