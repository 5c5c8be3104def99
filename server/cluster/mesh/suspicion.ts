/**
 * What speaks for the end of a peer that is suspected. Hazelcast drops a member when its connections break, within half a second: because its process died,
 * or because the way was cut for a moment, which the link survives. Of a process that died nothing listens any more.
 */
export class Suspicion {
  readonly #longMs: number
  #since: number | undefined
  #isAbsent = false
  #isRefused = false

  /** @param longMs after so long nobody waits any more for a way that may heal */
  constructor(longMs: number) {
    this.#longMs = longMs
  }

  /** It is suspected from now on (milliseconds, on any clock that only goes forward). */
  begin(now: number): void {
    this.end()
    this.#since = now
  }

  end(): void {
    this.#since = undefined
    this.#isAbsent = false
    this.#isRefused = false
  }

  /** Hazelcast has dropped it. */
  absent(): void {
    this.#isAbsent = this.#since !== undefined
  }

  /** The computer is there, and nothing listens where the peer was. */
  refused(): void {
    this.#isRefused = this.#since !== undefined
  }

  /** Whether it is over with that peer. */
  isProved(now: number): boolean {
    return this.#since !== undefined && this.#isAbsent && (this.#isRefused || now - this.#since >= this.#longMs)
  }
}
