/** Who follows a move: told at most twice a second, and of its end at once. */
import type { DatabaseMove } from '../admin/contract/database.ts'

const EVERY_MS = 500

export class Listeners {
  readonly #all = new Set<(move: DatabaseMove) => void>()
  #toldAt = 0
  #timer: NodeJS.Timeout | undefined

  /** Gives the function that ends it. */
  add(listener: (move: DatabaseMove) => void): () => void {
    this.#all.add(listener)
    return () => this.#all.delete(listener)
  }

  /** @param now gives what there is to tell when it is told */
  tell(now: () => DatabaseMove): void {
    if (this.#timer) return
    const waitMs = Math.max(0, this.#toldAt + EVERY_MS - Date.now())
    this.#timer = setTimeout(() => this.tellNow(now()), waitMs)
    this.#timer.unref()
  }

  tellNow(move: DatabaseMove): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#toldAt = Date.now()
    for (const listener of this.#all) listener(move)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#all.clear()
  }
}
