/** The folder with the backups: which there are, names for new ones, what is left over of half ones, what room there is. */
import { mkdir, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { BackupFault, reasonOf } from './fault.ts'
import { settleFolder, writeSmall } from './files.ts'
import { dayOf } from './keep.ts'
import { MANIFEST, type Manifest, readManifest } from './manifest.ts'

/** “acme-2026-11-22-0300”, with “-2” when there is one of that minute already. */
const backupName = /^[a-z0-9-]{1,60}-\d{4}-\d{2}-\d{2}-\d{4}(-\d{1,3})?$/
const PROOF = 'proof.json'
const LISTED_MAX = 500
/** A share that hangs answers nothing for minutes. */
const ANSWER_MS = 10_000
/** An unfinished backup of another PC that nothing was written to for so long is not being made any more. */
const DEAD_MS = 7 * 24 * 60 * 60_000

/** Whether and when a backup was restored for a try. */
const Proof = Type.Object({ at: Type.String(), isGood: Type.Boolean(), sentence: Type.String() })
/** Static of {@link Proof}. */
export type Proof = Static<typeof Proof>

/** Where an unfinished backup is written; `finish` gives it its name. */
export interface Place {
  readonly staging: string
  readonly name: string
  finish(): Promise<void>
}

/** One complete backup. */
export interface FoundBackup {
  readonly name: string
  readonly manifest: Manifest
  readonly proof: Proof | undefined
  readonly bytes: number
}

/**
 * The folder on disk. One look at a time: on a share that hangs each further one would take another of the few threads that also check
 * passwords.
 */
export class BackupFolder {
  readonly dir: string
  /** Ends the names of unfinished backups: leftovers of other PCs in the same folder are not ours to remove. */
  readonly #mark: string
  readonly #known = new Map<string, { writtenAt: number; manifest: Manifest }>()
  #looking: Promise<unknown> | undefined

  constructor(dir: string, mark: string) {
    this.dir = dir
    this.#mark = mark
  }

  /**
   * The complete backups of an office, newest first; at most 500.
   * @throws BackupFault when the folder cannot be read or does not answer
   */
  list(domain: string): Promise<FoundBackup[]> {
    return this.#look(() => this.#list(domain))
  }

  /** Makes the folder if need be and tries to write into it. @throws BackupFault */
  tryToWrite(): Promise<void> {
    return this.#look(async () => {
      const probe = path.join(this.dir, `.writable-${this.#mark}`)
      try {
        await mkdir(this.dir, { recursive: true, mode: 0o700 })
        await writeFile(probe, '', { mode: 0o600 })
        await rm(probe)
      } catch (error) {
        throw new BackupFault(`The folder for backups, ${this.dir}, cannot be written: ${reasonOf(error)}.`)
      }
    })
  }

  /** Bytes that are free there. */
  room(): Promise<number> {
    return this.#look(async () => {
      const { bavail, bsize } = await statfs(this.dir)
      return bavail * bsize
    })
  }

  /** Whether it lies on the same disk as another folder, so that both are lost together. */
  isOnDiskOf(other: string): Promise<boolean> {
    return this.#look(async () => (await stat(this.dir)).dev === (await stat(other)).dev)
  }

  /** Removes what a backup or a removal that was interrupted has left. Only while neither runs. */
  async clean(): Promise<void> {
    for (const name of await readdir(this.dir)) {
      const file = path.join(this.dir, name)
      const isLeft = name.startsWith('.removing-') || (name.startsWith('.making-') && (await this.#isDead(file)))
      if (isLeft) await rm(file, { recursive: true, force: true })
    }
  }

  /** Our own, because we make none now; one of another PC when nothing has been written to it for a week. */
  async #isDead(file: string): Promise<boolean> {
    return file.endsWith(`-${this.#mark}`) || Date.now() - (await stat(file)).mtimeMs > DEAD_MS
  }

  /**
   * Makes an unfinished backup, to be filled and then given its name.
   * @param at its time, in milliseconds since 1970
   * @returns where to write, and what gives the finished one its name
   */
  async begin(office: string, at: number): Promise<Place> {
    const time = new Date(at)
    const clock = `${time.getHours()}`.padStart(2, '0') + `${time.getMinutes()}`.padStart(2, '0')
    const wanted = `${slugOf(office)}-${dayOf(time)}-${clock}`
    const taken = new Set(await readdir(this.dir))
    let name = wanted
    for (let number = 2; taken.has(name) && number < 1_000; number++) name = `${wanted}-${number}`
    const staging = path.join(this.dir, `.making-${name}-${this.#mark}`)
    await mkdir(path.join(staging, 'tables'), { recursive: true, mode: 0o700 })
    const finish = async (): Promise<void> => {
      await settleFolder(path.join(staging, 'tables'))
      await settleFolder(staging)
      await rename(staging, path.join(this.dir, name))
      await settleFolder(this.dir)
    }
    return { staging, name, finish }
  }

  /** The folder of one backup. @throws BackupFault when the name is none */
  file(name: string): string {
    if (!backupName.test(name)) throw new BackupFault(`“${name}” is no name of a backup.`)
    return path.join(this.dir, name)
  }

  /** Writes down how a proof went. */
  async saveProof(name: string, proof: Proof): Promise<void> {
    await writeSmall(path.join(this.file(name), PROOF), `${JSON.stringify(proof, undefined, 2)}\n`)
  }

  /** Removes a backup; half a removed one is never listed. */
  async remove(name: string): Promise<void> {
    const gone = path.join(this.dir, `.removing-${name}`)
    await rename(this.file(name), gone)
    await rm(gone, { recursive: true, force: true })
    this.#known.delete(name)
  }

  async #list(domain: string): Promise<FoundBackup[]> {
    let names: string[]
    try {
      names = await readdir(this.dir)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw new BackupFault(`The folder with the backups, ${this.dir}, cannot be read: ${reasonOf(error)}.`)
    }
    const found: FoundBackup[] = []
    for (const name of newestFirst(names.filter(one => backupName.test(one))).slice(0, LISTED_MAX)) {
      const backup = await this.#find(name)
      if (backup?.manifest.domain === domain) found.push(backup)
    }
    return found.sort((a, b) => b.manifest.madeAt.localeCompare(a.manifest.madeAt))
  }

  /** undefined: not a backup, or one that cannot be read any more. */
  async #find(name: string): Promise<FoundBackup | undefined> {
    const folder = path.join(this.dir, name)
    try {
      const { mtimeMs } = await stat(path.join(folder, MANIFEST))
      const known = this.#known.get(name)
      const manifest = known?.writtenAt === mtimeMs ? known.manifest : await readManifest(folder)
      this.#known.set(name, { writtenAt: mtimeMs, manifest })
      const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0)
      return { name, manifest, proof: await readProof(folder), bytes }
    } catch {
      // A folder that only looks like a backup, or a damaged one: it cannot be restored, and is not offered.
      return undefined
    }
  }

  async #look<T>(work: () => Promise<T>): Promise<T> {
    if (this.#looking) await this.#answer(this.#looking)
    const looking = work()
    this.#looking = looking
    const over = (): void => {
      if (this.#looking === looking) this.#looking = undefined
    }
    looking.then(over, over)
    return this.#answer(looking)
  }

  async #answer<T>(looking: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const sentence = `The folder for backups, ${this.dir}, does not answer: is the PC with the share on?`
      timer = setTimeout(() => reject(new BackupFault(sentence)), ANSWER_MS)
    })
    try {
      return await Promise.race([looking, late])
    } finally {
      clearTimeout(timer)
    }
  }
}

async function readProof(folder: string): Promise<Proof | undefined> {
  try {
    const proof: unknown = JSON.parse(await readFile(path.join(folder, PROOF), 'utf8'))
    return Value.Check(Proof, proof) ? proof : undefined
  } catch {
    return undefined // not proven yet
  }
}

/** By the time in the name, whatever the office was called then. */
function newestFirst(names: string[]): string[] {
  const timeOf = (name: string): string => /\d{4}-\d{2}-\d{2}-\d{4}(-\d+)?$/.exec(name)?.[0] ?? ''
  return names.sort((a, b) => (timeOf(a) < timeOf(b) ? 1 : -1))
}

/** “ACME & Sons” → “acme-sons”. */
function slugOf(office: string): string {
  const plain = office.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
  return (
    plain
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 40) || 'office'
  )
}
