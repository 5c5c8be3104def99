/** One move of all data, from the first look at the target to the switch; the files beside this one do its parts. */
import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import type { Logger } from 'pino'
import { capturedBytes, installCapture, isCaptured, removeCapture, writeNote } from '../db/copy/capture.ts'
import { settleSequences } from '../db/copy/copy.ts'
import { estimateRows, listTables, migrationsIn, type Table } from '../db/copy/tables.ts'
import { ask, cutWork, endWork } from '../db/copy/work.ts'
import type { MigrationStep } from '../db/migrate.ts'
import { DatabaseAway } from '../db/pool.ts'
import { BATCH, carryOver, proveSame } from './catching-up.ts'
import { CopyFault, copyTables } from './copying.ts'
import { countRows, Meter } from './progress.ts'
import type { MoveRecord } from './record.ts'
import { wordsOf } from './record.ts'
import type { Side } from './side.ts'
import { NotNow, type SwitchParts, type SwitchStep, switchOver } from './switching.ts'
import { COPYING_NAME, clearCopy } from './target.ts'

/** Points of a move at which tests end the process. */
export type MoveStep = 'noted' | 'made' | 'captured' | 'range' | 'copied' | 'caught-up' | SwitchStep

/** How the office is told. See {@link SwitchParts}. */
export type Switch = Pick<SwitchParts, 'pause' | 'pointToNew' | 'pointToOld' | 'useNew' | 'unseal'>

export interface MoveParts {
  readonly source: Side
  readonly target: Side
  /** The migrations of this version: what makes our tables. */
  readonly steps: readonly MigrationStep[]
  readonly office: Switch
  /** Saves the record; on disk when it resolves. */
  save(): Promise<void>
  /** The record or the meter has changed. */
  changed(): void
  readonly log: Logger
  step(name: MoveStep): void | Promise<void>
}

/** The move was stopped with a sentence. */
export class MoveFault extends Error {
  override readonly name = 'MoveFault'
}

/** A database that breaks off is tried again after these waits; a try in which something went over begins the row anew. */
const retryMs = [500, 1_000, 2_000, 4_000, 8_000]
const SWITCH_TRIES = 20
const SWITCH_WAIT_MS = 1_000
/** Rounds of carrying over before the switch; each takes all there is, so this many mean that it comes faster than it goes. */
const ROUNDS_MAX = 1_000
/** Copies of one table that turned out different, as after a failover of the old database that lost rows. */
const REPEATS_MAX = 2
/** The capture may take so much in the old database. */
export const CAPTURE_BYTES_MAX = 2_000_000_000

interface Ends {
  readonly source: pg.Client
  readonly target: pg.Client
}

/**
 * Moves. `record` is changed as it goes on, and ends as “switched”; when this throws, it is left in the state it had.
 * @throws MoveFault, DatabaseAway, DatabaseFault, MigrationFault: each with a sentence; the signal's reason when it was aborted
 */
export class Move {
  readonly record: MoveRecord
  readonly meter = new Meter()
  readonly #parts: MoveParts
  readonly #signal: AbortSignal
  #repeats = 0

  constructor(record: MoveRecord, parts: MoveParts, signal: AbortSignal) {
    this.record = record
    this.#parts = parts
    this.#signal = signal
  }

  async run(): Promise<void> {
    for (let failures = 0; ; failures++) {
      const before = countRows(this.record).done
      try {
        await this.#attempt()
        return
      } catch (error) {
        this.#signal.throwIfAborted()
        if (!(error instanceof DatabaseAway)) throw error
        if (countRows(this.record).done > before) failures = 0
        const waitMs = retryMs[failures]
        if (waitMs === undefined) throw error
        this.#parts.log.warn({ err: error }, 'the move of the data is tried again')
        await delay(waitMs, undefined, { signal: this.#signal })
      }
    }
  }

  async #attempt(): Promise<void> {
    this.#signal.throwIfAborted()
    const ends = await this.#open()
    const cut = (): void => Object.values(ends).forEach(cutWork)
    this.#signal.addEventListener('abort', cut)
    try {
      const tables = await this.#prepare(ends)
      for (;;) {
        await this.#copy(ends, tables)
        if (await this.#catchUp(ends, tables)) break
      }
      await this.#switch(ends, tables)
    } catch (error) {
      // Whatever still runs on them ends now.
      cut()
      throw error
    } finally {
      this.#signal.removeEventListener('abort', cut)
      await Promise.all([endWork(ends.source), endWork(ends.target)])
    }
  }

  async #open(): Promise<Ends> {
    const source = await this.#parts.source.open()
    try {
      const target = await this.#parts.target.open()
      await ask(target, `SET application_name = '${COPYING_NAME}'`)
      return { source, target }
    } catch (error) {
      await endWork(source)
      throw error
    }
  }

  /** Our tables in the target, the capture in the source. @returns the tables to copy */
  async #prepare({ source, target }: Ends): Promise<Table[]> {
    const { record } = this
    if (!record.isTargetMade) {
      await clearCopy(target, record.id)
      record.tables = []
    }
    const others = (await listTables(target)).map(table => table.name)
    await writeNote(target, { kind: 'half-copy', move: record.id, place: wordsOf(record.from) }, others)
    await this.#parts.step('noted')
    await this.#parts.target.makeTables(this.#parts.steps)
    await this.#sameSteps({ source, target })
    await this.#parts.step('made')
    const made = new Map((await listTables(target)).map(table => [table.name, table]))
    const tables = (await listTables(source)).filter(table => made.has(table.name))
    refuseDifferent(tables, made)
    // What was copied before the capture was there, or after it was taken out, may have changed unseen.
    const isStillGood = record.isCaptured && (await isCaptured(source))
    if (!isStillGood || record.tables.length !== tables.length) {
      const estimates = await estimateRows(source)
      record.tables = tables.map(({ name }) => ({
        table: name,
        rows: estimates.get(name) ?? 0,
        done: 0,
        state: 'waiting',
      }))
    }
    record.isTargetMade = true
    record.isCaptured = false
    await this.#parts.save()
    await installCapture(source, tables)
    record.isCaptured = true
    await this.#turn('copying')
    await this.#parts.step('captured')
    return tables
  }

