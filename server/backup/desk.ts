/** Backups of one office: made by schedule or by hand, proven, listed, removed when old, restored. One thing at a time. */
import path from 'node:path'
import type { Logger } from 'pino'
import type { Backup, BackupJob } from '../admin/contract/backups.ts'
import type { BackupDesk } from '../admin/parts.ts'
import { type Refusal, refusal } from '../admin/problem.ts'
import { counted, readableBytes } from '../admin/words.ts'
import type { Connection } from '../db/address.ts'
import type { MigrationStep } from '../db/migrate.ts'
import { dayAndTime, describe } from './describe.ts'
import { BackupFault } from './fault.ts'
import type { BackupSettings } from './feature.ts'
import { checkFiles } from './files.ts'
import { BackupFolder, type FoundBackup } from './folder.ts'
import { Jobs, sentenceOf, type Work } from './jobs.ts'
import { dispensable } from './keep.ts'
import { loadBackup, refuseNewer } from './load.ts'
import { makeBackup, type OfficeName, type Progress } from './make.ts'
import { type Manifest, readManifest } from './manifest.ts'
import { type Memory, readMemory, writeMemory } from './memory.ts'
import { proveBackup } from './prove.ts'
import { mustHaveRoom, roomForBackup, roomForDatabase } from './room.ts'
import { nextBackupAt, PROVE_AGAIN_MS } from './schedule.ts'
import type { Scratch } from './scratch.ts'

/** How often it is looked whether a backup is due. */
const TICK_MS = 60_000
const RETRY_PROOF_MS = 24 * 60 * 60_000
/** Old backups removed at one go. */
const REMOVED_MAX = 50

/** A new, empty database to restore into. */
export interface FreshDatabase {
  readonly connection: Connection
  /** Lets the office go on with it; the former one is kept. Everybody is signed out. @throws when that fails; the office is as before */
  use(): Promise<void>
  /** Removes it; it was not used. */
  drop(): Promise<void>
}

/** What backups need of the appliance. */
export interface BackupsOptions {
  readonly dataDir: string
  /** Tells this PC's unfinished backups from those of others in the same folder. */
  readonly mark: string
  readonly log: Logger
  now(): number
  settings(): BackupSettings
  name(): OfficeName
  /** Where the database is now. */
  connection(): Connection
  /** The migrations of this version. */
  steps(): readonly MigrationStep[]
  isOurs(table: string): boolean
  /** What only the recovery key opens. */
  secretPart(): Promise<string>
  recoveryKey(): Promise<Buffer>
  makeScratch(): Promise<Scratch>
  freshDatabase(url: string | undefined): Promise<FreshDatabase>
  /** Why nothing may be begun now (the data is being moved), as a sentence. */
  busyWith(): string | undefined
  /** Writes something into the history. */
  note(sentence: string): Promise<void>
}

