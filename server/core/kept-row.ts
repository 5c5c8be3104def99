import type { Jid } from '../xmpp/jid.ts'
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
  /** The sender's 0198 stream and the count of the stanza in it: after a crash they tell what was kept. */
  readonly stream?: { readonly id: string; readonly inbox: RowCounter } | undefined
}

/** What counts the stanzas of the sender's stream, and waits for rows to be settled. */
export interface RowCounter {
  /** The count that the stanza being handled now will have. */
  readonly next: number
  hold(row: KeptRow): void
  settle(): void
}

/** Who writes down what happens to a row. */
export interface RowKeeper {
  markTaken(row: KeptRow): void
  markGiven(row: KeptRow): void
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
  state: RowState = 'queued'
  isPending: boolean
  /** Sessions that have it in their unacknowledged queue. */
  holders = 0
  /** The session with stream management it was given to, the first one until it is committed, and its count there. */
  outStream: string | undefined
  outCount: number | undefined
  /** What the first try to write it said: a try that seemed to fail may have been carried out. */
  written: { readonly isPending: boolean; readonly outStream: string | undefined } | undefined
  readonly #keeper: RowKeeper

  constructor(keeper: RowKeeper, id: string, input: RowInput, streamCount: number | undefined) {
    this.#keeper = keeper
    this.id = id
    this.input = input
    this.isPending = input.keep.pending
    this.streamCount = streamCount
  }

  /** Committed, or refused for good: the sender's ack need not wait any longer. */
  get isSettled(): boolean {
    return this.state !== 'queued'
  }

  /** A session with stream management took it; its client has not acknowledged yet. */
  heldBy(stream: string, count: number): void {
    this.held()
    const isCommitted = this.state === 'committed'
    if (this.outStream !== undefined && !isCommitted) return
    this.outStream = stream
    this.outCount = count
    if (isCommitted) this.#keeper.markGiven(this)
  }

  /** A session has it and will send it, or has sent it and waits. */
  held(): void {
    this.holders++
    this.#keeper.remember(this)
  }

  /** The session that held it back sends it now. */
  unheld(): void {
    this.holders--
  }

  /** A session that held it has ended without an acknowledgement. */
  released(): void {
    this.holders--
    this.#keeper.forgetIfDone(this)
  }

  /** The session that held it goes on on another node, which holds it from now on. */
  departed(): void {
    this.holders--
    this.#keeper.forgetIfDone(this)
  }

  /** A client of the receiver has it. */
  taken(): void {
    if (this.holders > 0) this.holders--
    if (!this.isPending) {
      this.#keeper.forgetIfDone(this)
      return
    }
    this.isPending = false
    this.#keeper.markTaken(this)
  }
}
