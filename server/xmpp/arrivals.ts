/** Bytes that arrived on a connection and are not done with: one chunk as it came, or a growing copy of several. */

import { Buffer } from 'node:buffer'

const CAPACITY_MIN = 256
const EMPTY: Buffer = Buffer.alloc(0)

/**
 * A window on arrived bytes: `position` is where reading goes on, `length` where they end. Bytes once written are never moved or written over,
 * so stanzas may be views of them. Nothing is kept when nothing is left, and little when little is left of a large chunk.
 */
export class Arrivals {
  bytes = EMPTY
  position = 0
  length = 0
  #isOwn = false

  /** Replaces all there is by this chunk. */
  take(chunk: Buffer): void {
    this.bytes = chunk
    this.position = 0
    this.length = chunk.length
    this.#isOwn = false
  }

  clear(): void {
    this.take(EMPTY)
  }

  /** Adds a chunk; bytes before `start` may be forgotten. Returns by how much all offsets became smaller. */
  append(chunk: Buffer, start: number): number {
    const needed = this.length - start + chunk.length
    // Half as much again each time: a stanza that comes byte by byte costs linear time.
    const moved =
      this.#isOwn && this.length + chunk.length <= this.bytes.length ? 0 : this.#move(start, needed + (needed >> 1))
    chunk.copy(this.bytes, this.length)
    this.length += chunk.length
    return moved
  }

  /** Lets go of what is not needed; bytes before `start` are done with. Returns by how much all offsets became smaller. */
  settle(start: number): number {
    const remaining = this.length - start
    if (remaining === 0) this.clear()
    else if (!this.#isOwn && remaining * 2 < this.bytes.buffer.byteLength) return this.#move(start, remaining)
    return 0
  }

  /** The bytes from `start` to `end` to keep: a view when they are most of what a view would keep in memory, else a copy. */
  keep(start: number, end: number): Buffer {
    const { bytes } = this
    if ((end - start) * 2 >= bytes.buffer.byteLength) return bytes.subarray(start, end)
    const copy = Buffer.allocUnsafe(end - start)
    bytes.copy(copy, 0, start, end)
    return copy
  }

  #move(start: number, capacity: number): number {
    const larger = Buffer.allocUnsafeSlow(Math.max(CAPACITY_MIN, capacity))
    this.bytes.copy(larger, 0, start, this.length)
    this.bytes = larger
    this.#isOwn = true
    this.position -= start
    this.length -= start
    return start
  }
}
