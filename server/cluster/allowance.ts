/** How often something may happen: in bursts up to a number, then at a rate (token bucket), for each key apart, with bounded memory. */

export interface AllowanceOptions {
  /** So many at once. */
  readonly burst: number
  readonly perSecond: number
  /** Keys that are remembered. The one that was used longest ago is forgotten first. */
  readonly keysMax?: number
  /** Milliseconds, any origin. */
  readonly now?: () => number
}

interface Bucket {
  left: number
  at: number
}

const keysMaxDefault = 512

/** Counts per key. Without a key: one count for all. */
export class Allowance {
  readonly #options: AllowanceOptions
  readonly #buckets = new Map<string, Bucket>()

  constructor(options: AllowanceOptions) {
    this.#options = options
  }

  /** Takes one, when there is one. */
  take(key = ''): boolean {
    const bucket = this.#filled(key)
    if (bucket.left < 1) return false
    bucket.left -= 1
    return true
  }

  /** What was taken last does not count after all. */
  giveBack(key = ''): void {
    const bucket = this.#filled(key)
    bucket.left = Math.min(this.#options.burst, bucket.left + 1)
  }

  /** Whether `take` would give one. */
  has(key = ''): boolean {
    return this.#filled(key).left >= 1
  }

  #filled(key: string): Bucket {
    const { burst, perSecond, keysMax = keysMaxDefault, now = Date.now } = this.#options
    const time = now()
    const bucket = this.#buckets.get(key) ?? { left: burst, at: time }
    bucket.left = Math.min(burst, bucket.left + (Math.max(0, time - bucket.at) / 1000) * perSecond)
    bucket.at = time
    // Set anew: the map's order is the order of use.
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > keysMax) {
      const [oldest] = this.#buckets.keys()
      if (oldest !== undefined) this.#buckets.delete(oldest)
    }
    return bucket
  }
}
