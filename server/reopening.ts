/** Closes the office for a moment, lets something happen, and opens it again at the same ports. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'

export interface ReopeningParts {
  readonly log: Logger
  readonly signal: AbortSignal
  /** Between two tries when it cannot be opened. */
  readonly retryMs: number
  pause(sentence: string): Promise<void>
  close(): Promise<void>
  open(): Promise<void>
}

const nothing = async (): Promise<void> => undefined

export class Reopening {
  readonly #parts: ReopeningParts
  #running: Promise<void> | undefined

  constructor(parts: ReopeningParts) {
    this.#parts = parts
  }

  /**
   * One after the other. When `change` or the opening fails, `undo` happens and the office is opened as it was; then it throws.
   * @param sentence what pages are told meanwhile
   */
  run(sentence: string, change: () => Promise<void> = nothing, undo: () => Promise<void> = nothing): Promise<void> {
    this.#parts.signal.throwIfAborted()
    const before = this.#running?.catch(() => undefined) // told to who asked for it
    const running = (async () => {
      await before
      await this.#closeAndOpen(sentence, change, undo)
    })()
    this.#running = running
    return running
  }

  /** Resolves when nothing is under way any more. */
  async over(): Promise<void> {
    await this.#running?.catch(() => undefined) // told to who asked for it
  }

  async #closeAndOpen(sentence: string, change: () => Promise<void>, undo: () => Promise<void>): Promise<void> {
    const { log, pause, close, open } = this.#parts
    await pause(sentence)
    await close()
    try {
      await change()
      await open()
    } catch (error) {
      log.error({ err: error }, 'the office could not be opened again after a change')
      await this.#untilThere(async () => {
        await undo()
        await open()
      })
      throw error
    }
  }

  /** Tries again and again: without an office there is nothing better to do, and what is in the way (a database, a port) may go. */
  async #untilThere(work: () => Promise<void>): Promise<void> {
    const { log, signal, retryMs } = this.#parts
    for (;;) {
      try {
        return await work()
      } catch (error) {
        log.error({ err: error }, 'the office could not be opened again; it is tried once more')
        await delay(retryMs, undefined, { signal })
      }
    }
  }
}
