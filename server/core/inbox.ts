import type { KeptRow } from './kept-row.ts'

/** XEP-0198 §5: counters wrap at 2^32. */
const wrap = 2 ** 32

/**
 * Counts the stanzas a client has sent us (XEP-0198 §4) and knows how many of them are safe: an `<a/>` may only name
 * stanzas whose rows are committed.
 */
export class Inbox {
  #handled: number
  #last: number | undefined
  #holds: { readonly count: number; readonly row: KeptRow }[] = []
  /** Called when `safe` has moved because rows were committed. */
  onSettled: (() => void) | undefined

  /** @param handled where it goes on, for a session that came from another node */
  constructor(handled = 0) {
    this.#handled = handled
  }

  /** Stanzas handled, modulo 2^32. */
  get handled(): number {
    return this.#handled
  }

  /** Stanzas that are handled and kept: the `h` of the next `<a/>`. */
  get safe(): number {
    const oldest = this.#holds[0]
    return oldest ? (oldest.count - 1 + wrap) % wrap : this.#handled
  }

  /** The count that the stanza being handled now will have. */
  get next(): number {
    return (this.#handled + 1) % wrap
  }

  /** The stanzas that are not safe yet, oldest first: their counts and what they wait for. */
  get holds(): readonly { readonly count: number; readonly row: KeptRow }[] {
    return this.#holds
  }

  /** The count of the last stanza that a row was made of; undefined: none on this node yet. */
  get last(): number | undefined {
    return this.#last
  }

  /** One more stanza was handled (successfully or not). */
  count(): void {
    this.#handled = this.next
  }

  /** The stanza being handled now is kept by `row`: not safe until that is settled. */
  hold(row: KeptRow): void {
    this.#last = this.next
    this.#holds.push({ count: this.next, row })
  }

  /** A stanza that was handled on another node: not safe until `row` is settled. Oldest first. */
  holdAt(count: number, row: KeptRow): void {
    this.#last = count
    if (!row.isSettled) this.#holds.push({ count, row })
  }

  /** Some rows were settled (committed, or refused for good). */
  settle(): void {
    let settled = 0
    while (this.#holds[settled]?.row.isSettled) settled++
    if (settled === 0) return
    this.#holds.splice(0, settled)
    this.onSettled?.()
  }
}
