/** The history of the office: who did what, from where, when; without secrets. */
import type { Database } from '../db/pool.ts'
import type { HistoryEntry } from './contract/logs.ts'

const ROWS_MAX = 20_000
const DAYS_MAX = 730
const SWEEP_EVERY = 200

/** What is written down. */
export interface Deed {
  /** Name of the person, token or PC. */
  readonly by: string
  readonly kind: HistoryEntry['kind']
  readonly sentence: string
  readonly address?: string | undefined
  /** Id of the change of a setting. */
  readonly change?: string | undefined
  /** What it was and what it is, without secrets. */
  readonly before?: unknown
  readonly after?: unknown
}

interface Row {
  id: string
  at: Date
  by: string
  kind: HistoryEntry['kind']
  sentence: string
  address: string | null
  change: string | null
}

/** The table of deeds; the oldest go when there are too many or they are two years old. */
export class History {
  static readonly migrations: readonly string[] = [
    `CREATE TABLE history (
       id text COLLATE "C" PRIMARY KEY,
       at timestamptz NOT NULL,
       by text NOT NULL,
       kind text NOT NULL,
       sentence text NOT NULL,
       address text,
       change text,
       before jsonb,
       after jsonb
     );`,
  ]

  readonly #db: Database
  readonly #now: () => number
  readonly #nextId: () => string
  #written = 0
  /** Told of each deed after it is written. */
  onDeed: ((entry: HistoryEntry) => void) | undefined

  constructor(options: { db: Database; now: () => number; nextId: () => string }) {
    this.#db = options.db
    this.#now = options.now
    this.#nextId = options.nextId
  }

  /** Writes a deed down. @throws DatabaseAway */
  async add(deed: Deed): Promise<void> {
    const id = this.#nextId()
    const at = new Date(this.#now())
    await this.#db.exec(
      `INSERT INTO history (id, at, by, kind, sentence, address, change, before, after)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING`,
      [
        id,
        at,
        deed.by,
        deed.kind,
        deed.sentence,
        deed.address ?? null,
        deed.change ?? null,
        json(deed.before),
        json(deed.after),
      ],
      { repeat: true },
    )
    this.onDeed?.(toEntry({ ...deed, id, at, address: deed.address ?? null, change: deed.change ?? null }))
    if (this.#written++ % SWEEP_EVERY === 0) await this.#sweep(at)
  }

  /**
   * A page, newest first.
   * @param options.text found in sentence, name or address, case ignored
   * @param options.before id of the last entry of the page before
   * @throws DatabaseAway
   */
  async list(options: { text?: string | undefined; before?: string | undefined; limit: number }) {
    const rows = await this.#db.query<Row>(
      `SELECT id, at, by, kind, sentence, address, change FROM history
       WHERE ($1::text IS NULL OR id < $1)
         AND ($2::text IS NULL OR sentence ILIKE $2 OR by ILIKE $2 OR address ILIKE $2)
       ORDER BY id DESC LIMIT $3`,
      [options.before ?? null, options.text ? `%${options.text.replace(/[\\%_]/g, '\\$&')}%` : null, options.limit + 1],
      { repeat: true },
    )
    return { entries: rows.slice(0, options.limit).map(toEntry), more: rows.length > options.limit }
  }

  async #sweep(now: Date): Promise<void> {
    await this.#db.exec(
      `DELETE FROM history WHERE at < $1::timestamptz - make_interval(days => $2)
         OR id < (SELECT id FROM history ORDER BY id DESC OFFSET $3 LIMIT 1)`,
      [now, DAYS_MAX, ROWS_MAX],
      { repeat: true },
    )
  }
}

function toEntry(row: Row): HistoryEntry {
  return {
    id: row.id,
    at: row.at.toISOString(),
    by: row.by,
    kind: row.kind,
    sentence: row.sentence,
    ...(row.address !== null && { address: row.address }),
    ...(row.change !== null && { change: row.change }),
  }
}

const json = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value))
