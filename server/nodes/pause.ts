/** This PC taken out: for a time, or until somebody puts it back. Kept in the data folder, so that it outlasts a restart. */
import type { Logger } from 'pino'
import type { HandedOver } from '../admin/contract/nodes.ts'
import type { DataFolder } from '../node.ts'

const LOOK_MS = 1_000

export interface PauseOptions {
  readonly folder: Pick<DataFolder, 'state' | 'update'>
  readonly log: Logger
  /** Aborted when the server stops. */
  readonly signal: AbortSignal
  /** Milliseconds since 1970. */
  now(): number
  /** Hands the people of this PC over, takes nobody from now on. */
  sendAway(): Promise<HandedOver>
  /** Takes people again. */
  takeBack(): void
  /** Writes into the history. */
  note(sentence: string): Promise<void>
}

export class Pause {
  readonly #options: PauseOptions
  #until: string | null | undefined

  constructor(options: PauseOptions) {
    const { folder, signal } = options
    this.#options = options
    const { pausedUntil } = folder.state
    // It may have ended while the server did not run.
    this.#until = isOver(pausedUntil, options.now()) ? undefined : pausedUntil
    const timer = setInterval(() => void this.look(), LOOK_MS)
    timer.unref()
    signal.addEventListener('abort', () => clearInterval(timer), { once: true })
  }

  /** When it ends (ISO 8601); null: when somebody ends it; undefined: this PC works. */
  get until(): string | null | undefined {
    return this.#until
  }

  /** Begins, or gets another end. Resolves when the people of this PC went elsewhere. @param minutes undefined: until somebody ends it */
  async begin(minutes: number | undefined): Promise<HandedOver> {
    const { now, sendAway } = this.#options
    await this.#set(minutes === undefined ? null : new Date(now() + minutes * 60_000).toISOString())
    return sendAway()
  }

  /** People can log in again, whoever sent them away. */
  async end(): Promise<void> {
    if (this.#until !== undefined) await this.#set(undefined)
    this.#options.takeBack()
  }

  /** The office was opened: nobody logs in while this PC is taken out. */
  goOn(): void {
    const { sendAway, log } = this.#options
    if (this.#until === undefined) return
    sendAway().catch(err => log.error({ err }, 'people were not sent away from a PC that is taken out'))
  }

  /** Looks at the clock: every second, so that a PC that slept, or whose clock was set, is not taken out for longer than was said. */
  async look(): Promise<void> {
    const { now, note, log, folder } = this.#options
    if (!isOver(this.#until, now())) return
    try {
      await this.end()
      await note(`The pause of ${folder.state.nodeName} is over: people can log in there again.`)
    } catch (error) {
      log.warn({ err: error }, 'the end of the pause was not written down')
    }
  }

  async #set(until: string | null | undefined): Promise<void> {
    await this.#options.folder.update({ pausedUntil: until })
    this.#until = until
  }
}

function isOver(until: string | null | undefined, now: number): boolean {
  return typeof until === 'string' && Date.parse(until) <= now
}
