/** All writes of one turn of the event loop to one connection are one write: 1.5 to 2 times cheaper than a write each. */

/** Somebody who has something to write. */
export interface Flushable {
  /** Writes what was gathered. */
  flush(): void
}

/** Knows who has gathered something in this turn of the event loop, and lets them write at its end. */
export class WriteBatch {
  #dirty: Flushable[] = []
  readonly #run = (): void => this.flush()

  /** `one` has something to write. Call it when it did not have anything before. */
  add(one: Flushable): void {
    if (this.#dirty.push(one) === 1) setImmediate(this.#run)
  }

  /** Lets everybody write now. What is gathered meanwhile is written at the end of the next turn. */
  flush(): void {
    const dirty = this.#dirty
    this.#dirty = []
    for (const one of dirty) one.flush()
  }
}

/** Above this many bytes copying costs more than a second buffer in one system call. */
const COPIED_BYTES_MAX = 64 * 1024

/** One buffer for one write; undefined when the parts are too large to be copied together. */
export function joined(parts: readonly Buffer[]): Buffer | undefined {
  if (parts.length === 1) return parts[0]
  let length = 0
  for (const part of parts) length += part.length
  return length > COPIED_BYTES_MAX ? undefined : Buffer.concat(parts, length)
}
