import { type ArchiveWrite, COLUMNS, type Columns, type Given } from './archive-table.ts'

export interface RecentLimits {
  /** How long what was committed is kept, in milliseconds. */
  readonly keptMs: number
  /** Most that is kept, in bytes; the oldest goes first. */
  readonly bytes: number
}

const defaultLimits: RecentLimits = { keptMs: 60_000, bytes: 32 * 2 ** 20 }

/** What a row and a mark take in memory besides the text of the stanza; measured, roughly. */
const ROW_BYTES = 400
const MARK_BYTES = 150

interface Entry {
  readonly at: number
  readonly bytes: number
  readonly write: ArchiveWrite
}

/**
 * What the database has committed lately. A server that is promoted after the failure of another may never have heard of it: then it is
 * written again. A standby repeats its primary's commits in their order, so what it misses are the last ones.
 */
export class RecentWrites {
  readonly #limits: RecentLimits
  readonly #now: () => number
  #entries: Entry[] = []
  /** Index of the oldest in #entries; the front is cut off in big steps. */
  #front = 0
  #bytes = 0
  #timer: NodeJS.Timeout | undefined
  /** Rows that went before their time because there were too many bytes, since the start. */
  cutRows = 0

  /** @param options.now a clock that never goes back, in milliseconds */
  constructor(options: { limits?: Partial<RecentLimits>; now?: () => number } = {}) {
    this.#limits = { ...defaultLimits, ...options.limits }
    this.#now = options.now ?? (() => performance.now())
  }

  /** About how much memory it takes. */
  get bytes(): number {
    return this.#bytes
  }

  /** How long ago the oldest was committed, in milliseconds; 0 when there is nothing. */
  get spanMs(): number {
    const oldest = this.#entries[this.#front]
    return oldest ? this.#now() - oldest.at : 0
  }

  /** Keeps what was just committed. @param stanzaBytes length of its stanzas */
  add(write: ArchiveWrite, stanzaBytes: number): void {
    const marks = write.taken.length + write.given.length
    const bytes = stanzaBytes + write.rows[0].length * ROW_BYTES + marks * MARK_BYTES
    this.#entries.push({ at: this.#now(), bytes, write })
    this.#bytes += bytes
    this.#trim()
  }

  /** Everything, in the order of the commits; nothing is kept any more. Rows are as they are now: taken if they were taken since. */
  takeAll(): ArchiveWrite {
    this.#trim()
    const writes = this.#entries.slice(this.#front).map(({ write }) => write)
    this.close()
    return asTheyAre(writes)
  }

  /** The marks, each as it was made last; they are kept on. */
  get marks(): Pick<ArchiveWrite, 'taken' | 'given'> {
    this.#trim()
    const writes = this.#entries.slice(this.#front)
    const none = sliceRows({ rows: joined([]), taken: [], given: [] }, 0, 0).rows
    return asTheyAre(writes.map(({ write }) => ({ ...write, rows: none })))
  }

  /** Forgets everything. */
  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#entries = []
    this.#front = 0
    this.#bytes = 0
  }

  #trim(): void {
    const end = this.#now() - this.#limits.keptMs
    for (let entry = this.#entries[this.#front]; entry; entry = this.#entries[this.#front]) {
      const isOld = entry.at <= end
      if (!isOld && this.#bytes <= this.#limits.bytes) break
      if (!isOld) this.cutRows += entry.write.rows[0].length
      this.#bytes -= entry.bytes
      this.#front++
    }
    if (this.#front > 256 || this.#front === this.#entries.length) {
      this.#entries = this.#entries.slice(this.#front)
      this.#front = 0
    }
    // When nothing is written any more, nothing else would let go of the last ones.
    if (this.#entries.length === 0 || this.#timer) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#trim()
    }, this.#limits.keptMs)
    this.#timer.unref()
  }
}

/** Several writes as one: each row as it is after all marks, and the marks, each id once. */
export function asTheyAre(writes: readonly ArchiveWrite[]): ArchiveWrite {
  const taken = new Set(writes.flatMap(write => write.taken))
  const given = new Map<string, Given>()
  for (const write of writes) for (const mark of write.given) given.set(mark.id, mark)
  for (const id of taken) given.delete(id)
  const rows = joined(writes.map(write => write.rows))
  const [ids, , , , , , , , pending, , , outStream, outCount, holder] = rows
  for (const [index, id] of ids.entries()) {
    if (taken.has(id)) pending[index] = false
    const mark = given.get(id)
    if (!mark) continue
    outStream[index] = mark.stream ?? null
    outCount[index] = mark.count ?? null
    holder[index] = mark.holder ?? null
  }
  return { rows, taken: [...taken], given: [...given.values()] }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : never }

function joined(all: readonly Columns[]): Mutable<Columns> {
  const empty: unknown[][] = Array.from({ length: COLUMNS }, () => [])
  for (const columns of all) {
    for (const [index, column] of columns.entries()) for (const value of column) empty[index]?.push(value)
  }
  return empty as unknown as Mutable<Columns>
}

/** The part of a write from row `from` on, `count` rows at most. */
export function sliceRows({ rows }: ArchiveWrite, from: number, count: number): ArchiveWrite {
  return {
    rows: rows.map(column => column.slice(from, from + count)) as unknown as Columns,
    taken: [],
    given: [],
  }
}
