/** Looks at the feed from time to time, remembers the newest list it has seen, and fetches the package of this PC. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, statfs } from 'node:fs/promises'
import path from 'node:path'
import type { Logger } from 'pino'
import { writeDurably } from '../durable-file.ts'
import { sentenceOf, UpdateFault } from './fault.ts'
import { Feed } from './feed.ts'
import { MANIFEST_NAME, type Manifest, type ManifestFile, openManifest, SIGNATURE_ENDING } from './manifest.ts'
import type { Program } from './program.ts'
import { FETCHED_FOLDER, requestFile } from './request.ts'

/** Clocks of PCs differ a little; a list from the future would be taken for newer than every later one. */
const FUTURE_MS = 24 * 60 * 60_000

export interface LookoutOptions {
  readonly dataDir: string
  readonly program: Program
  readonly log: Logger
  now(): number
}

interface Memory {
  /** `publishedAt` of the newest list that was ever seen here. */
  readonly newest: string
  /** When the feed was read last, in milliseconds since 1970. */
  readonly checkedAt: number
}

export class Lookout {
  readonly #options: LookoutOptions
  readonly #folder: string
  readonly #abort = new AbortController()
  #memory: Memory = { newest: '', checkedAt: 0 }
  #newest: Manifest | undefined
  #trouble: { readonly sentence: string; readonly since: number } | undefined
  #checking: Promise<void> | undefined
  #fetched: { readonly name: string; readonly percent: number } | undefined

  constructor(options: LookoutOptions) {
    this.#options = options
    this.#folder = path.join(options.dataDir, FETCHED_FOLDER)
  }

  /** What the feed had when it was read last. */
  get newest(): Manifest | undefined {
    return this.#newest
  }

  /** When the feed was read last. */
  get checkedAt(): Date | undefined {
    return this.#memory.checkedAt > 0 ? new Date(this.#memory.checkedAt) : undefined
  }

  /** Why the feed cannot be read, and since when (milliseconds since 1970). */
  get trouble(): { readonly sentence: string; readonly since: number } | undefined {
    return this.#trouble
  }

  /** What is being fetched. */
  get fetching(): { readonly name: string; readonly percent: number } | undefined {
    return this.#fetched
  }

  /** Reads what was remembered. */
  async load(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    this.#memory = await readMemory(this.#memoryFile)
    const { key } = this.#options.program
    if (key === undefined) return
    const list = path.join(this.#folder, MANIFEST_NAME)
    try {
      this.#newest = openManifest(await readFile(list), await readFile(`${list}${SIGNATURE_ENDING}`), key)
    } catch (error) {
      // Never fetched, or half of it was: the next look brings it.
      this.#options.log.debug({ err: error }, 'no list of updates is remembered')
    }
  }

  /** Reads the feed now. Never throws: what is wrong is `trouble`. Whoever asks meanwhile waits for the same look. */
  check(feed: string): Promise<void> {
    this.#checking ??= this.#check(feed).finally(() => {
      this.#checking = undefined
    })
    return this.#checking
  }

  async #check(feed: string): Promise<void> {
    const { program, now, log } = this.#options
    try {
      if (program.key === undefined) throw new UpdateFault(KEYLESS)
      const { bytes, signature } = await new Feed(feed, this.#abort.signal).list()
      const manifest = openManifest(bytes, signature, program.key)
      this.#mustBeNew(manifest)
      const list = path.join(this.#folder, MANIFEST_NAME)
      await writeDurably(list, bytes)
      await writeDurably(`${list}${SIGNATURE_ENDING}`, signature)
      this.#newest = manifest
      this.#trouble = undefined
      await this.#remember({ newest: manifest.publishedAt, checkedAt: now() })
    } catch (error) {
      if (this.#abort.signal.aborted) return
      this.#trouble = { sentence: sentenceOf(error), since: this.#trouble?.since ?? now() }
      await this.#remember({ ...this.#memory, checkedAt: now() })
      log.warn({ err: error, feed }, 'the list of updates was not read')
    }
  }

  #mustBeNew({ publishedAt }: Manifest): void {
    if (publishedAt < this.#memory.newest) {
      throw new UpdateFault(
        `The list of updates is of ${publishedAt}, and one of ${this.#memory.newest} was there already: somebody has put an old one back. It is not used.`,
      )
    }
    if (Date.parse(publishedAt) > this.#options.now() + FUTURE_MS)
      throw new UpdateFault(
        `The list of updates is of ${publishedAt}, which is to come: is the clock of this PC right?`,
      )
  }

  /** Fetches a package, unless it is here already; older ones are removed. @throws UpdateFault */
  async fetch(feed: string, file: ManifestFile): Promise<void> {
    const place = path.join(this.#folder, file.name)
    await this.#removeAllBut(file.name)
    if (await isWhole(place, file)) return
    const { bavail, bsize } = await statfs(this.#folder)
    if (bavail * bsize < file.bytes)
      throw new UpdateFault(`The disk is too full to fetch the update: ${Math.ceil(file.bytes / 1e6)} MB are needed.`)
    const { name } = file
    try {
      await new Feed(feed, this.#abort.signal).fetch(file, place, bytes => {
        this.#fetched = { name, percent: Math.floor((100 * bytes) / file.bytes) }
      })
    } finally {
      this.#fetched = undefined
    }
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#abort.abort()
    await this.#checking
  }

  async #removeAllBut(name: string): Promise<void> {
    const kept = new Set([name, MANIFEST_NAME, `${MANIFEST_NAME}${SIGNATURE_ENDING}`])
    const entries = await readdir(this.#folder, { withFileTypes: true })
    const own = [this.#memoryFile, requestFile(this.#options.dataDir)].map(file => path.basename(file))
    const old = entries.filter(entry => entry.isFile() && !kept.has(entry.name) && !own.includes(entry.name))
    for (const entry of old) await rm(path.join(this.#folder, entry.name), { force: true })
  }

  get #memoryFile(): string {
    return path.join(this.#folder, 'seen.json')
  }

  async #remember(memory: Memory): Promise<void> {
    this.#memory = memory
    await writeDurably(this.#memoryFile, `${JSON.stringify(memory)}\n`)
  }
}

/** Said wherever somebody wants updates of a program that was built without a key. */
export const KEYLESS =
  'This Lanthorn came without the key of its makers, so no update could be trusted: get a newer version from where this one came from, and install it by hand.'

async function readMemory(file: string): Promise<Memory> {
  try {
    const { newest, checkedAt } = JSON.parse(await readFile(file, 'utf8')) as Memory
    return { newest: String(newest), checkedAt: Number(checkedAt) || 0 }
  } catch {
    return { newest: '', checkedAt: 0 } // nothing was seen yet
  }
}

async function isWhole(place: string, { bytes, sha256 }: ManifestFile): Promise<boolean> {
  const found = await stat(place).catch(() => undefined) // not there
  if (found?.size !== bytes) return false
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(place)) hash.update(chunk as Buffer)
  return hash.digest('hex') === sha256
}
