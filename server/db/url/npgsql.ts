/**
 * Connection strings of Npgsql: Host=db1:5432,db2:5432;Username=me;Password="a;b";Database=chat, quoted by the rules of ADO.NET
 * (its class DbConnectionStringBuilder). hostaddr has no word there: it is printed as the host, or not at all where the certificate's name is checked.
 */
import type { DatabaseAddress, SessionAttrs } from '../address.ts'
import { buildAddress, unknownValue } from './build.ts'
import { cutAt, type Item, newDraft, type Setting, say } from './draft.ts'
import { atCharacter, DatabaseUrlFault } from './fault.ts'
import { npgsqlWords } from './npgsql-words.ts'
import { furtherWords, hidden, type PrintOptions, reachedAt, withPort } from './printed.ts'

const advice =
  'Hosts are written as Host=db1:5432,db2:5432, an IPv6 address in [ ], and a value with ; or quotes in "…".'
const example = 'Host=db1:5432,db2:5432;Username=lanthorn;Password=secret;Database=lanthorn'

const tlsModes = ['Disable', 'Allow', 'Prefer', 'Require', 'VerifyCA', 'VerifyFull']
const bindings = ['Disable', 'Prefer', 'Require']
const printedNames: Record<string, string> = {
  target_session_attrs: 'Target Session Attributes',
  load_balance_hosts: 'Load Balance Hosts',
  connect_timeout: 'Timeout',
  sslmode: 'SSL Mode',
  sslrootcert: 'Root Certificate',
  channel_binding: 'Channel Binding',
  application_name: 'Application Name',
  options: 'Options',
}
/** An office cannot work on a copy: preferring the main server means it. */
const sessionAttrs: Record<string, SessionAttrs> = {
  any: 'any',
  primary: 'primary',
  preferprimary: 'primary',
  standby: 'standby',
  preferstandby: 'prefer-standby',
  readwrite: 'read-write',
  readonly: 'read-only',
}

/**
 * Reads a connection string that stands from `start` to `end` in `text`.
 * @throws DatabaseUrlFault
 */
export function readNpgsql(text: string, start: number, end: number): DatabaseAddress {
  const draft = newDraft(advice, example)
  let hosts: { host: Item; port: Item }[] = []
  for (const { name, value } of pairsOf(text, start, end)) {
    const setting = npgsqlWords.meaningOf(name.text, value.text, name.at)
    if (setting === 'host') hosts = cutAt(value.text, value.at, /,/g).map(trimmed).map(splitPort)
    else if (setting !== undefined) say(draft, setting, [translate(setting, value)])
  }
  // Port=… counts for the hosts that name none, wherever it stands.
  const [general] = draft.ports
  say(
    draft,
    'host',
    hosts.map(({ host }) => host),
  )
  if (hosts.length > 0) {
    say(
      draft,
      'port',
      hosts.map(({ port }) => (port.text === '' ? (general ?? port) : port)),
    )
  }
  return buildAddress(draft)
}

function trimmed({ text, at }: Item): Item {
  return { text: text.trim(), at: at + text.length - text.trimStart().length }
}

/** host, host:port, [address]:port, an IPv6 address without a port and without brackets, or a folder. */
function splitPort({ text, at }: Item): { host: Item; port: Item } {
  const noPort = { text: '', at: at + text.length }
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text)
  if (bracketed) {
    const [, host = '', port] = bracketed
    return {
      host: { text: host, at: at + 1 },
      port: port === undefined ? noPort : { text: port, at: at + host.length + 3 },
    }
  }
  const colon = text.lastIndexOf(':')
  if (colon < 0 || text.indexOf(':') < colon) return { host: { text, at }, port: noPort }
  return { host: { text: text.slice(0, colon), at }, port: { text: text.slice(colon + 1), at: at + colon + 1 } }
}

function translate(setting: Setting, item: Item): Item {
  const { text, at } = trimmed(item)
  const plain = text.toLowerCase().replace(/[\s_-]/g, '')
  const known = (value: string | undefined, name: string, values: readonly string[]): Item => {
    if (value === undefined && text !== '') throw unknownValue(name, values, at)
    return { text: value ?? '', at }
  }
  switch (setting) {
    case 'target_session_attrs':
      return known(sessionAttrs[plain], 'Target Session Attributes', Object.values(sessionAttrs))
    case 'sslmode':
      return known(
        tlsModes
          .find(mode => mode.toLowerCase() === plain)
          ?.replace(/Verify/, 'verify-')
          .toLowerCase(),
        'SSL Mode',
        tlsModes,
      )
    case 'channel_binding':
      return known(bindings.find(mode => mode.toLowerCase() === plain)?.toLowerCase(), 'Channel Binding', bindings)
    case 'load_balance_hosts':
      return { text: plain === 'true' || plain === 'yes' ? 'random' : 'disable', at }
    default:
      return setting === 'port' || setting === 'connect_timeout' ? { text, at } : item
  }
}

