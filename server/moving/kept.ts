/** Databases that were moved away from, or replaced by a backup, and are kept until somebody removes them. */
import { writeDurably } from '../durable-file.ts'
import { readJson, type Where, wordsOf } from './record.ts'

/** One of them. The URL of an outside one is with the secrets, by its id. */
export interface Kept {
  readonly id: string
  readonly where: Where
  /** ISO 8601. */
  readonly keptSince: string
  readonly bytes?: number
}

/** The name of the secret with the URL of a kept outside database. */
export function keptSecret(id: string): string {
  return `kept-database-url-${id}`
}

/** Place for people: a former database inside the built-in server has a name that tells it from others. */
export function placeOfKept({ where }: Kept): string {
  return where.kind === 'embedded' ? `${wordsOf(where)} (${where.database})` : where.place
}

/** The list in a file of the data folder; each change is on disk when it resolves. */
export class KeptDatabases {
  readonly #file: string
  #all: Promise<Kept[]> | undefined

  constructor(file: string) {
    this.#file = file
  }

  /** Newest first. @throws DataFolderFault when somebody damaged the file */
  async list(): Promise<readonly Kept[]> {
    this.#all ??= readJson<Kept[]>(this.#file).then(all => all ?? [])
    return this.#all
  }

  /** Adds one; nothing happens when its id is there already. */
  async add(kept: Kept): Promise<void> {
    const all = await this.list()
    if (!all.some(one => one.id === kept.id)) await this.#write([kept, ...all])
  }

  async remove(id: string): Promise<void> {
    const all = await this.list()
    await this.#write(all.filter(one => one.id !== id))
  }

  async #write(all: Kept[]): Promise<void> {
    await writeDurably(this.#file, `${JSON.stringify(all, undefined, 2)}\n`)
    this.#all = Promise.resolve(all)
  }
}
