/** Hands a fetched package to the installing program, and hears from it what came of it: of the system's, or of one that this server starts itself. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { writeDurably } from '../durable-file.ts'
import { UpdateFault } from './fault.ts'
import { readJournal } from './install/journal.ts'
import { isAlive } from './install/readiness.ts'
import { type Program, topOf } from './program.ts'
import { FETCHED_FOLDER, type Result, readRequest, readResult, requestFile } from './request.ts'

/** Where the system's installing program writes (lanthorn-update.service). */
const SYSTEM_STATE = '/var/lib/lanthorn-update'
const TAKEN_MS = 30_000
const LOOK_MS = 500

export interface InstallerOptions {
  readonly program: Program
  readonly dataDir: string
  /** How this server was started. */
  readonly arguments: readonly string[]
  /** Where the installing program writes. Left out: where it does. */
  readonly stateDir?: string | undefined
  /** How long it may take to begin. */
  readonly takenMs?: number
  readonly lookMs?: number
}

export class Installer {
  readonly #options: InstallerOptions
  readonly #stateDir: string
  readonly #times: { readonly takenMs: number; readonly lookMs: number }

  constructor(options: InstallerOptions) {
    const isSystems = options.program.kind === 'deb' || options.program.kind === 'rpm'
    const own = path.join(options.dataDir, FETCHED_FOLDER, 'state')
    this.#options = options
    this.#stateDir = options.stateDir ?? (isSystems ? SYSTEM_STATE : own)
    this.#times = { takenMs: options.takenMs ?? TAKEN_MS, lookMs: options.lookMs ?? LOOK_MS }
  }

  /** An own installing program that was killed (a power cut) is started again: it puts the old version back. */
  async recover(): Promise<void> {
    if (this.#options.program.kind !== 'tar') return
    const journal = await readJournal(this.#stateDir)
    if (journal && !isAlive(journal.pid)) this.#startOwn()
  }

  /** Asks for an installation. The server is stopped while it goes on. */
  async begin(id: string, version: string): Promise<void> {
    const { dataDir, program } = this.#options
    const request = { id, version, arguments: this.#options.arguments }
    await writeDurably(requestFile(dataDir), `${JSON.stringify(request)}\n`)
    if (program.kind === 'tar') this.#startOwn()
  }

  /** Whether something was asked for under this name, at whatever time. */
  async isKnown(id: string): Promise<boolean> {
    const [request, result] = await Promise.all([readRequest(this.#options.dataDir), this.last()])
    return request?.id === id || result?.id === id
  }

  /** What came of the last installation. */
  last(): Promise<Result | undefined> {
    return readResult(this.#stateDir)
  }

  /**
   * Waits for the end of an installation.
   * @param signal ends the waiting, by which this server stops
   * @returns what came of it; undefined: the time is over
   * @throws UpdateFault when nobody takes it up
   */
  async outcome(id: string, limitMs: number, signal: AbortSignal): Promise<Result | undefined> {
    const { takenMs, lookMs } = this.#times
    const since = performance.now()
    while (performance.now() - since < limitMs) {
      const last = await this.last()
      const isTaken = last?.id === id
      if (isTaken && last.state !== 'taken') return last
      if (!isTaken && performance.now() - since > takenMs) {
        throw new UpdateFault(
          'Nobody took the update up: on this PC the service lanthorn-update.path does not run, or watches another data folder.',
        )
      }
      await delay(lookMs, undefined, { signal })
    }
    return undefined
  }

  /** The request is dealt with. */
  async clear(): Promise<void> {
    await rm(requestFile(this.#options.dataDir), { force: true })
  }

  /** It goes on while this server stops, and starts it again. */
  #startOwn(): void {
    const { program, dataDir } = this.#options
    const main = path.join(program.folder, 'server', 'update.js')
    if (!existsSync(main))
      throw new UpdateFault('This Lanthorn is not complete, its installing program is missing: install it again.')
    const args = [main, '--data', dataDir, '--program', topOf(program), '--state', this.#stateDir]
    const own = spawn(process.execPath, args, { detached: true, stdio: 'ignore', cwd: dataDir })
    own.on('error', () => undefined) // that it did not begin is seen by who waits for it
    own.unref()
  }
}
