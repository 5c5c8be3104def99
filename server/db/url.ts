/** Where a PostgreSQL database is: the words `embedded` and `postgresql://…` of one host (libpq's URI, manual section 32.1.1.2). */

import { addressOf, type Connection, type DatabaseAddress, type TlsMode } from './address.ts'

/** What a `database.url` means: our own PostgreSQL or somebody else's. */
export type DatabaseTarget = { kind: 'embedded' } | { kind: 'server'; address: DatabaseAddress }

/** A database URL that cannot be used; the message is one sentence for the person who wrote it. */
export class DatabaseUrlFault extends Error {
  override readonly name = 'DatabaseUrlFault'
}

const tlsModes: Record<string, TlsMode> = {
  disable: 'disable',
  allow: 'prefer',
  prefer: 'prefer',
  require: 'require',
  'verify-ca': 'verify-full',
  'verify-full': 'verify-full',
}

const example = 'for example postgresql://lanthorn:secret@db.office.example:5432/lanthorn'

/**
 * Reads the word `embedded` or a `postgresql://user:password@host:port/database?sslmode=…` URL of one host.
 * @throws DatabaseUrlFault with one sentence, never with the password in it
 */
export function parseDatabaseUrl(text: string): DatabaseTarget {
  const trimmed = text.trim()
  if (trimmed === 'embedded') return { kind: 'embedded' }
  if (trimmed === '') throw new DatabaseUrlFault(`The database URL is empty: write "embedded" or a URL, ${example}.`)
  if (/^jdbc:/i.test(trimmed)) {
    throw new DatabaseUrlFault(`JDBC spellings of a database URL are not read: write it without "jdbc:", ${example}.`)
  }
  if (!/^postgres(ql)?:\/\//i.test(trimmed)) {
    throw new DatabaseUrlFault(`A database URL begins with postgresql://, ${example}; or write "embedded".`)
  }
  const authority = trimmed.slice(trimmed.indexOf('//') + 2).split(/[/?#]/, 1)[0] ?? ''
  if (authority.slice(authority.lastIndexOf('@') + 1).includes(',')) {
    throw new DatabaseUrlFault('A database URL with more than one host is not read by this version: name one host.')
  }
  if (!URL.canParse(trimmed)) {
    throw new DatabaseUrlFault(
      `The database URL cannot be read: check the host, the port and that @ : / # ? in the password are written as %40 %3A %2F %23 %3F, ${example}.`,
    )
  }
  return { kind: 'server', address: addressOf(connectionOf(new URL(trimmed))) }
}

function connectionOf(url: URL): Connection {
  const parameters = url.searchParams
  for (const name of parameters.keys()) {
    if (!['sslmode', 'sslrootcert', 'application_name', 'host', 'port'].includes(name)) {
      throw new DatabaseUrlFault(
        `The database URL has the parameter "${name}", which is not known here; known are sslmode, sslrootcert, application_name, host and port.`,
      )
    }
  }
  const host = parameters.get('host') ?? decode(url.hostname.replace(/^\[|\]$/g, ''), 'host')
  const user = decode(url.username, 'user name')
  if (host === '') throw new DatabaseUrlFault(`The database URL names no host, ${example}.`)
  if (user === '') throw new DatabaseUrlFault(`The database URL names no user, ${example}.`)
  const mode = parameters.get('sslmode') ?? (host.startsWith('/') ? 'disable' : 'prefer')
  const tls = tlsModes[mode]
  if (!tls) {
    throw new DatabaseUrlFault(`The database URL has sslmode=${mode}; known are ${Object.keys(tlsModes).join(', ')}.`)
  }
  const authorityFile = parameters.get('sslrootcert')
  const applicationName = parameters.get('application_name')
  return {
    host,
    port: portOf(parameters.get('port') ?? url.port),
    user,
    password: decode(url.password, 'password'),
    database: decode(url.pathname.slice(1), 'database name') || user,
    tls,
    ...(authorityFile ? { authorityFile } : {}),
    ...(applicationName ? { applicationName } : {}),
  }
}

function portOf(text: string): number {
  if (text === '') return 5432
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port >= 1 && port <= 65_535) return port
  throw new DatabaseUrlFault(`The database URL has the port "${text}": a port is a number from 1 to 65535.`)
}

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new DatabaseUrlFault(`The ${part} in the database URL has a % that begins no code: write a plain % as %25.`)
  }
}

/** Prints a connection as a URL (with its password: for programs, not for screens or logs). */
export function printDatabaseUrl(connection: Connection): string {
  const isFolder = connection.host.startsWith('/')
  const host = connection.host.includes(':') ? `[${connection.host}]` : connection.host
  const url = new URL(`postgresql://${isFolder ? 'localhost' : host}:${connection.port}/`)
  url.username = encodeURIComponent(connection.user)
  url.password = encodeURIComponent(connection.password)
  url.pathname = `/${encodeURIComponent(connection.database)}`
  if (isFolder) url.searchParams.set('host', connection.host)
  url.searchParams.set('sslmode', connection.tls)
  if (connection.authorityFile) url.searchParams.set('sslrootcert', connection.authorityFile)
  if (connection.applicationName) url.searchParams.set('application_name', connection.applicationName)
  return url.toString()
}
