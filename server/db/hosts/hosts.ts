/** The hosts of a database, each looked at again and again over one kept connection. */
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { type Connection, placeOf } from '../address.ts'
import { away, classify, DatabaseAway, DatabaseFault } from '../errors.ts'
import { connectLimitOf, farewell, openClient, type Terms } from '../open.ts'
import { cut, type SessionLimits, within } from '../session.ts'
import { DatabaseUrlFault } from '../url.ts'
import { askServer, type Depth, type ServerReport } from './probe.ts'

/** What one look at a host found. Times are performance.now(). */
export interface HostLook {
  readonly startedAt: number
  readonly endedAt: number
  /** Since when every look found it able to be written to, as the same server on the same timeline. */
  readonly usableSince?: number
  readonly report?: ServerReport
  /** Why there is no report. */
  readonly fault?: DatabaseAway
}

/** What was learned about how to speak with a host. */
export interface HostManners {
  terms: Terms
  depth: Depth
}

/** A timer that is this late means that the process itself stood still. */
const PAUSE_MS = 250

/** One host of the URL. Looks are one at a time; each ends within the limit. */
export class Host {
  readonly connection: Connection
  readonly place: string
  readonly manners: HostManners = { terms: {}, depth: 'all' }
  readonly #limits: SessionLimits
  readonly #keeps: boolean
  last: HostLook | undefined
  /** The last look that found a server. */
  lastGood: HostLook | undefined
  #client: pg.Client | undefined
  #looking: Promise<HostLook> | undefined
  #clock: { server: number; at: number } | undefined
  #isClosed = false

  /** @param keeps whether the connection is kept between looks */
  constructor(connection: Connection, limits: SessionLimits, keeps: boolean) {
    this.connection = connection
    this.place = placeOf(connection)
    this.#limits = limits
    this.#keeps = keeps
  }

  /** Looks now, or joins the look that is under way. Never throws: what went wrong is in the look. */
  look(): Promise<HostLook> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  get isLooking(): boolean {
    return this.#looking !== undefined
  }

  /** Looks over a new connection: the kept one may answer although nobody else gets in. */
  async lookAfresh(): Promise<HostLook> {
    if (this.#looking) return this.look()
    this.#drop()
    return this.look()
  }

  /** The server's clock now, in milliseconds since 1970; ours when it was never seen. */
  get clock(): number {
    return this.#clock ? this.#clock.server + (performance.now() - this.#clock.at) : Date.now()
  }

  /** Ends the kept connection; a look that is under way ends as well. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#drop()
    await this.#looking
    this.#drop()
  }

  #drop(): void {
    if (this.#client) cut(this.#client)
    this.#client = undefined
  }

  async #lookOnce(): Promise<HostLook> {
    const startedAt = performance.now()
    const turn = { isOver: false }
    try {
      const report = await this.#inTime(this.#ask(turn))
      return this.#note({ startedAt, endedAt: performance.now(), report })
    } catch (error) {
      turn.isOver = true
      this.#drop()
      this.manners.terms = {}
      return this.#note({ startedAt, endedAt: performance.now(), fault: this.#faultOf(error) })
    }
  }

  #faultOf(error: unknown): DatabaseAway {
    const known = classify(error, this.place, 'connect')
    if (known instanceof DatabaseAway) return known
    if (known instanceof DatabaseUrlFault) return new DatabaseAway('misconfigured', known.message, { cause: known })
    if (!(known instanceof DatabaseFault)) return away('refused', this.place, { cause: known })
    return new DatabaseAway('denied', `The database at ${this.place} cannot be used: ${known.message}`, {
      cause: known,
    })
  }

  /** A server is late only when we had time to hear it: after a pause of this process, what it said meanwhile is still to be read. */
  async #inTime<T>(asked: Promise<T>): Promise<T> {
    const limitMs = connectLimitOf(this.connection, this.#limits)
    const startedAt = performance.now()
    const inTime = await Promise.race([asked.then(() => true), sleep(limitMs, false, { ref: false })])
    const wasPaused = !inTime && performance.now() - startedAt > limitMs + PAUSE_MS
    return within(asked, wasPaused ? PAUSE_MS : 1, () => away('timeout', this.place))
  }

  #note(look: HostLook): HostLook {
    const { last } = this
    const { report } = look
    const isUsable = report !== undefined && !report.isCopy && !report.isReadOnly
    const before = last?.report
    const isSame = before?.bornAt === report?.bornAt && before?.timeline === report?.timeline
    const usableSince = isUsable ? ((isSame ? last?.usableSince : undefined) ?? look.endedAt) : undefined
    this.last = { ...look, ...(usableSince === undefined ? {} : { usableSince }) }
    if (report) this.lastGood = this.last
    return this.last
  }

  async #ask(turn: { readonly isOver: boolean }): Promise<ServerReport> {
    if (this.#client) {
      try {
        return await this.#askOn(this.#client)
      } catch {
        // The kept connection is no more, which says nothing about the server: the new one below does.
        this.#drop()
        if (turn.isOver) throw away('timeout', this.place)
      }
    }
    const { client, terms } = await openClient(this.connection, this.#limits, this.manners.terms)
    if (this.#isClosed || turn.isOver) {
      cut(client)
      throw away('closed', this.place)
    }
    this.manners.terms = terms
    this.manners.depth = 'all' // what it may be asked can have changed since the last connection
    this.#client = client
    client.once('end', () => {
      if (this.#client === client) this.#client = undefined
    })
    const report = await this.#askOn(client)
    if (!this.#keeps) {
      this.#client = undefined
      void farewell(client)
    }
    return report
  }

  async #askOn(client: pg.Client): Promise<ServerReport> {
    const askedAt = performance.now()
    const { report, depth } = await askServer(client, this.manners.depth)
    this.manners.depth = depth
    // What it said was true half a round trip before its answer came.
    this.#clock = { server: report.clock, at: (askedAt + performance.now()) / 2 }
    return report
  }
}
