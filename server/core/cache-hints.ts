import type { Bus } from '../cluster/bus.ts'

/** How long a change waits for other nodes to note it. One that hangs finds out by itself once it is linked again. */
const NOTE_MS = 500
/** Names in one hint. */
const USERNAMES_MAX = 1_000

/** What a node remembers of accounts, under a name that is the same on all nodes. */
export interface HintedCache {
  /** What is remembered of this account may be old. Resolves when it was read again, if that is done at once. */
  outdated(username: string): Promise<unknown> | undefined
  /** Hints were lost: everything may be old. */
  doubtAll(): void
}

/** Tells the other nodes, after a change in the database, what of their memory is old. */
export class CacheHints {
  readonly #bus: Bus
  readonly #caches = new Map<string, HintedCache>()

  constructor(bus: Bus) {
    this.#bus = bus
    bus.onAsk('doubt', (body: { cache: string; usernames: readonly string[] }) => this.#hear(body))
    bus.onTell('doubt', (body: { cache: string; usernames: readonly string[] }) => void this.#hear(body))
    // Nobody has told a node that was away, nor this one while it was cut off.
    bus.onNode((node, before) => {
      if (node.state === 'up' && before !== 'suspected' && before !== 'up') this.doubtAll()
    })
  }

  /** @returns a function that takes it out again */
  add(name: string, cache: HintedCache): () => void {
    this.#caches.set(name, cache)
    return () => {
      if (this.#caches.get(name) === cache) this.#caches.delete(name)
    }
  }

  doubtAll(): void {
    for (const cache of this.#caches.values()) cache.doubtAll()
  }

  /**
   * Called after the commit. Resolves when all nodes that are there have noted it: whoever is told of the change afterwards finds it on every node.
   * Never rejects, and never takes long.
   */
  tell(cache: string, usernames: readonly string[]): Promise<unknown> | undefined {
    const { nodes } = this.#bus
    if (nodes.length === 0) return undefined
    const body = { cache, usernames: usernames.slice(0, USERNAMES_MAX) }
    const asked: Promise<unknown>[] = []
    for (const { name, state } of nodes) {
      if (state === 'up') asked.push(this.#bus.ask(name, 'doubt', body, NOTE_MS))
      else if (state === 'suspected') this.#bus.tell(name, 'doubt', body)
    }
    return asked.length > 0 ? Promise.allSettled(asked) : undefined
  }

  async #hear({ cache, usernames }: { cache: string; usernames: readonly string[] }): Promise<void> {
    const known = this.#caches.get(cache)
    if (!known) return
    await Promise.allSettled(usernames.slice(0, USERNAMES_MAX).map(async username => known.outdated(username)))
  }
}
