import { PATIENCE_MS, withinTime } from './patience.ts'

/** How long the database is left alone after it could not be asked about a doubtful value. */
const ASK_AGAIN_MS = 2_000

/**
 * What a feature keeps in memory per account (its roster, block list, …): loaded once, at the latest at login, then
 * answered without waiting. The least recently used go first; accounts with a session here are never dropped.
 */
export class PerAccount<T> {
  readonly #load: (username: string) => Promise<T>
  readonly #isPinned: (username: string) => boolean
  readonly #capacity: number
  readonly #patienceMs: number | undefined
  readonly #tell: ((username: string) => Promise<unknown> | undefined) | undefined
  readonly #values = new Map<string, T>()
  readonly #loading = new Map<string, Promise<T>>()
  /** Accounts whose value here may not be what the database holds. */
  readonly #doubtful = new Set<string>()
  /** Hints of other nodes so far. */
  #heard = 0
  /** Until then what is doubted is believed, on the clock of performance.now(). */
  #askAgainAt = 0

  /**
   * @param options.load reads the value from the database; its failure is passed on and not remembered
   * @param options.isPinned whether the account has a session here
   * @param options.patienceMs how long `get` waits for a load; undefined = until it is done
   * @param options.tell tells the other nodes that what they remember of this account is old
   * @param options.capacity how many accounts are kept at most, pinned ones not counted
   */
  constructor(options: {
    load: (username: string) => Promise<T>
    isPinned: (username: string) => boolean
    patienceMs?: number
    tell?: ((username: string) => Promise<unknown> | undefined) | undefined
    capacity?: number
  }) {
    this.#load = options.load
    this.#isPinned = options.isPinned
    this.#patienceMs = options.patienceMs
    this.#tell = options.tell
    this.#capacity = options.capacity ?? 5_000
  }

  /** The value, at once if it is here. Rejects with StanzaError `wait` when loading takes too long; it goes on meanwhile. */
  get(username: string): T | Promise<T> {
    const value = this.load(username)
    if (!(value instanceof Promise) || this.#patienceMs === undefined) return value
    return withinTime(value, this.#patienceMs)
  }

  /** The value, at once if it is here; waits for the database as long as that takes. */
  load(username: string): T | Promise<T> {
    const value = this.#values.get(username)
    if (value === undefined) return this.#fetch(username)
    const isAsked = this.#doubtful.has(username) && performance.now() >= this.#askAgainAt
    return isAsked ? this.#fetchOr(username, value) : value
  }

  /** Asks the database, once for all who want it now. */
  #fetch(username: string): Promise<T> {
    const loading = this.#loading.get(username)
    if (loading) return loading
    const promise = this.#load(username)
      .then(loaded => {
        // A change or removal meanwhile has taken this load out: its answer is old.
        if (this.#loading.get(username) === promise) this.set(username, loaded)
        return loaded
      })
      .finally(() => {
        if (this.#loading.get(username) === promise) this.#loading.delete(username)
      })
    this.#loading.set(username, promise)
    return promise
  }

  async #fetchOr(username: string, value: T): Promise<T> {
    try {
      return await withinTime(this.#fetch(username), this.#patienceMs ?? PATIENCE_MS)
    } catch {
      // The database cannot be asked now, and this is the best that anybody knows. The next ones need not wait to find that out.
      this.#askAgainAt = performance.now() + ASK_AGAIN_MS
      return value
    }
  }

  /** The value if it is here. */
  peek(username: string): T | undefined {
    return this.#values.get(username)
  }

  /** The value if it is here, and not doubted: good enough for another node that cannot ask the database. */
  known(username: string): T | undefined {
    return this.#doubtful.has(username) || !this.#isPinned(username) ? undefined : this.#values.get(username)
  }

  set(username: string, value: T): void {
    this.#loading.delete(username)
    this.#doubtful.delete(username)
    this.#values.delete(username)
    this.#values.set(username, value)
    if (this.#values.size > this.#capacity) this.#evict()
  }

  /**
   * Carries out a change. It is computed by the database: another node may change the same account at the same moment.
   * @param write the change in the database; when it fails it was perhaps carried out all the same, and nobody believes what is here
   * @param next the value afterwards
   * @returns the values before and after, once the other nodes know that theirs is old
   */
  async change(username: string, write: () => Promise<unknown>, next: (before: T) => T): Promise<[T, T]> {
    const heard = this.#heard
    try {
      await write()
    } catch (error) {
      this.doubt(username)
      void this.#tell?.(username)
      throw error
    }
    const before = await this.load(username)
    const after = next(before)
    this.set(username, after)
    // Somebody else has changed something meanwhile: who was later is known to the database only.
    if (heard !== this.#heard) this.doubt(username)
    await this.#tell?.(username)
    return [before, after]
  }

  /** A hint of another node: what is here is old. Read again at once when the account has a session here. */
  outdated(username: string): Promise<T> | undefined {
    this.#heard++
    this.doubt(username)
    if (!this.#isPinned(username)) return undefined
    return this.#fetch(username)
  }

  /** How many hints of other nodes came so far: tells whether one came during a change. */
  get heard(): number {
    return this.#heard
  }

  /** Forgets it: the next `get` loads again. */
  drop(username: string): void {
    this.#values.delete(username)
    this.#loading.delete(username)
    this.#doubtful.delete(username)
  }

  /** Whether a change was carried out is not known: the next `get` asks the database, and believes what is here only while that cannot be asked. */
  doubt(username: string): void {
    this.#loading.delete(username)
    if (this.#values.has(username)) this.#doubtful.add(username)
  }

  /** Whether the next `get` asks the database although there is a value. */
  isDoubtful(username: string): boolean {
    return this.#doubtful.has(username)
  }

  /** Whether the database is being asked. */
  isLoading(username: string): boolean {
    return this.#loading.has(username)
  }

  /**
   * Another database server was promoted, and the last changes may be lost there: what is in memory would not be what everybody else, and
   * the next start, reads. Everything is asked for again: at the next use, and that of pinned accounts one after the other, as there may be
   * thousands, and messages wait for the same database.
   */
  doubtAll(): void {
    this.#loading.clear()
    for (const username of this.#values.keys()) this.doubt(username)
    this.#reloadPinned().catch(() => 'the next who asks asks the database again')
  }

  async #reloadPinned(): Promise<void> {
    for (const username of [...this.#doubtful]) {
      if (this.#doubtful.has(username) && this.#isPinned(username)) await this.#fetch(username)
    }
  }

  #evict(): void {
    // Oldest first; a bounded number of looks, so that a house full of pinned accounts costs little.
    let looks = 32
    for (const username of this.#values.keys()) {
      if (looks-- === 0) return
      if (!this.#isPinned(username)) {
        this.#values.delete(username)
        this.#doubtful.delete(username)
        return
      }
    }
  }
}
