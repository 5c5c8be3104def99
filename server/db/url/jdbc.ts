/**
 * JDBC URLs of pgjdbc: jdbc:postgresql://host1:port1,host2:port2/database?user=…&password=….
 * What JDBC has no word for is printed as the nearest that it has: `read-write` as targetServerType=primary (pgjdbc asks whether the
 * server can be written to), `read-only` as secondary; hostaddr as the host, or not at all where the certificate's name is checked. One Unix socket is printed
 * the way pgjdbc documents it, with the junixsocket library; several hosts with a socket among them are a sentence that says so.
 */
import type { DatabaseAddress, SessionAttrs } from '../address.ts'
import { buildAddress, unknownValue } from './build.ts'
import { cutAt, type Draft, type Item, isList, newDraft, type Setting, say } from './draft.ts'
import { atCharacter, DatabaseUrlFault } from './fault.ts'
import { jdbcWords } from './jdbc-words.ts'
import { decodePercent, encodePercent } from './percent.ts'
import { furtherWords, hidden, type PrintOptions, reachedAt, withPort } from './printed.ts'

const advice =
  'In a JDBC URL user and password stand at the end (?user=…&password=…), and an IPv6 address stands in [ ].'
const example = 'jdbc:postgresql://db1:5432,db2:5432/lanthorn?user=lanthorn&password=secret&targetServerType=primary'

const javaAuthorities = 'org.postgresql.ssl.DefaultJavaSSLFactory'
const socketFactory = 'org.newsclub.net.unix.AFUNIXSocketFactory$FactoryArg'

/** pgjdbc's targetServerType, old names included. An office cannot work on a copy: preferring the main server means it. */
const serverTypes: Record<string, SessionAttrs> = {
  any: 'any',
  primary: 'primary',
  master: 'primary',
  preferprimary: 'primary',
  secondary: 'standby',
  slave: 'standby',
  prefersecondary: 'prefer-standby',
  preferslave: 'prefer-standby',
}
const printedTypes: Record<SessionAttrs, string> = {
  any: 'any',
  primary: 'primary',
  'read-write': 'primary',
  standby: 'secondary',
  'read-only': 'secondary',
  'prefer-standby': 'preferSecondary',
}

/**
 * Reads a JDBC URL that stands from `start` to `end` in `text`.
 * @throws DatabaseUrlFault
 */
export function readJdbc(text: string, start: number, end: number): DatabaseAddress {
  const head = /^jdbc:postgresql:/i.exec(text.slice(start, end))
  if (!head) {
    throw new DatabaseUrlFault(`The database URL is of JDBC but not for PostgreSQL: it begins like ${example}.`, start)
  }
  const draft = newDraft(advice, example)
  const question = text.indexOf('?', start)
  const stop = question < 0 || question > end ? end : question
  readPlace(text.slice(0, stop), start + head[0].length, draft)
  if (stop < end) readProperties({ text: text.slice(stop + 1, end), at: stop + 1 }, draft)
  return buildAddress(draft)
}

/** //host:port,host:port/database, or only a database (on this computer then). */
function readPlace(text: string, start: number, draft: Draft): void {
  const hasHosts = text.startsWith('//', start)
  const from = hasHosts ? start + 2 : start
  const slash = hasHosts ? text.indexOf('/', from) : from - 1
  const name = { text: slash < 0 ? '' : text.slice(slash + 1), at: slash + 1 }
  if (name.text !== '/') say(draft, 'dbname', [{ text: decodePercent(name, 'database name', ' '), at: name.at }])
  const list = hasHosts ? text.slice(from, slash < 0 ? text.length : slash) : ''
  if (list === '') {
    say(draft, 'host', [{ text: 'localhost', at: start }])
    return
  }
  if (list.includes('@')) {
    throw new DatabaseUrlFault(`The database URL names a user before its hosts ${atCharacter(from)}. ${advice}`, from)
  }
  const parts = cutAt(list, from, /,/g).map(splitPort)
  say(
    draft,
    'host',
    parts.map(part => part.host),
  )
  say(
    draft,
    'port',
    parts.map(part => part.port),
  )
}

/** pgjdbc: the last colon behind the last bracket begins the port. */
function splitPort({ text, at }: Item): { host: Item; port: Item } {
  const colon = text.lastIndexOf(':')
  const isPort = colon >= 0 && colon > text.lastIndexOf(']')
  const host = isPort ? text.slice(0, colon) : text
  const bare = host.startsWith('[') && host.endsWith(']') ? { text: host.slice(1, -1), at: at + 1 } : { text: host, at }
  return {
    host: bare,
    port: isPort ? { text: text.slice(colon + 1), at: at + colon + 1 } : { text: '', at: at + text.length },
  }
}

