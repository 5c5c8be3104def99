/** How far a PC is that joins an office: told step by step to whoever shows it, from deep inside the opening of that office. */
import type { OnStep } from './joining.ts'

/** What can be waited for. */
interface Linking {
  untilLinked(onWait: (sentence: string) => void, signal: AbortSignal): Promise<void>
}

export class JoinProgress {
  #onStep: OnStep = () => undefined

  /** Tells `onStep` of each step while `join` runs. */
  async during(onStep: OnStep, join: () => Promise<void>): Promise<void> {
    this.#onStep = onStep
    try {
      await join()
    } finally {
      this.#onStep = () => undefined
    }
  }

  /** The database is open: waits until the others are linked and know this PC, after which it opens. @param onWait called with a sentence when it takes long */
  async meet(others: Linking, onWait: (sentence: string) => void, signal: AbortSignal): Promise<void> {
    this.#onStep('database', 'done')
    this.#onStep('cluster', 'doing')
    const wait = (sentence: string): void => {
      onWait(sentence)
      this.#onStep('cluster', 'doing', sentence)
    }
    await others.untilLinked(wait, signal)
    this.#onStep('cluster', 'done')
    this.#onStep('open', 'doing')
  }
}
