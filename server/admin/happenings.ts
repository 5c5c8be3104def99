/** What happened lately, as sentences for Home. In memory; the history in the database gives the first ones. */
import type { Wellness } from './contract/endpoint.ts'
import type { Happening } from './contract/office.ts'
import type { History } from './history.ts'

const KEPT_MAX = 50
const SHOWN = 5

/** The newest happenings. */
export class Happenings {
  readonly #now: () => number
  readonly #nextId: () => string
  readonly #onHappening: (happening: Happening) => void
  #list: Happening[] = []

  constructor(options: { now: () => number; nextId: () => string; onHappening: (happening: Happening) => void }) {
    this.#now = options.now
    this.#nextId = options.nextId
    this.#onHappening = options.onHappening
  }

  /** Newest first. */
  get latest(): Happening[] {
    return this.#list.slice(0, SHOWN)
  }

  add(state: Wellness, sentence: string): void {
    const happening = { id: this.#nextId(), at: new Date(this.#now()).toISOString(), sentence, state }
    this.#list = [happening, ...this.#list].slice(0, KEPT_MAX)
    this.#onHappening(happening)
  }

  /** Takes over what was done before this start. @throws DatabaseAway */
  async fill(history: History): Promise<void> {
    const { entries } = await history.list({ limit: KEPT_MAX })
    const deeds = entries.filter(entry => entry.kind !== 'sign-in')
    this.#list.push(...deeds.map(({ id, at, sentence }) => ({ id, at, sentence, state: 'ok' as const })))
  }
}
