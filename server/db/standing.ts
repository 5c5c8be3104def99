/** Whether the database can be used, and who wants to hear of it. */
import type { Logger } from 'pino'
import type { DatabaseAway } from './errors.ts'

export type DatabaseState = 'up' | 'away'

export class Standing {
  readonly #log: Logger
  readonly #listeners = new Set<(state: DatabaseState, sentence: string) => void>()
  #state: DatabaseState = 'up'
  #fault: DatabaseAway | undefined

  constructor(log: Logger) {
    this.#log = log
  }

  get state(): DatabaseState {
    return this.#state
  }

  /** Why it cannot be used; undefined while it can. */
  get fault(): DatabaseAway | undefined {
    return this.#state === 'away' ? this.#fault : undefined
  }

  on(listener: (state: DatabaseState, sentence: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  clear(): void {
    this.#listeners.clear()
  }

  isUp(place: string): void {
    if (this.#state === 'up') return
    this.#state = 'up'
    const sentence = `The database at ${place} can be used again.`
    this.#log.info(sentence)
    this.#tell(sentence)
  }

  /** It is away, or still away for another reason, which is not told again. */
  isAway(fault: DatabaseAway): void {
    this.#fault = fault
    if (this.#state === 'away') return
    this.#state = 'away'
    this.#log.warn({ reason: fault.reason }, fault.message)
    this.#tell(fault.message)
  }

  #tell(sentence: string): void {
    for (const listener of this.#listeners) listener(this.#state, sentence)
  }
}
