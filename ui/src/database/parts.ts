/** A database URL as the parts of a form, and back: libpq's `postgresql://` spelling only; the server reads all others. */

/** How the connection is encrypted: libpq's sslmode. */
export const tlsModes = ['prefer', 'require', 'verify-ca', 'verify-full', 'disable', 'allow'] as const
/** One of {@link tlsModes}. */
export type TlsMode = (typeof tlsModes)[number]

/** One server as it is typed; an empty port means the usual one. */
export interface HostRow {
  readonly host: string
  readonly port: string
}

/** What the form asks for. `rest` are the parameters that have no field of their own, as they were written. */
export interface Parts {
  readonly hosts: readonly HostRow[]
  readonly user: string
  readonly password: string
  readonly database: string
  readonly tls: TlsMode
  readonly rest: readonly string[]
}

/** The usual port of PostgreSQL. */
export const usualPort = '5432'
/** As many servers as one URL may name. */
export const hostsMax = 16

/** An empty form with one row. */
export const noParts: Parts = {
  hosts: [{ host: '', port: '' }],
  user: '',
  password: '',
  database: '',
  tls: 'prefer',
  rest: [],
}

/** The URL of a form (libpq, manual 32.1.1.2); rows without a host are left out; nothing filled in is the empty text. */
export function urlOf({ hosts, user, password, database, tls, rest }: Parts): string {
  const places = hosts
    .filter(row => row.host.trim() !== '')
    .map(({ host, port }) => placeOf(host.trim()) + (port.trim() === '' ? '' : `:${port.trim()}`))
  const login = encodeURIComponent(user.trim()) + (password === '' ? '' : `:${encodeURIComponent(password)}`)
  const name = encodeURIComponent(database.trim())
  if (places.length === 0 && login === '' && name === '') return ''
  const parameters = [...(tls === 'prefer' ? [] : [`sslmode=${tls}`]), ...rest]
  return [
    'postgresql://',
    login && `${login}@`,
    places.join(','),
    name && `/${name}`,
    parameters.length > 0 ? `${name ? '' : '/'}?${parameters.join('&')}` : '',
  ].join('')
}

function placeOf(host: string): string {
  // An address of version 6 stands in brackets, a folder with a socket is written with %2F.
  if (host.includes(':') && !host.startsWith('[')) return `[${host}]`
  return host.startsWith('/') ? encodeURIComponent(host) : host
}

const shape = /^postgres(?:ql)?:\/\/(?:([^:@/?#]*)(?::([^@/?#]*))?@)?([^@/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/i
const place = /^(\[[^\]]+\]|[^:[\]]*)(?::(\d*))?$/
/** Parameters that say once more what the other parts say: such a URL is left to the server. */
const doubled = ['host', 'hostaddr', 'port', 'user', 'password', 'dbname', 'service']

/** The form of a URL; undefined for everything but a well-formed `postgresql://` one. */
export function partsOf(url: string): Parts | undefined {
  const match = shape.exec(url.trim())
  if (!match) return undefined
  const [, user = '', password = '', places = '', database = '', query = ''] = match
  const parameters = query.split('&').filter(Boolean)
  const nameOf = (parameter: string) => parameter.split('=', 1)[0] ?? ''
  if (parameters.some(parameter => doubled.includes(nameOf(parameter)))) return undefined
  const tlsWord = parameters.find(parameter => nameOf(parameter) === 'sslmode')?.split('=', 2)[1]
  const tls = tlsModes.find(mode => mode === (tlsWord ?? 'prefer'))
  const found = places.split(',').map(text => place.exec(text))
  if (!tls || found.length > hostsMax || found.includes(null)) return undefined
  try {
    return {
      hosts: found.map(one => ({
        host: decodeURIComponent(one?.[1] ?? '').replace(/^\[|\]$/g, ''),
        port: one?.[2] ?? '',
      })),
      user: decodeURIComponent(user),
      password: decodeURIComponent(password),
      database: decodeURIComponent(database),
      tls,
      rest: parameters.filter(parameter => nameOf(parameter) !== 'sslmode'),
    }
  } catch {
    // A lone % is no encoding: the server has the sentence for it.
    return undefined
  }
}

const inAuthority = /^((?:jdbc:)?postgres(?:ql)?:\/\/[^:@/?#]*:)[^@/?#]*(?=@)/i
const inParameters = /\b((?:password|pwd)\s*=\s*)('(?:[^'\\]|\\.|'')*'|"(?:[^"]|"")*"|[^\s;&]+)/gi

/** The text of any of the four spellings with dots in place of the password. */
export function withoutPassword(text: string): string {
  return text.replace(inAuthority, '$1••••').replace(inParameters, '$1••••')
}
