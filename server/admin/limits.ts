/** Limits per neighbour: how often they may ask, and how long those who guess passwords must wait. */

/** Lets each key do `perSecond` things a second, and `burst` at once after a rest. Keeps at most `keysMax` keys. */
export class RateLimit {
  readonly #perSecond: number
  readonly #burst: number
  readonly #keysMax: number
  readonly #now: () => number
  readonly #buckets = new Map<string, { left: number; at: number }>()

  constructor(options: { perSecond: number; burst: number; keysMax?: number; now: () => number }) {
    this.#perSecond = options.perSecond
    this.#burst = options.burst
    this.#keysMax = options.keysMax ?? 10_000
    this.#now = options.now
  }

  /** Takes one turn. @returns false when the key has none left */
  take(key: string): boolean {
    const now = this.#now()
    const bucket = this.#buckets.get(key)
    // A clock that was set back must not keep anybody out.
    const restedMs = bucket ? Math.max(0, now - bucket.at) : 0
    const left = bucket ? Math.min(this.#burst, bucket.left + (restedMs / 1000) * this.#perSecond) : this.#burst
    this.#buckets.delete(key)
    this.#buckets.set(key, { left: left >= 1 ? left - 1 : left, at: now })
    dropOldest(this.#buckets, this.#keysMax)
    return left >= 1
  }
}

/** After `free` failures in a row a key must wait, twice as long after each further one. */
export class Lockout {
  readonly #free: number
  readonly #firstWaitMs: number
  readonly #waitMsMax: number
  readonly #forgetMs: number
  readonly #keysMax: number
  readonly #now: () => number
  readonly #failures = new Map<string, { count: number; at: number }>()

  constructor(options: {
    now: () => number
    free?: number
    firstWaitMs?: number
    waitMsMax?: number
    forgetMs?: number
    keysMax?: number
  }) {
    this.#now = options.now
    this.#free = options.free ?? 5
    this.#firstWaitMs = options.firstWaitMs ?? 2_000
    this.#waitMsMax = options.waitMsMax ?? 15 * 60_000
    this.#forgetMs = options.forgetMs ?? 60 * 60_000
    this.#keysMax = options.keysMax ?? 10_000
  }

  /** Milliseconds until the key may try again; 0 = now. */
  waitMs(key: string): number {
    const known = this.#failures.get(key)
    if (!known) return 0
    const now = this.#now()
    if (now - known.at >= this.#forgetMs) {
      this.#failures.delete(key)
      return 0
    }
    const waitMs = this.#waitAfter(known.count)
    return Math.min(waitMs, Math.max(0, known.at + waitMs - now))
  }

  /**
   * Counts a try as a failure before it is looked at, so that many at once are not all free. `succeeded` takes it back.
   * @returns how long the key must wait if it does fail
   */
  attempted(key: string): number {
    const count = (this.#failures.get(key)?.count ?? 0) + 1
    this.#failures.delete(key)
    this.#failures.set(key, { count, at: this.#now() })
    dropOldest(this.#failures, this.#keysMax)
    return this.#waitAfter(count)
  }

  succeeded(key: string): void {
    this.#failures.delete(key)
  }

  #waitAfter(count: number): number {
    if (count < this.#free) return 0
    return Math.min(this.#waitMsMax, this.#firstWaitMs * 2 ** Math.min(30, count - this.#free))
  }
}

/** Maps keep the order of insertion: the first key is the one that was quiet longest. */
function dropOldest(map: Map<string, unknown>, keysMax: number): void {
  if (map.size <= keysMax) return
  const oldest = map.keys().next().value
  if (oldest !== undefined) map.delete(oldest)
}
