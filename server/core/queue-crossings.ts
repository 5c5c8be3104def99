/**
 * Rows that crossed from one node to another. The node that made a row commits it and says so; those it was handed to say what became of it before
 * that, so that the row is written once, as it is by then. Words that get lost are made up for by time: who was handed a row writes it himself.
 */
import type { Bus, FarNode, RowNews, WrittenAs } from '../cluster/bus.ts'
import type { KeptRow } from './kept-row.ts'

/** After so long without a word from its maker a row is written here. */
const ADOPTED_MS = 5_000
const LOOK_MS = 2_500
/** Bytes of stanzas whose makers have not committed them yet; then deliveries of other nodes are not taken. */
const ADOPTED_BYTES = 64 * 2 ** 20
/** Ids of rows that were handed out lately. */
const RECENT_MAX = 20_000
/** Words in one frame. */
const NEWS_MAX = 500
/** How long others may take to write what they adopted, when somebody resumes. */
const FLUSH_MS = 1_000

interface Adopted {
  readonly row: KeptRow
  readonly maker: string
  readonly epoch: number
  readonly at: number
}

/** What a client says it has of a stream that is no more: the first `h` stanzas. */
export interface HadOfStream {
  readonly streamId: string
  readonly username: string
  readonly h: number
}

interface CrossingsParts {
  readonly bus: Bus
  find(id: string): KeptRow | undefined
  /** The maker has committed a row that is here. */
  onCommitted(row: KeptRow, as: WrittenAs): void
  /** Rows whose maker is not heard of are to be written by this node. */
  onOrphans(rows: readonly KeptRow[]): void
  flushed(waitMs: number): Promise<boolean>
  onHad(had: HadOfStream): void
}

type News = {
  -readonly [K in keyof Required<RowNews>]: RowNews[K] extends readonly (infer E)[] | undefined ? E[] : never
}

export class Crossings {
  readonly #parts: CrossingsParts
  readonly #bus: Bus
  /** Rows that others made and have not committed yet, oldest first. */
  readonly #adopted = new Map<string, Adopted>()
  #bytes = 0
  #timer: NodeJS.Timeout | undefined
  /**
   * What is to be said to other nodes in this turn already, together with what clients are written: of a node that dies between the two, others
   * would not know what its clients have, and would send it to them again.
   */
  readonly #news = new Map<string, News>()
  #isSaying = false
  readonly #handed = new RecentIds(RECENT_MAX)
  readonly #taken = new RecentIds(RECENT_MAX)
  readonly #unsubscribe: (() => void)[]

  constructor(parts: CrossingsParts) {
    const { bus } = parts
    this.#parts = parts
    this.#bus = bus
    bus.onRows((news, from) => this.#told(news, from))
    this.#unsubscribe = [
      bus.onNode(node => this.#changed(node)),
      bus.onAsk('flush', (had: Partial<HadOfStream>) => {
        const { streamId, username, h } = had
        if (streamId !== undefined && username !== undefined && h !== undefined) parts.onHad({ streamId, username, h })
        this.#orphaned([...this.#adopted.values()])
        return parts.flushed(FLUSH_MS)
      }),
    ]
  }

  /** Whether there is no other node. */
  get isAlone(): boolean {
    return this.#bus.nodes.length === 0
  }

  /** The lives of the other nodes that are there, as far as one can see. */
  get others(): string[] {
    return this.#bus.nodes
      .filter(({ state }) => state === 'up' || state === 'suspected')
      .map(({ number, epoch }) => `${number}.${epoch}`)
  }

  /** Too much of what others made waits for them to commit it. */
  get isFull(): boolean {
    return this.#bytes >= ADOPTED_BYTES
  }

  /** A row of another node, which will say when it is committed. */
  adopt(row: KeptRow, maker: FarNode): void {
    this.#adopted.set(row.id, { row, maker: maker.name, epoch: maker.epoch, at: performance.now() })
    this.#bytes += row.input.stanza.bytes.length
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS)
  }

  /** Such a row found nobody here: it stays its maker's. */
  disown(row: KeptRow): void {
    this.#forget(row.id)
  }