  async #sameSteps({ source, target }: Ends): Promise<void> {
    const [there, here] = await Promise.all([migrationsIn(source), migrationsIn(target)])
    if (JSON.stringify(there) === JSON.stringify(here)) return
    throw new MoveFault(
      'The tables of the database in use are of another version of Lanthorn than this one: bring all PCs of the office to the same version first.',
    )
  }

  async #copy(ends: Ends, tables: readonly Table[]): Promise<void> {
    const { record, meter } = this
    if (record.tables.every(table => table.state === 'done')) return
    await this.#turn('copying')
    await copyTables({
      ...ends,
      tables,
      records: record.tables,
      saved: async () => {
        await this.#parts.save()
        this.#parts.changed()
        await this.#parts.step('range')
      },
      moved: () => {
        meter.note(countRows(record).done, performance.now())
        this.#parts.changed()
      },
    })
    await this.#refuseFullCapture(ends)
    await ask(ends.target, 'ANALYZE', [], 3_600_000)
    await this.#parts.step('copied')
  }

  async #refuseFullCapture({ source }: Ends): Promise<void> {
    if ((await capturedBytes(source)) <= CAPTURE_BYTES_MAX) return
    throw new MoveFault('More is written to the database in use than can be carried over: move at a quieter time.')
  }

  /** @returns false when a table must be copied once more */
  async #catchUp(ends: Ends, tables: readonly Table[]): Promise<boolean> {
    await this.#turn('catching-up')
    try {
      for (let rounds = 0; ; rounds++) {
        this.#signal.throwIfAborted()
        if (rounds >= ROUNDS_MAX) {
          throw new MoveFault(
            'More is written to the database in use than can be carried over: move at a quieter time.',
          )
        }
        const isQuiet = (await carryOver({ ...ends, tables })) < BATCH
        if (isQuiet && (await proveSame({ ...ends, tables }))) break
      }
      await settleSequences(ends.target, tables)
      await this.#parts.step('caught-up')
      return true
    } catch (error) {
      if (!(error instanceof CopyFault) || this.#repeats >= REPEATS_MAX) throw error
      this.#repeats++
      this.#parts.log.warn({ table: error.table }, `${error.message} It is copied once more.`)
      const table = this.record.tables.find(one => one.table === error.table)
      if (!table) throw error
      Object.assign(table, { done: 0, state: 'waiting' })
      delete table.after
      await Promise.all([ends.source.query('ROLLBACK'), ends.target.query('ROLLBACK')])
      await this.#parts.save()
      return false
    }
  }

  async #switch(ends: Ends, tables: readonly Table[]): Promise<void> {
    const { record } = this
    await this.#sameSteps(ends)
    for (let tries = 1; ; tries++) {
      await carryOver({ ...ends, tables })
      this.#signal.throwIfAborted()
      await this.#turn('switching')
      try {
        record.pauseMs = await switchOver({
          ...ends,
          ...this.#parts.office,
          tables,
          move: record.id,
          from: wordsOf(record.from),
          place: wordsOf(record.to),
          step: name => this.#parts.step(name),
        })
        return
      } catch (error) {
        await writeNote(ends.target, { kind: 'half-copy', move: record.id, place: wordsOf(record.from) })
        await this.#turn('catching-up')
        if (!(error instanceof NotNow)) throw error
        if (tries >= SWITCH_TRIES)
          throw new MoveFault(`There was no moment to switch in: ${error.message} Resume it at a quieter time.`)
        this.#parts.log.info({ err: error }, 'the switch to the new database is tried again')
        await delay(SWITCH_WAIT_MS, undefined, { signal: this.#signal })
      }
    }
  }

  async #turn(state: MoveRecord['state']): Promise<void> {
    this.record.state = state
    await this.#parts.save()
    this.#parts.changed()
  }
}

/** Both were made by the same steps; a difference is a bug, and must not lose a column. */
function refuseDifferent(tables: readonly Table[], made: ReadonlyMap<string, Table>): void {
  for (const table of tables) {
    const other = made.get(table.name)
    if (JSON.stringify(table.columns) === JSON.stringify(other?.columns)) continue
    throw new MoveFault(`The table ${table.name} has other columns in the new database than in the old one.`)
  }
}

/** Takes out of the source what the move put there. @throws DatabaseAway, DatabaseFault */
export async function leaveSource(side: Side): Promise<void> {
  const client = await side.open()
  try {
    await removeCapture(client, await listTables(client))
  } finally {
    await endWork(client)
  }
}

/** Removes the half copy from the target. @throws DatabaseAway, DatabaseFault */
export async function leaveTarget(side: Side, move: string): Promise<void> {
  const client = await side.open()
  try {
    await clearCopy(client, move)
  } finally {
    await endWork(client)
  }
}
