/** How long to wait before the next try: twice as long after each failure, up to a limit. */
export class BackOff {
  readonly #firstMs: number
  readonly #longestMs: number
  #failures = 0

  constructor(options: { firstMs: number; longestMs: number }) {
    this.#firstMs = options.firstMs
    this.#longestMs = options.longestMs
  }

  /** It failed again. @returns how long to wait now */
  nextMs(): number {
    const waitMs = Math.min(this.#firstMs * 2 ** this.#failures, this.#longestMs)
    if (waitMs < this.#longestMs) this.#failures++
    return waitMs
  }

  /** It worked: the next failure is the first one. */
  reset(): void {
    this.#failures = 0
  }
}
