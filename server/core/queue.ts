import type { Logger } from 'pino'
import { type Bus, type DeliveredRow, type FarNode, localBus, type WrittenAs } from '../cluster/bus.ts'
import type { Database } from '../db/pool.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import { archiveMigrations, columnsOf, recoverStream } from './archive-table.ts'
import { inputOf, KeptRow, type RowCounter, type RowInput, type RowKeeper } from './kept-row.ts'
import { Crossings, type HadOfStream } from './queue-crossings.ts'
import { type QueueLimits, WriteLine, type WrittenGroup } from './queue-line.ts'
import { PendingRows } from './queue-pending.ts'
import { GroupWriter } from './queue-writer.ts'
import type { RecentLimits } from './recent-writes.ts'

/** So many former streams of one person are remembered while the database is away. */
const UNWRITTEN_MAX = 20

/**
 * The archive is the queue: every message that must survive becomes a row; rows are committed in groups by one writer,
 * so their order is the order of `add`. While the database is away the queue waits and tries again for ever. Of several nodes one has a row: the one
 * whose life stands in its column `holder`; that is decided by the database alone.
 */
export class ArchiveQueue implements RowKeeper {
  readonly holder: string
  readonly #db: Database
  readonly #log: Logger
  readonly #nextId: () => string
  readonly #writer: GroupWriter
  readonly #line: WriteLine
  readonly #crossings: Crossings
  readonly #pending: PendingRows
  #isAlone: boolean
  /** By person: what clients said they have of former streams, not written down yet as the database is away. */
  readonly #unwritten = new Map<string, readonly HadOfStream[]>()
  /** Rows a session here may still acknowledge, and rows not committed yet. */
  readonly #live = new Map<string, KeptRow>()
  /** Set by message delivery: the database will never take this row, so its sender must be told. */
  onRefused: ((row: KeptRow) => void) | undefined
  /** Set by message delivery: the client of this stream has gone on elsewhere. Called before anything more of it is acknowledged. */
  onEnded: ((stream: string) => void) | undefined
  /** Rows are committed that nobody has, so many of each person. Not called on a lone node. */
  onWaiting: ((waiting: ReadonlyMap<string, number>) => void) | undefined

