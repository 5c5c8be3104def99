/** Reading one stream: events in order, no faster than they are handled, and no faster than the pace that is allowed. */
import { Framer, type FramerEvent, type FramerLimits } from '../xmpp/framer.ts'
import type { Alarms } from './alarms.ts'
import { type Pace, Shaper } from './throttle.ts'
import type { Transport } from './transport.ts'

/** Who handles what was read. */
export interface IntakeOwner {
  readonly wire: Transport
  /** Nothing more is to be read. */
  readonly isOver: boolean
  take(event: FramerEvent): void
  /** Reading or handling has failed. */
  stumble(error: unknown): void
}

/** Reading stops while more than this waits behind a stanza that is being handled. */
const BUFFERED_BYTES_MAX = 64 * 1024

// Why reading is paused; as bits.
const BUSY = 1
const PACE = 2

export class Intake {
  readonly #owner: IntakeOwner
  readonly #alarms: Alarms
  readonly #framer: Framer
  readonly #emit = (event: FramerEvent): void => this.#owner.take(event)
  readonly #atPace = (): void => this.#release(PACE)
  #busy: Promise<void> | undefined
  #pauses = 0
  #shaper: Shaper | undefined

  constructor(owner: IntakeOwner, alarms: Alarms, limits: Partial<FramerLimits>) {
    this.#owner = owner
    this.#alarms = alarms
    this.#framer = new Framer({ mode: owner.wire.mode, limits })
  }

  /** Bytes that arrived behind the element that is being handled. */
  get bufferedBytes(): number {
    return this.#framer.buffered
  }

  /** Takes what arrived. @throws StreamError; whatever handling an event throws */
  push(chunk: Buffer): void {
    this.#framer.push(chunk, this.#emit)
    if (this.#busy && this.#framer.buffered > BUFFERED_BYTES_MAX) this.#hold(BUSY)
  }

  /**
   * Everything behind the event being handled waits until `work` is done.
   * @returns when that is; never rejects
   */
  wait(work: Promise<void>): Promise<void> {
    this.#framer.pause()
    this.#busy = work.then(
      () => this.#goOn(),
      error => this.#owner.stumble(error),
    )
    return this.#busy
  }

  /** Counts what was read, and pauses when it was too much. @param now milliseconds */
  keepPace(pace: Pace, stanzas: number, bytes: number, now: number): void {
    this.#shaper ??= new Shaper()
    const waitMs = this.#shaper.count(pace, stanzas, bytes, now)
    if (waitMs === 0) return
    this.#hold(PACE)
    this.#alarms.set(this.#atPace, waitMs)
  }

  /** Longer elements may come from now on. */
  setLimits(limits: Partial<FramerLimits>): void {
    this.#framer.setLimits(limits)
  }

  /** A new stream header comes next. Over WebSocket each element is a document of its own: nothing to do. */
  restart(options: { keepBuffered: boolean }): void {
    if (this.#owner.wire.mode === 'stream') this.#framer.reset(options)
  }

  /** What still arrives is thrown away by the owner: reading goes on. */
  close(): void {
    this.#alarms.clear(this.#atPace)
    if (this.#pauses !== 0) this.#owner.wire.resume()
    this.#pauses = 0
  }

  #goOn(): void {
    this.#busy = undefined
    if (this.#owner.isOver) return
    try {
      this.#framer.resume(this.#emit)
    } catch (error) {
      this.#owner.stumble(error)
    }
    if (!this.#busy) this.#release(BUSY)
  }

  #hold(reason: number): void {
    if (this.#pauses === 0) this.#owner.wire.pause()
    this.#pauses |= reason
  }

  #release(reason: number): void {
    if ((this.#pauses & reason) === 0) return
    this.#pauses &= ~reason
    if (this.#pauses === 0) this.#owner.wire.resume()
  }
}
