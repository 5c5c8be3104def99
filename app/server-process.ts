/**
 * The server that this person's shell starts itself, where no service does: supervised while the shell is there, and left alone, in a
 * session of its own, when only the shell goes. No Electron in here.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, promises as files, mkdirSync, openSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { BackOff } from './back-off.ts'
import type { Program } from './places.ts'

/** Longer than the server itself gives its parts. */
const STOP_MS = 35_000
const restart = { firstMs: 1_000, longestMs: 60_000 } as const
/** A server that ran for so long has not failed to start. */
const SETTLED_MS = 60_000
/** DESIGN section 9: a fault that nobody can mend by starting it again. */
const CONFIGURATION_FAULT = 2
const SENTENCE_CHARS_MAX = 500

/** `failed`: it says itself why it cannot start; starting it again would not help. */
export type OwnState =
  | { readonly at: 'off' | 'running' | 'waiting' }
  | { readonly at: 'failed'; readonly sentence: string }

export interface OwnServerOptions {
  readonly program: Pick<Program, 'node' | 'main'>
  /** The data folder. */
  readonly data: string
  /** What it writes to its terminal goes here, for its last words; its log is in the data folder. */
  readonly outputFile: string
  readonly onChange: (state: OwnState) => void
  readonly restartFirstMs?: number
}

/** At most one child at a time. */
export class OwnServer {
  readonly #options: OwnServerOptions
  readonly #backOff: BackOff
  #state: OwnState = { at: 'off' }
  #child: ChildProcess | undefined
  #timer: NodeJS.Timeout | undefined
  #startedAt = 0
  #isWanted = false

  constructor(options: OwnServerOptions) {
    this.#options = options
    this.#backOff = new BackOff({ ...restart, firstMs: options.restartFirstMs ?? restart.firstMs })
  }

  get state(): OwnState {
    return this.#state
  }

  /** Starts it, and starts it again whenever it dies, later each time. */
  start(): void {
    this.#isWanted = true
    if (!this.#child) this.#launch()
  }

  /** The shell ends: what it supervises ends with it, as under a service manager. What was left before goes on. */
  async end(): Promise<void> {
    const isWanted = this.#isWanted
    this.leave()
    const child = this.#child
    if (!child || !isWanted) return
    const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    child.kill('SIGTERM')
    await gone
    clearTimeout(late)
  }

  /** Supervises it no longer; it goes on. */
  leave(): void {
    this.#isWanted = false
    clearTimeout(this.#timer)
  }

  #launch(): void {
    const { program, data, outputFile } = this.#options
    clearTimeout(this.#timer)
    mkdirSync(path.dirname(outputFile), { recursive: true })
    const output = openSync(outputFile, 'w', 0o600)
    this.#startedAt = Date.now()
    const child = spawn(program.node, [program.main, 'run', '--no-open', '--data', data], {
      cwd: os.homedir(),
      detached: true,
      windowsHide: true,
      stdio: ['ignore', output, output],
    })
    closeSync(output)
    child.unref()
    this.#child = child
    child.once('error', error => {
      this.#ended(child, { at: 'failed', sentence: `Chat cannot be started: ${error.message}.` })
    })
    child.once('exit', code => void this.#exited(child, code))
    this.#become({ at: 'running' })
  }

  async #exited(child: ChildProcess, code: number | null): Promise<void> {
    if (code === 0) this.#ended(child, { at: 'off' })
    else if (code !== CONFIGURATION_FAULT) this.#ended(child)
    else this.#ended(child, { at: 'failed', sentence: await this.#lastWords() })
  }

  /** @param state absent when it makes sense to start it again */
  #ended(child: ChildProcess, state?: OwnState): void {
    if (this.#child !== child) return
    this.#child = undefined
    if (state || !this.#isWanted) {
      this.#become(state ?? { at: 'off' })
      return
    }
    if (Date.now() - this.#startedAt > SETTLED_MS) this.#backOff.reset()
    this.#timer = setTimeout(() => this.#launch(), this.#backOff.nextMs())
    this.#become({ at: 'waiting' })
  }

  #become(state: OwnState): void {
    this.#state = state
    this.#options.onChange(state)
  }

  /** The sentence with which a server ends that cannot start. */
  async #lastWords(): Promise<string> {
    const text = await files.readFile(this.#options.outputFile, 'utf8').catch(() => '')
    const last = text.trim().split('\n').pop()?.slice(0, SENTENCE_CHARS_MAX)
    return last || 'Chat cannot be started with this configuration.'
  }
}