  constructor(options: {
    db: Database
    log: Logger
    nextId: () => string
    bus?: Bus
    limits?: Partial<QueueLimits>
    recent?: Partial<RecentLimits>
  }) {
    const { db, log, bus = localBus() } = options
    this.holder = bus.holder
    this.#db = db
    this.#log = log
    this.#nextId = options.nextId
    this.#writer = new GroupWriter({ db, log, recent: options.recent, isAlone: () => this.#crossings.isAlone })
    this.#writer.onRefused = row => row.maker === undefined && this.onRefused?.(row)
    this.#writer.onEnded = stream => this.onEnded?.(stream)
    this.#line = new WriteLine({
      writer: this.#writer,
      limits: options.limits,
      onWritten: group => this.#written(group),
    })
    this.#crossings = new Crossings({
      bus,
      find: id => this.#live.get(id),
      onCommitted: (row, as) => this.#committedByMaker(row, as),
      onOrphans: rows => this.#writeHere(rows),
      flushed: waitMs => this.flushed(waitMs),
      onHad: had => this.#noteHad(had),
    })
    this.#isAlone = this.#crossings.isAlone
    this.#pending = new PendingRows({
      db,
      keeper: this,
      line: this.#line,
      crossings: this.#crossings,
      live: this.#live,
    })
  }

  static readonly migrations: readonly string[] = archiveMigrations

  /** Bytes of stanzas that wait for the database. */
  get waitingBytes(): number {
    return this.#line.bytes
  }

  /** Rows that wait for the database. */
  get waitingRows(): number {
    return this.#line.rows
  }

  /** Rows committed since the start, for metrics. */
  get committed(): number {
    return this.#writer.committed
  }

  /** Nothing waits to be written, no mark either. */
  get isIdle(): boolean {
    return this.#line.isIdle
  }

  /** What was committed lately and is kept for a failover: about so many bytes, of so many milliseconds; rows that went too early since the start. */
  get kept(): { bytes: number; spanMs: number; cutRows: number } {
    const { bytes, spanMs, cutRows } = this.#writer.recent
    return { bytes, spanMs, cutRows }
  }

  /**
   * Takes a message in; returns at once.
   * @returns the row (its id is the stanza-id), or 'full' when the bound is reached: the sender gets
   *   resource-constraint and nothing is delivered
   */
  add(input: RowInput): KeptRow | 'full' {
    if (this.#line.isFull) return 'full'
    const row = new KeptRow(this, this.#nextId(), input, input.stream?.inbox?.next)
    input.stream?.inbox?.hold(row)
    this.#line.add(row)
    return row
  }

  /** Too much that other nodes made waits for them to commit it: no more is taken. */
  get isFull(): boolean {
    return this.#crossings.isFull
  }

  /**
   * Makes the row of another node one of this node's own.
   * @param stanza as it is, or will be, in the archive
   * @param options.maker who will commit it, and say so; undefined: this node writes it too, unless it is committed
   * @param options.counter what counts the stanzas of its sender, when that came here
   */
  adopt(
    record: DeliveredRow,
    stanza: Stanza,
    options: { isCommitted: boolean; maker?: FarNode; counter?: RowCounter },
  ): KeptRow {
    const { isCommitted, maker, counter } = options
    const known = this.#live.get(record.id)
    const row = known ?? new KeptRow(this, record.id, inputOf(record, stanza), record.count, maker?.name ?? '')
    if (counter) row.counter = counter
    if (known) return known
    if (isCommitted) {
      row.state = 'committed'
      return row
    }
    this.#live.set(row.id, row)
    if (maker) this.#crossings.adopt(row, maker)
    else this.#writeHere([row])
    return row
  }

  /** An adopted row found nobody here: it stays its maker's. */
  disown(row: KeptRow): void {
    if (row.holders > 0 || !row.isPending) return
    this.#crossings.disown(row)
    this.#live.delete(row.id)
  }

  /** Remembers that a row of another node is handed to a session here. @returns false when it was before, or came out of the archive */
  hand(id: string, target: string): boolean {
    return this.#crossings.hand(id, target)
  }

  /** A row is pending no longer; if it is committed, the next group writes that down. */
  markTaken(row: KeptRow): void {
    this.#pending.noteTaken(row.id)
    if (!this.#isAlone) this.#crossings.noteTaken(row.id)
    if (row.state !== 'committed') {
      this.#crossings.sayTaken(row)
      return
    }
    this.#line.addTaken(row)
    this.forgetIfDone(row)
  }

  /** Whose a row is has changed; if it is committed, the next group writes that down: after a crash its client tells what it has. */
  markGiven(row: KeptRow): void {
    if (row.state !== 'committed') {
      this.#crossings.sayHeld(row)
      return
    }
    const known = this.#live.get(row.id)
    // Of two of the same row the younger one knows better: it was read from the table since.
    if (row.isMarked || (known && known !== row)) return
    this.#live.set(row.id, row)
    this.#line.addGiven(row)
  }

  /** A row was sent to another node, which must know when it is committed. */
  markSent(row: KeptRow, node: string): void {
    if (row.state === 'committed') {
      this.markGiven(row)
      this.#crossings.sayCommitted(row, [node])
    } else this.#live.set(row.id, row)
  }

  /** Keeps a row in memory as long as a session holds it. */
  remember(row: KeptRow): void {
    this.#live.set(row.id, row)
  }

  /** Drops a row from memory once nobody can change it any more. */
  forgetIfDone(row: KeptRow): void {
    if (row.isSettled && row.holders === 0 && !row.isMarked) this.#live.delete(row.id)
  }

  /**
   * Resolves when everything added before this call is committed, also what a failover may have lost, or after `waitMs`.
   * @returns whether it is
   */
  flushed(waitMs = 5_000): Promise<boolean> {
    return this.#line.flushed(waitMs)
  }

  /**
   * Takes the messages that wait for an account and that no session has, here or elsewhere, oldest first, as rows to be given to `session.send`.
   * Who does not give them all says so by `giveBack`.
   * @param limit how many at most
   */
  async pendingOf(username: string, limit = 10_000): Promise<KeptRow[]> {
    this.#isAlone = this.#crossings.isAlone
    const unwritten = this.#unwritten.get(username)
    if (unwritten) {
      await this.flushed()
      for (const options of unwritten) await this.#recoverNow(options)
    }
    return this.#pending.of(username, limit)
  }

  /** Rows of `pendingOf` that were not given to anybody wait for others. */
  giveBack(rows: readonly KeptRow[]): void {
    for (const row of rows) if (row.holders === 0) row.giveBack()
  }

  /** Who of these people has messages waiting that no node has. A lone node need not ask: an empty array. @throws DatabaseAway */
  waitingAmong(usernames: readonly string[]): Promise<readonly string[]> {
    return this.#pending.among(usernames)
  }

  /**
   * What a stream that is no more had kept (XEP-0198 §5, `<failed h=''/>`): marks what its client says it has as
   * taken, and tells how many of its stanzas were kept.
   * @param options.h how many stanzas the client got on that stream
   * @returns the count to answer, undefined when nothing of that stream is known
   */
  async recover(options: HadOfStream): Promise<number | undefined> {
    this.#noteHad(options)
    const of = this.#unwritten.get(options.username) ?? []
    this.#unwritten.set(options.username, [...of, options].slice(-UNWRITTEN_MAX))
    await Promise.all([this.flushed(), this.#crossings.flushElsewhere(options)])
    return this.#recoverNow(options)
  }

  async #recoverNow(options: HadOfStream): Promise<number | undefined> {
    const { count, taken } = await recoverStream(this.#db, { ...options, mayLive: !this.#crossings.isAlone })
    const left = (this.#unwritten.get(options.username) ?? []).filter(one => one !== options)
    if (left.length > 0) this.#unwritten.set(options.username, left)
    else this.#unwritten.delete(options.username)
    if (taken.length > 0) this.#writer.recent.add({ rows: columnsOf([]), taken, given: [] }, 0)
    return count
  }

  /** A client has these: rows that are in memory still must not be sent to it again. */
  #noteHad({ streamId, username, h }: HadOfStream): void {
    for (const row of [...this.#live.values()]) {
      const { outStream, outCount = h + 1, input } = row
      if (outStream === streamId && outCount <= h && input.receiver === username && row.holders === 0) row.done()
    }
  }

  /** Writes what waits, at most for `waitMs`, then refuses more. */
  async close(waitMs = 5_000): Promise<void> {
    const isDone = await this.#line.close(waitMs)
    this.#crossings.close()
    this.#writer.close()
    if (!isDone) this.#log.error({ rows: this.#line.rows }, 'messages were not acknowledged: database away at stop')
  }

  #written({ rows, given }: WrittenGroup): void {
    const counters = new Set<RowCounter>()
    for (const row of rows) {
      this.#committed(row)
      this.forgetIfDone(row)
      if (row.counter) counters.add(row.counter)
    }
    for (const row of given) this.forgetIfDone(row)
    for (const counter of counters) counter.settle()
    this.#isAlone = this.#crossings.isAlone
    if (!this.#isAlone) this.#announce([...rows, ...given])
  }

  /** What changed since a row was first written down is written too: the table may hold the former. */
  #committed(row: KeptRow): void {
    const { written } = row
    if (row.state === 'queued') row.state = 'committed'
    if (row.state !== 'committed' || !written) return
    // Its maker may have written it before.
    const isDoubtful = row.maker !== undefined
    if (!row.isPending && (isDoubtful || written.isPending)) this.#line.addTaken(row)
    else if (isDoubtful) {
      if (row.outStream !== undefined || row.heldBefore !== undefined) this.markGiven(row)
    } else if (row.isPending && (written.outStream !== row.outStream || written.holder !== row.holder)) {
      if (row.holder === undefined) row.heldBefore = written.holder
      this.markGiven(row)
    }
    if (row.sentTo) this.#crossings.sayCommitted(row, row.sentTo)
  }

  /** The maker of a row has committed it, with what it knew of it by then. */
  #committedByMaker(row: KeptRow, as: WrittenAs): void {
    if (row.state === 'queued') row.state = 'committed'
    if (!row.isPending) {
      if (as !== 'done') this.#line.addTaken(row)
    } else if (as === 'done') row.isPending = false
    else if (row.holder === this.holder ? as === 'waits' && row.outStream !== undefined : as !== 'other')
      this.markGiven(row)
    this.forgetIfDone(row)
    row.counter?.settle()
  }

  /** Rows of others that this node writes itself: should their maker write them too, the first one counts. */
  #writeHere(rows: readonly KeptRow[]): void {
    for (const row of rows) this.#line.add(row)
    this.#line.flushNow()
  }

  #announce(rows: readonly KeptRow[]): void {
    const waiting = new Map<string, number>()
    for (const row of rows) {
      const { receiver } = row.input
      if (row.isWaiting && receiver !== undefined) waiting.set(receiver, (waiting.get(receiver) ?? 0) + 1)
    }
    if (waiting.size > 0) this.onWaiting?.(waiting)
  }
}
