/** What a client has received and nobody has asked for yet: tests take the stanza they wait for, in whatever order it came. */
import type { Element } from 'ltx'

const stanzasMax = 10_000

export type Matcher = (stanza: Element) => boolean

interface Waiter {
  matches: Matcher
  resolve(stanza: Element): void
}

export class Received {
  #stanzas: Element[] = []
  #waiters: Waiter[] = []

  /** Hands a stanza to the one who waits for it, or keeps it. */
  push(stanza: Element): void {
    const index = this.#waiters.findIndex(({ matches }) => matches(stanza))
    const [waiter] = index < 0 ? [] : this.#waiters.splice(index, 1)
    if (waiter) waiter.resolve(stanza)
    else if (this.#stanzas.length < stanzasMax) this.#stanzas.push(stanza)
  }

  /**
   * Takes the first stanza that matches; waits for it if it is not here yet.
   * @throws Error that lists what came instead, after `timeoutMs`
   */
  async next(matches: Matcher, timeoutMs: number): Promise<Element> {
    const index = this.#stanzas.findIndex(matches)
    const [present] = index < 0 ? [] : this.#stanzas.splice(index, 1)
    if (present) return present
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter(other => other !== waiter)
        const others = this.#stanzas.map(stanza => `  ${stanza}`).join('\n') || '  nothing'
        reject(new Error(`no such stanza came within ${timeoutMs} ms, but:\n${others}`))
      }, timeoutMs)
      const waiter: Waiter = {
        matches,
        resolve(stanza) {
          clearTimeout(timer)
          resolve(stanza)
        },
      }
      this.#waiters.push(waiter)
    })
  }

  /** Those that match and are here already; they stay. */
  all(matches: Matcher): Element[] {
    return this.#stanzas.filter(matches)
  }
}