/** name=value;name=value. A value in quotes doubles the quotes inside; without quotes the spaces around it do not count. */
function* pairsOf(text: string, start: number, end: number): Generator<{ name: Item; value: Item }> {
  const between = /[\s;]*/y
  let at = start
  for (;;) {
    between.lastIndex = at
    at += between.exec(text)?.[0].length ?? 0
    if (at >= end) return
    const equals = text.indexOf('=', at)
    const semicolon = text.indexOf(';', at)
    if (equals < 0 || equals >= end || (semicolon >= 0 && semicolon < equals)) {
      throw new DatabaseUrlFault(
        `The database URL has a word ${atCharacter(at)} that is not Name=value; a value with a semicolon stands in "…".`,
        at,
      )
    }
    const { value, stop } = readValue(text, equals + 1, end)
    yield { name: { text: text.slice(at, equals).trim(), at }, value }
    at = stop
  }
}

/** Gives the value and where the next pair may begin. */
function readValue(text: string, start: number, end: number): { value: Item; stop: number } {
  const from = start + (/^\s*/.exec(text.slice(start, end))?.[0].length ?? 0)
  const quote = text.charAt(from)
  if (quote !== '"' && quote !== "'") {
    const semicolon = text.indexOf(';', from)
    const stop = semicolon < 0 || semicolon > end ? end : semicolon
    return { value: { text: text.slice(from, Math.max(from, stop)).trimEnd(), at: from }, stop: Math.max(from, stop) }
  }
  let value = ''
  for (let at = from + 1; at < end; at++) {
    const character = text.charAt(at)
    if (character === quote && text.charAt(at + 1) !== quote) {
      const rest = /^\s*(?:;|$)/.exec(text.slice(at + 1, end))
      if (rest) return { value: { text: value, at: from + 1 }, stop: at + 1 + rest[0].length }
      throw new DatabaseUrlFault(
        `The database URL has something behind a closing quote ${atCharacter(at + 1)}: a quote inside of a value is written twice.`,
        at + 1,
      )
    }
    if (character === quote) at++
    value += character
  }
  throw new DatabaseUrlFault(
    `The database URL has a value ${atCharacter(from)} whose quote is never closed; a quote inside is written twice.`,
    from,
  )
}

/** Prints an address as an Npgsql connection string, with its password unless it is to be hidden. */
export function printNpgsql(address: DatabaseAddress, { isHidden = false }: PrintOptions = {}): string {
  const { hosts, user, password, database } = address
  const [first] = hosts
  const words: [string, string][] =
    first && hosts.length === 1
      ? [
          ['Host', reachedAt(first, address.tls)],
          ['Port', String(first.port)],
        ]
      : [['Host', hosts.map(host => withPort(reachedAt(host, address.tls), host.port)).join(',')]]
  words.push(['Username', user])
  if (password !== '') words.push(['Password', isHidden ? hidden : password])
  words.push(['Database', database])
  for (const [name, value] of furtherWords(address)) {
    // Npgsql asks the system for its authorities when no file is named.
    if (name !== 'sslrootcert' || value !== 'system')
      words.push([printedNames[name] ?? name, printedValue(name, value)])
  }
  return words.map(([name, value]) => `${name}=${quoted(value)}`).join(';')
}

function printedValue(name: string, value: string): string {
  if (name === 'load_balance_hosts') return String(value === 'random')
  if (name === 'sslmode') return tlsModes.find(mode => mode.toLowerCase() === value.replace('-', '')) ?? value
  return name === 'channel_binding' ? (bindings.find(mode => mode.toLowerCase() === value) ?? value) : value
}

/** As DbConnectionStringBuilder quotes: only where it must be, with the quote that is not inside. */
function quoted(value: string): string {
  if (/^[^"'=;\s\p{Cc}]+$/u.test(value)) return value
  return value.includes('"') && !value.includes("'") ? `'${value}'` : `"${value.replaceAll('"', '""')}"`
}
