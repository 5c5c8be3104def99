/**
 * A PC that carries its office alone says so in an outside database, so that a second one that is started there by mistake is refused: two that do not
 * know of each other would both give out the same names, and nobody on one could reach anybody on the other.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { hasOtherNodes } from '../cluster/registry.ts'
import type { Database } from '../db/pool.ts'
import { OccupiedFault } from './founding.ts'

/** `silenceMs` is longer than two touches: who is silent for so long does not run. */
const usual = { touchMs: 5_000, silenceMs: 12_000, lookMs: 500 }

export const loneMigrations: readonly string[] = [
  `CREATE TABLE lone_node (
     id text PRIMARY KEY,
     name text NOT NULL,
     stopped boolean NOT NULL DEFAULT false,
     seen_at timestamptz NOT NULL DEFAULT now()
   );`,
]

interface Seen {
  id: string
  name: string
  seen_at: Date
}

export class LoneWatch {
  readonly #self: { readonly id: string; readonly name: string }
  readonly #log: Logger
  readonly #times: typeof usual
  #db: Database | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(self: { readonly id: string; readonly name: string }, log: Logger, times = usual) {
    this.#self = self
    this.#log = log
    this.#times = times
  }

  /**
   * Waits until nobody else uses the database, then says that this PC does.
   * @throws OccupiedFault with a sentence: somebody does; DatabaseAway
   */
  async start(db: Database, signal: AbortSignal): Promise<void> {
    const { id, name } = this.#self
    if (await hasOtherNodes(db, id)) {
      throw new OccupiedFault(
        'This database carries an office of several PCs: join it with a join code or its token (lanthorn help join), or name an empty database.',
      )
    }
    const met = new Map<string, number>()
    for (let other = await this.#other(db); other; other = await this.#other(db)) {
      const seenAt = other.seen_at.getTime()
      const before = met.get(other.id)
      if (before !== undefined && before !== seenAt) {
        throw new OccupiedFault(
          `The database is in use by the PC ${other.name}, which carries the office alone: stop Lanthorn there, or let this PC join it (lanthorn help join).`,
        )
      }
      met.set(other.id, seenAt)
      await delay(this.#times.lookMs, undefined, { signal })
    }
    await db.exec(
      `INSERT INTO lone_node (id, name) VALUES ($1, $2)
       ON CONFLICT (id) DO UPDATE SET name = $2, stopped = false, seen_at = clock_timestamp()`,
      [id, name],
    )
    this.#db = db
    this.#timer = setInterval(() => {
      db.exec('UPDATE lone_node SET seen_at = clock_timestamp(), stopped = false WHERE id = $1', [id], {
        timeoutMs: this.#times.touchMs,
        waitMs: 0,
      }).catch(error => this.#log.debug({ err: error }, 'the database was not told that this PC uses it'))
    }, this.#times.touchMs)
    this.#timer.unref()
  }

  /** The next one need not wait. Its failure costs that one some seconds only. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    const db = this.#db
    this.#db = undefined
    await db
      ?.exec('UPDATE lone_node SET stopped = true WHERE id = $1', [this.#self.id], { timeoutMs: 1_000, waitMs: 0 })
      .catch(error => this.#log.debug({ err: error }, 'the database was not told that this PC stops'))
  }

  async #other(db: Database): Promise<Seen | undefined> {
    return db.one<Seen>(
      `SELECT id, name, seen_at FROM lone_node
       WHERE id <> $1 AND NOT stopped AND seen_at > clock_timestamp() - make_interval(secs => $2) ORDER BY id LIMIT 1`,
      [this.#self.id, this.#times.silenceMs / 1_000],
    )
  }
}
