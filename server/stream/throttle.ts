/** Limits on strangers and on hurry: connections and failed logins per address and account, stanzas and bytes per session. */

/** The part of the settings that is asked here; always current. */
export interface ThrottleSettings {
  readonly connectionsPerAddress: number
  readonly newConnectionsPerSecond: number
  readonly failedLoginsPerAccount: number
  readonly failedLoginsPerAddress: number
}

interface AddressState {
  /** Connections that are open now. */
  open: number
  /** New connections that may still be made at once; refilled with time. */
  tokens: number
  refilledAt: number
}

interface Failures {
  /** Failed logins in a row. */
  count: number
  /** Milliseconds since the epoch until which nobody may try. */
  lockedUntil: number
  lastAt: number
}

/** How many addresses, accounts and devices are remembered at most; when there are more, those unused longest are forgotten. */
const REMEMBERED_MAX = 20_000
/** A new address may open this many seconds' worth of connections at once. */
const CONNECTION_BURST_SECONDS = 10
const FIRST_LOCK_MS = 2_000
const LONGEST_LOCK_MS = 15 * 60_000
/** After this long without another failure, earlier ones are forgotten. */
const FORGET_FAILURES_MS = 60 * 60_000

/** Remembers who connects and who fails to log in. All times are milliseconds since the epoch. */
export class Throttle {
  readonly #settings: ThrottleSettings
  readonly #now: () => number
  readonly #addresses = new Map<string, AddressState>()
  readonly #failures = new Map<string, Failures>()
  /** `address account` pairs that have logged in: a stranger who guesses cannot lock the owner out. */
  readonly #known = new Set<string>()

  constructor(options: { settings: ThrottleSettings; now: () => number }) {
    this.#settings = options.settings
    this.#now = options.now
  }

  /**
   * A connection arrives.
   * @returns false when the address has too many or opens them too fast: close it. Every true is
   *   followed by one `disconnected`.
   */
  connected(address: string): boolean {
    if (isLoopback(address)) return true
    const now = this.#now()
    const perSecond = this.#settings.newConnectionsPerSecond
    const burst = perSecond * CONNECTION_BURST_SECONDS
    const state = this.#addresses.get(address) ?? { open: 0, tokens: burst, refilledAt: now }
    state.tokens = Math.min(burst, state.tokens + ((now - state.refilledAt) / 1000) * perSecond)
    state.refilledAt = now
    touch(this.#addresses, address, state)
    if (state.tokens < 1 || state.open >= this.#settings.connectionsPerAddress) return false
    state.tokens--
    state.open++
    return true
  }

  /** A connection of this address has ended. */
  disconnected(address: string): void {
    const state = this.#addresses.get(address)
    if (state && state.open > 0) state.open--
  }

  /**
   * Whether this address may try to log in as this account now.
   * @returns milliseconds to wait; 0 = go on
   */
  loginWait(address: string, account: string): number {
    const now = this.#now()
    const byAddress = (this.#failures.get(addressKey(address))?.lockedUntil ?? 0) - now
    const isKnown = this.#known.has(`${address} ${account}`)
    const byAccount = isKnown ? 0 : (this.#failures.get(accountKey(account))?.lockedUntil ?? 0) - now
    return Math.max(0, byAddress, byAccount)
  }

  /** A login has failed because of a wrong password or an unknown name. */
  loginFailed(address: string, account: string): void {
    this.#failed(addressKey(address), this.#settings.failedLoginsPerAddress)
    this.#failed(accountKey(account), this.#settings.failedLoginsPerAccount)
  }

  /** A login has succeeded: the address is no stranger to this account. */
  loginSucceeded(address: string, account: string): void {
    this.#failures.delete(addressKey(address))
    this.#failures.delete(accountKey(account))
    const key = `${address} ${account}`
    this.#known.delete(key)
    this.#known.add(key)
    if (this.#known.size > REMEMBERED_MAX) this.#known.delete(this.#known.values().next().value ?? '')
  }

  /** Forgets what is over. Called now and then by the sweep. */
  sweep(): void {
    const now = this.#now()
    for (const [key, failures] of this.#failures) {
      if (now - failures.lastAt > FORGET_FAILURES_MS) this.#failures.delete(key)
    }
    for (const [address, state] of this.#addresses) {
      if (state.open === 0 && now - state.refilledAt > CONNECTION_BURST_SECONDS * 1000) this.#addresses.delete(address)
    }
  }

  /** How many addresses and accounts are remembered. */
  get size(): number {
    return this.#addresses.size + this.#failures.size
  }

  #failed(key: string, allowed: number): void {
    const now = this.#now()
    const failures = this.#failures.get(key) ?? { count: 0, lockedUntil: 0, lastAt: now }
    failures.count = now - failures.lastAt > FORGET_FAILURES_MS ? 1 : failures.count + 1
    failures.lastAt = now
    const over = failures.count - allowed
    if (over >= 0) failures.lockedUntil = now + Math.min(LONGEST_LOCK_MS, FIRST_LOCK_MS * 2 ** Math.min(over, 20))
    touch(this.#failures, key, failures)
  }
}

/** What a session may send per second. */
export interface Pace {
  readonly stanzasPerSecond: number
  readonly bytesPerSecond: number
  readonly burstSeconds: number
}

/** Measures one session and says when to stop reading from it. Two numbers of state, no timer. */
export class Shaper {
  /** When the stanzas and the bytes read so far would have arrived at the allowed pace (milliseconds). */
  #stanzasAt = 0
  #bytesAt = 0

  /**
   * Something was read.
   * @param now milliseconds on any clock that does not jump back
   * @returns milliseconds for which reading must pause; 0 = go on
   */
  count(pace: Pace, stanzas: number, bytes: number, now: number): number {
    const burst = pace.burstSeconds * 1000
    this.#stanzasAt = Math.max(this.#stanzasAt, now - burst) + (stanzas * 1000) / pace.stanzasPerSecond
    this.#bytesAt = Math.max(this.#bytesAt, now - burst) + (bytes * 1000) / pace.bytesPerSecond
    return Math.max(0, Math.ceil(Math.max(this.#stanzasAt, this.#bytesAt) - now))
  }
}

/** This computer itself: reverse proxies, tests and services run here, and nobody else can connect from here. */
export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1'
}

/** An address as people know it: an IPv4 address that came to an IPv6 socket is written as IPv4. */
export function plainAddress(address: string | undefined): string {
  return address?.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : (address ?? '')
}

const addressKey = (address: string): string => `address ${address}`
const accountKey = (account: string): string => `account ${account}`

// A Map keeps the order of insertion: what is put again moves to the young end, the first is the oldest.
function touch<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= REMEMBERED_MAX) return
  const oldest = map.keys().next().value
  if (oldest !== undefined) map.delete(oldest)
}
