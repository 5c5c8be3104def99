import type { Logger } from 'pino'
import { type Database, DatabaseFault } from '../db/pool.ts'
import { columnsOf, type EndedStream, writeArchive } from './archive-table.ts'
import type { KeptRow } from './kept-row.ts'
import { type RecentLimits, RecentWrites } from './recent-writes.ts'
import { isAboutTheRows, Rewrite } from './rewrite.ts'

/** Waits between tries while the database is away, in milliseconds; when it is said to be back, nobody waits. */
const retryMs = [50, 100, 250, 500, 1_000]
/** How often the log says that less than a minute is kept for a failover. */
const CUT_NOTE_MS = 600_000
/** When marks are made once more after a promotion: until then another node may have written again the rows they are about. */
const repeatsMs = [5_000, 15_000]

/**
 * Writes groups of rows and marks to the archive, one after the other. What was committed in the last minute stays in memory, and is written again
 * when another server was promoted, which may have lost it.
 */
export class GroupWriter {
  readonly #db: Database
  readonly #log: Logger
  readonly #isAlone: () => boolean
  #failures = 0
  /** Ends the wait for the next try. */
  #wake: (() => void) | undefined
  /** How often another server was promoted. */
  #promotions = 0
  readonly #rewrite: Rewrite
  readonly #unsubscribe: (() => void)[]
  readonly #repeats = new Set<NodeJS.Timeout>()
  #cutNotedAt = Number.NEGATIVE_INFINITY
  #isClosed = false
  readonly recent: RecentWrites
  /** The database will never take this row. */
  onRefused: ((row: KeptRow) => void) | undefined
  /** This stream was ended on another node. Called before its rows count as settled. */
  onEnded: ((stream: string) => void) | undefined
  /** Something is to be written again. */
  onWork: (() => void) | undefined
  /** Rows committed since the start. */
  committed = 0

