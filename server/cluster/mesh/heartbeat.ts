/**
 * The pulse of the mesh: one timer for all peers, and the watch that notices when this very process stood still (stopped, swapped out, a laptop asleep).
 * After SIGCONT the event loop reads sockets before it runs timers: whoever reads asks `isFrozen` first.
 */

/** Looks in each heartbeat. */
const looks = 4

export interface HeartbeatOptions {
  readonly heartbeatMs: number
  /** Between two looks: standing still for so long means that the others may have given this process up. */
  readonly frozenMs: number
  /**
   * @param isPing once in each heartbeat
   * @param lateMs how much later than due it comes: this process was busy, which is nobody else's silence
   */
  readonly onTick: (now: number, isPing: boolean, lateMs: number) => void
  readonly onFrozen: (ms: number) => void
}

export class Heartbeat {
  readonly #options: HeartbeatOptions
  readonly #timer: NodeJS.Timeout
  #last = performance.now()
  /** The wall clock goes on while a laptop sleeps; the other one may not. */
  #lastWall = Date.now()
  #count = 0

  constructor(options: HeartbeatOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#beat(), options.heartbeatMs / looks)
  }

  /** Whether this process has just stood still; `onFrozen` has run then. To be asked before anything that was read is handled. */
  isFrozen(): boolean {
    const now = performance.now()
    const wall = Date.now()
    const stoodMs = Math.max(now - this.#last, wall - this.#lastWall)
    if (stoodMs <= this.#options.frozenMs) return false
    this.#last = now
    this.#lastWall = wall
    this.#options.onFrozen(stoodMs)
    return true
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #beat(): void {
    if (this.isFrozen()) return
    const now = performance.now()
    const lateMs = Math.max(0, now - this.#last - (2 * this.#options.heartbeatMs) / looks)
    this.#last = now
    this.#lastWall = Date.now()
    const isPing = this.#count++ % looks === 0
    // A process that was busy finds what came meanwhile only after its timers: nobody is silent before that has been read.
    setImmediate(() => this.#options.onTick(performance.now(), isPing, lateMs))
  }
}
