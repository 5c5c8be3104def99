/** Calls that wait for something to change: each for its own time. */

export class Waiting {
  readonly #waiters = new Set<(isChanged: boolean) => void>()

  get count(): number {
    return this.#waiters.size
  }

  /** Waits for the next `wake`. Gives false when the limit passed before. */
  wait(limitMs: number): Promise<boolean> {
    return new Promise(resolve => {
      const wake = (isChanged: boolean): void => {
        clearTimeout(timer)
        this.#waiters.delete(wake)
        resolve(isChanged)
      }
      const timer = setTimeout(() => wake(false), Math.max(0, limitMs))
      this.#waiters.add(wake)
    })
  }

  wake(): void {
    for (const wake of [...this.#waiters]) wake(true)
  }
}
