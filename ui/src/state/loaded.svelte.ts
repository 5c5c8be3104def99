import { type Trouble, troubleIn } from '../api.ts'

/** Something asked from the server: its last good value, what went wrong last, and whether we wait. */
export class Loaded<T> {
  value = $state.raw<T>()
  trouble = $state.raw<Trouble>()
  waiting = $state(false)
  #ask: () => Promise<T>
  #round = 0

  constructor(ask: () => Promise<T>) {
    this.#ask = ask
  }

  /** Whether it was asked before; not reactive, so that an effect that asks does not run again because of the answer. */
  get isAsked(): boolean {
    return this.#round > 0
  }

  /** Asks (again). An answer that was overtaken by a later question is dropped; a failure keeps the last good value. */
  async load(): Promise<void> {
    const round = ++this.#round
    this.waiting = true
    try {
      const value = await this.#ask()
      if (round !== this.#round) return
      this.value = value
      this.trouble = undefined
    } catch (thrown) {
      if (round === this.#round) this.trouble = troubleIn(thrown)
    } finally {
      if (round === this.#round) this.waiting = false
    }
  }
}
