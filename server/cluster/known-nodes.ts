/** office-nodes.json in the data folder: what a node must know of its office before it can reach the database. */
import { readFile } from 'node:fs/promises'
import { writeDurably } from '../durable-file.ts'
import type { DatabaseRecord, KnownNode } from './node.ts'
import type { RemovedNode } from './registry.ts'

/** What the file holds. */
export interface OfficeNodes {
  readonly format: 1
  /** The number of this node. */
  readonly self: number
  /** All nodes, this one too. */
  readonly nodes: readonly KnownNode[]
  readonly database: DatabaseRecord
  /** Nodes that were removed, the latest first: a backup that is put back may know nothing of them. */
  readonly removed?: readonly RemovedNode[]
  /** The office has removed this node: it must not open chat any more. */
  readonly isRemoved?: boolean
}

/** The file, read once and written at each change. */
export class KnownNodes {
  readonly #file: string
  #content: OfficeNodes | undefined
  #saving: Promise<void> = Promise.resolve()

  /** For `open` only. */
  constructor(file: string, content: OfficeNodes | undefined) {
    this.#file = file
    this.#content = content
  }

  /** @throws Error of node, or SyntaxError when the file was damaged */
  static async open(file: string): Promise<KnownNodes> {
    try {
      return new KnownNodes(file, JSON.parse(await readFile(file, 'utf8')) as OfficeNodes)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new KnownNodes(file, undefined)
      throw error
    }
  }

  /** undefined: this folder belongs to no office of several PCs. */
  get content(): OfficeNodes | undefined {
    return this.#content
  }

  /** On disk when it resolves. Changes that come meanwhile are written one after the other. */
  async save(content: OfficeNodes): Promise<void> {
    this.#content = content
    const saved = this.#saving.then(() => writeDurably(this.#file, `${JSON.stringify(content, undefined, 2)}\n`))
    this.#saving = saved.catch(() => undefined) // told to the caller of this save; the next one is tried anew
    await saved
  }

  /** Changes a part of it. Nothing happens to a folder of no office. */
  async update(changes: Partial<Omit<OfficeNodes, 'format'>>): Promise<void> {
    const content = this.#content
    if (content) await this.save({ ...content, ...changes })
  }
}
