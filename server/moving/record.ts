/** move.json in the data folder: how far the move of all data is, so that it outlives this process. */
import { readFile, rm } from 'node:fs/promises'
import { writeDurably } from '../durable-file.ts'
import { DataFolderFault } from '../node.ts'

/** Where the data is or goes. The URL of an outside database has a password in it, so it is kept with the secrets. */
export type Where =
  | { readonly kind: 'embedded'; readonly database: string }
  | { readonly kind: 'outside'; readonly place: string }

/** One table on its way. */
export interface TableRecord {
  readonly table: string
  /** In the old database: estimated until it is copied. */
  rows: number
  done: number
  state: 'waiting' | 'copying' | 'comparing' | 'done'
  /** Ranged tables: all keys up to this one are in the target, compared and committed. */
  after?: string
}

/** The whole of move.json. */
export interface MoveRecord {
  readonly format: 1
  readonly id: string
  state: 'copying' | 'catching-up' | 'switching' | 'switched' | 'stopped'
  /** Stopped: why, if not because somebody said so. */
  problem?: string
  /** Stopped because somebody said so: the capture is taken out as soon as the old database answers. */
  isCancelled?: boolean
  readonly from: Where
  readonly to: Where
  /** ISO 8601. */
  readonly startedAt: string
  endedAt?: string
  pauseMs?: number
  /** The capture was installed before anything that counts as done was copied. */
  isCaptured: boolean
  /** The tables of the target were made by this move. */
  isTargetMade: boolean
  tables: TableRecord[]
}

/** Its file; every `save` is on disk when it resolves. */
export interface RecordFile {
  load(): Promise<MoveRecord | undefined>
  save(record: MoveRecord): Promise<void>
  forget(): Promise<void>
}

/**
 * What a file of the data folder holds.
 * @returns undefined when there is none
 * @throws DataFolderFault with a sentence when it is damaged
 */
export async function readJson<T>(file: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    if (!(error instanceof SyntaxError)) throw error
    throw new DataFolderFault(`The file ${file} is damaged (${error.message}): put it back from a backup.`)
  }
}

/**
 * @param file absolute name
 * @returns load() throws DataFolderFault when somebody damaged the file
 */
export function recordFile(file: string): RecordFile {
  let saving: Promise<void> = Promise.resolve()
  const next = (work: () => Promise<void>): Promise<void> => {
    const done = saving.then(work)
    saving = done.catch(() => undefined) // told to the caller of this one
    return done
  }
  return {
    load: () => readJson<MoveRecord>(file),
    save(record) {
      const text = `${JSON.stringify(record, undefined, 2)}\n`
      return next(() => writeDurably(file, text))
    },
    forget: () => next(() => rm(file, { force: true })),
  }
}

/** What people read for a place: “built in” for the embedded one. */
export function wordsOf(where: Where): string {
  return where.kind === 'embedded' ? 'built in' : where.place
}

/** The same inside a sentence. */
export function namedIn(where: Where): string {
  return where.kind === 'embedded' ? 'the built-in database' : `the database at ${where.place}`
}
