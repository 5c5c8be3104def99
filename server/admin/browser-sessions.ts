/** Sign-ins of browsers: a random secret in a cookie, its hash in the database, so that a restart signs nobody out. */
import type { Logger } from 'pino'
import type { Accounts } from '../core/accounts.ts'
import { type Database, DatabaseAway } from '../db/pool.ts'
import { hashSecret, makeSecret } from './secret.ts'

/** Signed out after this long without a request, in milliseconds. */
const IDLE_MS = 60 * 60_000
/** Signed out after this long in any case. */
const LIFE_MS = 12 * 60 * 60_000
/** How long a sign-in is believed without asking the database again: what another PC ended is noticed by then. */
const FRESH_MS = 15_000
const SEEN_EVERY_MS = 60_000
const KEPT_MAX = 2_000
const PER_PERSON_MAX = 20

export interface BrowserSession {
  /** The hash of its secret. */
  readonly key: string
  readonly username: string
  readonly name: string
  /** Milliseconds since the epoch, as all times here. */
  readonly madeAt: number
  usedAt: number
  checkedAt: number
  savedAt: number
}

/** All sign-ins of browsers of this office that this PC has seen. */
export class BrowserSessions {
  static readonly migrations: readonly string[] = [
    `CREATE TABLE browser_session (
       key text PRIMARY KEY,
       username text NOT NULL,
       made_at timestamptz NOT NULL,
       used_at timestamptz NOT NULL,
       address text NOT NULL
     );
     CREATE INDEX browser_session_username ON browser_session (username);`,
  ]

  readonly #db: Database
  readonly #accounts: Accounts
  readonly #log: Logger
  readonly #now: () => number
  readonly #known = new Map<string, BrowserSession>()
  /** Told when one has ended: its pages are told, too. */
  onEnded: ((key: string) => void) | undefined

  constructor(options: { db: Database; accounts: Accounts; log: Logger; now: () => number }) {
    this.#log = options.log
    this.#db = options.db
    this.#accounts = options.accounts
    this.#now = options.now
  }

