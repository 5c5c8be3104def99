import { randomBytes } from 'node:crypto'
import { type Database, DatabaseFault } from '../db/pool.ts'
import { tryJid } from '../xmpp/jid.ts'
import { deriveVerifier, PasswordError, SCRAM_SALT_BYTES, type ScramHash, type Verifier } from '../xmpp/scram.ts'
import type { CacheHints } from './cache-hints.ts'
import type { HookTable } from './hooks.ts'
import { forStanza } from './patience.ts'
import { PerAccount } from './per-account.ts'

/** One person as lists show them. */
export interface Person {
  readonly username: string
  /** The name others see; the username if none was given. */
  readonly name: string
  readonly isAdmin: boolean
  readonly isBlocked: boolean
  readonly createdAt: Date
}

/** One person. Passwords are kept as SCRAM verifiers only (RFC 5802 §3): nobody can read them back. */
export interface Account extends Person {
  readonly verifiers: Readonly<Record<ScramHash, Verifier>>
}

/** Which rule says no: there is somebody of that name, or nobody; nobody could administer any more; it cannot be so. */
export type AccountReason = 'taken' | 'nobody' | 'last-administrator' | 'not-allowed'

/** A change that cannot be; the message is the sentence to show. */
export class AccountRefused extends Error {
  override readonly name = 'AccountRefused'
  /** 'username' or 'password' or 'name': the field at fault. */
  readonly field: string
  readonly reason: AccountReason

  constructor(field: string, message: string, reason: AccountReason = 'not-allowed') {
    super(message)
    this.field = field
    this.reason = reason
  }
}

interface PersonRow {
  username: string
  name: string
  is_admin: boolean
  is_blocked: boolean
  created_at: Date
}

interface AccountRow extends PersonRow {
  verifiers: Record<ScramHash, Record<string, string | number>>
}

const personColumns = 'username, name, is_admin, is_blocked, created_at'
const columns = `${personColumns}, verifiers`
const hashes: readonly ScramHash[] = ['SHA-1', 'SHA-256', 'SHA-512']
const PASSWORD_LENGTH_MIN = 8
const PASSWORD_LENGTH_MAX = 256
const NAME_LENGTH_MAX = 100
const USERNAME_LENGTH_MAX = 64
/** How long an account is believed without asking the database again, in milliseconds. */
const FRESH_MS = 5 * 60_000

/** The people of this office: one table, a short-lived cache. */
export class Accounts {
  readonly #db: Database
  readonly #hooks: HookTable
  readonly #domain: string
  readonly #iterations: () => number
  readonly #now: () => number
  readonly #hints: CacheHints
  readonly #cache: PerAccount<{ account: Account | null; readAt: number }>
  /** Set by who makes it: somebody with a session here was removed or blocked on another node. */
  onBarred: ((username: string) => void) | undefined

  static readonly migrations: readonly string[] = [
    `CREATE TABLE account (
       username text PRIMARY KEY,
       name text NOT NULL,
       is_admin boolean NOT NULL DEFAULT false,
       is_blocked boolean NOT NULL DEFAULT false,
       created_at timestamptz NOT NULL DEFAULT now(),
       verifiers jsonb NOT NULL
     );`,
  ]

  constructor(options: {
    db: Database
    hooks: HookTable
    domain: string
    iterations: () => number
    isPinned: (username: string) => boolean
    now: () => number
    hints: CacheHints
  }) {
    this.#db = options.db
    this.#hooks = options.hooks
    this.#domain = options.domain
    this.#iterations = options.iterations
    this.#now = options.now
    this.#hints = options.hints
    this.#cache = new PerAccount({
      isPinned: options.isPinned,
      load: async username => ({ account: await this.#read(username), readAt: this.#now() }),
    })
    options.hints.add('accounts', {
      outdated: username => this.#outdated(username),
      doubtAll: () => this.doubtAll(),
    })
  }

