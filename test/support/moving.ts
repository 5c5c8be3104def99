/** Moves between real databases, without an appliance around them. */
import { randomUUID } from 'node:crypto'
import { loadFeatures, migrationsOf } from '../../server/chat.ts'
import { addressOf, type Connection } from '../../server/db/address.ts'
import { type MigrationStep, migrate } from '../../server/db/migrate.ts'
import { Database } from '../../server/db/pool.ts'
import { unsealUsed } from '../../server/moving/interrupted.ts'
import { Move, type MoveStep } from '../../server/moving/move.ts'
import type { MoveRecord } from '../../server/moving/record.ts'
import { otherSide, usedSide } from '../../server/moving/side.ts'
import { officeFeatures } from '../../server/office.ts'
import { freshDatabase, quietLog } from './database.ts'
import { freshOutside } from './outside.ts'

export type Version = 18 | 15

/** An empty database of PostgreSQL 18 or 15. */
export async function emptyDatabase(version: Version): Promise<{ connection: Connection; drop(): Promise<void> }> {
  return version === 18 ? freshDatabase() : freshOutside()
}

let steps: Promise<MigrationStep[]> | undefined

/** The migrations of everything there is. */
export function officeSteps(): Promise<MigrationStep[]> {
  steps ??= loadFeatures().then(features => migrationsOf(officeFeatures(features)))
  return steps
}

/** A database in use and an empty one that it is moved to. */
export class MoveBench implements AsyncDisposable {
  readonly db: Database
  readonly from: Connection
  readonly to: Connection
  readonly record: MoveRecord
  /** Another way to the target, as through a door that can be shut. */
  via: Connection | undefined
  /** What the next start would use. */
  pointsTo: 'old' | 'new' = 'old'
  /** Called at each point of a move. */
  onStep: (name: MoveStep) => void | Promise<void> = () => undefined
  readonly #drops: (() => Promise<void>)[]
  readonly #steps: readonly MigrationStep[]

  private constructor(
    from: Connection,
    to: Connection,
    drops: (() => Promise<void>)[],
    steps: readonly MigrationStep[],
  ) {
    this.from = from
    this.to = to
    this.#drops = drops
    this.#steps = steps
    this.db = new Database({ connection: from, log: quietLog })
    this.record = {
      format: 1,
      id: randomUUID(),
      state: 'copying',
      from: { kind: 'outside', place: 'old' },
      to: { kind: 'outside', place: 'new' },
      startedAt: new Date(0).toISOString(),
      isCaptured: false,
      isTargetMade: false,
      tables: [],
    }
  }

  /** @param rows messages in the archive */
  static async open(from: Version, to: Version, rows: number): Promise<MoveBench> {
    const old = await emptyDatabase(from)
    const next = await emptyDatabase(to)
    const bench = new MoveBench(old.connection, next.connection, [old.drop, next.drop], await officeSteps())
    await migrate(bench.db, bench.#steps)
    await fill(bench.db, rows)
    return bench
  }

  /** Moves, or goes on with the move after it stopped. */
  async move(signal = new AbortController().signal): Promise<void> {
    const target = otherSide(addressOf(this.via ?? this.to), quietLog)
    try {
      await new Move(
        this.record,
        {
          source: usedSide(this.db),
          target,
          steps: this.#steps,
          log: quietLog,
          save: async () => void structuredClone(this.record),
          changed: () => undefined,
          step: name => this.onStep(name),
          office: {
            pause: limitMs => this.db.pause(limitMs),
            pointToNew: async () => {
              this.pointsTo = 'new'
            },
            pointToOld: async () => {
              this.pointsTo = 'old'
              return true
            },
            useNew: () => this.db.switchTo(addressOf(this.to)),
            unseal: () => unsealUsed(usedSide(this.db), this.record),
          },
        },
        signal,
      ).run()
      this.record.state = 'switched'
    } finally {
      await target.close()
    }
  }

  /** A look at one of both, whichever is used. */
  async ask<R extends object>(which: 'old' | 'new', statement: string): Promise<R[]> {
    await using db = new Database({
      connection: which === 'old' ? this.from : this.to,
      log: quietLog,
      connectionsMax: 1,
    })
    return await db.query<R>(statement, [], { timeoutMs: 60_000 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.db.close()
    for (const drop of this.#drops) await drop()
  }
}

/** An archive of so many messages, and something in other tables. */
export async function fill(db: Database, rows: number): Promise<void> {
  await db.exec(
    `INSERT INTO archive (id, sender, receiver, from_jid, to_jid, stanza, in_sender, in_receiver, pending)
     SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'romeo', 'juliet', 'romeo@office.test/a',
            'juliet@office.test', '<message><body>' || repeat('wherefore ', 12) || n || '</body></message>', true, true, n % 50 = 0
     FROM generate_series(1, $1::int) AS n`,
    [rows],
    { timeoutMs: 120_000 },
  )
  await db.exec(
    `INSERT INTO roster (username, jid, name, groups, subscription, is_asking, is_asked, is_approved, is_listed)
     SELECT 'u' || n, 'v' || n || '@office.test', NULL, ARRAY['a', 'b "c"'], 'both', false, false, true, true
     FROM generate_series(1, 300) AS n`,
  )
  await db.exec(
    `INSERT INTO setting_history (key, before, after, changed_by) SELECT 'k' || n, NULL, to_jsonb(n), 'me' FROM generate_series(1, 20) AS n`,
  )
}
