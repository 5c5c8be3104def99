/** What can go wrong between us and PostgreSQL: the database is away (wait, try again) or it refused what was asked (a fault). */

/** Why the database cannot be reached or did not answer in time. */
export type AwayReason =
  | 'refused'
  | 'lost'
  | 'timeout'
  | 'busy'
  | 'starting'
  | 'denied'
  | 'untrusted'
  | 'readonly'
  | 'unknown-host'
  | 'outdated'
  | 'other-cluster'
  | 'two-primaries'
  | 'misconfigured'
  | 'closed'

/** The database is not there at the moment. Trying again later may help; `mayHaveRun` tells whether the statement may have been carried out. */
export class DatabaseAway extends Error {
  override readonly name = 'DatabaseAway'
  readonly reason: AwayReason
  readonly mayHaveRun: boolean

  constructor(reason: AwayReason, message: string, options: { mayHaveRun?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.reason = reason
    this.mayHaveRun = options.mayHaveRun ?? false
  }
}

/** PostgreSQL answered with an error: `code` is its SQLSTATE. Row values are left out on purpose: they may be somebody's message. */
export class DatabaseFault extends Error {
  override readonly name = 'DatabaseFault'
  readonly code: string
  readonly constraint: string | undefined
  readonly table: string | undefined

  constructor(code: string, message: string, options: { constraint?: string; table?: string; cause?: unknown } = {}) {
    super(`PostgreSQL refused: ${message} (SQLSTATE ${code})`, { cause: options.cause })
    this.code = code
    this.constraint = options.constraint
    this.table = options.table
  }
}

/** The embedded database cannot be made or started; the message is a sentence for the admin. */
export class EmbeddedFault extends Error {
  override readonly name = 'EmbeddedFault'
}

/** SQLSTATE classes and codes that mean "not now" (PostgreSQL manual, appendix A). */
const awayByState: Record<string, AwayReason> = {
  '57P01': 'lost', // admin_shutdown
  '57P02': 'lost', // crash_shutdown
  '57P03': 'starting', // cannot_connect_now
  '57P05': 'lost', // idle_session_timeout
  '25P03': 'lost', // idle_in_transaction_session_timeout
  '57014': 'timeout', // query_canceled: a time limit of the server
  '53300': 'busy', // too_many_connections
  '25006': 'readonly', // read_only_sql_transaction: a primary that was demoted
  '28P01': 'denied', // invalid_password
  '28000': 'denied', // invalid_authorization_specification
  '3D000': 'denied', // invalid_catalog_name
}

const awayBySystemCode: Record<string, AwayReason> = {
  ECONNREFUSED: 'refused',
  ENOENT: 'refused',
  ENOTFOUND: 'unknown-host',
  EAI_AGAIN: 'unknown-host',
  ETIMEDOUT: 'timeout',
  EHOSTUNREACH: 'timeout',
  ENETUNREACH: 'timeout',
  ECONNRESET: 'lost',
  EPIPE: 'lost',
}

/** What the server says of a statement that reached it after its deadline (see fence.ts): it was not carried out. */
export const lateMark = 'lanthorn-too-late'

/** Sentences that `pg` uses instead of codes. */
const awayByText: [RegExp, AwayReason][] = [
  [/does not support SSL|establishing an SSL connection|SCRAM-SHA-256-PLUS|channel binding/, 'untrusted'],
  [/unsupported startup parameter/, 'denied'],
  [/timeout/i, 'timeout'],
  [/terminat|closed|not queryable|ended|after calling end/i, 'lost'],
]

const sentences: Record<AwayReason, string> = {
  refused: 'refuses connections: is PostgreSQL running there?',
  lost: 'broke the connection.',
  timeout: 'did not answer in time.',
  busy: 'has no connection free at the moment.',
  starting: 'is starting or stopping.',
  denied: 'does not let us in: check the user name, the password and the name of the database.',
  untrusted: 'cannot be trusted: it has no TLS, or its certificate is not one that sslmode lets us accept.',
  readonly: 'only lets us read at the moment (it is a copy).',
  'unknown-host': 'has a host name that cannot be found: check the spelling and the DNS.',
  outdated: 'is a main database of the past: another server was promoted since.',
  'other-cluster': 'carries another database than the one that is used here.',
  'two-primaries': 'is one of two main databases at the same time.',
  misconfigured: 'cannot be used with this URL.',
  closed: 'is not used any more: this server is stopping.',
}

/**
 * The one sentence for "the database is away".
 * @param where host:port or socket folder, without user or password
 */
export function away(reason: AwayReason, where: string, options: { mayHaveRun?: boolean; cause?: unknown } = {}) {
  return new DatabaseAway(reason, `The database at ${where} ${sentences[reason]}`, options)
}

/**
 * Turns what `pg` or a socket threw into DatabaseAway or DatabaseFault; anything else is a bug and comes back as it was.
 * @param where host:port or socket folder, for the sentence
 * @param phase 'connect': nothing was sent yet; 'query': the statement may have been carried out
 */
export function classify(error: unknown, where: string, phase: 'connect' | 'query'): unknown {
  if (error instanceof DatabaseAway || error instanceof DatabaseFault || !(error instanceof Error)) return error
  const mayHaveRun = phase === 'query'
  const code = codeOf(error)
  if (error.message.includes(lateMark)) return away('timeout', where, { cause: error })
  if (code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !(code in awayBySystemCode)) {
    const reason = awayByState[code] ?? (code.startsWith('08') ? 'lost' : undefined)
    // These errors are PostgreSQL's own answer: the statement was rolled back.
    if (reason) return away(reason, where, { mayHaveRun: mayHaveRun && reason === 'lost', cause: error })
    const { constraint, table } = error as { constraint?: string; table?: string }
    return new DatabaseFault(code, error.message, {
      ...(constraint === undefined ? {} : { constraint }),
      ...(table === undefined ? {} : { table }),
      cause: error,
    })
  }
  const bySystem =
    code === undefined ? undefined : (awayBySystemCode[code] ?? (/CERT|SIGNATURE/.test(code) ? 'untrusted' : undefined))
  const reason = bySystem ?? awayByText.find(([pattern]) => pattern.test(error.message))?.[1]
  if (reason) return away(reason, where, { mayHaveRun, cause: error })
  return phase === 'connect' ? away('refused', where, { cause: error }) : error
}

function codeOf(error: Error): string | undefined {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return codeOf(error.errors[0])
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : undefined
}
