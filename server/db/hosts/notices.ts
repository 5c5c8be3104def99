/** What the log is told of hosts, once each: those that could be written to but must not be, and poolers that refuse something. */
import type { Logger } from 'pino'
import type { Host } from './hosts.ts'
import type { HostView } from './views.ts'

export class Notices {
  readonly #log: Logger
  #refused = ''
  #isOptionsTold = false

  constructor(log: Logger) {
    this.#log = log
  }

  /** Tells of each host that is refused, when these are others than before. */
  refused(views: readonly HostView[]): void {
    const refused = views.filter(({ state }) => state === 'refused')
    const places = refused.map(({ place }) => place).join()
    if (places === this.#refused) return
    this.#refused = places
    for (const { place, sentence, timeline } of refused) this.#log.warn({ host: place, timeline }, sentence)
  }

  terms({ place, manners }: Host): void {
    if (!manners.terms.withoutOptions || this.#isOptionsTold) return
    this.#isOptionsTold = true
    this.#log.warn(
      { host: place },
      'a pooler refuses the start-up parameter "options" of the database URL: it does not count',
    )
  }
}