  constructor(options: {
    db: Database
    log: Logger
    recent: Partial<RecentLimits> | undefined
    isAlone: () => boolean
  }) {
    const { db, log, recent, isAlone } = options
    this.#isAlone = isAlone
    this.#db = db
    this.#log = log
    this.recent = new RecentWrites(recent ? { limits: recent } : {})
    this.#rewrite = new Rewrite({ db, log, recent: this.recent })
    this.#unsubscribe = [
      db.onState(state => state === 'up' && this.#wake?.()),
      db.onMove(move => this.#moved(move.isNewTimeline)),
    ]
  }

  /** Whether nothing is to be written again. */
  get isDone(): boolean {
    return this.#rewrite.isDone
  }

  /** Writes again a part of what a promotion may have lost. @returns false when the database is away */
  async rewrite(): Promise<boolean> {
    if (this.#rewrite.isDone) return true
    if (!(await this.#rewrite.step())) {
      await this.#pause()
      return false
    }
    this.#failures = 0
    return true
  }

  /**
   * Commits rows and marks. Rows the database will never take become 'refused', all others stay as they are.
   * @returns false when the database is away: the same group is tried again
   */
  async write(group: readonly KeptRow[], taken: readonly KeptRow[], given: readonly KeptRow[]): Promise<boolean> {
    if (group.length + taken.length + given.length === 0) return true
    const write = {
      rows: columnsOf(group),
      taken: taken.map(row => row.id),
      given: given.map(({ id, outStream, outCount, holder, heldBefore }) => {
        return { id, stream: outStream, count: outCount, holder, was: holder === undefined ? heldBefore : undefined }
      }),
    }
    const promotions = this.#promotions
    let ended: readonly EndedStream[]
    try {
      ended = await writeArchive(this.#db, write, this.#isAlone() ? [] : streamsOf(group))
    } catch (error) {
      if (error instanceof DatabaseFault && isAboutTheRows(error.code) && group.length > 0)
        return this.#writeApart(group, taken, given, error)
      if (this.#failures === 0) this.#log.warn({ err: error }, 'messages wait for the database')
      await this.#pause()
      return false
    }
    this.#failures = 0
    // The answer may have come from the former server: once more, which does no harm.
    if (promotions !== this.#promotions) return false
    for (const one of ended) this.#ended(one, group)
    // What was not kept must not be kept by a later rewrite either.
    const kept = ended.length === 0 ? group : group.filter(row => row.state !== 'refused')
    this.committed += kept.length
    this.recent.add(kept.length === group.length ? write : { ...write, rows: columnsOf(kept) }, bytesOf(kept))
    if (this.recent.cutRows > 0) this.#noteCut()
    return true
  }

  /** Its client has gone on elsewhere, and sends again what it was not told is kept: not twice. */
  #ended({ stream, count }: EndedStream, group: readonly KeptRow[]): void {
    const late = group.filter(row => row.input.stream?.id === stream && (row.streamCount ?? 0) > count)
    if (late.length === 0) return
    this.#log.info({ rows: late.length }, 'messages of a stream that has ended on another PC were not kept')
    this.onEnded?.(stream)
    for (const row of late) row.state = 'refused'
  }

  /** The next try is made at once. */
  wake(): void {
    this.#wake?.()
  }

  close(): void {
    this.#isClosed = true
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    for (const timer of this.#repeats) clearTimeout(timer)
    this.#wake?.()
    this.recent.close()
  }

  /** The database goes on elsewhere. A newly promoted server may miss the last commits of the former one. */
  #moved(isNewTimeline: boolean): void {
    if (isNewTimeline) {
      this.#promotions++
      this.#rewrite.begin()
      for (const timer of this.#repeats) clearTimeout(timer)
      this.#repeats.clear()
      for (const waitMs of repeatsMs) this.#repeatAfter(waitMs)
      this.onWork?.()
    }
    this.#wake?.()
  }

  #repeatAfter(waitMs: number): void {
    const timer = setTimeout(() => {
      this.#repeats.delete(timer)
      this.#rewrite.repeatMarks()
      if (!this.#rewrite.isDone) this.onWork?.()
    }, waitMs)
    timer.unref()
    this.#repeats.add(timer)
  }

  /** Waits for the next try, or until the database is said to be back. */
  async #pause(): Promise<void> {
    const waitMs = retryMs[Math.min(this.#failures++, retryMs.length - 1)] ?? 1_000
    if (this.#isClosed) return
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, waitMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
  }

  #noteCut(): void {
    const now = performance.now()
    if (now - this.#cutNotedAt < CUT_NOTE_MS) return
    this.#cutNotedAt = now
    const seconds = Math.floor(this.recent.spanMs / 1_000)
    this.#log.warn(
      { seconds, bytes: this.recent.bytes },
      'so many messages come that fewer seconds of them than 60 are kept in memory for a failover of the database',
    )
  }

  /** One row of a group is at fault: each is written alone, so that only that one is refused. */
  async #writeApart(
    group: readonly KeptRow[],
    taken: readonly KeptRow[],
    given: readonly KeptRow[],
    fault: DatabaseFault,
  ): Promise<boolean> {
    const [first, ...others] = group
    if (!first) throw fault
    if (others.length === 0 && taken.length === 0 && given.length === 0) {
      first.state = 'refused'
      this.#log.error({ err: fault, id: first.id }, 'the database refused a message')
      this.onRefused?.(first)
      return true
    }
    if (taken.length + given.length > 0 && !(await this.write([], taken, given))) return false
    for (const row of group) {
      if (row.state !== 'refused' && !(await this.write([row], [], []))) return false
    }
    return true
  }
}

const bytesOf = (rows: readonly KeptRow[]): number => rows.reduce((sum, row) => sum + row.input.stanza.bytes.length, 0)

const streamsOf = (rows: readonly KeptRow[]): string[] => [...new Set(rows.flatMap(row => row.input.stream?.id ?? []))]
