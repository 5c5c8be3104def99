/** What happened lately, as sentences for Home. In memory; the history in the database gives the first ones. */
import type { Wellness } from './contract/endpoint.ts'
import type { Happening } from './contract/happening.ts'
import type { HistoryEntry } from './contract/logs.ts'
import type { History } from './history.ts'

const KEPT_MAX = 50
const SHOWN = 5
const SHOWN_OF_PCS = 20

/** What a happening is about, for the pages that show only theirs. */
export type About = 'pcs' | undefined

/** The newest happenings. */
export class Happenings {
  readonly #now: () => number
  readonly #nextId: () => string
  readonly #onHappening: (happening: Happening) => void
  #list: (Happening & { about?: About })[] = []

  constructor(options: { now: () => number; nextId: () => string; onHappening: (happening: Happening) => void }) {
    this.#now = options.now
    this.#nextId = options.nextId
    this.#onHappening = options.onHappening
  }

  /** Newest first. */
  get latest(): Happening[] {
    return this.#list.slice(0, SHOWN).map(shown)
  }

  /** Those about the PCs, newest first. */
  latestOf(about: 'pcs'): Happening[] {
    return this.#list
      .filter(one => one.about === about)
      .slice(0, SHOWN_OF_PCS)
      .map(shown)
  }

  add(state: Wellness, sentence: string, about?: About): void {
    const happening = { id: this.#nextId(), at: new Date(this.#now()).toISOString(), sentence, state }
    this.#list = [{ ...happening, about }, ...this.#list].slice(0, KEPT_MAX)
    this.#onHappening(happening)
  }

  /** Takes over what was done before this start. @throws DatabaseAway */
  async fill(history: History): Promise<void> {
    const { entries } = await history.list({ limit: KEPT_MAX })
    const deeds = entries.filter(entry => entry.kind !== 'sign-in')
    this.#list.push(
      ...deeds.map(({ id, at, sentence, kind }) => ({ id, at, sentence, state: 'ok' as const, about: aboutOf(kind) })),
    )
  }
}

/** What a deed of the history is about. */
export const aboutOf = (kind: HistoryEntry['kind']): About => (kind === 'pc' ? 'pcs' : undefined)

const shown = ({ id, at, sentence, state }: Happening): Happening => ({ id, at, sentence, state })
