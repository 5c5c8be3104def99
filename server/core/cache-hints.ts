import { deserialize, serialize } from 'node:v8'
import type { Bus } from '../cluster/bus.ts'

/** How long a change waits for other nodes to note it. One that hangs notes it before anything that it hears later. */
const NOTE_MS = 500
/** How long the database is given before a node that has the value in memory is asked for it, and how long that may take. */
const DATABASE_FIRST_MS = 100
const ELSEWHERE_MS = 500

/** What is old: one account in one cache. */
interface Hint {
  readonly cache: string
  readonly username: string
}

/** What a node remembers of accounts, under a name that is the same on all nodes. */
export interface HintedCache {
  /** What is remembered of this account may be old. Resolves when it was read again, if that is done at once. */
  outdated(username: string): Promise<unknown> | undefined
  /** Hints were lost: everything may be old. */
  doubtAll(): void
  /** The value, if it is here and believed. */
  known?(username: string): unknown
}

/** Tells the other nodes, after a change in the database, what of their memory is old. */
export class CacheHints {
  readonly #bus: Bus
  readonly #isAway: () => boolean
  readonly #nodesOf: (username: string) => readonly string[]
  readonly #caches = new Map<string, HintedCache>()
  /** What is being read again, as hints of other nodes said. */
  readonly #noting = new Set<Promise<unknown>>()

  /**
   * @param options.isAway whether the database is known to be away
   * @param options.nodesOf the other nodes where somebody is connected: they have in memory what belongs to the account
   */
  constructor(bus: Bus, options: { isAway?: () => boolean; nodesOf?: (username: string) => readonly string[] } = {}) {
    this.#bus = bus
    this.#isAway = options.isAway ?? (() => false)
    this.#nodesOf = options.nodesOf ?? (() => [])
    bus.onAsk('cached', ({ cache, username }: { cache: string; username: string }) => {
      const value = this.#caches.get(cache)?.known?.(username)
      return value === undefined ? null : serialize(value).toString('base64')
    })
    bus.onTell('doubt', (hint: Hint) => this.#hear(hint))
    bus.onAsk('doubted', () => Promise.all([...this.#noting]).then(() => true))
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
  tell(cache: string, username: string): Promise<unknown> | undefined {
    const { nodes } = this.#bus
    if (nodes.length === 0) return undefined
    const hint: Hint = { cache, username }
    // The hint itself is never lost, though a busy node may have no time for the question behind it.
    this.#bus.tell(undefined, 'doubt', hint)
    return Promise.all(nodes.map(({ name }) => this.#bus.askSoon(name, 'doubted', {}, NOTE_MS)))
  }

  /**
   * What the database answers; when that takes long, what the node remembers where the person is connected: people who are online are reached while the
   * database is away.
   */
  orElsewhere<T>(cache: string, username: string, loading: Promise<T>): Promise<T> {
    const nodes = this.#nodesOf(username)
    if (nodes.length === 0) return loading
    return new Promise((resolve, reject) => {
      let isDone = false
      const done = (): void => {
        isDone = true
        clearTimeout(timer)
      }
      const elsewhere = async (): Promise<void> => {
        for (const node of nodes) {
          const found = isDone ? undefined : await this.#askFor(cache, username, node)
          if (found !== undefined) return resolve(found as T)
        }
      }
      let asked: Promise<void> | undefined
      const timer = setTimeout(
        () => {
          asked = elsewhere()
        },
        this.#isAway() ? 0 : DATABASE_FIRST_MS,
      )
      loading.then(
        value => {
          done()
          resolve(value)
        },
        error => {
          clearTimeout(timer)
          // Rejecting after it was resolved changes nothing.
          void (asked ?? elsewhere()).finally(() => reject(error))
        },
      )
    })
  }

  async #askFor(cache: string, username: string, node: string): Promise<unknown> {
    // When that node cannot say either, the database is still being asked.
    const answer = await this.#bus.askSoon(node, 'cached', { cache, username }, ELSEWHERE_MS)
    try {
      return typeof answer === 'string' ? deserialize(Buffer.from(answer, 'base64')) : undefined
    } catch {
      // Written by another version.
      return undefined
    }
  }

  #hear({ cache, username }: Hint): void {
    const reading = this.#caches.get(cache)?.outdated(username)
    if (!reading) return
    const noted = reading.catch(() => 'who asks next asks the database again').finally(() => this.#noting.delete(noted))
    this.#noting.add(noted)
  }
}
