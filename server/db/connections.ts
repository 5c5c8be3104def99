/** The pooled connections to one server: borrowed for a call, verified when new, cut or drained all together. */
import pg from 'pg'
import { away, classify, type DatabaseAway } from './errors.ts'
import type { Host } from './hosts/hosts.ts'
import { askIdentity, type Identity } from './hosts/probe.ts'
import { clientClassOf, clientConfig, farewell, openClient } from './open.ts'
import { cut, Session, type SessionLimits, within } from './session.ts'

export interface ConnectionsOptions {
  host: Host
  limits: SessionLimits
  max: number
  directMax: number
  waitersMax: number
  /** Says why the server at the other end of a new connection must not be used; absent: nobody asks. */
  verify?: (identity: Identity) => DatabaseAway | undefined
  /** Gives the deadline of a write that is sent now, in the server's clock. */
  fence?: () => string
  /** An idle connection was lost. */
  onLost(error: Error): void
}

export class Connections {
  readonly host: Host
  readonly #options: ConnectionsOptions
  readonly #pool: pg.Pool
  readonly #clients = new Set<pg.ClientBase>()
  readonly #directs = new Set<pg.Client>()
  readonly #waiting = new Set<(reason: Error) => void>()
  #isLeft = false

  constructor(options: ConnectionsOptions) {
    const { host, limits, max } = options
    this.host = host
    this.#options = options
    this.#pool = new pg.Pool({
      ...clientConfig(host.connection, limits, host.manners.terms),
      Client: clientClassOf(host.connection),
      max,
      min: 1,
      idleTimeoutMillis: 30_000,
      verify: (client, done) => {
        this.#verify(client).then(() => done(), done)
      },
    })
    this.#pool.on('connect', client => {
      this.#clients.add(client)
      // The pool listens while nobody has it, a Session while somebody has: in between, and while it is verified, a lost connection
      // would have no listener and end the process. Whatever runs on it reports what happened.
      client.on('error', () => undefined)
    })
    this.#pool.on('remove', client => this.#clients.delete(client))
    this.#pool.on('error', error => options.onLost(error))
  }

  /** Opens the first connection already, while whoever will use it has something else to finish. */
  warm(): void {
    this.#pool.connect().then(
      client => client.release(),
      () => undefined, // the first call tells
    )
  }

  /**
   * Borrows a connection for `work`; a broken one is thrown away, never given back.
   * @param deadline performance.now() after which nothing of it may run
   * @throws DatabaseAway, DatabaseFault, what `work` throws
   */
  async run<T>(deadline: number, work: (session: Session) => Promise<T>): Promise<T> {
    const { limits, fence, host } = this.#options
    const client = await this.#borrow(deadline)
    const session = new Session(client, host.connection, limits, deadline, fence)
    try {
      return await work(session)
    } finally {
      session.leave()
      client.release(session.broken)
    }
  }

  /**
   * Opens a connection beside the pool, verified as the others are. It is closed by `closeDirect`, or cut with the others.
   * @throws DatabaseAway, DatabaseFault
   */
  async openDirect(): Promise<{ client: pg.Client; session: Session }> {
    const { host, limits, directMax, fence } = this.#options
    if (this.#directs.size >= directMax) throw away('busy', host.place)
    const { client, terms } = await openClient(host.connection, limits, host.manners.terms)
    host.manners.terms = terms
    this.#directs.add(client)
    try {
      if (this.#isLeft) throw away('lost', host.place)
      await this.#verify(client)
    } catch (error) {
      this.#directs.delete(client)
      cut(client)
      throw classify(error, host.place, 'connect')
    }
    return { client, session: new Session(client, host.connection, limits, Number.POSITIVE_INFINITY, fence) }
  }

  async closeDirect(client: pg.Client): Promise<void> {
    this.#directs.delete(client)
    await farewell(client)
  }

  /** Breaks all connections at once: what runs on them fails and may have been carried out; who waits for one never ran. */
  cut(): void {
    this.#leave()
    this.#cutAll()
  }

  /** Gives out no connection any more; what runs may end within the limit, then it is cut. */
  async drain(limitMs: number): Promise<void> {
    const ended = this.#leave()
    try {
      await within(ended, limitMs, () => away('timeout', this.host.place))
    } catch {
      // Somebody still holds a connection, or the server does not say goodbye: what is left is cut below.
    }
    this.#cutAll()
  }

  #leave(): Promise<void> {
    if (this.#isLeft) return Promise.resolve()
    this.#isLeft = true
    const ended = this.#pool.end()
    ended.catch(() => undefined) // a pool without a server cannot say goodbye; its sockets are cut
    for (const refuse of this.#waiting) refuse(away('lost', this.host.place))
    return ended
  }

  #cutAll(): void {
    for (const client of this.#clients) cut(client)
    for (const client of this.#directs) cut(client)
  }

  /** One round trip per new connection: behind a proxy or a name there may be another server than a moment ago. */
  async #verify(client: pg.ClientBase): Promise<void> {
    const { verify, host, limits } = this.#options
    if (!verify) return
    const identity = await within(askIdentity(client, host.manners.depth), limits.connectTimeoutMs, () => {
      cut(client)
      return away('timeout', host.place)
    })
    const fault = verify(identity)
    if (fault) throw fault
  }

  async #borrow(deadline: number): Promise<pg.PoolClient> {
    const pool = this.#pool
    const { place } = this.host
    const { waitersMax, limits, max } = this.#options
    if (this.#isLeft) throw away('lost', place)
    if (pool.waitingCount >= waitersMax) throw away('busy', place)
    const limitMs = Math.min(limits.connectTimeoutMs, deadline - performance.now())
    return new Promise((resolve, reject) => {
      let isOver = false
      const end = (act: () => void): void => {
        if (isOver) return
        isOver = true
        clearTimeout(timer)
        this.#waiting.delete(refuse)
        act()
      }
      const refuse = (reason: unknown): void => end(() => reject(classify(reason, place, 'connect')))
      const timer = setTimeout(() => {
        refuse(away(pool.totalCount >= max && pool.idleCount === 0 ? 'busy' : 'timeout', place))
      }, limitMs)
      this.#waiting.add(refuse)
      pool.connect().then(client => (isOver ? client.release() : end(() => resolve(client))), refuse)
    })
  }
}
