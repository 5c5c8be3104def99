import type { Logger } from 'pino'
import type { DeliveredRow } from '../cluster/bus.ts'
import { type Database, DatabaseFault } from '../db/pool.ts'
import { parseJid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import { archiveMigrations, columnsOf, pendingRows, recoverStream, writeArchive } from './archive-table.ts'
import { KeptRow, type RowCounter, type RowInput, type RowKeeper } from './kept-row.ts'
import { type RecentLimits, RecentWrites } from './recent-writes.ts'
import { isAboutTheRows, Rewrite } from './rewrite.ts'

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

/** Waits between tries while the database is away, in milliseconds; when it is said to be back, nobody waits. */
const retryMs = [50, 100, 250, 500, 1_000]
/** How often the log says that less than a minute is kept for a failover. */
const CUT_NOTE_MS = 600_000

/**
 * The archive is the queue: every message that must survive becomes a row; rows are committed in groups by one writer,
 * so their order is the order of `add`. While the database is away the queue waits and tries again for ever. What was committed in the last
 * minute stays in memory, and is written again when another server was promoted, which may have lost it.
 */
export class ArchiveQueue implements RowKeeper {
  readonly #db: Database
  readonly #log: Logger
  readonly #nextId: () => string
  readonly #limits: QueueLimits
  #waiting: KeptRow[] = []
  #taken: KeptRow[] = []
  #given: KeptRow[] = []
  #bytes = 0
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #isClosed = false
  #failures = 0
  /** Ends the wait for the next try. */
  #wake: (() => void) | undefined
  /** How often another server was promoted. */
  #promotions = 0
  readonly #recent: RecentWrites
  readonly #rewrite: Rewrite
  #cutNotedAt = Number.NEGATIVE_INFINITY
  readonly #unsubscribe: (() => void)[]
  /** Rows a session here may still acknowledge, and rows not committed yet. */
  readonly #live = new Map<string, KeptRow>()
  /** Ids taken while somebody reads pending rows. */
  readonly #watchers = new Set<Set<string>>()
  /** Set by message delivery: the database will never take this row, so its sender must be told. */
  onRefused: ((row: KeptRow) => void) | undefined
  /** Rows committed since the start, for metrics. */
  committed = 0

  constructor(options: {
    db: Database
    log: Logger
    nextId: () => string
    limits?: Partial<QueueLimits>
    recent?: Partial<RecentLimits>
  }) {
    const { db, log } = options
    this.#db = db
    this.#log = log
    this.#nextId = options.nextId
    this.#limits = { ...defaultLimits, ...options.limits }
    this.#recent = new RecentWrites(options.recent ? { limits: options.recent } : {})
    this.#rewrite = new Rewrite({ db, log, recent: this.#recent })
    this.#unsubscribe = [
      db.onState(state => state === 'up' && this.#wake?.()),
      db.onMove(move => this.#moved(move.isNewTimeline)),
    ]
  }

  static readonly migrations: readonly string[] = archiveMigrations

  /** Bytes of stanzas that wait for the database. */
  get waitingBytes(): number {
    return this.#bytes
  }

  /** Rows that wait for the database. */
  get waitingRows(): number {
    return this.#waiting.length
  }

  /** Nothing waits to be written, no mark either. */
  get isIdle(): boolean {
    return this.#waiting.length === 0 && !this.#hasChanges && !this.#writing
  }

  /** What was committed lately and is kept for a failover: about so many bytes, of so many milliseconds; rows that went too early since the start. */
  get kept(): { bytes: number; spanMs: number; cutRows: number } {
    const { bytes, spanMs, cutRows } = this.#recent
    return { bytes, spanMs, cutRows }
  }

  /**
   * Takes a message in; returns at once.
   * @returns the row (its id is the stanza-id), or 'full' when the bound is reached: the sender gets
   *   resource-constraint and nothing is delivered
   */
  add(input: RowInput): KeptRow | 'full' {
    if (this.#bytes >= this.#limits.bytes || this.#isClosed) return 'full'
    const row = new KeptRow(this, this.#nextId(), input, input.stream?.inbox.next)
    input.stream?.inbox.hold(row)
    this.#bytes += input.stanza.bytes.length
    this.#live.set(row.id, row)
    this.#waiting.push(row)
    this.#schedule()
    return row
  }

  /**
   * Takes over a row that another node made, for a session that holds it here from now on.
   * @param options.isCommitted it is in the database; otherwise it is written here too, which does no harm
   * @param options.counter told when it is settled
   */
  adopt(
    record: DeliveredRow,
    stanza: Stanza,
    options: { readonly isCommitted: boolean; readonly counter?: RowCounter },
  ): KeptRow {
    const known = this.#live.get(record.id)
    if (known) return known
    const { id, sender, stream, count, inSender, inReceiver, pending } = record
    const input = {
      stanza,
      from: parseJid(record.from),
      to: parseJid(record.to),
      sender,
      receiver: record.receiver || undefined,
      keep: { pending, inSender, inReceiver },
      stream: stream === undefined ? undefined : { id: stream, inbox: options.counter ?? nobody },
    }
    const row = new KeptRow(this, id, input, count)
    this.#live.set(id, row)
    if (options.isCommitted) row.state = 'committed'
    else {
      this.#bytes += stanza.bytes.length
      this.#waiting.push(row)
      this.#schedule()
    }
    return row
  }

  /** A row is pending no longer; if it is committed, the next group writes that down. */
  markTaken(row: KeptRow): void {
    for (const seen of this.#watchers) seen.add(row.id)
    if (row.state !== 'committed') return
    this.#taken.push(row)
    this.forgetIfDone(row)
    this.#schedule()
  }

  /** A committed row was given to a session; the next group writes down to which: after a crash its client tells what it has. */
  markGiven(row: KeptRow): void {
    this.#given.push(row)
    this.#schedule()
  }

  /** Keeps a row in memory as long as a session holds it. */
  remember(row: KeptRow): void {
    this.#live.set(row.id, row)
  }

  /** Drops a row from memory once nobody can change it any more. */
  forgetIfDone(row: KeptRow): void {
    if (row.isSettled && row.holders === 0) this.#live.delete(row.id)
  }

  /**
   * Resolves when everything added before this call is committed, also what a failover may have lost, or after `waitMs`.
   * @returns whether it is
   */
  async flushed(waitMs = 5_000): Promise<boolean> {
    // A row leaves the line only when it is settled, so the last one in it is the last there is.
    const last = this.#waiting.at(-1)
    const end = Date.now() + waitMs
    while ((last && !last.isSettled) || !this.#rewrite.isDone) {
      this.#flushNow()
      const left = end - Date.now()
      if (left <= 0 || !this.#writing) return false
      await Promise.race([this.#writing, pause(left)])
    }
    return true
  }

  /**
   * The messages that wait for an account and that no session here holds, oldest first, as rows to be given to
   * `session.send`.
   * @param limit how many at most
   */
  async pendingOf(username: string, limit = 10_000): Promise<KeptRow[]> {
    await this.flushed()
    // What is taken while the database looks would come back as if it still waited.
    const taken = new Set(this.#taken.map(row => row.id))
    this.#watchers.add(taken)
    try {
      const found = await pendingRows(this.#db, username, limit)
      const rows: KeptRow[] = []
      for (const { id, input } of found) {
        const known = this.#live.get(id)
        if (taken.has(id) || (known && (known.holders > 0 || !known.isPending))) continue
        const row = known ?? new KeptRow(this, id, input, undefined)
        row.state = 'committed'
        rows.push(row)
      }
      return rows
    } finally {
      this.#watchers.delete(taken)
    }
  }

  /**
   * What a stream that is no more had kept (XEP-0198 §5, `<failed h=''/>`): marks what its client says it has as
   * taken, and tells how many of its stanzas were kept.
   * @param options.h how many stanzas the client got on that stream
   * @returns the count to answer, undefined when nothing of that stream is known
   */
  async recover(options: { streamId: string; username: string; h: number }): Promise<number | undefined> {
    await this.flushed()
    const { count, taken } = await recoverStream(this.#db, options)
    if (taken.length > 0) this.#recent.add({ rows: columnsOf([]), taken, given: [] }, 0)
    return count
  }

  /** Writes what waits, at most for `waitMs`, then refuses more. */
  async close(waitMs = 5_000): Promise<void> {
    const end = Date.now() + waitMs
    const isDone = await this.flushed(waitMs)
    this.#isClosed = true
    while (isDone && this.#hasChanges && Date.now() < end) {
      this.#flushNow()
      await Promise.race([this.#writing, pause(end - Date.now())])
    }
    clearTimeout(this.#timer)
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#wake?.()
    this.#recent.close()
    if (!isDone)
      this.#log.error({ rows: this.#waiting.length }, 'messages were not acknowledged: database away at stop')
  }

  /** The database goes on elsewhere. A newly promoted server may miss the last commits of the former one. */
  #moved(isNewTimeline: boolean): void {
    if (isNewTimeline) {
      this.#promotions++
      this.#rewrite.begin()
      this.#flushNow()
    }
    this.#wake?.()
  }

  #schedule(): void {
    if (this.#writing || this.#isClosed) return
    if (this.#waiting.length >= this.#limits.gatherRows || !this.#rewrite.isDone) this.#flushNow()
    else this.#timer ??= setTimeout(() => this.#flushNow(), this.#limits.gatherMs)
  }

  #flushNow(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#writing || (this.#waiting.length === 0 && !this.#hasChanges)) return
    // Not at once: what it calls may call back here, and must find that a group is being written.
    const writing = Promise.resolve().then(() => this.#writeGroup())
    this.#writing = writing.finally(() => {
      this.#writing = undefined
      if (this.#waiting.length > 0 || this.#hasChanges) this.#schedule()
    })
  }

  /** Whether committed rows have changed since, or are to be written again. */
  get #hasChanges(): boolean {
    return this.#taken.length > 0 || this.#given.length > 0 || !this.#rewrite.isDone
  }

  async #writeGroup(): Promise<void> {
    if (!this.#rewrite.isDone) {
      if (!(await this.#rewrite.step())) return this.#pause()
      this.#failures = 0
    }
    const group = this.#waiting.slice(0, this.#limits.groupRows)
    const taken = this.#taken.slice(0, this.#limits.groupRows * 4)
    const given = this.#given.slice(0, this.#limits.groupRows * 4)
    for (const row of group) row.written ??= { isPending: row.isPending, outStream: row.outStream }
    const isWritten = await this.#write(
      group,
      taken,
      given.filter(row => row.isPending),
    )
    if (!isWritten) return
    this.#waiting = this.#waiting.slice(group.length)
    this.#taken = this.#taken.slice(taken.length)
    this.#given = this.#given.slice(given.length)
    for (const row of group) {
      if (row.state === 'queued') row.state = 'committed'
      // What changed since it was first written down: the table may hold the former.
      if (row.written?.isPending && !row.isPending) this.#taken.push(row)
      else if (row.written?.outStream !== row.outStream) this.#given.push(row)
    }
    this.#settled(group)
  }

  /** @returns false when the database is away: the same group is tried again */
  async #write(group: readonly KeptRow[], taken: readonly KeptRow[], given: readonly KeptRow[]): Promise<boolean> {
    if (group.length + taken.length + given.length === 0) return true
    const write = {
      rows: columnsOf(group),
      taken: taken.map(row => row.id),
      given: given.map(row => ({ id: row.id, stream: row.outStream, count: row.outCount })),
    }
    const promotions = this.#promotions
    try {
      await writeArchive(this.#db, write)
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
    this.committed += group.length
    this.#recent.add(write, bytesOf(group))
    if (this.#recent.cutRows > 0) this.#noteCut()
    return true
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
    const seconds = Math.floor(this.#recent.spanMs / 1_000)
    this.#log.warn(
      { seconds, bytes: this.#recent.bytes },
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
    if (taken.length + given.length > 0 && !(await this.#write([], taken, given))) return false
    for (const row of group) {
      if (row.state === 'queued' && !(await this.#write([row], [], []))) return false
    }
    return true
  }

  #settled(group: readonly KeptRow[]): void {
    const inboxes = new Set<RowCounter>()
    for (const row of group) {
      this.#bytes -= row.input.stanza.bytes.length
      if (row.input.stream) inboxes.add(row.input.stream.inbox)
      this.forgetIfDone(row)
    }
    for (const inbox of inboxes) inbox.settle()
  }
}

/** Of rows whose stanzas are counted on another node. */
const nobody: RowCounter = { next: 0, hold: () => undefined, settle: () => undefined }

const bytesOf = (rows: readonly KeptRow[]): number => rows.reduce((sum, row) => sum + row.input.stanza.bytes.length, 0)

const pause = (milliseconds: number): Promise<void> => new Promise(resolve => setTimeout(resolve, milliseconds))
