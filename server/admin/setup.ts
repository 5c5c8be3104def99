/** Set-up: where it stands, its ticks, and the one making of the office. */
import { networkInterfaces } from 'node:os'
import type { Problem } from './contract/errors.ts'
import type { SetupStep } from './contract/setup.ts'
import type { Stage } from './gate.ts'
import type { OfficeInput, OnProgress, SetupParts, StepId } from './parts.ts'
import { refusal } from './problem.ts'

const startSteps: readonly StepId[] = ['database', 'server', 'network']
const officeSteps: readonly StepId[] = ['office-database', 'keys', 'account', 'open']

/** The state of set-up of one server process. */
export class Setup {
  readonly #parts: SetupParts
  readonly #now: () => number
  readonly #steps = new Map<StepId, SetupStep & { since?: number }>()
  #stage: Stage = 'starting'
  #problem: Problem | undefined

  constructor(parts: SetupParts, now: () => number) {
    this.#parts = parts
    this.#now = now
    for (const id of [...startSteps, ...officeSteps]) this.#steps.set(id, { id, state: 'waiting' })
  }

  get stage(): Stage {
    return this.#stage
  }

  /** What went wrong at the last try; gone with the next. */
  get problem(): Problem | undefined {
    return this.#problem
  }

  /** The ticks of what goes on now: the start, or the making of the office. */
  get steps(): SetupStep[] {
    const ids = this.#stage === 'making' || this.#stage === 'ready' ? officeSteps : startSteps
    return ids.flatMap(id => {
      const { since: _since, ...step } = this.#steps.get(id) ?? { id, state: 'waiting' as const }
      return [step]
    })
  }

  /** A step began, ended or failed. */
  readonly progress: OnProgress = (id, state, detail) => {
    const before = this.#steps.get(id)
    const now = this.#now()
    const since = state === 'doing' ? now : (before?.since ?? now)
    const isOver = state === 'done' || state === 'failed'
    this.#steps.set(id, {
      id,
      state,
      since,
      ...(detail !== undefined && { detail }),
      ...(isOver && { tookMs: Math.max(0, now - since) }),
    })
  }

  /** Nobody has made an office here: the wizard may. */
  becomeFresh(): void {
    this.#stage = 'fresh'
  }

  becomeReady(): void {
    this.#stage = 'ready'
    this.#problem = undefined
  }

  /**
   * Makes the office, one at a time; when it fails, set-up is fresh again.
   * @throws Refusal with the field at fault
   */
  async make(input: OfficeInput): Promise<void> {
    if (this.#stage !== 'fresh') throw refusal('set-up-already', 'The office is being made already, or has been made.')
    this.#stage = 'making'
    this.#problem = undefined
    for (const id of officeSteps) this.progress(id, 'waiting')
    try {
      const made = await this.#parts.createOffice(input, this.progress)
      if (made.kind === 'refused') throw refusal('refused', made.sentence, { ...(made.field && { field: made.field }) })
      this.becomeReady()
    } catch (error) {
      this.#stage = 'fresh'
      const sentence = error instanceof Error ? error.message : 'The office could not be made.'
      this.#problem = { code: 'refused', sentence }
      throw error
    }
  }
}

/** Addresses of this PC in the office network, IPv4 first; none when it has no network. */
export function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap(list => list ?? [])
  const usable = all.filter(
    ({ internal, address, family }) => !internal && !(family === 'IPv6' && /^fe80:/i.test(address)),
  )
  return usable.sort((a, b) => (a.family === b.family ? 0 : a.family === 'IPv4' ? -1 : 1)).map(({ address }) => address)
}
