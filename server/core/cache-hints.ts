import { deserialize, serialize } from 'node:v8'
import type { Bus } from '../cluster/bus.ts'

/** How long a change waits for other nodes to note it. One that hangs notes it before anything that it hears later. */
const NOTE_MS = 500
/** How long the database is given before a node that has the value in memory is asked for it, and how long that may take. */
const DATABASE_FIRST_MS = 100
const ELSEWHERE_MS = 500
/** Names in one hint. */
const USERNAMES_MAX = 1_000

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
      if (state === 'up' && !this.#bus.hangs(name)) asked.push(this.#bus.askSoon(name, 'doubt', body, NOTE_MS))
      else this.#bus.tell(name, 'doubt', body)
    }
    return asked.length > 0 ? Promise.all(asked) : undefined
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

  async #hear({ cache, usernames }: { cache: string; usernames: readonly string[] }): Promise<void> {
    const known = this.#caches.get(cache)
    if (!known) return
    await Promise.allSettled(usernames.slice(0, USERNAMES_MAX).map(async username => known.outdated(username)))
  }
}