  async #outdated(username: string): Promise<void> {
    const found = await this.#cache.outdated(username)
    if (found && (!found.account || found.account.isBlocked)) this.onBarred?.(username)
  }

  /**
   * Who of these may not be here any more: removed or blocked, perhaps on another node while this one was cut off.
   * @throws DatabaseAway
   */
  async barredOf(usernames: readonly string[]): Promise<string[]> {
    const rows = await this.#db.query<{ username: string }>(
      'SELECT username FROM account WHERE username = ANY($1::text[]) AND NOT is_blocked',
      [usernames],
      { repeat: true },
    )
    const allowed = new Set(rows.map(row => row.username))
    return usernames.filter(username => !allowed.has(username))
  }

  /**
   * One account; at once if it was seen lately. While the database is away, what was seen before is believed.
   * @returns undefined when there is no such person
   * @throws DatabaseAway when nothing is known of the person
   */
  get(username: string): Account | undefined | Promise<Account | undefined> {
    const known = this.#cache.peek(username)
    const isDoubtful = this.#cache.isDoubtful(username)
    if (known && !isDoubtful && this.#now() - known.readAt < FRESH_MS) return known.account ?? undefined
    if (!known) return Promise.resolve(this.#cache.get(username)).then(found => found.account ?? undefined)
    // Somebody unknown may have been added meanwhile; somebody known is refreshed behind the answer.
    if (this.#db.state === 'away') return known.account ?? undefined
    if (isDoubtful) return Promise.resolve(this.#cache.get(username)).then(found => found.account ?? undefined)
    this.#cache.drop(username)
    const again = Promise.resolve(this.#cache.get(username)).then(found => found.account ?? undefined)
    if (!known.account) return again
    again.catch(() => this.#cache.set(username, known))
    return known.account
  }

  /** Another database server was promoted and may have lost changes: whoever asks next has the database asked, too. */
  doubtAll(): void {
    this.#cache.doubtAll()
  }

  /** Everybody, by username. */
  async list(): Promise<Person[]> {
    const rows = await this.#db.query<PersonRow>(`SELECT ${personColumns} FROM account ORDER BY username`, [], {
      repeat: true,
    })
    return rows.map(toPerson)
  }

  /** How many there are. */
  async count(): Promise<number> {
    const row = await this.#db.one<{ count: number }>('SELECT count(*)::int AS count FROM account', [], {
      repeat: true,
    })
    return row?.count ?? 0
  }

  /**
   * Adds a person.
   * @throws AccountRefused (name taken, not allowed, password too short), DatabaseAway
   */
  async create(options: { username: string; password: string; name?: string; isAdmin?: boolean }): Promise<Account> {
    const username = this.#checkUsername(options.username)
    const name = checkName(options.name?.trim() || options.username.trim())
    const verifiers = await this.#derive(options.password)
    try {
      const row = await this.#db.one<AccountRow>(
        `INSERT INTO account (username, name, is_admin, verifiers) VALUES ($1, $2, $3, $4) RETURNING ${columns}`,
        [username, name, options.isAdmin ?? false, JSON.stringify(pack(verifiers))],
      )
      if (!row) throw new Error('The database answered an insert without a row.')
      const account = toAccount(row)
      this.#cache.set(username, { account, readAt: this.#now() })
      await this.#hints.tell('accounts', username)
      await this.#hooks.run('account:created', { username })
      return account
    } catch (error) {
      if (error instanceof DatabaseFault && error.code === '23505') {
        throw new AccountRefused('username', `There is already somebody called ${username}.`, 'taken')
      }
      // Perhaps it was carried out all the same: nobody believes any longer that there is no such person.
      this.#cache.drop(username)
      throw error
    }
  }

  /** @throws AccountRefused, DatabaseAway */
  async setPassword(username: string, password: string): Promise<void> {
    const verifiers = await this.#derive(password)
    await this.#change(username, 'verifiers', JSON.stringify(pack(verifiers)))
  }

  async setName(username: string, name: string): Promise<void> {
    await this.#change(username, 'name', checkName(name.trim()))
  }

  async setBlocked(username: string, isBlocked: boolean): Promise<void> {
    if (isBlocked) await this.#mustLeaveAnAdmin(username)
    await this.#change(username, 'is_blocked', isBlocked)
  }

  async setAdmin(username: string, isAdmin: boolean): Promise<void> {
    if (!isAdmin) await this.#mustLeaveAnAdmin(username)
    await this.#change(username, 'is_admin', isAdmin)
  }

  /**
   * Removes a person and, through the hook, what features keep of them.
   * @throws AccountRefused when there is no such person, or it is the last administrator
   */
  async remove(username: string): Promise<void> {
    await this.#mustLeaveAnAdmin(username)
    // The account goes first: nobody can log in and make new rows while the features clean up.
    const removed = await this.#db.exec('DELETE FROM account WHERE username = $1', [username])
    this.#cache.drop(username)
    await this.#hints.tell('accounts', username)
    if (removed === 0) throw new AccountRefused('username', `There is nobody called ${username}.`, 'nobody')
    await this.#hooks.run('account:removed', { username })
  }

  async #read(username: string): Promise<Account | null> {
    const row = await this.#db.one<AccountRow>(`SELECT ${columns} FROM account WHERE username = $1`, [username], {
      repeat: true,
    })
    return row ? toAccount(row) : null
  }

  async #change(
    username: string,
    column: 'verifiers' | 'name' | 'is_blocked' | 'is_admin',
    value: unknown,
  ): Promise<void> {
    const { heard } = this.#cache
    let row: AccountRow | undefined
    try {
      row = await this.#db.one<AccountRow>(
        `UPDATE account SET ${column} = $2 WHERE username = $1 RETURNING ${columns}`,
        [username, value],
        forStanza,
      )
    } catch (error) {
      // Perhaps it was carried out all the same, and only the answer was lost.
      this.#cache.doubt(username)
      void this.#hints.tell('accounts', username)
      throw error
    }
    if (!row) throw new AccountRefused('username', `There is nobody called ${username}.`, 'nobody')
    this.#cache.set(username, { account: toAccount(row), readAt: this.#now() })
    if (heard !== this.#cache.heard) this.#cache.doubt(username)
    await this.#hints.tell('accounts', username)
  }

  async #mustLeaveAnAdmin(username: string): Promise<void> {
    const row = await this.#db.one<{ others: number; own: number }>(
      `SELECT count(*) FILTER (WHERE username <> $1)::int AS others, count(*) FILTER (WHERE username = $1)::int AS own
       FROM account WHERE is_admin AND NOT is_blocked`,
      [username],
      { repeat: true },
    )
    if (row?.own === 1 && row.others === 0) {
      const sentence = `${username} is the only administrator. Make somebody else one first.`
      throw new AccountRefused('username', sentence, 'last-administrator')
    }
  }

  #checkUsername(text: string): string {
    const jid = tryJid(`${text.trim()}@${this.#domain}`)
    const username = jid?.local
    if (!username || jid.resource !== undefined || jid.domain !== this.#domain) {
      throw new AccountRefused('username', 'A user name has no spaces and none of the signs " & \' / : < > @.')
    }
    if (username.length > USERNAME_LENGTH_MAX) {
      throw new AccountRefused('username', `A user name has at most ${USERNAME_LENGTH_MAX} letters.`)
    }
    return username
  }

  async #derive(password: string): Promise<Record<ScramHash, Verifier>> {
    if (password.length < PASSWORD_LENGTH_MIN) {
      throw new AccountRefused('password', `A password has at least ${PASSWORD_LENGTH_MIN} characters.`)
    }
    if (password.length > PASSWORD_LENGTH_MAX) {
      throw new AccountRefused('password', `A password has at most ${PASSWORD_LENGTH_MAX} characters.`)
    }
    try {
      const derived = await Promise.all(
        hashes.map(hash => deriveVerifier(hash, password, randomBytes(SCRAM_SALT_BYTES), this.#iterations())),
      )
      return Object.fromEntries(derived.map(verifier => [verifier.hash, verifier])) as Record<ScramHash, Verifier>
    } catch (error) {
      if (error instanceof PasswordError) throw new AccountRefused('password', error.message)
      throw error
    }
  }
}

