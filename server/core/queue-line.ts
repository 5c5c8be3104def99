import type { KeptRow } from './kept-row.ts'
import type { GroupWriter } from './queue-writer.ts'

export interface QueueLimits {
  /** Bytes of stanzas that may wait for the database; at the limit senders get resource-constraint. */
  readonly bytes: number
  /** Rows in one group. */
  readonly groupRows: number
  /** How long a group gathers, in milliseconds: an ack waits that long, delivery does not. */
  readonly gatherMs: number
  /** As soon as so many wait, a group gathers no longer. */
  readonly gatherRows: number
}

const defaultLimits: QueueLimits = { bytes: 64 * 2 ** 20, groupRows: 500, gatherMs: 50, gatherRows: 250 }

/** What was written in one go. */
export interface WrittenGroup {
  /** New rows; those the database will never take are 'refused'. */
  readonly rows: readonly KeptRow[]
  /** Rows whose holder was written down. */
  readonly given: readonly KeptRow[]
}

/** Rows and marks on their way into the database: they gather, and are written in groups by one writer, in their order. */
export class WriteLine {
  readonly #writer: GroupWriter
  readonly #limits: QueueLimits
  readonly #onWritten: (group: WrittenGroup) => void
  #waiting: KeptRow[] = []
  #taken: KeptRow[] = []
  #given: KeptRow[] = []
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #isClosed = false
  /** Bytes of stanzas that wait. */
  bytes = 0

  constructor(options: {
    writer: GroupWriter
    limits: Partial<QueueLimits> | undefined
    onWritten(group: WrittenGroup): void
  }) {
    this.#writer = options.writer
    this.#limits = { ...defaultLimits, ...options.limits }
    this.#onWritten = group => options.onWritten(group)
    this.#writer.onWork = () => this.flushNow()
  }

  get isFull(): boolean {
    return this.bytes >= this.#limits.bytes || this.#isClosed
  }

  /** Rows that wait. */
  get rows(): number {
    return this.#waiting.length
  }

  /** Nothing waits to be written, no mark either. */
  get isIdle(): boolean {
    return this.#waiting.length === 0 && !this.hasMarks && !this.#writing
  }

  /** Whether committed rows have changed since, or are to be written again. */
  get hasMarks(): boolean {
    return this.#taken.length > 0 || this.#given.length > 0 || !this.#writer.isDone
  }

  /** Rows that are pending no longer, though the table does not know yet. */
  get takenIds(): string[] {
    return this.#taken.map(row => row.id)
  }

  /** A new row. */
  add(row: KeptRow): void {
    this.bytes += row.input.stanza.bytes.length
    this.#waiting.push(row)
    this.#schedule()
  }

  /** A committed row is pending no longer. */
  addTaken(row: KeptRow): void {
    this.#taken.push(row)
    this.#schedule()
  }

  /** A committed row has another holder. */
  addGiven(row: KeptRow): void {
    row.isMarked = true
    this.#given.push(row)
    this.#schedule()
  }

  /**
   * Resolves when every row added before this call is committed, also what a failover may have lost, or after `waitMs`.
   * @returns whether it is
   */
  async flushed(waitMs: number): Promise<boolean> {
    // A row leaves the line only when it is written, so the last one in it is the last there is.
    const last = this.#waiting.at(-1)
    const end = Date.now() + waitMs
    while ((last && this.#waiting.includes(last)) || !this.#writer.isDone) {
      this.flushNow()
      const left = end - Date.now()
      if (left <= 0 || !this.#writing) return false
      await Promise.race([this.#writing, pause(left)])
    }
    return true
  }

  /** Resolves when the marks made before this call are written, or `rounds` groups later. */
  async marksFlushed(rounds: number): Promise<void> {
    for (let round = 0; round < rounds && this.hasMarks; round++) {
      this.flushNow()
      await this.#writing
    }
  }

  /** Writes what waits, at most for `waitMs`, then takes no more. @returns whether all rows are committed */
  async close(waitMs: number): Promise<boolean> {
    const end = Date.now() + waitMs
    const isDone = await this.flushed(waitMs)
    this.#isClosed = true
    while (isDone && this.hasMarks && Date.now() < end) {
      this.flushNow()
      await Promise.race([this.#writing, pause(end - Date.now())])
    }
    clearTimeout(this.#timer)
    return isDone
  }

  flushNow(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#writing || (this.#waiting.length === 0 && !this.hasMarks)) return
    // Not at once: what it calls may call back here, and must find that a group is being written.
    const writing = Promise.resolve().then(() => this.#writeGroup())
    this.#writing = writing.finally(() => {
      this.#writing = undefined
      if (this.#waiting.length > 0 || this.hasMarks) this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#writing || this.#isClosed) return
    if (this.#waiting.length >= this.#limits.gatherRows || !this.#writer.isDone) this.flushNow()
    else this.#timer ??= setTimeout(() => this.flushNow(), this.#limits.gatherMs)
  }

  async #writeGroup(): Promise<void> {
    if (!(await this.#writer.rewrite())) return
    const rows = this.#waiting.slice(0, this.#limits.groupRows)
    const taken = this.#taken.slice(0, this.#limits.groupRows * 4)
    const given = this.#given.slice(0, this.#limits.groupRows * 4)
    for (const row of rows) row.written ??= { isPending: row.isPending, outStream: row.outStream, holder: row.holder }
    // What changes from here on is to be written again.
    for (const row of given) row.isMarked = false
    const isWritten = await this.#writer.write(
      rows,
      taken,
      given.filter(row => row.isPending && !row.hasDeparted),
    )
    if (!isWritten) return
    this.#waiting = this.#waiting.slice(rows.length)
    this.#taken = this.#taken.slice(taken.length)
    this.#given = this.#given.slice(given.length)
    for (const row of rows) this.bytes -= row.input.stanza.bytes.length
    this.#onWritten({ rows, given })
  }
}

const pause = (milliseconds: number): Promise<void> => new Promise(resolve => setTimeout(resolve, milliseconds))
