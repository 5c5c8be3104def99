/** From this PC into an office that is there: what the wizard shows of it, step by step. */
import type { Logger } from 'pino'
import type { Joining, JoinStep, OfficeCard } from '../admin/contract/joining.ts'
import type { JoinDesk } from '../admin/parts.ts'
import { Refusal, refusal } from '../admin/problem.ts'
import { readAddress } from '../cluster/pairing/address.ts'
import { readJoinCode } from '../cluster/pairing/join-code.ts'
import { type JoinWay, joinOffice } from '../cluster/pairing/joiner.ts'
import { type Applicant, JoinFault, type Welcome } from '../cluster/welcome.ts'
import { isConfigurationFault } from '../faults.ts'
import { idle } from './lone-desks.ts'

type StepId = JoinStep['id']
export type People = 'bring' | 'leave'

export type OnStep = (id: StepId, state: JoinStep['state'], detail?: string) => void

/** What happens once the office has said welcome. Each step is told as it goes. */
export type SettleDown = (welcome: Welcome, step: OnStep, people: People | undefined) => Promise<string>

export interface JoiningOptions {
  applicant(): Promise<Applicant>
  offices(): readonly OfficeCard[]
  settle: SettleDown
  /** Why it cannot be now, as a sentence. */
  refuse?(): string | undefined
  readonly steps: readonly StepId[]
  readonly log: Logger
}

const wizardSteps: readonly StepId[] = ['accepted', 'certificates', 'database', 'cluster', 'open']
const mergeSteps: readonly StepId[] = ['accepted', 'certificates', 'database', 'cluster', 'people', 'open']
export const joinSteps = { wizard: wizardSteps, merge: mergeSteps }

export class JoiningDesk implements JoinDesk {
  readonly #options: JoiningOptions
  readonly #steps = new Map<StepId, JoinStep & { since: number }>()
  #joining: Omit<Joining, 'steps'> = { state: 'idle' }
  #abort: AbortController | undefined

  constructor(options: JoiningOptions) {
    this.#options = options
  }

  get offices(): readonly OfficeCard[] {
    return this.#options.offices()
  }

  get joining(): Joining {
    if (this.#joining.state === 'idle') return idle
    return { ...this.#joining, steps: [...this.#steps.values()].map(({ since: _since, ...step }) => step) }
  }

  async start(given: { readonly address?: string; readonly code?: string }, people?: People): Promise<Joining> {
    const why = this.#options.refuse?.()
    if (why !== undefined) throw refusal('refused', why)
    if (this.#abort) throw refusal('refused', 'Joining an office is under way already: give that up first.')
    const { way, address } = wayOf(given)
    const abort = new AbortController()
    this.#abort = abort
    this.#steps.clear()
    for (const id of this.#options.steps) {
      if (id !== 'people' || people === 'bring') this.#steps.set(id, { id, state: 'waiting', since: 0 })
    }
    this.#joining = { state: 'asking' }
    void this.#join(way, address, people, abort)
    return this.joining
  }

  async stop(): Promise<void> {
    if (this.#joining.state === 'joining' || this.#joining.state === 'joined')
      throw refusal('refused', 'It is too late to give up: the office has let this PC in.')
    this.#abort?.abort()
    this.#abort = undefined
    this.#joining = { state: 'idle' }
  }

  async #join(
    way: JoinWay,
    address: string | undefined,
    people: People | undefined,
    abort: AbortController,
  ): Promise<void> {
    const { applicant, settle } = this.#options
    try {
      const welcome = await joinOffice({
        way,
        ...(address !== undefined && { address }),
        applicant: await applicant(),
        signal: abort.signal,
        onHost: ({ office, node, fingerprint }) => {
          if (this.#abort === abort) this.#joining = { ...this.#joining, office, pc: node, fingerprint }
        },
        onCode: code => {
          if (this.#abort === abort) this.#joining = { ...this.#joining, state: 'compare', code }
        },
      })
      const { code: _code, ...rest } = this.#joining
      this.#joining = { ...rest, office: welcome.office, state: 'joining' }
      this.#step('accepted', 'done')
      const sentence = await settle(welcome, (id, state, detail) => this.#step(id, state, detail), people)
      this.#joining = { ...this.#joining, state: 'joined', sentence }
    } catch (error) {
      if (this.#abort !== abort) return
      this.#failed(error)
    } finally {
      if (this.#abort === abort) this.#abort = undefined
    }
  }

  #failed(error: unknown): void {
    const { log } = this.#options
    const isSaid = isConfigurationFault(error) || error instanceof Refusal
    if (isSaid) log.info({ reason: error.message }, 'this PC did not join an office')
    else log.error({ err: error }, 'this PC could not join an office')
    const sentence = isSaid ? error.message : 'This PC could not join the office. Its log says why.'
    for (const [id, step] of this.#steps) if (step.state === 'doing') this.#step(id, 'failed')
    const { code: _code, ...rest } = this.#joining
    this.#joining = { ...rest, state: 'failed', problem: { code: 'refused', sentence } }
  }

  #step(id: StepId, state: JoinStep['state'], detail?: string): void {
    const before = this.#steps.get(id)
    if (!before) return
    const now = Date.now()
    const since = state === 'doing' && before.state !== 'doing' ? now : before.since
    const isOver = state === 'done' || state === 'failed'
    this.#steps.set(id, {
      id,
      state,
      since,
      ...(detail !== undefined && { detail }),
      ...(isOver && { tookMs: since === 0 ? 0 : now - since }),
    })
  }
}

/** @throws Refusal when what was typed cannot be read */
function wayOf(given: { readonly address?: string; readonly code?: string }): { way: JoinWay; address?: string } {
  const { code, address } = given
  if (code !== undefined) {
    try {
      return { way: { kind: 'code', code: readJoinCode(code) }, ...(address !== undefined && { address }) }
    } catch (error) {
      throw notReadable(error, 'code')
    }
  }
  if (address === undefined || !readAddress(address)) {
    throw refusal('not-valid', 'Type the address of a PC of the office, as in 192.168.1.20, or a join code.', {
      field: 'address',
    })
  }
  return { way: { kind: 'compare' }, address }
}

function notReadable(error: unknown, field: string): Refusal | unknown {
  return error instanceof JoinFault || error instanceof Error ? refusal('not-valid', error.message, { field }) : error
}

/** The wizard's desk: a fresh PC becomes one of an office. @param options.sentence how the office is, once it is open */
export function wizardDesk(
  options: Pick<JoiningOptions, 'applicant' | 'offices' | 'log'> & {
    settleIn(welcome: Welcome): Promise<void>
    /** Opens the office of the data folder; tells of the steps from `database` to `open` as they go. */
    join(step: OnStep): Promise<void>
    sentence(): string
  },
): JoiningDesk {
  return new JoiningDesk({
    steps: joinSteps.wizard,
    log: options.log,
    applicant: options.applicant,
    offices: options.offices,
    settle: async (welcome, step) => {
      step('certificates', 'doing')
      await options.settleIn(welcome)
      step('certificates', 'done')
      step('database', 'doing')
      await options.join(step)
      step('open', 'done')
      return options.sentence()
    },
  })
}