function checkName(name: string): string {
  if (name.length === 0) throw new AccountRefused('name', 'A name has at least one letter.')
  if (name.length > NAME_LENGTH_MAX) throw new AccountRefused('name', `A name has at most ${NAME_LENGTH_MAX} letters.`)
  return name
}

function pack(verifiers: Record<ScramHash, Verifier>): unknown {
  return Object.fromEntries(
    Object.entries(verifiers).map(([hash, verifier]) => [
      hash,
      Object.fromEntries(
        Object.entries(verifier).map(([key, value]) => [
          key,
          Buffer.isBuffer(value) ? value.toString('base64') : value,
        ]),
      ),
    ]),
  )
}

function toAccount(row: AccountRow): Account {
  const unpack = (hash: ScramHash): Verifier => unpackVerifier(hash, row.verifiers[hash])
  return {
    ...toPerson(row),
    verifiers: { 'SHA-1': unpack('SHA-1'), 'SHA-256': unpack('SHA-256'), 'SHA-512': unpack('SHA-512') },
  }
}

function unpackVerifier(hash: ScramHash, packed: Record<string, string | number>): Verifier {
  return {
    hash,
    salt: Buffer.from(String(packed.salt), 'base64'),
    iterations: Number(packed.iterations),
    storedKey: Buffer.from(String(packed.storedKey), 'base64'),
    serverKey: Buffer.from(String(packed.serverKey), 'base64'),
  }
}

function toPerson({ username, name, is_admin, is_blocked, created_at }: PersonRow): Person {
  return { username, name, isAdmin: is_admin, isBlocked: is_blocked, createdAt: created_at }
}
