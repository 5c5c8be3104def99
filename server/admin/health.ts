/** Health: runs the checks, keeps their last results, tells when the state of the office changes. */
import type { Logger } from 'pino'
import type { Wellness } from './contract/endpoint.ts'
import type { EventData } from './contract/events.ts'
import type { HealthCheck } from './contract/health.ts'
import type { Check, CheckResult } from './parts.ts'
import { refusal } from './problem.ts'

const EVERY_MS = 60_000
const CHECK_MS = 8_000

/** What the Health page shows. */
export interface HealthReport {
  state: Wellness
  checkedAt: string
  checks: HealthCheck[]
}

const ranks: Record<Wellness, number> = { bad: 0, warn: 1, ok: 2 }

/** For sorting: what is worst comes first. */
export const worstFirst = (a: { readonly state: Wellness }, b: { readonly state: Wellness }): number =>
  ranks[a.state] - ranks[b.state]

/** All checks of this PC. */
export class Health {
  readonly #checks: readonly Check[]
  readonly #log: Logger
  readonly #now: () => number
  readonly #sentence: () => string
  readonly #timer: NodeJS.Timeout
  #report: HealthReport
  #running: Promise<HealthReport> | undefined
  #next: Promise<HealthReport> | undefined
  /** Told when the state, or what is wrong, has changed. */
  onChange: ((summary: EventData<'state'>) => void) | undefined

  /** @param options.sentence what is said while all is well: “Two PCs carry the office.” */
  constructor(options: { checks: readonly Check[]; log: Logger; now: () => number; sentence: () => string }) {
    this.#checks = options.checks
    this.#log = options.log
    this.#now = options.now
    this.#sentence = options.sentence
    this.#report = { state: 'ok', checkedAt: new Date(options.now()).toISOString(), checks: [] }
    this.#timer = setInterval(() => void this.check(), EVERY_MS)
    this.#timer.unref()
  }

  /** The last results, failing first. */
  get report(): HealthReport {
    return this.#report
  }

  /** The last results in three words and a sentence. */
  get summary(): EventData<'state'> {
    const { state, checks } = this.#report
    const first = checks[0]
    if (state === 'ok' || !first) return { state: 'ok', headline: 'Everything works', sentence: this.#sentence() }
    const headline = state === 'bad' ? 'Something is broken' : 'Chat works'
    return { state, headline, sentence: first.sentence }
  }

  /** Runs all checks now; whoever asks meanwhile gets the same run. */
  check(): Promise<HealthReport> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  /** As {@link check}, but never with results from before it was asked: something has just changed. */
  recheck(): Promise<HealthReport> {
    if (!this.#running) return this.check()
    this.#next ??= this.#running.then(() => {
      this.#next = undefined
      return this.check()
    })
    return this.#next
  }

  /** Does what the button of a check says, and checks again. @throws Refusal when there is no such button */
  async mend(id: string): Promise<HealthReport> {
    const check = this.#checks.find(one => one.id === id)
    if (!check?.mend) throw refusal('not-found', 'There is nothing to mend here any more: check again.')
    await check.mend()
    return this.recheck()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #run(): Promise<HealthReport> {
    const before = JSON.stringify(this.summary)
    const results = await Promise.all(this.#checks.map(check => this.#one(check)))
    const checks = results.filter(result => result !== undefined).sort(worstFirst)
    this.#report = { state: checks[0]?.state ?? 'ok', checkedAt: new Date(this.#now()).toISOString(), checks }
    const { summary } = this
    if (JSON.stringify(summary) !== before) this.onChange?.(summary)
    return this.#report
  }

  async #one(check: Check): Promise<HealthCheck | undefined> {
    const { id, group, why } = check
    try {
      const result = await withLimit(check)
      return result && { id, group, why, ...result }
    } catch (error) {
      this.#log.warn({ err: error, check: id }, 'a check could not be made')
      return { id, group, why, state: 'warn', sentence: 'This could not be checked just now; the log says why.' }
    }
  }
}

async function withLimit(check: Check): Promise<CheckResult | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<CheckResult>(resolve => {
    const sentence = `This took longer than ${CHECK_MS / 1000} seconds to check.`
    timer = setTimeout(() => resolve({ state: 'warn', sentence }), CHECK_MS)
  })
  try {
    return await Promise.race([check.run(), late])
  } finally {
    clearTimeout(timer)
  }
}
