/** The server of this PC, as the shell has to do with it: found or started, asked, stopped. No Electron in here. */
import type { Endpoint } from '../server/admin/contract/endpoint.ts'
import { AskFault, type AskInput, ask, type Line, lines } from './api.ts'
import type { Program } from './places.ts'
import type { RunFile } from './run-file.ts'
import { ServerLink } from './server-link.ts'
import { OwnServer } from './server-process.ts'
import { startService } from './service.ts'
import { type Situation, situationOf } from './tray-state.ts'

/** Longer than the server gives its own parts to stop. */
const STOP_MS = 40_000

export interface LocalServerOptions {
  /** The program of this installation; undefined: there is none, and only a running server can be found. */
  readonly program: Program | undefined
  /** The data folder of an own server. */
  readonly data: string
  /** Where the service writes its run.json; undefined: it is not looked for, and the server is ours. */
  readonly serviceFolder: string | undefined
  /** What an own server writes to its terminal. */
  readonly outputFile: string
  readonly onChange: (before: Situation) => void
}

/** One for the life of the shell. */
export class LocalServer {
  readonly #options: LocalServerOptions
  readonly #own: OwnServer | undefined
  readonly #link: ServerLink
  #situation: Situation = { at: 'starting' }
  #isFirstLook = true
  #isEnding = false
  #whenStopped: (() => void) | undefined

  constructor(options: LocalServerOptions) {
    const { program, data, serviceFolder, outputFile } = options
    this.#options = options
    if (program && (serviceFolder === undefined || !program.service)) {
      this.#own = new OwnServer({
        program,
        data,
        outputFile,
        onChange: () => this.#changed(),
        askToStop: async () => (await this.#ask(lines.stopHere)) === undefined,
      })
    }
    const folders = serviceFolder === undefined ? [data] : [serviceFolder, data]
    this.#link = new ServerLink({ folders, onChange: () => this.#looked() })
  }

  get situation(): Situation {
    return this.#situation
  }

  /** Whether it can be started from here. */
  get canStart(): boolean {
    return this.#own !== undefined || this.#options.program?.service !== undefined
  }

  /** Begins to look for it; what is found is told by `onChange`. */
  open(): void {
    this.#link.look()
  }

  /** Asks it to do something. @returns one sentence when it was not done */
  async request<E extends Endpoint>(line: Line<E>, input?: AskInput<E>): Promise<string | undefined> {
    const refusal = await this.#ask(line, input)
    this.#link.look()
    return refusal
  }

  /** Starts it, or asks the system to. @returns one sentence when that failed */
  async start(): Promise<string | undefined> {
    const service = this.#own ? undefined : this.#options.program?.service
    this.#own?.start()
    const fault = service && (await startService(service))
    this.#link.look()
    return fault
  }

  /** Stops it in order, whoever started it: it is gone when this resolves. @returns one sentence when it refuses */
  async stop(): Promise<string | undefined> {
    const refusal = await this.request(lines.stopHere)
    if (refusal !== undefined) return refusal
    this.leave()
    this.#link.expectStop()
    await new Promise<void>(resolve => {
      this.#whenStopped = resolve
      setTimeout(resolve, STOP_MS)
    })
    return undefined
  }

  /** An own one is supervised no longer, and goes on without us. */
  leave(): void {
    this.#own?.leave()
  }

  /** The shell ends: an own one that is still supervised ends first, in order. */
  async close(): Promise<void> {
    this.#isEnding = true
    this.#link.close()
    await this.#own?.end()
  }

  /** The link knows something new. */
  #looked(): void {
    const { at } = this.#link.state
    // Nobody runs it: we do. And one that was found running, and has died, has nobody else either.
    const isOrphan = at === 'lost' || (at === 'stopped' && this.#isFirstLook)
    this.#isFirstLook = false
    if (isOrphan && this.#own?.state.at === 'off' && !this.#isEnding) this.#own.start()
    if (at === 'stopped') this.#whenStopped?.()
    this.#changed()
  }

  #changed(): void {
    const before = this.#situation
    this.#situation = situationOf(this.#link.state, this.#own?.state ?? { at: 'off' })
    this.#options.onChange(before)
  }

  async #ask<E extends Endpoint>(line: Line<E>, input?: AskInput<E>): Promise<string | undefined> {
    const run = runOf(this.#link.state)
    if (!run) return 'Chat on this PC does not run.'
    try {
      await ask(run, line, input)
      return undefined
    } catch (error) {
      if (error instanceof AskFault) return error.message
      throw error
    }
  }
}

function runOf(state: ServerLink['state']): RunFile | undefined {
  return 'run' in state ? state.run : undefined
}
