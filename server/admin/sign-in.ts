/** Checks a user name and a password against the SCRAM verifiers of the accounts, slowly on purpose for those who guess. */
import { randomBytes } from 'node:crypto'
import type { Account, Accounts } from '../core/accounts.ts'
import { neighbourOf } from '../net/neighbour.ts'
import { enforceLocal, JidError } from '../xmpp/jid.ts'
import { fakeVerifier, verifyPassword } from '../xmpp/scram.ts'
import type { Problem } from './contract/errors.ts'
import { Lockout } from './limits.ts'

const HASH = 'SHA-256'
/** Verifications at a time: each keeps one thread busy for about ten milliseconds. */
const RUNNING_MAX = 2
const WAITING_MAX = 20
const KNOWN_PLACES_MAX = 1_000

export type SignInResult =
  | { readonly account: Account }
  /** `isLocked`: from now on this account or address must wait. */
  | { readonly problem: Problem; readonly isLocked?: boolean }

/** Signing in with a password. One per server: it remembers who failed. */
export class SignIn {
  readonly #accounts: Accounts
  readonly #domain: string
  readonly #unknown: () => { secret: Buffer; iterations: number }
  readonly #perAddress: Lockout
  readonly #perAccount: Lockout
  /** "address username" pairs that have signed in: a stranger's failures do not lock them out. */
  readonly #knownPlaces = new Set<string>()
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(options: { accounts: Accounts; domain: string; iterations: () => number; now: () => number }) {
    const secret = randomBytes(32)
    this.#accounts = options.accounts
    this.#domain = options.domain
    this.#unknown = () => ({ secret, iterations: options.iterations() })
    this.#perAddress = new Lockout({ now: options.now })
    this.#perAccount = new Lockout({ now: options.now, free: 10 })
  }

  /**
   * @param typed user name or whole address
   * @param address IP address it comes from
   * @returns the account of an administrator, or what to answer
   * @throws DatabaseAway when the account is not known here
   */
  async check(typed: string, password: string, address: string): Promise<SignInResult> {
    const username = this.#usernameOf(typed)
    const from = neighbourOf(address)
    const place = `${from} ${username ?? ''}`
    const accountKey = this.#knownPlaces.has(place) ? undefined : (username ?? typed.toLowerCase())
    const waitMs = Math.max(this.#perAddress.waitMs(from), accountKey ? this.#perAccount.waitMs(accountKey) : 0)
    if (waitMs > 0) return { problem: lockedOut(waitMs) }
    if (this.#waiting.length >= WAITING_MAX) return { problem: tooBusy }
    // Found before the try is counted: a database that is away is nobody's wrong password.
    const account = username === undefined ? undefined : await this.#accounts.get(username)
    const nextWaitMs = Math.max(
      this.#perAddress.attempted(from),
      accountKey ? this.#perAccount.attempted(accountKey) : 0,
    )
    const isRight = await this.#verify(account, username ?? typed, password)
    if (!isRight || !account || account.isBlocked) {
      return nextWaitMs > 0 ? { problem: lockedOut(nextWaitMs), isLocked: true } : { problem: wrongPassword }
    }
    this.#perAddress.succeeded(from)
    if (accountKey) this.#perAccount.succeeded(accountKey)
    if (!account.isAdmin) return { problem: notAdministrator }
    this.#remember(place)
    return { account }
  }

  /** For somebody unknown the same work is done, so that the time tells nothing. */
  async #verify(account: Account | undefined, username: string, password: string): Promise<boolean> {
    const verifier = account?.verifiers[HASH] ?? fakeVerifier(HASH, username, this.#unknown())
    if (this.#running >= RUNNING_MAX) await new Promise<void>(resolve => this.#waiting.push(resolve))
    this.#running++
    try {
      return await verifyPassword(verifier, password)
    } finally {
      this.#running--
      this.#waiting.shift()?.()
    }
  }

  #usernameOf(typed: string): string | undefined {
    const text = typed.trim()
    const at = text.lastIndexOf('@')
    if (at >= 0 && text.slice(at + 1).toLowerCase() !== this.#domain) return undefined
    try {
      return enforceLocal(at >= 0 ? text.slice(0, at) : text)
    } catch (error) {
      // Nobody can have such a name: that is answered like any other wrong one.
      if (error instanceof JidError) return undefined
      throw error
    }
  }

  #remember(place: string): void {
    this.#knownPlaces.delete(place)
    this.#knownPlaces.add(place)
    const oldest = this.#knownPlaces.values().next().value
    if (this.#knownPlaces.size > KNOWN_PLACES_MAX && oldest !== undefined) this.#knownPlaces.delete(oldest)
  }
}

const wrongPassword: Problem = {
  code: 'wrong-password',
  sentence: 'The user name or the password is wrong.',
}
const notAdministrator: Problem = {
  code: 'not-administrator',
  sentence: 'Only administrators can open these pages: ask one of them to make you one.',
}
const tooBusy: Problem = {
  code: 'too-busy',
  sentence: 'Too many people sign in at this moment: try again in a few seconds.',
  waitSeconds: 5,
}

function lockedOut(waitMs: number): Problem {
  const waitSeconds = Math.ceil(waitMs / 1000)
  const time = waitSeconds < 90 ? `${waitSeconds} seconds` : `${Math.ceil(waitSeconds / 60)} minutes`
  return {
    code: 'locked-out',
    sentence: `Wrong too many times in a row: wait ${time}, then try again.`,
    waitSeconds,
  }
}
