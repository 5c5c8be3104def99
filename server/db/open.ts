/** Opening a connection to one server: TLS as libpq's sslmode means it, channel binding, and what a pooler refuses at the start. */
import { readFileSync } from 'node:fs'
import net from 'node:net'
import tls from 'node:tls'
import pg from 'pg'
import { type Connection, placeOf } from './address.ts'
import { away, classify } from './errors.ts'
import { cut, type SessionLimits, within } from './session.ts'
import { DatabaseUrlFault } from './url.ts'

/** What a server was found to want: learned from its first refusal, used from then on. */
export interface Terms {
  /** `allow` and `prefer`: whether TLS is used; absent: what the mode tries first. */
  readonly encrypted?: boolean
  /** A pooler that refuses the start-up parameter `options`. */
  readonly withoutOptions?: boolean
}

export interface OpenClient {
  readonly client: pg.Client
  readonly terms: Terms
}

/** bigint (int8, count(*)) as a number: our counters stay far below 2^53, and one that does not must not be rounded silently. */
function parseBigint(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} does not fit a number: select it as text`)
  return value
}

const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8 && format !== 'binary'
      ? parseBigint
      : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
}

/** The time limit for connecting to a host: ours, or libpq's connect_timeout when that is shorter. */
export function connectLimitOf(connection: Connection, limits: SessionLimits): number {
  const { connectTimeoutS } = connection
  return connectTimeoutS ? Math.min(limits.connectTimeoutMs, connectTimeoutS * 1_000) : limits.connectTimeoutMs
}

/**
 * What `pg` needs to open this connection.
 * @throws DatabaseUrlFault when the authority's file cannot be read
 */
export function clientConfig(connection: Connection, limits: SessionLimits, terms: Terms = {}): pg.ClientConfig {
  const ssl = isEncrypted(connection, terms) ? tlsOptions(connection) : false
  const { options } = connection
  return {
    host: connection.address ?? connection.host,
    port: connection.port,
    user: connection.user,
    password: connection.password,
    database: connection.database,
    application_name: connection.applicationName ?? 'lanthorn',
    connectionTimeoutMillis: connectLimitOf(connection, limits),
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types,
    ssl,
    ...(options && !terms.withoutOptions ? { options } : {}),
    ...{ enableChannelBinding: ssl !== false && connection.channelBinding !== 'disable' },
  }
}

/** The client for a connection: with `channel_binding=require` one that tells its password to nobody who is not bound to the TLS connection. */
export function clientClassOf(connection: Connection): typeof pg.Client {
  return connection.channelBinding === 'require' ? BoundClient : pg.Client
}

/**
 * Opens a connection within the time limit; tries the other way where sslmode allows it, and without start-up parameters that are refused.
 * @param terms what was learned before
 * @throws DatabaseAway, DatabaseFault, DatabaseUrlFault
 */
export async function openClient(
  connection: Connection,
  limits: SessionLimits,
  terms: Terms = {},
): Promise<OpenClient> {
  const where = placeOf(connection)
  const end = performance.now() + connectLimitOf(connection, limits)
  let tried = terms
  for (;;) {
    const client = new (clientClassOf(connection))(clientConfig(connection, limits, tried))
    client.on('error', () => undefined) // the calls on it report what happens
    try {
      await within(client.connect(), Math.max(1, end - performance.now()), () => away('timeout', where))
      return { client, terms: tried }
    } catch (error) {
      cut(client)
      const next = otherTerms(connection, tried, error)
      if (!next || performance.now() >= end) throw classify(error, where, 'connect')
      tried = next
    }
  }
}

/** What else may be tried after this error; undefined: nothing. Each thing is changed once at most. */
function otherTerms(connection: Connection, terms: Terms, error: unknown): Terms | undefined {
  if (!(error instanceof Error)) return undefined
  const code = String((error as { code?: unknown }).code)
  if (/unsupported startup parameter/.test(error.message) && connection.options && !terms.withoutOptions) {
    return { ...terms, withoutOptions: true }
  }
  if (connection.host.startsWith('/') || connection.channelBinding === 'require') return undefined
  // 28000: pg_hba.conf has no entry for this kind of connection. The two modes that do not insist try the other one then.
  const isEncryptedNow = isEncrypted(connection, terms)
  const isNoTls =
    /does not support SSL|establishing an SSL connection/.test(error.message) || /^(ERR_SSL|EPROTO)/.test(code)
  if (connection.tls === 'prefer' && isEncryptedNow && (isNoTls || code === '28000'))
    return { ...terms, encrypted: false }
  const wantsTls = code === '28000' || /SSL|TLS/.test(error.message)
  if (connection.tls === 'allow' && !isEncryptedNow && terms.encrypted === undefined && wantsTls) {
    return { ...terms, encrypted: true }
  }
  return undefined
}

function isEncrypted(connection: Connection, terms: Terms): boolean {
  if (connection.host.startsWith('/') || connection.tls === 'disable') return false
  if (connection.tls === 'allow') return terms.encrypted === true
  return connection.tls !== 'prefer' || terms.encrypted !== false
}

/** libpq's table of sslmode (manual 32.19.3): `require` with an authority checks the chain as `verify-ca` does, for compatibility. */
function tlsOptions(connection: Connection): tls.ConnectionOptions {
  const { host, tls: mode, authorityFile } = connection
  const isFull = mode === 'verify-full' || authorityFile === 'system'
  const isChecked = isFull || mode === 'verify-ca' || (mode === 'require' && authorityFile !== undefined)
  return {
    rejectUnauthorized: isChecked,
    // The name in the certificate is that of the URL, also when hostaddr says where to connect.
    checkServerIdentity: (_name, certificate) => (isFull ? tls.checkServerIdentity(host, certificate) : undefined),
    ...(isChecked && authorityFile && authorityFile !== 'system' ? { ca: readAuthority(authorityFile) } : {}),
    ...(net.isIP(host) ? {} : { servername: host }),
  }
}

function readAuthority(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new DatabaseUrlFault(`The file ${file} (sslrootcert in the database URL) cannot be read: ${error}.`)
  }
}

interface Handshake extends NodeJS.EventEmitter {
  stream: net.Socket
}

/**
 * channel_binding=require (manual 32.1.2): SCRAM-SHA-256-PLUS or nothing. `pg` takes it when it is offered; this client refuses everything
 * else before anything is told. Its listeners stand before those of `pg`, and what is written to a destroyed socket goes nowhere.
 */
class BoundClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config)
    const { connection } = this as unknown as { connection: Handshake }
    let isBound = false
    const refuse = (): void => {
      const reason = new Error('channel binding is required, but the server does not offer SCRAM-SHA-256-PLUS')
      connection.emit('error', reason)
      connection.stream.destroy()
    }
    connection.on('authenticationCleartextPassword', refuse)
    connection.on('authenticationMD5Password', refuse)
    connection.on('authenticationSASL', ({ mechanisms }: { mechanisms: string[] }) => {
      if (!mechanisms.includes('SCRAM-SHA-256-PLUS')) refuse()
    })
    connection.on('authenticationSASLFinal', () => {
      isBound = true
    })
    connection.on('authenticationOk', () => {
      if (!isBound) refuse()
    })
  }
}

/** Says goodbye for at most a second, then cuts: a server that does not hear it loses the connection all the same. */
export async function farewell(client: pg.Client): Promise<void> {
  try {
    await within(client.end(), 1_000, () => new Error('no goodbye'))
  } catch {
    cut(client)
  }
}
