/** One PC's part in bringing the office to a new version: fetches, waits for its turn, takes it, has the version installed, and tells what came of it. */
import type { NodesDesk } from '../admin/parts.ts'
import type { Bus } from '../cluster/bus.ts'
import { isNewer } from '../versions.ts'
import { sentenceOf, UpdateFault } from './fault.ts'
import type { Installer } from './installer.ts'
import type { Lookout } from './lookout.ts'
import { fileFor, type Manifest } from './manifest.ts'
import { type OfficeTurn, TURN_MS } from './office-turn.ts'
import { planOf } from './plan.ts'
import type { Program } from './program.ts'
import { askAll, type Report, type ReportedPc } from './reports.ts'
import type { Result } from './request.ts'
import type { Turn } from './turn.ts'

export interface RoundOptions {
  readonly program: Program
  readonly lookout: Lookout
  readonly installer: Installer
  readonly turn: OfficeTurn
  /** Ends waiting. */
  readonly signal: AbortSignal
  now(): number
  feed(): string
  bus(): Bus | undefined
  nodes(): Pick<NodesDesk, 'node' | 'nodes'>
  busyWith(): string | undefined
  note(sentence: string): Promise<void>
  /** What goes on, or is waited for. */
  onStep(step: string | undefined): void
}

const FETCH_AGAIN_MS = 15 * 60_000

export class Round {
  readonly #options: RoundOptions
  /** Why a package could not be fetched, and when that was tried. */
  #trouble: { readonly sha256: string; readonly sentence: string; readonly at: number } | undefined

  constructor(options: RoundOptions) {
    this.#options = options
  }

  /** Somebody wants it tried again now. */
  forgetTrouble(): void {
    this.#trouble = undefined
  }

  /** What this PC says of itself. @param trouble what else is not as it should be */
  own(trouble?: string): Report {
    const { program, busyWith } = this.#options
    const why = this.#trouble?.sentence ?? busyWith() ?? trouble
    const said = { version: program.version, ...(why !== undefined && { trouble: why }) }
    const byHand = this.byHand('there')
    return byHand === undefined ? { ...said, way: 'itself' } : { ...said, way: 'by-hand', byHand }
  }

  /** What a person has to do; undefined: this PC can be updated by itself. @param where how that person calls this PC */
  byHand(where: 'here' | 'there'): string | undefined {
    const { program, lookout, feed } = this.#options
    const { newest } = lookout
    const { kind, target } = program
    if (kind === undefined) return `Lanthorn runs from its sources ${where}: update those.`
    const file = newest && fileFor(newest, target, kind)
    if (kind !== 'setup' && (file || !newest)) return undefined
    if (file) return `Run ${file.name} ${where}; it lies in ${feed()}.`
    return `There is no package of it for what runs ${where}.`
  }

  /** All PCs, as they say. This one's own health keeps it from nothing: an update may mend it. */
  pcs(isFresh: boolean): Promise<ReportedPc[]> {
    const { nodes, bus } = this.#options
    return askAll(nodes().nodes, this.own(), { bus: bus(), isFresh })
  }

  /** One step towards the newest version on all PCs, as far as it is this PC's. */
  async goOn(newest: Manifest, seen: Turn): Promise<void> {
    const { turn, onStep, signal } = this.#options
    await this.#fetch(newest)
    const plan = await this.#plan(newest, seen)
    onStep(plan.kind === 'done' ? undefined : plan.sentence)
    if (plan.kind === 'done') await turn.dropOrder(newest.version)
    signal.throwIfAborted()
    const taken = plan.kind === 'mine' ? await turn.take(newest.version) : undefined
    if (!taken) return
    // Somebody's turn may have come and gone since the look: it is looked again, now that nobody else can begin.
    const again = await this.#plan(newest, { ...taken, holder: undefined })
    if (again.kind === 'mine' && !signal.aborted) return this.#install(newest, taken)
    await turn.end(taken, undefined)
    onStep(again.sentence)
  }

  /** The turn is this PC's: an installation goes on, or is over. */
  async settle(taken: Turn): Promise<void> {
    const { installer, nodes, note, onStep } = this.#options
    const { version = '' } = taken
    const id = idOf(taken)
    // It was taken, and this server ended before it asked for anything: another one may have it.
    if (!(await installer.isKnown(id))) return this.#end(taken, undefined)
    const { node: name } = nodes()
    onStep(`${name} is being updated to version ${version}.`)
    const stopped = await this.#outcome(id, name)
    await note(stopped ?? `${name} has version ${version} now.`)
    await this.#end(taken, stopped)
  }

  async #fetch(newest: Manifest): Promise<void> {
    const { program, lookout, feed, now } = this.#options
    const { kind, target, version } = program
    const file = kind === undefined || kind === 'setup' ? undefined : fileFor(newest, target, kind)
    const { sha256, at = 0 } = this.#trouble ?? {}
    // A large file that is the wrong one is not fetched every minute.
    if (file && sha256 === file.sha256 && Math.abs(now() - at) < FETCH_AGAIN_MS) return
    this.#trouble = undefined
    if (!file || !isNewer(newest.version, version)) return
    try {
      await lookout.fetch(feed(), file)
    } catch (error) {
      if (!(error instanceof UpdateFault)) throw error
      this.#trouble = { sha256: file.sha256, sentence: error.message, at: now() }
    }
  }

  async #plan({ version }: Manifest, turn: Turn) {
    return planOf({ here: this.#options.nodes().node, version, pcs: await this.pcs(true), turn })
  }

  async #install({ version }: Manifest, taken: Turn): Promise<void> {
    const { installer, note, nodes, program } = this.#options
    await note(`${nodes().node} is being updated from version ${program.version} to ${version}.`)
    await installer.begin(idOf(taken), version)
    await this.settle(taken)
  }

  /** @returns why it failed; undefined: it is done */
  async #outcome(id: string, name: string): Promise<string | undefined> {
    const { installer, signal } = this.#options
    let result: Result | undefined
    try {
      result = await installer.outcome(id, TURN_MS, signal)
    } catch (error) {
      if (!(error instanceof UpdateFault)) throw error
      return `${name} was not updated: ${sentenceOf(error)}`
    }
    if (result?.state === 'done') return undefined
    return `${name} was not updated: ${result?.sentence ?? 'The installing program has not come to an end.'}`
  }

  async #end(taken: Turn, stopped: string | undefined): Promise<void> {
    const { turn, installer, onStep } = this.#options
    await turn.end(taken, stopped)
    await installer.clear()
    onStep(undefined)
  }
}

/** A turn has one request. */
const idOf = ({ holder, epoch }: Turn): string => `${holder?.id}-${epoch}`
