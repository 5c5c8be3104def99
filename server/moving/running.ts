/** A move that runs in the background: what it does to the office, and how it ends. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { EmbeddedFault } from '../db/errors.ts'
import { MigrationFault, type MigrationStep } from '../db/migrate.ts'
import { DatabaseAway, DatabaseFault } from '../db/pool.ts'
import type { DataFolder } from '../node.ts'
import type { Store } from '../store.ts'
import { CopyFault } from './copying.ts'
import type { Ends } from './ends.ts'
import { noteSwitched, TARGET_SECRET, unsealUsed } from './interrupted.ts'
import type { KeptDatabases } from './kept.ts'
import { leaveSource, Move, MoveFault, type MoveStep } from './move.ts'
import type { MoveRecord, RecordFile } from './record.ts'
import type { Side } from './side.ts'

const UNSEAL_TRIES = 600
const UNSEAL_WAIT_MS = 1_000

export interface RunningParts {
  readonly folder: DataFolder
  readonly store: Store
  readonly ends: Ends
  readonly steps: readonly MigrationStep[]
  readonly file: RecordFile
  readonly kept: KeptDatabases
  readonly log: Logger
  changed(): void
  onStep?(name: MoveStep): void | Promise<void>
}

export interface RunningMove {
  readonly abort: AbortController
  readonly move: Move
  /** Resolves when nothing of it runs any more; the record says how it ended. Never rejects. */
  readonly over: Promise<void>
}

/** Begins a move, or goes on with one that has stopped. */
export function runMove(record: MoveRecord, parts: RunningParts): RunningMove {
  const { store, ends, steps, log, file } = parts
  record.state = 'copying'
  delete record.problem
  delete record.isCancelled
  delete record.endedAt
  const abort = new AbortController()
  const target = lazily(() => ends.target(record))
  const move = new Move(
    record,
    {
      source: ends.source(),
      target,
      steps,
      log,
      save: () => file.save(record),
      changed: () => parts.changed(),
      step: name => parts.onStep?.(name),
      office: {
        pause: limitMs => store.db.pause(limitMs),
        pointToNew: () => ends.pointToNew(record),
        pointToOld: () => ends.pointToOld(record),
        useNew: () => store.switchTo(ends.usedUrl),
        unseal: () => unsealPatiently(ends, record, log),
      },
    },
    abort.signal,
  )
  const over = carryOut(move, abort.signal, parts)
    .catch(error => log.error({ err: error }, 'a move of the data could not be brought to its end'))
    .finally(() => target.close())
    .catch(error => log.warn({ err: error }, 'the target of the move was not closed'))
  return { abort, move, over }
}

async function carryOut(move: Move, signal: AbortSignal, parts: RunningParts): Promise<void> {
  const { record } = move
  const { log, file, kept } = parts
  const bytes = await usedBytes(parts.store)
  try {
    await move.run()
  } catch (error) {
    const isTold = signal.aborted || isExpected(error)
    log[isTold ? 'warn' : 'error']({ err: error }, 'the move of the data stopped')
    record.state = 'stopped'
    record.endedAt = new Date().toISOString()
    if (!signal.aborted)
      record.problem = isTold && error instanceof Error ? sentence(error) : `A fault of ours: ${error}.`
    await file.save(record)
    return
  }
  await noteSwitched(record, { file, kept, now: Date.now(), ...(bytes === undefined ? {} : { bytes }) })
  log.info({ from: record.from, to: record.to, pauseMs: record.pauseMs }, 'the data was moved')
  await leaveOld(record, parts)
}

/** What the move needed in the old database goes; its data stays. The built-in server is stopped when it is not used any more. */
async function leaveOld(record: MoveRecord, { folder, store, ends, file, log }: RunningParts): Promise<void> {
  await folder.saveSecrets({ [TARGET_SECRET]: undefined })
  const old = await ends.kept(record.id, record.from)
  try {
    await leaveSource(old)
    record.isCaptured = false
    await file.save(record)
  } catch (error) {
    // It is sealed, so its triggers do nothing any more.
    log.info({ err: error }, 'the capture stays in the old database')
  } finally {
    await old.close()
  }
  await store.stopUnused()
}

/** Lets the old database be written again. When it is away this goes on behind, and the next start does it too. */
async function unsealPatiently(ends: Ends, record: MoveRecord, log: Logger): Promise<void> {
  const first = Promise.withResolvers<void>()
  const unsealing = async (): Promise<void> => {
    for (let tries = 0; tries < UNSEAL_TRIES; tries++) {
      try {
        await unsealUsed(ends.source(), record)
        return
      } catch (error) {
        log.error({ err: error }, 'the database in use cannot be written yet')
        first.resolve()
        await delay(UNSEAL_WAIT_MS, undefined, { ref: false })
      }
    }
  }
  void unsealing().finally(() => first.resolve())
  await first.promise
}

async function usedBytes({ db }: Store): Promise<number | undefined> {
  try {
    return (await db.one<{ bytes: number }>('SELECT pg_database_size(current_database()) AS bytes'))?.bytes
  } catch {
    return undefined // away: the move says so
  }
}

/** A side that is found when it is first needed. */
function lazily(find: () => Promise<Side>): Side {
  let found: Promise<Side> | undefined
  const side = (): Promise<Side> => {
    found ??= find().catch(error => {
      found = undefined
      throw error
    })
    return found
  }
  return {
    open: async () => (await side()).open(),
    makeTables: async steps => (await side()).makeTables(steps),
    close: async () => (await found?.catch(() => undefined))?.close(),
  }
}

/** Faults with a sentence for people. */
export function isExpected(error: unknown): boolean {
  return (
    error instanceof DatabaseAway ||
    error instanceof DatabaseFault ||
    error instanceof MigrationFault ||
    error instanceof EmbeddedFault ||
    error instanceof CopyFault ||
    error instanceof MoveFault
  )
}

const sentence = ({ message }: Error): string => (/[.!?]$/.test(message) ? message : `${message}.`)