/** name=value&name=value, decoded as Java does: a plus sign is a space. */
function readProperties(query: Item, draft: Draft): void {
  const classes: { factory?: string; path?: Item } = {}
  for (const { text, at } of cutAt(query.text, query.at, /&/g)) {
    if (text === '') continue
    const equals = text.indexOf('=')
    const name = decodePercent(
      { text: equals < 0 ? text : text.slice(0, equals), at },
      'name of a parameter',
      ' ',
    ).toLowerCase()
    const valueAt = at + equals + 1
    const value =
      equals < 0 ? '' : decodePercent({ text: text.slice(equals + 1), at: valueAt }, 'value of a parameter', ' ')
    const item = { text: value, at: equals < 0 ? at : valueAt }
    if (name === 'sslfactory' && value === javaAuthorities) say(draft, 'sslrootcert', [{ text: 'system', at }])
    else if (name === 'socketfactory' && value === socketFactory) classes.factory = value
    else if (name === 'socketfactoryarg') classes.path = item
    else readProperty(name, at, item, draft)
  }
  if (classes.path) readSocket(classes.path, classes.factory !== undefined, draft)
}

function readProperty(name: string, at: number, value: Item, draft: Draft): void {
  // pgjdbc: "If ssl property is empty or set to true it implies verify-full"; sslmode says more.
  if (name === 'ssl') {
    const isOn = value.text === '' || value.text.toLowerCase() === 'true'
    if (isOn && !draft.settings.has('sslmode')) say(draft, 'sslmode', [{ text: 'verify-full', at }])
    return
  }
  const setting = jdbcWords.meaningOf(name, value.text, at)
  if (setting === undefined) return
  if (isList(setting)) say(draft, setting, cutAt(value.text, value.at, /,/g))
  else say(draft, setting, [translate(setting, value)])
}

function translate(setting: Setting, value: Item): Item {
  if (value.text === '') return value
  if (setting === 'target_session_attrs') {
    const attrs = serverTypes[value.text.toLowerCase()]
    if (!attrs) {
      const known = ['any', 'primary', 'secondary', 'preferPrimary', 'preferSecondary']
      throw unknownValue('targetServerType', known, value.at)
    }
    return { text: attrs, at: value.at }
  }
  if (setting === 'load_balance_hosts') {
    return { text: value.text.toLowerCase() === 'true' ? 'random' : 'disable', at: value.at }
  }
  if (setting === 'sslmode' || setting === 'channel_binding') return { text: value.text.toLowerCase(), at: value.at }
  return value
}

/** …/.s.PGSQL.5432 by the junixsocket library: the folder is the host. */
function readSocket({ text, at }: Item, isKnown: boolean, draft: Draft): void {
  const found = /^(\/.*)\/\.s\.PGSQL\.(\d{1,5})$/.exec(text)
  if (!isKnown || !found?.[1] || !found[2]) {
    throw new DatabaseUrlFault(
      `The database URL asks ${atCharacter(at)} for a connection by a class of Java, which is not run here: take it away.`,
      at,
    )
  }
  say(draft, 'host', [{ text: found[1], at }])
  say(draft, 'port', [{ text: found[2], at }])
}

/** Prints an address as a JDBC URL, with its password unless it is to be hidden; a sentence when JDBC cannot say it. */
export function printJdbc(address: DatabaseAddress, { isHidden = false }: PrintOptions = {}): string {
  const { hosts, user, password, database } = address
  const socket = hosts.find(({ host }) => host.startsWith('/'))
  if (socket && hosts.length > 1) return 'JDBC cannot name a Unix socket among several hosts.'
  const list = socket ? 'localhost' : hosts.map(host => withPort(reachedAt(host, address.tls), host.port)).join(',')
  const words = [['user', user], ...(password === '' ? [] : [['password', password]])]
  if (socket) {
    words.push(['socketFactory', socketFactory], ['socketFactoryArg', `${socket.host}/.s.PGSQL.${socket.port}`])
  }
  for (const [name, value] of furtherWords(address)) words.push(printedWord(name, value))
  const query = words.map(([name = '', value = '']) =>
    name === 'password' && isHidden ? `${name}=${hidden}` : `${name}=${encodePercent(value)}`,
  )
  return `jdbc:postgresql://${list}/${encodePercent(database)}?${query.join('&')}`
}

function printedWord(name: string, value: string): [name: string, value: string] {
  switch (name) {
    case 'target_session_attrs':
      return ['targetServerType', printedTypes[value as SessionAttrs]]
    case 'load_balance_hosts':
      return ['loadBalanceHosts', String(value === 'random')]
    case 'connect_timeout':
      return ['connectTimeout', value]
    case 'channel_binding':
      return ['channelBinding', value]
    case 'application_name':
      return ['ApplicationName', value]
    case 'sslrootcert':
      // pgjdbc looks for a file in the home folder unless it is told to use Java's own list of authorities.
      return value === 'system' ? ['sslfactory', javaAuthorities] : [name, value]
    default:
      return [name, value]
  }
}
