/** One job at a time: begun, watched, told about, ended. */
import type { Logger } from 'pino'
import type { BackupJob } from '../admin/contract/backups.ts'
import { BackupFault } from './fault.ts'
import type { Progress } from './make.ts'

/** At most twice a second somebody is told. */
const TELL_MS = 500
/** Work that stands still for so long (a share that hangs) is given up. */
const STALL_MS = 60 * 60_000
const LOOK_MS = 60_000
/** How long a stop waits for a job to end; a share that hangs may never answer. */
const CLOSE_MS = 5_000

/** What a job came to: the sentence that ends it. */
export type Work = (progress: Progress) => Promise<string>

/** The job that runs or was last. */
export class Jobs {
  readonly #log: Logger
  readonly #now: () => number
  readonly #listeners = new Set<(job: BackupJob) => void>()
  #job: BackupJob | undefined
  #running: Promise<void> | undefined
  #abort: AbortController | undefined

  constructor(options: { log: Logger; now: () => number }) {
    this.#log = options.log
    this.#now = options.now
  }

  get last(): BackupJob | undefined {
    return this.#job
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** Calls `listener` as a job goes on. Gives the function that ends it. */
  on(listener: (job: BackupJob) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Begins a job; none may be running.
   * @param failed called with the sentence when it fails
   */
  begin(kind: BackupJob['kind'], name: string, work: Work, failed: (sentence: string) => void): BackupJob {
    if (this.#running) throw new Error('A job runs already.')
    const abort = new AbortController()
    this.#abort = abort
    this.#job = {
      kind,
      name,
      state: 'running',
      sentence: 'It begins.',
      percent: 0,
      startedAt: new Date(this.#now()).toISOString(),
    }
    this.#tell()
    const begun = this.#job
    this.#running = this.#run(work, abort, failed).finally(() => {
      this.#running = undefined
    })
    return begun
  }

  /** Resolves when nothing runs. */
  async idle(): Promise<void> {
    await this.#running
  }

  /** Ends the job that runs. */
  async close(): Promise<void> {
    this.#abort?.abort(new BackupFault('The server stops.'))
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>(resolve => {
      timer = setTimeout(resolve, CLOSE_MS)
    })
    await Promise.race([this.#running, late])
    clearTimeout(timer)
    this.#listeners.clear()
  }

  async #run(work: Work, abort: AbortController, failed: (sentence: string) => void): Promise<void> {
    let movedAt = performance.now()
    let toldAt = 0
    const watch = setInterval(() => {
      if (performance.now() - movedAt > STALL_MS) abort.abort(new BackupFault('It stood still for an hour.'))
    }, LOOK_MS)
    watch.unref()
    const tell = (share: number, sentence: string): void => {
      movedAt = performance.now()
      this.#change({ percent: Math.round(Math.min(1, share) * 1_000) / 10, sentence })
      if (movedAt - toldAt < TELL_MS) return
      toldAt = movedAt
      this.#tell()
    }
    try {
      const sentence = await work({ signal: abort.signal, tell })
      this.#end('done', sentence)
    } catch (thrown) {
      const error: unknown = abort.signal.aborted ? abort.signal.reason : thrown
      const sentence = sentenceOf(error)
      this.#log[error instanceof BackupFault ? 'warn' : 'error']({ err: error, kind: this.#job?.kind }, 'job failed')
      this.#end('failed', sentence)
      failed(sentence)
    } finally {
      clearInterval(watch)
    }
  }

  #end(state: 'done' | 'failed', sentence: string): void {
    const percent = state === 'done' ? 100 : (this.#job?.percent ?? 0)
    this.#change({ state, sentence, percent, endedAt: new Date(this.#now()).toISOString() })
    this.#log.info({ kind: this.#job?.kind, name: this.#job?.name, state }, 'job over')
    this.#tell()
  }

  #change(changes: Partial<BackupJob>): void {
    if (this.#job) this.#job = { ...this.#job, ...changes }
  }

  #tell(): void {
    if (!this.#job) return
    for (const listener of this.#listeners) listener(this.#job)
  }
}

/** What people are told about an error; a bug of ours is in the log. */
export function sentenceOf(error: unknown): string {
  const isForPeople = error instanceof Error && /(Fault|Away|Refusal)$/.test(error.name)
  if (isForPeople) return /[.!?]$/.test(error.message) ? error.message : `${error.message}.`
  return 'It failed because of something unexpected; the log says what.'
}
