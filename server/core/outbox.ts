import type { Stanza } from '../xmpp/stanza.ts'
import type { KeptRow } from './kept-row.ts'

/** XEP-0198 §5: counters wrap at 2^32. */
const wrap = 2 ** 32

/** One stanza that was sent, and the row that waits for it to be acknowledged. */
export interface Sent {
  readonly stanza: Stanza
  readonly row: KeptRow | undefined
}

/**
 * The stanzas a client with stream management has been sent and has not acknowledged (XEP-0198 §4), oldest first.
 * Bounded by count and bytes: `isFull` tells the session to end.
 */
export class Outbox {
  readonly #limits: { readonly stanzas: number; readonly bytes: number }
  #queue: Sent[] = []
  /** Index of the oldest in #queue; the front is cut off in big steps, so that an ack costs no shift per stanza. */
  #front = 0
  #bytes = 0
  #sent: number
  #acked: number

  /** @param acked where it goes on, for a session that came from another node: what is unacknowledged is pushed anew */
  constructor(limits: { stanzas: number; bytes: number }, acked = 0) {
    this.#limits = limits
    this.#sent = acked
    this.#acked = acked
  }

  /** Number of stanzas sent on this stream so far, modulo 2^32. */
  get sent(): number {
    return this.#sent
  }

  get acked(): number {
    return this.#acked
  }

  get unacked(): number {
    return this.#queue.length - this.#front
  }

  get bytes(): number {
    return this.#bytes
  }

  get isFull(): boolean {
    return this.unacked >= this.#limits.stanzas || this.#bytes >= this.#limits.bytes
  }

  push(stanza: Stanza, row: KeptRow | undefined): void {
    this.#queue.push({ stanza, row })
    this.#bytes += stanza.bytes.length
    this.#sent = (this.#sent + 1) % wrap
  }

  /**
   * The client has handled `h` stanzas.
   * @returns the rows it thereby has, or 'too-many' if it claims more than was sent (XEP-0198 §4: handled-count-too-high)
   */
  ack(h: number): KeptRow[] | 'too-many' {
    const count = (h - this.#acked + wrap) % wrap
    if (count > this.unacked) return 'too-many'
    const rows: KeptRow[] = []
    for (let index = this.#front; index < this.#front + count; index++) {
      const sent = this.#queue[index]
      if (!sent) continue
      this.#bytes -= sent.stanza.bytes.length
      if (sent.row) rows.push(sent.row)
    }
    this.#front += count
    this.#acked = h % wrap
    if (this.#front > 256 || this.#front === this.#queue.length) {
      this.#queue = this.#queue.slice(this.#front)
      this.#front = 0
    }
    return rows
  }

  /** What is not acknowledged, oldest first: sent again after a resume. */
  unackedStanzas(): readonly Stanza[] {
    return this.#queue.slice(this.#front).map(sent => sent.stanza)
  }

  /** The same with the rows behind them, from the one of count `from` + 1 on: for another node. */
  unackedSince(from: number): readonly Sent[] {
    return this.#queue.slice(this.#front + ((from - this.#acked + wrap) % wrap))
  }

  /** Takes out everything that is not acknowledged, for a session that ends. */
  drain(): { stanza: Stanza; row: KeptRow | undefined }[] {
    const rest = this.#queue.slice(this.#front)
    this.#queue = []
    this.#front = 0
    this.#bytes = 0
    return rest
  }
}
