/**
 * What two processes have said to each other, whatever connection carries it: frames are numbered, kept until they are acknowledged, and written again on
 * the next connection. A channel begins anew when one of both is a new process, or has given the other up: then what was not acknowledged is lost.
 */
import { randomBytes } from 'node:crypto'
import type { Outcome } from '../mesh.ts'
import { numberedHead, writeNumbered } from './frames.ts'

interface Waiting {
  readonly kind: number
  readonly pieces: Buffer | readonly Buffer[]
  readonly size: number
  readonly settled: ((outcome: Outcome) => void) | undefined
}

export interface ChannelLimits {
  readonly frameBytes: number
  readonly waitingBytes: number
  readonly waitingFrames: number
}

/** Spent entries at the front of the list are cut off in bulk. */
const compactAt = 1_024

export class Channel {
  /** This side's half. */
  #id = newId()
  /** The other half; undefined until both have met. */
  #knows: string | undefined
  readonly #limits: ChannelLimits
  /** A callback that throws is a bug of its owner, never of the channel. */
  readonly #onBug: (error: unknown) => void
  #list: Waiting[] = []
  /** Where the first frame that is not acknowledged stands in the list. */
  #head = 0
  /** Where the first frame that is not written on this connection stands. */
  #next = 0
  /** Number of the frame at `#head`. */
  #first = 1
  #waitingBytes = 0
  #received = 0

  constructor(limits: ChannelLimits, onBug: (error: unknown) => void) {
    this.#limits = limits
    this.#onBug = onBug
  }

  get id(): string {
    return this.#id
  }

  get knows(): string | undefined {
    return this.#knows
  }

  /** The last number that was handled here. */
  get received(): number {
    return this.#received
  }

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  get waitingFrames(): number {
    return this.#list.length - this.#head
  }

  /** Number of the frame that was queued last. */
  get queued(): number {
    return this.#first + this.#list.length - this.#head - 1
  }

  /** Number of the frame that was written last. */
  get written(): number {
    return this.#first + this.#next - this.#head - 1
  }

  get hasUnwritten(): boolean {
    return this.#next < this.#list.length
  }

  /**
   * Queues a frame.
   * @param reserve for the link's own answers: they may use as much again as the limit
   * @returns false when too much waits
   */
  add(
    kind: number,
    pieces: Buffer | readonly Buffer[],
    settled?: (outcome: Outcome) => void,
    reserve: 'reserve' | undefined = undefined,
  ): boolean {
    const size = sizeOf(pieces)
    if (size > this.#limits.frameBytes) throw new Error(`a frame of ${size} bytes is longer than a link takes`)
    const share = reserve ? 2 : 1
    if (this.#waitingBytes + size > this.#limits.waitingBytes * share) return false
    if (this.waitingFrames >= this.#limits.waitingFrames * share) return false
    this.#list.push({ kind, pieces, size, settled })
    this.#waitingBytes += size
    return true
  }

  /** The next frames to write, as one piece of about `bytesMax`; undefined when everything is written. */
  batch(bytesMax: number): Buffer | undefined {
    const from = this.#next
    let total = 0
    let end = from
    for (; end < this.#list.length && total < bytesMax; end++) total += numberedHead + (this.#list[end]?.size ?? 0)
    if (end === from) return undefined
    const bytes = Buffer.allocUnsafe(total)
    let at = 0
    let number = this.#first + from - this.#head
    for (const { kind, size, pieces } of this.#list.slice(from, end))
      at = writeNumbered(bytes, at, kind, number++, size, pieces)
    this.#next = end
    return bytes
  }

  /** @returns false when it acknowledges what was never queued */
  acknowledge(number: number): boolean {
    if (number >= this.#first + this.#list.length - this.#head) return false
    while (this.#first <= number) {
      const frame = this.#list[this.#head]
      if (frame === undefined) break
      this.#head++
      this.#first++
      this.#waitingBytes -= frame.size
      this.#settle(frame, 'done')
    }
    this.#next = Math.max(this.#next, this.#head)
    if (this.#head > compactAt && this.#head * 2 > this.#list.length) {
      this.#list = this.#list.slice(this.#head)
      this.#next -= this.#head
      this.#head = 0
    }
    return true
  }

  /**
   * @returns 'next' when this number is to be handled now, 'known' when it was, 'gap' when something is missing in front of it
   */
  take(number: number): 'next' | 'known' | 'gap' {
    if (number <= this.#received) return 'known'
    if (number !== this.#received + 1) return 'gap'
    this.#received = number
    return 'next'
  }

  /**
   * Goes on over a new connection.
   * @param received what the other side has handled: that is not written again, but it is not settled before it is acknowledged, because what its
   *   handlers have sent back may have been lost with the former connection
   * @returns false when that cannot be
   */
  resume(received: number): boolean {
    if (received > this.queued) return false
    this.#next = this.#head + Math.max(0, received + 1 - this.#first)
    return true
  }

  /** Begins anew with another half; this half stays, what waits is lost. */
  begin(knows: string | undefined): void {
    this.#knows = knows
    this.#lose()
  }

  /** Gives the other side up: what waits is lost, and whatever it still believes to share with this half is void. */
  renew(): void {
    this.#id = newId()
    this.#knows = undefined
    this.#lose()
  }

  #lose(): void {
    const lost = this.#list.slice(this.#head)
    this.#list = []
    this.#head = 0
    this.#next = 0
    this.#first = 1
    this.#received = 0
    this.#waitingBytes = 0
    for (const frame of lost) this.#settle(frame, 'lost')
  }

  #settle(frame: Waiting, outcome: Outcome): void {
    if (!frame.settled) return
    try {
      frame.settled(outcome)
    } catch (error) {
      this.#onBug(error)
    }
  }
}

function newId(): string {
  return randomBytes(9).toString('base64url')
}

function sizeOf(pieces: Buffer | readonly Buffer[]): number {
  if (Buffer.isBuffer(pieces)) return pieces.length
  let size = 0
  for (const piece of pieces) size += piece.length
  return size
}
