/** Short waits of many streams by one timer: a pause in reading, an acknowledgement that is due. */

/** Precision of a wait, in milliseconds. */
const STEP_MS = 25

/** Calls back after a while. The timer runs only while somebody waits. */
export class Alarms {
  readonly #now: () => number
  readonly #waiting = new Map<() => void, number>()
  #timer: NodeJS.Timeout | undefined

  /** @param now milliseconds on the clock that `set` counts by */
  constructor(now: () => number) {
    this.#now = now
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size
  }

  /** Calls `ring` after `milliseconds`, once; a second call for the same `ring` replaces the first. */
  set(ring: () => void, milliseconds: number): void {
    this.#waiting.set(ring, this.#now() + milliseconds)
    this.#timer ??= setInterval(() => this.ring(), STEP_MS)
  }

  /** Takes a wait back. */
  clear(ring: () => void): void {
    this.#waiting.delete(ring)
  }

  /** Calls those whose time has come. */
  ring(): void {
    const now = this.#now()
    for (const [ring, at] of this.#waiting) {
      if (at > now) continue
      this.#waiting.delete(ring)
      ring()
    }
    if (this.#waiting.size === 0) this.close()
  }

  /** Forgets everybody. */
  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#waiting.clear()
  }
}
