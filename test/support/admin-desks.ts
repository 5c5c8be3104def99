/** What stands behind the Database, Backup and Updates pages in tests of the admin side: it keeps the rules, a test makes the time pass. */
import type { Backup, BackupJob } from '../../server/admin/contract/backups.ts'
import type { DatabaseMove, DatabaseStatus } from '../../server/admin/contract/database.ts'
import type { DesktopUpdate } from '../../server/admin/contract/desktop.ts'
import type { Updates } from '../../server/admin/contract/updates.ts'
import type { BackupDesk, CheckResult, DatabaseDesk, UpdatesDesk } from '../../server/admin/parts.ts'
import { refusal } from '../../server/admin/problem.ts'
import { placeOf } from '../../server/db/address.ts'
import { parseDatabaseUrl } from '../../server/db/url.ts'

/** Moves no data; a test says how the move goes on. */
export class DatabaseDeskInMemory implements DatabaseDesk {
  readonly #now: () => number
  readonly #listeners = new Set<(move: DatabaseMove) => void>()
  readonly kept: DatabaseStatus['old'] = []
  shownUrl = 'embedded'
  move: DatabaseMove | undefined

  constructor(now: () => number) {
    this.#now = now
  }

  url(): string {
    return this.shownUrl
  }

  async old(): Promise<DatabaseStatus['old']> {
    return this.kept
  }

  async startMove(url: string): Promise<DatabaseMove> {
    if (this.move && this.move.state !== 'switched') throw refusal('refused', 'The data is being moved already.')
    const target = parseDatabaseUrl(url)
    if (target.kind === 'embedded') throw refusal('refused', 'The built-in database is used already.')
    return this.goOn({
      state: 'copying',
      from: 'built in',
      to: placeOf(target.address),
      sentence: 'Copied nothing yet.',
      percent: 0,
      tables: [],
      startedAt: new Date(this.#now()).toISOString(),
    })
  }

  async steerMove(action: 'cancel' | 'resume' | 'forget'): Promise<DatabaseMove | undefined> {
    const { move } = this
    if (!move || move.state === 'switched') throw refusal('refused', 'No data is being moved.')
    if (action === 'forget') this.move = undefined
    else this.goOn({ ...move, state: action === 'cancel' ? 'stopped' : 'copying' })
    return this.move
  }

  async removeOld(id: string): Promise<void> {
    const index = this.kept.findIndex(one => one.id === id)
    if (index < 0) throw refusal('not-found', 'This old database is not kept any more.')
    this.kept.splice(index, 1)
  }

  onMove(listener: (move: DatabaseMove) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The move is like this now. */
  goOn(move: DatabaseMove): DatabaseMove {
    this.move = move
    for (const listener of this.#listeners) listener(move)
    return move
  }
}

/** Backs nothing up; a test says how a job goes on. */
export class BackupDeskInMemory implements BackupDesk {
  readonly folder: string
  readonly #now: () => number
  readonly #listeners = new Set<(job: BackupJob) => void>()
  readonly kept: Backup[] = []
  readonly isEnabled = true
  readonly trouble = { failures: 0, sentence: '' }
  nextAt: Date | undefined
  job: BackupJob | undefined

  constructor(folder: string, now: () => number) {
    this.folder = folder
    this.#now = now
  }

  async list(): Promise<Backup[]> {
    return this.kept
  }

  async make(): Promise<BackupJob> {
    return this.#begin('backup', `acme-${this.kept.length + 1}`)
  }

  async prove(name: string): Promise<BackupJob> {
    this.#mustHave(name)
    return this.#begin('proof', name)
  }

  async restore(name: string): Promise<BackupJob> {
    this.#mustHave(name)
    return this.#begin('restore', name)
  }

  onJob(listener: (job: BackupJob) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The job is like this now. */
  goOn(job: BackupJob): BackupJob {
    this.job = job
    for (const listener of this.#listeners) listener(job)
    return job
  }

  #begin(kind: BackupJob['kind'], name: string): BackupJob {
    if (this.job?.state === 'running') throw refusal('refused', 'Something is being done with backups already.')
    const startedAt = new Date(this.#now()).toISOString()
    return this.goOn({ kind, state: 'running', name, sentence: 'It has begun.', percent: 0, startedAt })
  }

  #mustHave(name: string): void {
    if (!this.kept.some(backup => backup.name === name)) throw refusal('not-found', `There is no backup ${name}.`)
  }
}

/** Installs nothing; a test says how things stand. */
export class UpdatesDeskInMemory implements UpdatesDesk {
  readonly #listeners = new Set<() => void>()
  readonly asked: string[] = []
  shown: Updates = {
    ...{ state: 'off', wellness: 'ok', sentence: 'Nobody looks for updates.', version: '0.0.0-test' },
    ...{ canBeOn: true, canInstall: false, canStop: false },
    pcs: [{ name: 'front-desk', version: '0.0.0-test', state: 'current', sentence: 'Has version 0.0.0-test.' }],
  }

  get desktop(): DesktopUpdate {
    const { state, sentence, newest } = this.shown
    return { state, sentence, ...(newest && { version: newest.version }) }
  }

  get health(): CheckResult | undefined {
    const { state, wellness, sentence } = this.shown
    return state === 'off' ? undefined : { state: wellness, sentence }
  }

  async view(): Promise<Updates> {
    return this.shown
  }

  async check(): Promise<Updates> {
    if (this.shown.state === 'off') throw refusal('refused', 'Say first where updates come from.')
    this.asked.push('check')
    return this.shown
  }

  async install(): Promise<Updates> {
    if (!this.shown.canInstall) throw refusal('refused', 'There is nothing to install.')
    this.asked.push('install')
    return this.put({ canInstall: false, canStop: true })
  }

  async stop(by: string): Promise<Updates> {
    this.asked.push(`${by} stopped`)
    return this.put({ canStop: false })
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Things stand like this now. */
  put(changes: Partial<Updates>): Updates {
    this.shown = { ...this.shown, ...changes }
    for (const listener of this.#listeners) listener()
    return this.shown
  }
}
