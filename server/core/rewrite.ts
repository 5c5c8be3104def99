import type { Logger } from 'pino'
import { type Database, DatabaseFault } from '../db/pool.ts'
import { type ArchiveWrite, columnsOf, writeArchive } from './archive-table.ts'
import { asTheyAre, type RecentWrites, sliceRows } from './recent-writes.ts'

/** Rows, and marks, of one statement. */
const ROWS_AT_ONCE = 500
const MARKS_AT_ONCE = 2_000

const nothing: ArchiveWrite = { rows: columnsOf([]), taken: [], given: [] }

/**
 * Writes again what was committed lately, after another server was promoted (DESIGN section 5): rows that are there stay as they are, those that
 * asynchronous replication lost come back as they are by now, and marks are made once more. Step by step, so that new messages need not wait for
 * the end of it.
 */
export class Rewrite {
  readonly #db: Database
  readonly #log: Logger
  readonly #recent: RecentWrites
  /** What is left to do; undefined when nothing is. */
  #left: { readonly write: ArchiveWrite; row: number; mark: number } | undefined
  #startedAt = 0

  constructor(options: { db: Database; log: Logger; recent: RecentWrites }) {
    this.#db = options.db
    this.#log = options.log
    this.#recent = options.recent
  }

  get isDone(): boolean {
    return this.#left === undefined
  }

  /** Another server was promoted: everything that is kept is to be written there, also what a former run was not done with. */
  begin(): void {
    const write = asTheyAre([...(this.#left ? [restOf(this.#left)] : []), this.#recent.takeAll()])
    const isEmpty = write.rows[0].length + write.taken.length + write.given.length === 0
    this.#left = isEmpty ? undefined : { write, row: 0, mark: 0 }
    this.#startedAt = performance.now()
  }

  /** Makes the marks once more: another node may have written their rows again only now. */
  repeatMarks(): void {
    if (this.#left) return
    const { taken, given } = this.#recent.marks
    if (taken.length + given.length > 0) this.#left = { write: { ...nothing, taken, given }, row: 0, mark: 0 }
  }

  /** Writes the next few. @returns false when the database is away: the same step is tried again */
  async step(): Promise<boolean> {
    const left = this.#left
    if (!left) return true
    const { write, row, mark } = left
    const isRows = row < write.rows[0].length
    const part = isRows ? sliceRows(write, row, ROWS_AT_ONCE) : marksFrom(write, mark)
    if (!(await this.#put(part))) return false
    // Another server was promoted meanwhile: who knows where this went.
    if (this.#left !== left) return true
    this.#recent.add(part, lengthOf(part))
    if (isRows) left.row += ROWS_AT_ONCE
    else left.mark += MARKS_AT_ONCE
    const isOver = left.row >= write.rows[0].length && left.mark >= write.taken.length + write.given.length
    if (isOver) this.#finish(write)
    return true
  }

  #finish({ rows, taken, given }: ArchiveWrite): void {
    this.#left = undefined
    if (rows[0].length === 0) return
    const tookMs = Math.round(performance.now() - this.#startedAt)
    const counts = { rows: rows[0].length, marks: taken.length + given.length, tookMs }
    this.#log.info(counts, 'messages of the last minute were written again, as another database server was promoted')
  }

  async #put(write: ArchiveWrite): Promise<boolean> {
    try {
      await writeArchive(this.#db, write)
      return true
    } catch (error) {
      if (!(error instanceof DatabaseFault && isAboutTheRows(error.code))) return false
      const rows = write.rows[0].length
      if (rows <= 1) {
        this.#log.error({ err: error, id: write.rows[0][0] }, 'the database refused a message that it had before')
        return true
      }
      const half = Math.ceil(rows / 2)
      return (await this.#put(sliceRows(write, 0, half))) && (await this.#put(sliceRows(write, half, rows)))
    }
  }
}

/** SQLSTATE classes that mean this very data is at fault (22 data, 23 integrity); all else is worth another try. */
export const isAboutTheRows = (code: string): boolean => code.startsWith('22') || code.startsWith('23')

function restOf({ write, row, mark }: { write: ArchiveWrite; row: number; mark: number }): ArchiveWrite {
  return {
    ...marksFrom(write, mark, Number.POSITIVE_INFINITY),
    rows: sliceRows(write, row, Number.POSITIVE_INFINITY).rows,
  }
}

/** Marks in one line: those that were taken, then those that were given. */
function marksFrom({ taken, given }: ArchiveWrite, from: number, count = MARKS_AT_ONCE): ArchiveWrite {
  const givenFrom = Math.max(0, from - taken.length)
  const takenNow = taken.slice(from, from + count)
  return { ...nothing, taken: takenNow, given: given.slice(givenFrom, givenFrom + count - takenNow.length) }
}

function lengthOf({ rows }: ArchiveWrite): number {
  return rows[5].reduce((sum, stanza) => sum + stanza.length, 0)
}
