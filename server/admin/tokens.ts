/** Tokens: for scripts (kept as hashes in the database), and for this PC's own command line and browser (kept in memory). */
import { timingSafeEqual } from 'node:crypto'
import type { Accounts } from '../core/accounts.ts'
import { type Database, DatabaseAway } from '../db/pool.ts'
import type { Token } from './contract/session.ts'
import { refusal } from './problem.ts'
import { hashSecret, makeSecret } from './secret.ts'

const TOKENS_MAX = 100
const FRESH_MS = 15_000
const SEEN_EVERY_MS = 60_000
const DAY_MS = 24 * 60 * 60_000

interface TokenRow {
  id: string
  name: string
  made_by: string
  made_at: Date
  expires_at: Date | null
  last_used_at: Date | null
}

const columns = 'id, name, made_by, made_at, expires_at, last_used_at'

/** Tokens for scripts: each may do what its maker may do, for as long as the maker is an administrator. */
export class ScriptTokens {
  static readonly migrations: readonly string[] = [
    `CREATE TABLE script_token (
       id text COLLATE "C" PRIMARY KEY,
       hash text NOT NULL UNIQUE,
       name text NOT NULL,
       made_by text NOT NULL,
       made_at timestamptz NOT NULL,
       expires_at timestamptz,
       last_used_at timestamptz
     );`,
  ]

  readonly #db: Database
  readonly #accounts: Accounts
  readonly #now: () => number
  readonly #nextId: () => string
  readonly #known = new Map<string, { token: TokenRow; checkedAt: number }>()

  /** Told when a token may have become bad. */
  onRecheck: (() => void) | undefined

  constructor(options: { db: Database; accounts: Accounts; now: () => number; nextId: () => string }) {
    this.#db = options.db
    this.#accounts = options.accounts
    this.#now = options.now
    this.#nextId = options.nextId
  }

  /** Newest first. @throws DatabaseAway */
  async list(): Promise<Token[]> {
    const rows = await this.#db.query<TokenRow>(
      `SELECT ${columns} FROM script_token ORDER BY id DESC LIMIT $1`,
      [TOKENS_MAX],
      {
        repeat: true,
      },
    )
    return rows.map(toToken)
  }

  /**
   * Makes one.
   * @param days how long it is good for; null: until it is revoked
   * @returns it, and the secret that is kept nowhere
   * @throws Refusal when there are too many, or one of that name; DatabaseAway
   */
  async create(name: string, madeBy: string, days: number | null): Promise<{ token: Token; secret: string }> {
    const others = await this.list()
    if (others.length >= TOKENS_MAX) {
      throw refusal('refused', `There are ${TOKENS_MAX} tokens already: revoke those that nobody uses any more.`)
    }
    if (others.some(other => other.name === name)) {
      throw refusal('exists-already', `There is a token called “${name}” already: choose another name.`, {
        field: 'name',
      })
    }
    const secret = makeSecret('lanthorn_')
    const now = this.#now()
    const row = await this.#db.one<TokenRow>(
      `INSERT INTO script_token (id, hash, name, made_by, made_at, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6) RETURNING ${columns}`,
      [
        this.#nextId(),
        hashSecret(secret),
        name,
        madeBy,
        new Date(now),
        days === null ? null : new Date(now + days * DAY_MS),
      ],
    )
    if (!row) throw new Error('The database answered an insert without a row.')
    return { token: toToken(row), secret }
  }

  /** @returns the name of the token that is gone, undefined when there was none @throws DatabaseAway */
  async revoke(id: string): Promise<string | undefined> {
    const row = await this.#db.one<{ name: string }>('DELETE FROM script_token WHERE id = $1 RETURNING name', [id])
    this.recheck()
    return row?.name
  }

  /** Forgets what was believed: after a change of tokens, or of who is an administrator. */
  recheck(): void {
    this.#known.clear()
    this.onRecheck?.()
  }

  /** The token of a secret, if it is good. @throws DatabaseAway when nothing is known of it */
  async find(secret: string): Promise<{ id: string; name: string; username: string } | undefined> {
    const hash = hashSecret(secret)
    const now = this.#now()
    const known = this.#known.get(hash)
    const token = known && now - known.checkedAt < FRESH_MS ? known.token : await this.#check(hash, known?.token)
    if (!token || (token.expires_at && token.expires_at.getTime() <= now)) {
      this.#known.delete(hash)
      return undefined
    }
    if (now - (token.last_used_at?.getTime() ?? 0) >= SEEN_EVERY_MS) await this.#saveUse(token, now)
    return { id: token.id, name: token.name, username: token.made_by }
  }

  async #check(hash: string, known: TokenRow | undefined): Promise<TokenRow | undefined> {
    try {
      const token = await this.#db.one<TokenRow>(`SELECT ${columns} FROM script_token WHERE hash = $1`, [hash], {
        repeat: true,
      })
      const maker = token && (await this.#accounts.get(token.made_by))
      if (!token || !maker?.isAdmin || maker.isBlocked) return undefined
      // There are at most TOKENS_MAX of them.
      this.#known.set(hash, { token, checkedAt: this.#now() })
      return token
    } catch (error) {
      if (error instanceof DatabaseAway && known) return known
      throw error
    }
  }

  async #saveUse(token: TokenRow, now: number): Promise<void> {
    token.last_used_at = new Date(now)
    try {
      await this.#db.exec('UPDATE script_token SET last_used_at = $2 WHERE id = $1', [token.id, token.last_used_at], {
        repeat: true,
      })
    } catch (error) {
      // When it was used is worth less than that it can be used.
      if (!(error instanceof DatabaseAway)) throw error
    }
  }
}

function toToken(row: TokenRow): Token {
  return {
    id: row.id,
    name: row.name,
    madeBy: row.made_by,
    madeAt: row.made_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
  }
}

const LINKS_MAX = 16

/** Tokens of links for the browser of this PC: each is good once and for a short while. In memory only. */
export class LinkTokens {
  readonly #now: () => number
  readonly #links = new Map<string, number>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** @param lifeMs how long it is good for */
  make(lifeMs: number): { token: string; expiresAt: number } {
    const token = makeSecret()
    const until = this.#now() + lifeMs
    this.#links.set(hashSecret(token), until)
    const oldest = this.#links.keys().next().value
    if (this.#links.size > LINKS_MAX && oldest !== undefined) this.#links.delete(oldest)
    return { token, expiresAt: until }
  }

  /** Uses a token up. @returns false when it is none, or too old */
  take(token: string): boolean {
    const hash = hashSecret(token)
    const until = this.#links.get(hash)
    this.#links.delete(hash)
    return until !== undefined && this.#now() < until
  }
}

/** The token in run.json: whoever can read that file of this PC's data folder may do everything. */
export class RunToken {
  readonly secret = makeSecret('pc_')
  readonly #hash = Buffer.from(hashSecret(this.secret))

  isRight(secret: string): boolean {
    return timingSafeEqual(Buffer.from(hashSecret(secret)), this.#hash)
  }
}
