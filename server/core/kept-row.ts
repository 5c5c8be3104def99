import type { DeliveredRow, WrittenAs } from '../cluster/bus.ts'
import { type Jid, parseJid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'

/** How the archive treats one message. */
export interface Keep {
  /** Wait for a session of the receiver (offline storage and crash safety). */
  pending: boolean
  /** Shown in the sender's archive (XEP-0313). */
  inSender: boolean
  /** Shown in the receiver's archive. */
  inReceiver: boolean
}

/** What a row consists of. */
export interface RowInput {
  readonly stanza: Stanza
  readonly from: Jid
  readonly to: Jid
  /** Local account that sent it; undefined when it came from elsewhere. */
  readonly sender: string | undefined
  /** Local account it is for; undefined when it goes elsewhere. */
  readonly receiver: string | undefined
  readonly keep: Keep
  /** The sender's 0198 stream and what counts its stanzas, when that is here: after a crash they tell what was kept. */
  readonly stream?:
    | { readonly id: string; readonly inbox?: RowCounter | undefined; readonly previous?: number | undefined }
    | undefined
}

/** What counts the stanzas of the sender's stream, and waits for rows to be settled. */
export interface RowCounter {
  /** The count that the stanza being handled now will have. */
  readonly next: number
  /** The count of the last stanza before it that a row was made of. */
  readonly last: number | undefined
  hold(row: KeptRow): void
  settle(): void
}

/** Who writes down what happens to a row. */
export interface RowKeeper {
  /** This node's life, as in the table's `holder`. */
  readonly holder: string
  markTaken(row: KeptRow): void
  /** Whose it is, or where in their stream, has changed. */
  markGiven(row: KeptRow): void
  /** It was sent to another node. */
  markSent(row: KeptRow, node: string): void
  remember(row: KeptRow): void
  forgetIfDone(row: KeptRow): void
}

/** Row states: `queued` (in memory) → `committed`, or `refused` (the database will never take it). */
export type RowState = 'queued' | 'committed' | 'refused'

/** One message on its way into the archive. A row is pending until a session of its receiver has it. */
export class KeptRow {
  readonly id: string
  readonly input: RowInput
  /** Count of the stanza in the sender's stream. */
  readonly streamCount: number | undefined
  /** The node that made it and will commit it; '' when it came along with a session that moved here; undefined: this one made it. */
  readonly maker: string | undefined
  /**
   * Count of the stanza before it in the sender's stream that a row was made of; undefined: not known. When their maker dies, rows of one stream may be
   * written by several nodes: only an unbroken chain says what its client may be told is kept.
   */
  readonly streamPrevious: number | undefined
  /** What counts the stanzas of its sender, when that is here. */
  counter: RowCounter | undefined
  state: RowState = 'queued'
  isPending: boolean
  /** Sessions of this node that have it in their unacknowledged queue. */
  holders = 0
  /** The life of the node whose session has it; undefined: nobody, it waits. */
  holder: string | undefined
  /** Who had it last, when nobody has it any more. */
  heldBefore: string | undefined
  /** Nodes it was sent to. */
  sentTo: readonly string[] | undefined
  /** The session with stream management it was given to, the first one until it is committed, and its count there. */
  outStream: string | undefined
  outCount: number | undefined
  /** The other node where that session is. */
  outNode: string | undefined
  /** A change of its holder is to be written down. */
  isMarked = false
  /** The session that had it lives on another node, which writes down that it is its own: a mark of ours would come too late. */
  hasDeparted = false
  /** What the first try to write it said: a try that seemed to fail may have been carried out. */
  written:
    | { readonly isPending: boolean; readonly outStream: string | undefined; readonly holder: string | undefined }
    | undefined
  readonly #keeper: RowKeeper

  constructor(keeper: RowKeeper, id: string, input: RowInput, streamCount: number | undefined, maker?: string) {
    this.#keeper = keeper
    this.id = id
    this.input = input
    this.isPending = input.keep.pending
    this.streamCount = streamCount
    this.maker = maker
    this.counter = input.stream?.inbox
    this.streamPrevious = input.stream?.previous ?? input.stream?.inbox?.last
  }

  /** Committed, or refused for good: the sender's ack need not wait any longer. */
  get isSettled(): boolean {
    return this.state !== 'queued'
  }

  /** Committed, and nobody has it. */
  get isWaiting(): boolean {
    return this.isPending && this.state === 'committed' && this.holder === undefined && this.holders === 0
  }

  /** A session with stream management took it; its client has not acknowledged yet. */
  heldBy(stream: string, count: number): void {
    this.held()
    const isCommitted = this.state === 'committed'
    if (this.outStream !== undefined && !isCommitted) return
    this.outStream = stream
    this.outCount = count
    this.outNode = undefined
    if (isCommitted || this.maker !== undefined) this.#keeper.markGiven(this)
  }

  /** A session of another node with stream management took it, as that node says before the row is committed. */
  heldAt(node: string, stream: string, count: number): void {
    if (this.state !== 'queued' || this.outStream !== undefined) return
    this.outStream = stream
    this.outCount = count
    this.outNode = node
  }

  /** A session has it and will send it, or has sent it and waits. */
  held(): void {
    this.holders++
    this.hasDeparted = false
    this.holder = this.#keeper.holder
    this.#keeper.remember(this)
  }

  /** The session that held it back sends it now. */
  unheld(): void {
    this.holders--
  }

  /** A session that held it has ended without an acknowledgement. */
  released(): void {
    this.holders--
    this.giveBack()
  }

  /** The session that held it goes on at another node, and it goes along. */
  departed(): void {
    this.holders--
    this.hasDeparted = this.holders === 0
    this.#keeper.forgetIfDone(this)
  }

  /** Nobody here has use for it: others may take it. */
  giveBack(): void {
    if (this.holder === this.#keeper.holder) this.#loosen()
    this.#keeper.forgetIfDone(this)
  }

  /** It was sent to sessions of another node; `holder` is that node's life. */
  sent(node: string, holder: string): void {
    this.sentTo = this.sentTo ? [...this.sentTo, node] : [node]
    this.holder ??= holder
    this.#keeper.markSent(this, node)
  }

  /** Sessions of another node that it was sent to were not there. */
  missed(node: string, holder: string): void {
    this.sentTo = this.sentTo?.filter(name => name !== node)
    if (this.holder === holder) this.#loosen()
    this.#keeper.forgetIfDone(this)
  }

  #loosen(): void {
    if (this.holders > 0 || !this.isPending) return
    this.heldBefore = this.holder
    this.holder = undefined
    if (this.state === 'committed') this.#keeper.markGiven(this)
  }

  /** A client of the receiver has it. */
  taken(): void {
    if (this.holders > 0) this.holders--
    this.done()
  }

  /** It need not wait any longer: some client has it. */
  done(): void {
    if (!this.isPending) {
      this.#keeper.forgetIfDone(this)
      return
    }
    this.isPending = false
    this.#keeper.markTaken(this)
  }

  /** What the table says of it, to tell a node that it was sent to. */
  writtenAs(node: string): WrittenAs {
    if (this.written?.isPending === false) return 'done'
    if (this.written?.outStream === undefined) return 'waits'
    return this.outNode === node ? 'yours' : 'other'
  }
}

/** The row as it travels to other nodes. */
export function recordOf({ id, input, isPending, streamCount, streamPrevious }: KeptRow): DeliveredRow {
  return {
    id,
    from: input.from.full,
    to: input.to.full,
    sender: input.sender,
    receiver: input.receiver ?? '',
    pending: isPending,
    inSender: input.keep.inSender,
    inReceiver: input.keep.inReceiver,
    stream: input.stream?.id,
    count: streamCount,
    previous: streamPrevious,
  }
}

/** The row of another node. @throws JidError */
export function inputOf(record: DeliveredRow, stanza: Stanza): RowInput {
  return {
    stanza,
    from: parseJid(record.from),
    to: parseJid(record.to),
    sender: record.sender,
    receiver: record.receiver,
    keep: { pending: record.pending, inSender: record.inSender, inReceiver: record.inReceiver },
    stream: record.stream === undefined ? undefined : { id: record.stream, previous: record.previous },
  }
}
