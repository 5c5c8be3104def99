/** The figures on Home, read when asked for; what costs a query is remembered for a while. */
import { statfs } from 'node:fs/promises'
import { DatabaseAway } from '../db/pool.ts'
import type { Activity } from './activity.ts'
import type { Figures } from './contract/office.ts'
import type { FarAdmin, OwnFigures } from './far.ts'
import type { OfficeParts } from './parts.ts'

const PEOPLE_FRESH_MS = 10_000
const STORED_FRESH_MS = 60_000

/** Reads the figures of an office; while the database is away, what it said last. */
export class FiguresReader {
  readonly #office: OfficeParts
  readonly #activity: Activity
  readonly #far: FarAdmin
  readonly #dataFolder: string
  readonly #now: () => number
  readonly #people: Remembered
  readonly #stored: Remembered

  constructor(options: {
    office: OfficeParts
    activity: Activity
    far: FarAdmin
    dataFolder: string
    now: () => number
  }) {
    this.#office = options.office
    this.#activity = options.activity
    this.#far = options.far
    this.#dataFolder = options.dataFolder
    this.#now = options.now
    const { db, accounts } = options.office
    this.#people = new Remembered(PEOPLE_FRESH_MS, () => accounts.count())
    this.#stored = new Remembered(STORED_FRESH_MS, async () => {
      const row = await db.one<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes', [], {
        repeat: true,
      })
      return Number(row?.bytes ?? 0)
    })
  }

  /** The number of people has changed. */
  forgetPeople(): void {
    this.#people.forget()
  }

  /** In the whole office. */
  get peopleOnline(): number {
    return [...this.#office.directory.bareJids()].length
  }

  /** What this PC alone counts. */
  get own(): OwnFigures {
    const slowestMs = this.#activity.durations.percentile(0.99)
    return {
      messagesToday: this.#activity.messagesToday,
      slowestMs: slowestMs === null ? null : Math.round(slowestMs * 100) / 100,
    }
  }

  /** Of the whole office. */
  async read(): Promise<Figures> {
    const now = this.#now()
    const { bavail, blocks, bsize } = await statfs(this.#dataFolder)
    const all = [this.own, ...this.#far.figures]
    const slowest = all.flatMap(one => one.slowestMs ?? [])
    return {
      peopleOnline: this.peopleOnline,
      people: await this.#people.read(now),
      messagesToday: all.reduce((sum, one) => sum + one.messagesToday, 0),
      slowestMs: slowest.length === 0 ? null : Math.max(...slowest),
      storedBytes: await this.#stored.read(now),
      diskBytes: blocks * bsize,
      diskFreeBytes: bavail * bsize,
    }
  }
}

/** One number that is asked for again when it is old. */
class Remembered {
  readonly #freshMs: number
  readonly #load: () => Promise<number>
  #value = 0
  #readAt = Number.NEGATIVE_INFINITY

  constructor(freshMs: number, load: () => Promise<number>) {
    this.#freshMs = freshMs
    this.#load = load
  }

  forget(): void {
    this.#readAt = Number.NEGATIVE_INFINITY
  }

  async read(now: number): Promise<number> {
    if (now - this.#readAt < this.#freshMs) return this.#value
    try {
      this.#value = await this.#load()
      this.#readAt = now
    } catch (error) {
      if (!(error instanceof DatabaseAway)) throw error
    }
    return this.#value
  }
}