/** The backups of an office. */
export class Backups implements BackupDesk {
  readonly #options: BackupsOptions
  readonly #jobs: Jobs
  readonly #startedAt: number
  #memory: Memory = { failures: 0 }
  #lastAt: number | undefined
  #triedProofAt = Number.NEGATIVE_INFINITY
  #isBeginning = false
  #folder: BackupFolder | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: BackupsOptions) {
    this.#options = options
    this.#jobs = new Jobs({ log: options.log, now: options.now })
    this.#startedAt = options.now()
  }

  /** Reads what is remembered and begins to look at the clock. */
  async start(): Promise<void> {
    this.#memory = await readMemory(this.#memoryFile)
    this.#timer = setInterval(() => {
      this.tick().catch((error: unknown) => this.#options.log.error({ err: error }, 'backups were not looked after'))
    }, TICK_MS)
    this.#timer.unref()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#jobs.close()
  }

  get folder(): string {
    const { folder } = this.#options.settings()
    return folder === '' ? path.join(this.#options.dataDir, 'backups') : folder
  }

  get nextAt(): Date | undefined {
    const at = nextBackupAt(this.#situation())
    return at === undefined ? undefined : new Date(Math.max(at, this.#options.now()))
  }

  get job(): BackupJob | undefined {
    return this.#jobs.last
  }

  /** Scheduled backups that failed in a row, and why the last one did. */
  get trouble(): { readonly failures: number; readonly sentence: string } {
    return { failures: this.#memory.failures, sentence: this.#memory.sentence ?? '' }
  }

  get isEnabled(): boolean {
    return this.#options.settings().enabled
  }

  /** Whether backups lie on the same disk as the data, so that both are lost together. @throws BackupFault */
  isOnDataDisk(): Promise<boolean> {
    return this.#place().isOnDiskOf(this.#options.dataDir)
  }

  onJob(listener: (job: BackupJob) => void): () => void {
    return this.#jobs.on(listener)
  }

  /** Why nothing else may be begun now, as a sentence; undefined: nothing is done with backups. */
  busyWith(): string | undefined {
    if (!this.#isBeginning && !this.#jobs.isRunning) return undefined
    const what = { backup: 'being made', proof: 'being proven', restore: 'being restored' }
    return `A backup is ${what[this.job?.kind ?? 'backup']}: wait until that is done.`
  }

  /** Resolves when nothing runs. */
  idle(): Promise<void> {
    return this.#jobs.idle()
  }

  async list(): Promise<Backup[]> {
    return (await this.#found()).map(describe)
  }

  make(): Promise<BackupJob> {
    return this.#alone(() => this.#make(() => undefined))
  }

  prove(name: string): Promise<BackupJob> {
    return this.#alone(async () => this.#beginProof(await this.#find(name), () => undefined))
  }

  restore(name: string, url: string | undefined): Promise<BackupJob> {
    return this.#alone(async () => {
      const { folder, manifest } = await this.#source(name)
      refuseNewer(manifest, this.#options.steps())
      const work: Work = progress => this.#restore({ folder, manifest, url }, progress)
      return this.#jobs.begin('restore', path.basename(folder), work, () => undefined)
    })
  }

  /** Looks at the clock: begins what is due. */
  async tick(): Promise<void> {
    if (this.#jobs.isRunning || this.#isBeginning || this.#options.busyWith() !== undefined) return
    if (this.#isDue()) {
      // Another look at the folder: perhaps somebody has made one by hand.
      await this.#found().catch(() => undefined) // the backup itself will say what is wrong with the folder
      if (this.#isDue()) await this.#makeScheduled()
      return
    }
    if (this.#options.settings().proveAgain) await this.#proveAgain()
  }

  #isDue(): boolean {
    const at = nextBackupAt(this.#situation())
    return at !== undefined && at <= this.#options.now()
  }

  #situation() {
    const { enabled, time } = this.#options.settings()
    return {
      now: this.#options.now(),
      isEnabled: enabled,
      time,
      startedAt: this.#startedAt,
      lastAt: this.#lastAt,
      failedAt: this.#memory.failedAt,
    }
  }

  async #makeScheduled(): Promise<void> {
    const failed = (sentence: string): void => {
      const { log } = this.#options
      this.#remember({ failures: this.#memory.failures + 1, failedAt: this.#options.now(), sentence }).catch(
        (error: unknown) => log.error({ err: error }, 'the failed backup was not written down'),
      )
      this.#options
        .note(`The backup failed: ${sentence}`)
        .catch((error: unknown) => log.warn({ err: error }, 'the failed backup is not in the history'))
    }
    try {
      await this.#alone(() => this.#make(failed))
    } catch (error) {
      failed(sentenceOf(error))
    }
  }

  async #proveAgain(): Promise<void> {
    const { now, log, note } = this.#options
    // A proof that cannot be tried now (no room, the database is away) is not tried every minute.
    if (now() - this.#triedProofAt < RETRY_PROOF_MS) return
    const [newest] = await this.#found().catch(() => [])
    if (!newest?.proof?.isGood || now() - Date.parse(newest.proof.at) <= PROVE_AGAIN_MS) return
    this.#triedProofAt = now()
    const failed = (sentence: string): void => {
      note(`The backup ${newest.name} was not proven again: ${sentence}`).catch((error: unknown) =>
        log.warn({ err: error }, 'the failed proof is not in the history'),
      )
    }
    await this.#alone(async () => this.#beginProof(newest, failed))
  }

  #beginProof(found: FoundBackup, failed: (sentence: string) => void): BackupJob {
    const work: Work = async progress => {
      await this.#prove(found, progress)
      return `${found.name} was restored for a try and compared: it is good.`
    }
    return this.#jobs.begin('proof', found.name, work, failed)
  }

  async #make(failed: (sentence: string) => void): Promise<BackupJob> {
    const { now, name } = this.#options
    const folder = this.#place()
    await folder.tryToWrite()
    await folder.clean()
    const [newest] = await this.#found()
    await mustHaveRoom(folder.dir, await folder.room(), await roomForBackup(this.#options.connection(), newest?.bytes))
    const place = await folder.begin(name().office, now())
    const work: Work = async progress => {
      const manifest = await makeBackup({
        ...this.#options,
        connection: this.#options.connection(),
        place,
        name: name(),
        isOurs: table => this.#options.isOurs(table),
        secretPart: () => this.#options.secretPart(),
        recoveryKey: () => this.#options.recoveryKey(),
        now: now(),
        progress: part(progress, 0, 0.6),
      })
      const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0)
      await this.#prove({ name: place.name, manifest, proof: undefined, bytes }, part(progress, 0.6, 1))
      await this.#remember({ failures: 0 })
      await this.#removeOld(folder)
      const { people, messages } = manifest
      return `${counted(people, 'account')} and ${counted(messages, 'message')} were saved (${readableBytes(bytes)}), restored for a try and compared.`
    }
    return this.#jobs.begin('backup', place.name, work, failed)
  }

  async #prove({ name, manifest }: FoundBackup, progress: Progress): Promise<void> {
    const { dataDir, log, now } = this.#options
    const folder = this.#place()
    await mustHaveRoom(dataDir, undefined, roomForDatabase(manifest.databaseBytes))
    const options = {
      folder: folder.file(name),
      manifest,
      steps: this.#options.steps(),
      makeScratch: () => this.#options.makeScratch(),
      log,
      progress,
    }
    const at = new Date(now()).toISOString()
    try {
      await proveBackup(options)
    } catch (error) {
      // Only what is wrong with the backup itself is held against it.
      if (error instanceof BackupFault && !progress.signal.aborted)
        await folder.saveProof(name, { at, isGood: false, sentence: error.message })
      throw error
    }
    await folder.saveProof(name, { at, isGood: true, sentence: '' })
    this.#lastAt = Math.max(this.#lastAt ?? 0, Date.parse(manifest.madeAt))
  }

  async #restore(
    { folder, manifest, url }: { folder: string; manifest: Manifest; url: string | undefined },
    progress: Progress,
  ): Promise<string> {
    const { dataDir, log } = this.#options
    progress.tell(0, 'Checking the backup.')
    await checkFiles(folder, manifest, progress)
    if (url === undefined) await mustHaveRoom(dataDir, undefined, roomForDatabase(manifest.databaseBytes))
    const fresh = await this.#options.freshDatabase(url)
    try {
      const options = { folder, manifest, connection: fresh.connection, steps: this.#options.steps(), log }
      await loadBackup({ ...options, progress: part(progress, 0.1, 0.9) })
      progress.tell(0.92, 'Everybody is signed out for a moment.')
      await fresh.use()
    } catch (error) {
      await fresh.drop().catch((cause: unknown) => log.warn({ err: cause }, 'a database was not removed'))
      throw error
    }
    const sentence = `The office is as it was on ${dayAndTime(manifest.madeAt)}; the database until now is kept.`
    await this.#options.note(`Restored the backup ${path.basename(folder)}. ${sentence}`)
    return sentence
  }

  /** Removes what is no longer needed; only called after a new one was proven. */
  async #removeOld(folder: BackupFolder): Promise<void> {
    const { settings, now, log } = this.#options
    const backups = (await this.#found()).map(({ name, manifest, proof }) => ({
      name,
      madeAt: new Date(manifest.madeAt),
      isProven: proof?.isGood === true,
    }))
    for (const name of dispensable(backups, settings(), now()).slice(0, REMOVED_MAX)) {
      try {
        await folder.remove(name)
        log.info({ name }, 'old backup removed')
      } catch (error) {
        log.warn({ err: error, name }, 'an old backup could not be removed')
      }
    }
  }

  /** A backup by name, or by the absolute path of its folder. */
  async #source(name: string): Promise<{ folder: string; manifest: Manifest }> {
    if (!path.isAbsolute(name)) {
      const { manifest } = await this.#find(name)
      return { folder: this.#place().file(name), manifest }
    }
    const manifest = await readManifest(name)
    const { domain } = this.#options.name()
    if (manifest.domain === domain) return { folder: name, manifest }
    throw refusal('refused', `This is a backup of ${manifest.domain}, but this office is ${domain}.`)
  }

  async #find(name: string): Promise<FoundBackup> {
    const found = (await this.#found()).find(one => one.name === name)
    if (found) return found
    throw refusal('not-found', `There is no backup ${name} in ${this.folder}.`)
  }

  async #found(): Promise<FoundBackup[]> {
    try {
      const found = await this.#place().list(this.#options.name().domain)
      const good = found.find(({ proof }) => proof?.isGood !== false)
      this.#lastAt = good ? Date.parse(good.manifest.madeAt) : undefined
      return found
    } catch (error) {
      throw refused(error)
    }
  }

  /** The folder of the present settings. */
  #place(): BackupFolder {
    if (this.#folder?.dir !== this.folder) this.#folder = new BackupFolder(this.folder, this.#options.mark)
    return this.#folder
  }

  /** Nothing else is begun until `begin` has begun its job. @throws Refusal */
  async #alone<T>(begin: () => Promise<T>): Promise<T> {
    const busy = this.#options.busyWith() ?? this.busyWith()
    if (busy !== undefined) throw refusal('refused', busy)
    this.#isBeginning = true
    try {
      return await begin()
    } catch (error) {
      throw refused(error)
    } finally {
      this.#isBeginning = false
    }
  }

  get #memoryFile(): string {
    return path.join(this.#options.dataDir, 'backups.json')
  }

  async #remember(memory: Memory): Promise<void> {
    this.#memory = memory
    await writeMemory(this.#memoryFile, memory)
  }
}

/** The share of a job that one of its parts has. */
function part({ signal, tell }: Progress, from: number, to: number): Progress {
  return { signal, tell: (share, sentence) => tell(from + (to - from) * share, sentence) }
}

const refused = (error: unknown): Refusal | unknown =>
  error instanceof BackupFault ? refusal('refused', error.message) : error