  /** Remembers that a row was handed to a session here. @returns false when it was before */
  hand(id: string, target: string): boolean {
    if (this.#handed.has(id)) return false
    return this.#handed.add(`${id} ${target}`)
  }

  /** A row came out of the archive: should it still come from its maker, nobody needs it. */
  readOut(id: string): void {
    this.#handed.add(id)
  }

  noteTaken(id: string): void {
    this.#taken.add(id)
  }

  /** Whether a client here has it, though the table may not know yet. */
  wasTaken(id: string): boolean {
    return this.#taken.has(id)
  }

  /** Tells the maker of a row, before it has committed it, who has it here. */
  sayHeld(row: KeptRow): void {
    const { id, maker, outStream, outCount } = row
    if (maker === undefined || outStream === undefined || outCount === undefined || !this.#adopted.has(id)) return
    this.#newsFor(maker).held.push([id, outStream, outCount])
  }

  /** Tells the maker of a row, before it has committed it, that a client here has it. */
  sayTaken({ id, maker }: KeptRow): void {
    if (maker !== undefined && this.#adopted.has(id)) this.#newsFor(maker).taken.push(id)
  }

  /** Tells those a row was sent to that it is committed. */
  sayCommitted(row: KeptRow, nodes: readonly string[]): void {
    for (const node of nodes) this.#newsFor(node).committed.push([row.id, row.writtenAs(node)])
  }

  /** Has the other nodes write what they adopted of one that is no more. Never rejects; takes a second at most. */
  async flushElsewhere(had: HadOfStream): Promise<void> {
    // Who does not answer has nothing to say in time: what it adopted is written a little later.
    await Promise.all(this.#bus.nodes.map(({ name }) => this.#bus.askSoon(name, 'flush', had, FLUSH_MS)))
  }

  close(): void {
    clearInterval(this.#timer)
    this.#news.clear()
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
  }

  #newsFor(node: string): News {
    if (!this.#isSaying) queueMicrotask(() => this.#say())
    this.#isSaying = true
    const known = this.#news.get(node)
    if (known && known.committed.length + known.held.length + known.taken.length < NEWS_MAX) return known
    if (known) this.#bus.tellRows(node, known)
    const news: News = { committed: [], held: [], taken: [] }
    this.#news.set(node, news)
    return news
  }

  #say(): void {
    this.#isSaying = false
    const all = [...this.#news]
    this.#news.clear()
    for (const [node, { committed, held, taken }] of all) {
      this.#bus.tellRows(node, {
        ...(committed.length > 0 && { committed }),
        ...(held.length > 0 && { held }),
        ...(taken.length > 0 && { taken }),
      })
    }
  }

  #told({ committed = [], held = [], taken = [] }: RowNews, from: FarNode): void {
    for (const [id, as] of committed) {
      const row = this.#forget(id)
      if (row) this.#parts.onCommitted(row, as)
    }
    for (const [id, stream, count] of held) this.#parts.find(id)?.heldAt(from.name, stream, count)
    for (const id of taken) {
      const row = this.#parts.find(id)
      // Once it is committed, the node whose client has it writes that down.
      if (row?.state === 'queued') row.done()
    }
  }

  /** A maker that is not there, or began a new life, will not commit what it sent before. */
  #changed({ name, state, epoch }: FarNode): void {
    const all = [...this.#adopted.values()]
    this.#orphaned(all.filter(one => one.maker === name && (state !== 'up' || one.epoch !== epoch)))
  }

  #look(): void {
    const end = performance.now() - ADOPTED_MS
    const late: Adopted[] = []
    for (const one of this.#adopted.values()) {
      if (one.at > end) break
      late.push(one)
    }
    this.#orphaned(late)
    if (this.#adopted.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #orphaned(all: readonly Adopted[]): void {
    for (const { row } of all) this.#forget(row.id)
    if (all.length > 0) this.#parts.onOrphans(all.map(({ row }) => row))
  }

  #forget(id: string): KeptRow | undefined {
    const adopted = this.#adopted.get(id)
    if (!adopted) return undefined
    this.#adopted.delete(id)
    this.#bytes -= adopted.row.input.stanza.bytes.length
    return adopted.row
  }
}

/** The last so many ids, at least half of that. */
class RecentIds {
  readonly #max: number
  #young = new Set<string>()
  #old = new Set<string>()

  constructor(max: number) {
    this.#max = max
  }

  has(id: string): boolean {
    return this.#young.has(id) || this.#old.has(id)
  }

  /** @returns false when it is there already */
  add(id: string): boolean {
    if (this.has(id)) return false
    this.#young.add(id)
    if (this.#young.size >= this.#max / 2) {
      this.#old = this.#young
      this.#young = new Set()
    }
    return true
  }
}
