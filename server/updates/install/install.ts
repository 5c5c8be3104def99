/** One installation from the request to its result, with the old version back when the new one fails; and what is left of one that was killed. */
import { chmod, mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { writeDurably } from '../../durable-file.ts'
import { sentenceOf, UpdateFault } from '../fault.ts'
import type { PackageKind } from '../manifest.ts'
import { type Program, partsIn, readProgram } from '../program.ts'
import { FETCHED_FOLDER, type Request, type Result, readRequest, readResult, resultFile } from '../request.ts'
import { type Checked, checkPackage } from './check-package.ts'
import { type Journal, readJournal, removeJournal, type Step, writeJournal } from './journal.ts'
import { folderMethod, type Method, mustHold, packageMethod } from './method.ts'
import { untilReady } from './readiness.ts'
import type { Service } from './service.ts'

export interface InstallOptions {
  /** Of the server; nothing in it is trusted. */
  readonly dataDir: string
  /** Where this program alone writes. */
  readonly stateDir: string
  /** The folder of the installed program. */
  readonly top: string
  service(request: Pick<Request, 'arguments'>): Service
  log(sentence: string): void
  /** How long the new version may take until people can log in. */
  readonly readyMs: number
  readonly lookMs: number
  /** For tests: called when a step is on disk. */
  onStep?(step: Step): void
}

/**
 * Carries out what the server asked for, if it did.
 * @returns undefined: there was nothing to do
 */
export async function installRequested(options: InstallOptions): Promise<Result | undefined> {
  await mkdir(options.stateDir, { recursive: true })
  await chmod(options.stateDir, 0o755) // the server reads the result with another account
  const tidied = await tidyUp(options, 'start')
  const request = await readRequest(options.dataDir)
  const last = await readResult(options.stateDir)
  if (!request || last?.id === request.id) return tidied
  return new Installation(options, request, last?.publishedAt ?? '').run()
}

/**
 * After an installation was killed: the old version is put back, whatever the step was.
 * @param server `start`: it is started again; `leave`: somebody else does that, as at the start of the computer
 * @returns undefined: none was
 */
export async function tidyUp(options: InstallOptions, server: 'start' | 'leave'): Promise<Result | undefined> {
  const { stateDir, top } = options
  const journal = await readJournal(stateDir)
  if (!journal) return undefined
  const method = methodOf(journal.kind, top, journal.version)
  const result = await readResult(stateDir)
  if (result?.id === journal.id && result.state !== 'taken') {
    await clear(options, method)
    return result
  }
  options.log(`An installation was interrupted (${journal.step}).`)
  const service = options.service(await requestOf(options, journal.id))
  if (journal.step !== 'kept') {
    await note(options, { ...journal, step: 'undoing' })
    if (!method.whileRunning && server === 'start') await service.stop()
    const isPutBack = await method.putBack()
    if (method.whileRunning && isPutBack && server === 'start') await service.stop()
  }
  if (server === 'start') await service.start()
  const why = journal.why ?? 'The installation was interrupted.'
  return finish(options, journal, method, 'failed', `${why} Version ${journal.from} was put back.`)
}

/** Only the request that is gone on with says how the server is started. */
async function requestOf({ dataDir }: InstallOptions, id: string): Promise<Pick<Request, 'arguments'>> {
  const request = await readRequest(dataDir)
  return request?.id === id ? request : { arguments: [] }
}

class Installation {
  readonly #options: InstallOptions
  readonly #request: Request
  readonly #newestSeen: string

  constructor(options: InstallOptions, request: Request, newestSeen: string) {
    this.#options = options
    this.#request = request
    this.#newestSeen = newestSeen
  }

  async run(): Promise<Result> {
    const { id, version } = this.#request
    let told = { id, from: '', version, publishedAt: this.#newestSeen }
    try {
      const program = await readProgram(partsIn(this.#options.top))
      told = { ...told, from: program.version }
      await writeResult(this.#options, { ...told, state: 'taken', sentence: `Version ${version} is looked at.` })
      const { checked, kind } = await this.#check(program)
      const { publishedAt } = checked.manifest
      const method = methodOf(kind, this.#options.top, version)
      await method.keep()
      const journal: Journal = { ...told, kind, publishedAt, step: 'kept', pid: process.pid }
      await note(this.#options, journal)
      return await this.#change(journal, method, checked.file)
    } catch (error) {
      // What was begun is in the journal: the next start puts the old version back.
      if (await readJournal(this.#options.stateDir)) throw error
      this.#options.log(sentenceOf(error))
      return writeResult(this.#options, { ...told, state: 'failed', sentence: sentenceOf(error) })
    }
  }

  /** Nothing was changed yet, and a fault is the end of it. */
  async #check(program: Program): Promise<{ checked: Checked; kind: PackageKind }> {
    const { dataDir, stateDir } = this.#options
    const to = packageFolder(stateDir)
    const places = { from: path.join(dataDir, FETCHED_FOLDER), to, newestSeen: this.#newestSeen }
    try {
      if (program.kind === undefined) throw new UpdateFault('This Lanthorn runs from its sources: update those.')
      const checked = await checkPackage({ program, wanted: this.#request.version, ...places })
      return { checked, kind: program.kind }
    } catch (error) {
      await rm(to, { recursive: true, force: true })
      if (error instanceof UpdateFault) throw error
      throw new UpdateFault(`The package could not be looked at: ${sentenceOf(error)}`, { cause: error })
    }
  }

  async #change(journal: Journal, method: Method, file: string): Promise<Result> {
    const { version, from } = journal
    const { dataDir, top, readyMs, lookMs, log } = this.#options
    const service = this.#options.service(this.#request)
    let why: string | undefined
    try {
      if (!method.whileRunning) await service.stop()
      await note(this.#options, { ...journal, step: 'installing' })
      log(`Installing version ${version} over ${from}.`)
      await method.install(file)
      await mustHold(top, version)
      if (method.whileRunning) await service.stop()
      await note(this.#options, { ...journal, step: 'starting' })
      await service.start()
      why = await untilReady({ dataDir, version, limitMs: readyMs, lookMs })
    } catch (error) {
      why = sentenceOf(error)
    }
    if (why === undefined)
      return finish(this.#options, journal, method, 'done', `Version ${version} was installed over ${from}.`)
    log(`${why} Version ${from} is put back.`)
    return this.#undo({ ...journal, step: 'undoing', why }, method, service)
  }

  async #undo(journal: Journal, method: Method, service: Service): Promise<Result> {
    const { from, why = '' } = journal
    const { dataDir, readyMs, lookMs } = this.#options
    await note(this.#options, journal)
    if (!method.whileRunning) await service.stop()
    const isPutBack = await method.putBack()
    if (method.whileRunning && isPutBack) await service.stop()
    await service.start()
    const still = await untilReady({ dataDir, version: from, limitMs: readyMs, lookMs })
    const end = still === undefined ? `Version ${from} works again.` : `Version ${from} was put back, but: ${still}`
    return finish(this.#options, journal, method, 'failed', `${why} ${end}`)
  }
}

const packageFolder = (stateDir: string): string => path.join(stateDir, 'package')

function methodOf(kind: Journal['kind'], top: string, version: string): Method {
  return kind === 'deb' || kind === 'rpm' ? packageMethod(kind, top) : folderMethod(top, version)
}

async function note(options: InstallOptions, journal: Journal): Promise<void> {
  await writeJournal(options.stateDir, journal)
  options.onStep?.(journal.step)
}

/** The result first: who is killed in between has it, and the next start removes the rest. */
async function finish(
  options: InstallOptions,
  journal: Journal,
  method: Method,
  state: 'done' | 'failed',
  sentence: string,
): Promise<Result> {
  const { id, from, version, publishedAt } = journal
  options.log(sentence)
  const result = await writeResult(options, { id, from, version, publishedAt, state, sentence })
  await clear(options, method)
  return result
}

async function clear({ stateDir }: InstallOptions, method: Method): Promise<void> {
  await method.forget()
  await rm(packageFolder(stateDir), { recursive: true, force: true })
  await removeJournal(stateDir)
}

async function writeResult({ stateDir }: InstallOptions, told: Omit<Result, 'at'>): Promise<Result> {
  const result: Result = { ...told, at: new Date().toISOString() }
  await writeDurably(resultFile(stateDir), `${JSON.stringify(result)}\n`, 0o644)
  return result
}
