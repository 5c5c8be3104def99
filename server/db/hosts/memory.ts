/** What is known of an outside database, kept in the data folder: which one it is, its highest timeline, and the host used last. */
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { Logger } from 'pino'
import { writeDurably } from '../../durable-file.ts'
import type { KnownCluster } from './choose.ts'
import type { ServerReport } from './probe.ts'

export type { KnownCluster } from './choose.ts'

export interface ClusterMemory {
  /** What is known; undefined when nothing is. */
  read(): KnownCluster | undefined
  /** Resolves when it is on disk. */
  write(known: KnownCluster): Promise<void>
  /** From now on nothing is known: the next database that is found is taken as it is. */
  forget(): Promise<void>
}

/** The file's name in the data folder. */
export const MEMORY_FILE = 'database-known.json'

/** A file that cannot be understood is not guessed at: it may be the only thing that keeps a primary of the past out. */
export class MemoryFault extends Error {
  override readonly name = 'MemoryFault'
}

/**
 * Opens the memory in a file (which need not exist yet).
 * @throws MemoryFault with a sentence when the file is there but cannot be understood
 */
export function openMemory(file: string): ClusterMemory {
  let known = readFile(file)
  return {
    read: () => known,
    async write(next) {
      await writeDurably(file, `${JSON.stringify(next, undefined, 2)}\n`)
      known = next
    },
    async forget() {
      await rm(file, { force: true })
      known = undefined
    },
  }
}

/** What is known while we run: from the memory, and from what was used since. */
export class Knowledge {
  readonly #memory: ClusterMemory | undefined
  readonly #log: Logger
  #known: KnownCluster | undefined

  /** @param options.isFresh nothing that the memory has counts: another database is used from now on */
  constructor(memory: ClusterMemory | undefined, log: Logger, options: { isFresh?: boolean } = {}) {
    this.#memory = memory
    this.#log = log
    this.#known = options.isFresh ? undefined : memory?.read()
  }

  get known(): KnownCluster | undefined {
    return this.#known
  }

  /** Resolves when it is on disk: after a restart nothing older may be taken for it. */
  async remember(place: string, report: ServerReport): Promise<void> {
    const { systemId = this.#known?.systemId ?? '', timeline = this.#known?.timeline ?? 0 } = report
    const next: KnownCluster = { systemId, timeline, place }
    if (JSON.stringify(next) === JSON.stringify(this.#known)) return
    this.#known = next
    try {
      await this.#memory?.write(next)
    } catch (error) {
      this.#log.error({ err: error }, 'which database is ours could not be written to the data folder')
    }
  }

  async forget(): Promise<void> {
    await this.#memory?.forget()
    this.#known = undefined
  }
}

function readFile(file: string): KnownCluster | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new MemoryFault(`The file ${file} cannot be read: ${error}.`)
  }
  const known = parse(text)
  if (known) return known
  throw new MemoryFault(
    `The file ${file} is damaged. It says which database is ours; "lanthorn db trust" makes it anew from the database that is there now.`,
  )
}

function parse(text: string): KnownCluster | undefined {
  try {
    const { systemId, timeline, place } = JSON.parse(text) as Partial<KnownCluster>
    const isRight = typeof systemId === 'string' && Number.isSafeInteger(timeline) && typeof place === 'string'
    return isRight ? { systemId, timeline: Number(timeline), place } : undefined
  } catch {
    return undefined // not JSON: the caller says so
  }
}