  /** Signs a browser in. @returns the secret for its cookie @throws DatabaseAway */
  async open(
    person: { username: string; name: string },
    address: string,
  ): Promise<{ secret: string; session: BrowserSession }> {
    const secret = makeSecret()
    const now = this.#now()
    const { username, name } = person
    const session: BrowserSession = {
      key: hashSecret(secret),
      username,
      name,
      madeAt: now,
      usedAt: now,
      checkedAt: now,
      savedAt: now,
    }
    await this.#db.exec(
      `INSERT INTO browser_session (key, username, made_at, used_at, address) VALUES ($1, $2, $3, $3, $4)
       ON CONFLICT (key) DO NOTHING`,
      [session.key, username, new Date(now), address],
      { repeat: true },
    )
    await this.#dropOld(username)
    this.#remember(session)
    return { secret, session }
  }

  /**
   * Who holds this secret; counts as a use. While the database is away, those seen before stay signed in.
   * @throws DatabaseAway when nothing is known of it
   */
  async find(secret: string): Promise<BrowserSession | undefined> {
    const key = hashSecret(secret)
    const now = this.#now()
    const known = this.#known.get(key)
    if (known && isOver(known, now)) {
      await this.end(key)
      return undefined
    }
    const isFresh = known !== undefined && now - known.checkedAt < FRESH_MS
    const session = isFresh ? known : await this.#check(key, known)
    if (!session) {
      this.#forget(key)
      return undefined
    }
    session.usedAt = now
    if (now - session.savedAt >= SEEN_EVERY_MS) void this.#saveUse(session, now)
    return session
  }

  /** When it ends if nothing more is asked. */
  expiresAt(session: BrowserSession): number {
    return Math.min(session.usedAt + IDLE_MS, session.madeAt + LIFE_MS)
  }

  /** The same for the one with this key; undefined when it is not known here. */
  expiresAtOf(key: string): number | undefined {
    const known = this.#known.get(key)
    return known && this.expiresAt(known)
  }

  /** Whether this PC holds it to be signed in; does not count as a use. */
  isOpen(key: string): boolean {
    const known = this.#known.get(key)
    return known !== undefined && !isOver(known, this.#now())
  }

  /** Signs out. @throws DatabaseAway; it is signed out on this PC all the same */
  async end(key: string): Promise<void> {
    this.#forget(key)
    await this.#db.exec('DELETE FROM browser_session WHERE key = $1', [key], { repeat: true })
  }

  /** Signs a person out everywhere, but not from the session `except`. @throws DatabaseAway */
  async endAllOf(username: string, except?: string): Promise<void> {
    for (const session of this.#known.values()) {
      if (session.username === username && session.key !== except) this.#forget(session.key)
    }
    await this.#db.exec('DELETE FROM browser_session WHERE username = $1 AND key <> $2', [username, except ?? ''], {
      repeat: true,
    })
  }

  /** Forgets what is over. Called every minute. @throws DatabaseAway */
  async sweep(): Promise<void> {
    const now = this.#now()
    for (const session of this.#known.values()) if (isOver(session, now)) this.#forget(session.key)
    await this.#db.exec(
      'DELETE FROM browser_session WHERE used_at < $1 OR made_at < $2',
      [new Date(now - IDLE_MS - 2 * SEEN_EVERY_MS), new Date(now - LIFE_MS)],
      { repeat: true },
    )
  }

  async #check(key: string, known: BrowserSession | undefined): Promise<BrowserSession | undefined> {
    try {
      const row = await this.#db.one<{ username: string; made_at: Date; used_at: Date }>(
        'SELECT username, made_at, used_at FROM browser_session WHERE key = $1',
        [key],
        { repeat: true },
      )
      const account = row && (await this.#accounts.get(row.username))
      if (!row || !account?.isAdmin || account.isBlocked) return undefined
      const now = this.#now()
      const session: BrowserSession = {
        key,
        username: row.username,
        name: account.name,
        madeAt: row.made_at.getTime(),
        usedAt: Math.max(row.used_at.getTime(), known?.usedAt ?? 0),
        checkedAt: now,
        savedAt: row.used_at.getTime(),
      }
      if (isOver(session, now)) return undefined
      this.#remember(session)
      return session
    } catch (error) {
      if (error instanceof DatabaseAway && known) return known
      throw error
    }
  }

  async #saveUse(session: BrowserSession, now: number): Promise<void> {
    session.savedAt = now
    try {
      await this.#db.exec('UPDATE browser_session SET used_at = $2 WHERE key = $1', [session.key, new Date(now)], {
        repeat: true,
      })
    } catch (error) {
      // The use counts in memory; it is written again in a minute.
      if (!(error instanceof DatabaseAway)) this.#log.error({ err: error }, 'the use of a sign-in could not be saved')
    }
  }

  /** Keeps the newest of a person, so that nobody fills the table by signing in. */
  async #dropOld(username: string): Promise<void> {
    const gone = await this.#db.query<{ key: string }>(
      `DELETE FROM browser_session WHERE key IN
         (SELECT key FROM browser_session WHERE username = $1 ORDER BY made_at DESC, key OFFSET $2) RETURNING key`,
      [username, PER_PERSON_MAX],
    )
    for (const { key } of gone) this.#forget(key)
  }

  #remember(session: BrowserSession): void {
    this.#known.set(session.key, session)
    if (this.#known.size <= KEPT_MAX) return
    const oldest = this.#known.keys().next().value
    if (oldest !== undefined) this.#known.delete(oldest)
  }

  #forget(key: string): void {
    if (this.#known.delete(key)) this.onEnded?.(key)
  }
}

function isOver(session: BrowserSession, now: number): boolean {
  return now >= session.usedAt + IDLE_MS || now >= session.madeAt + LIFE_MS
}
