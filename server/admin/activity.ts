/** Watches the chat for the figures on Home and the list of people: messages today, how fast, who was last seen when. */
import { performance } from 'node:perf_hooks'
import type { Logger } from 'pino'
import type { HookTable } from '../core/hooks.ts'
import { type Database, DatabaseAway } from '../db/pool.ts'

declare module '../core/hooks.ts' {
  interface MessageEvent {
    /** When a local client's message came in, in milliseconds of the monotonic clock. */
    receivedAt?: number
  }
}

const WINDOW_MS = 10 * 60_000
const WINDOWS = 6
/** Upper edges of the buckets: 0.01 ms, each 1.25 times the one before; 80 of them reach beyond seven minutes. */
const EDGE_MS = 0.01
const FACTOR = 1.25
const BUCKETS = 80
const SAVE_EVERY_MS = 5_000

/** How long messages took in the last hour: counts per bucket in six windows, 2 KB, no list of samples. */
export class Durations {
  readonly #now: () => number
  readonly #windows = Array.from({ length: WINDOWS }, () => ({ number: -1, counts: new Uint32Array(BUCKETS) }))

  constructor(now: () => number) {
    this.#now = now
  }

  add(milliseconds: number): void {
    const number = Math.floor(this.#now() / WINDOW_MS)
    const window = this.#windows[number % WINDOWS]
    if (!window) return
    if (window.number !== number) {
      window.number = number
      window.counts.fill(0)
    }
    const bucket = milliseconds <= EDGE_MS ? 0 : Math.ceil(Math.log(milliseconds / EDGE_MS) / Math.log(FACTOR))
    const index = Math.min(BUCKETS - 1, bucket)
    window.counts[index] = (window.counts[index] ?? 0) + 1
  }

  /** The time that this share (0–1) of the last hour's messages did not exceed; null when there were none. */
  percentile(share: number): number | null {
    const oldest = Math.floor(this.#now() / WINDOW_MS) - WINDOWS + 1
    const recent = this.#windows.filter(window => window.number >= oldest)
    const counts = Array.from({ length: BUCKETS }, (_, index) =>
      recent.reduce((sum, { counts }) => sum + (counts[index] ?? 0), 0),
    )
    const total = counts.reduce((sum, count) => sum + count, 0)
    if (total === 0) return null
    let left = total * share
    const found = counts.findIndex(count => {
      left -= count
      return left <= 0
    })
    return EDGE_MS * FACTOR ** (found === -1 ? BUCKETS - 1 : found)
  }
}

/** All that is watched; ends with `close`. */
export class Activity {
  static readonly migrations: readonly string[] = [
    'CREATE TABLE last_seen (username text PRIMARY KEY, seen_at timestamptz NOT NULL);',
  ]

  readonly durations: Durations
  readonly #db: Database
  readonly #log: Logger
  readonly #now: () => number
  readonly #undo: (() => void)[] = []
  readonly #unsaved = new Map<string, number>()
  readonly #timer: NodeJS.Timeout
  #messages = 0
  #today = ''
  #minute = -1
  #day = ''
  /** Messages of local clients since the start. */
  messagesTotal = 0
  /** Somebody came or went. */
  onCome: (() => void) | undefined

  constructor(options: { db: Database; hooks: HookTable; log: Logger; now: () => number }) {
    const { hooks } = options
    this.#log = options.log
    this.#db = options.db
    this.#now = options.now
    this.durations = new Durations(options.now)
    const seen = ({ session }: { session: { username: string } }): void => {
      this.see(session.username)
      this.onCome?.()
    }
    this.#undo.push(
      hooks.on('message:send', 'filter', event => {
        event.receivedAt = performance.now()
      }),
      hooks.on('message:delivered', 'watch', ({ receivedAt }) => {
        this.#count()
        if (receivedAt !== undefined) this.durations.add(performance.now() - receivedAt)
      }),
      hooks.on('session:bound', 'watch', seen),
      hooks.on('session:resumed', 'watch', seen),
      hooks.on('session:closed', 'watch', seen),
      hooks.on('account:removed', 'watch', async ({ username }) => {
        this.#unsaved.delete(username)
        await this.#db.exec('DELETE FROM last_seen WHERE username = $1', [username], { repeat: true })
      }),
    )
    this.#timer = setInterval(() => void this.#saveQuietly(), SAVE_EVERY_MS)
    this.#timer.unref()
  }

  /** Somebody is there now; saved within seconds. */
  see(username: string): void {
    this.#unsaved.set(username, this.#now())
  }

  /** Messages delivered since midnight of this PC, or since its start. */
  get messagesToday(): number {
    return this.#today === this.#dayNow() ? this.#messages : 0
  }

  /** When each of these people was last connected or left, in milliseconds since the epoch. @throws DatabaseAway */
  async lastSeen(usernames: readonly string[]): Promise<Map<string, number>> {
    const rows = await this.#db.query<{ username: string; seen_at: Date }>(
      'SELECT username, seen_at FROM last_seen WHERE username = ANY($1)',
      [usernames],
      { repeat: true },
    )
    const seen = new Map(rows.map(row => [row.username, row.seen_at.getTime()]))
    for (const username of usernames) {
      const unsaved = this.#unsaved.get(username)
      if (unsaved !== undefined) seen.set(username, unsaved)
    }
    return seen
  }

  /** Whether a chat app has ever signed in. @throws DatabaseAway */
  async hasAnybodySignedIn(): Promise<boolean> {
    if (this.#unsaved.size > 0) return true
    return (await this.#db.one('SELECT 1 FROM last_seen LIMIT 1', [], { repeat: true })) !== undefined
  }

  /** Stops watching and saves what is not saved yet. */
  async close(): Promise<void> {
    for (const undo of this.#undo) undo()
    clearInterval(this.#timer)
    await this.#saveQuietly()
  }

  #count(): void {
    this.messagesTotal++
    const today = this.#dayNow()
    if (today !== this.#today) {
      this.#today = today
      this.#messages = 0
    }
    this.#messages++
  }

  /** The day of this PC's clock. Asked for each message, so worked out once a minute. */
  #dayNow(): string {
    const now = this.#now()
    const minute = Math.floor(now / 60_000)
    if (minute !== this.#minute) {
      this.#minute = minute
      this.#day = new Date(now).toDateString()
    }
    return this.#day
  }

  async #saveQuietly(): Promise<void> {
    if (this.#unsaved.size === 0) return
    const batch = [...this.#unsaved]
    try {
      await this.#db.exec(
        `INSERT INTO last_seen (username, seen_at)
         SELECT account.username, seen.at FROM unnest($1::text[], $2::timestamptz[]) AS seen (username, at)
           JOIN account USING (username)
         ON CONFLICT (username) DO UPDATE SET seen_at = greatest(last_seen.seen_at, EXCLUDED.seen_at)`,
        [batch.map(([username]) => username), batch.map(([, at]) => new Date(at))],
        { repeat: true },
      )
      for (const [username, at] of batch) if (this.#unsaved.get(username) === at) this.#unsaved.delete(username)
    } catch (error) {
      // Kept for the next time; there is one entry a person at most.
      if (!(error instanceof DatabaseAway)) this.#log.error({ err: error }, 'who was last seen could not be saved')
    }
  }
}
