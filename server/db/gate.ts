/** Where all statements on pooled connections pass: it can be shut for a moment, so that nothing changes meanwhile. */

export class Gate {
  readonly #onOpen: () => void
  #inside = 0
  #shut: { end(): void; onEmpty(): void } | undefined

  /** @param onOpen called when those who wait may go on */
  constructor(onOpen: () => void) {
    this.#onOpen = onOpen
  }

  get isShut(): boolean {
    return this.#shut !== undefined
  }

  /** Carries something out that `shut` waits for. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    this.#inside++
    try {
      return await work()
    } finally {
      this.#inside--
      if (this.#inside === 0) this.#shut?.onEmpty()
    }
  }

  /**
   * Shuts and waits until nobody is inside any more; opens again by itself `limitMs` after the call.
   * @returns how to open it; undefined when somebody was still inside at the limit
   */
  async shut(limitMs: number): Promise<{ resume(): void } | undefined> {
    if (this.#shut) throw new Error('the database is paused already')
    const empty = Promise.withResolvers<boolean>()
    const shut = {
      onEmpty: () => empty.resolve(true),
      end: () => {
        clearTimeout(timer)
        empty.resolve(false)
        if (this.#shut !== shut) return
        this.#shut = undefined
        this.#onOpen()
      },
    }
    const timer = setTimeout(shut.end, limitMs)
    this.#shut = shut
    if (this.#inside === 0) shut.onEmpty()
    return (await empty.promise) ? { resume: shut.end } : undefined
  }
}
