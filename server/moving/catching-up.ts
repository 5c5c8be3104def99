/** What was written to the old database since its tables were copied, carried over row by row; and the proof that both hold the same. */
import type pg from 'pg'
import { type Change, forgetChanges, readChanges } from '../db/copy/capture.ts'
import { copyIn, copyOutKeys, deleteKeys, fingerprint, fingerprintKeys } from '../db/copy/copy.ts'
import type { Table } from '../db/copy/tables.ts'
import { beginWork, commitWork } from '../db/copy/work.ts'
import { DatabaseFault } from '../db/errors.ts'
import { differing, pour } from './copying.ts'

/** Changes that are carried over in one go, and, when these alone would break a rule of a table, at most. */
export const BATCH = 20_000
const BATCH_MAX = 200_000
/** Keys that stand in one statement. */
const KEYS = 1_000

export interface Ends {
  readonly source: pg.Client
  readonly target: pg.Client
  readonly tables: readonly Table[]
}

/**
 * Carries over what has changed, seen in one snapshot: the present row of each changed key, or its absence.
 * @returns how many changes were carried over; fewer than BATCH: there were no more
 * @throws CopyFault, DatabaseAway, DatabaseFault
 */
export async function carryOver(ends: Ends): Promise<number> {
  try {
    return await carryBatch(ends, BATCH)
  } catch (error) {
    // A row of this batch looks as it does after later changes, and may take a unique value from a row that comes in the next one.
    if (!(error instanceof DatabaseFault) || error.code !== '23505') throw error
    await Promise.all([rollBack(ends.source), rollBack(ends.target)])
    return carryBatch(ends, BATCH_MAX)
  }
}

async function carryBatch(ends: Ends, limit: number): Promise<number> {
  const { source, target } = ends
  await beginWork(source, 'snapshot')
  const changes = await readChanges(source, limit)
  if (changes.length > 0) {
    await beginWork(target, 'write')
    await applyChanges(ends, changes)
    await commitWork(target)
  }
  await commitWork(source)
  await forgetChanges(source, changes)
  return changes.length
}

/**
 * Brings the changed rows to the target, in the transactions that are open on both, and compares them.
 * @throws CopyFault, DatabaseAway, DatabaseFault
 */
export async function applyChanges(ends: Ends, changes: readonly Change[]): Promise<void> {
  const { source, target } = ends
  const byTable = keysByTable(changes)
  const work = ends.tables.map(table => ({ table, keys: byTable.get(table.name) ?? [] }))
  // First all that is gone or will come anew, those that refer to others before those; then what is there now.
  for (const { table, keys } of work.toReversed()) {
    for (const part of parts(keys)) await deleteKeys(target, table, part)
  }
  for (const { table, keys } of work) {
    for (const part of parts(keys)) {
      await pour(copyOutKeys(source, table, part), copyIn(target, table), () => undefined)
      const [there, here] = await Promise.all([
        fingerprintKeys(source, table, part),
        fingerprintKeys(target, table, part),
      ])
      if (there.rows !== here.rows || there.hash !== here.hash) throw differing(table.name, there.rows, here.rows)
    }
  }
}

/** Each changed key once, by the name of its table. */
export function keysByTable(changes: readonly Change[]): Map<string, string[][]> {
  const byTable = new Map<string, Map<string, string[]>>()
  for (const { table, key } of changes) {
    const keys = byTable.get(table) ?? new Map<string, string[]>()
    byTable.set(table, keys.set(JSON.stringify(key), key))
  }
  return new Map([...byTable].map(([table, keys]) => [table, [...keys.values()]]))
}

function parts(keys: readonly string[][]): string[][][] {
  const all: string[][][] = []
  for (let at = 0; at < keys.length; at += KEYS) all.push(keys.slice(at, at + KEYS))
  return all
}

/**
 * Carries over what is left and compares everything in that very snapshot: every table's count and hash.
 * @returns whether it was compared: not when more has changed than one batch
 * @throws CopyFault with the first table that differs; DatabaseAway, DatabaseFault
 */
export async function proveSame(ends: Ends): Promise<boolean> {
  const { source, target, tables } = ends
  await beginWork(source, 'snapshot')
  const changes = await readChanges(source, BATCH)
  if (changes.length === BATCH) {
    await commitWork(source)
    return false
  }
  await beginWork(target, 'write')
  await applyChanges(ends, changes)
  for (const table of tables) {
    const [there, here] = await Promise.all([fingerprint(source, table), fingerprint(target, table)])
    if (there.rows !== here.rows || there.hash !== here.hash) throw differing(table.name, there.rows, here.rows)
  }
  await commitWork(target)
  await commitWork(source)
  await forgetChanges(source, changes)
  return true
}

async function rollBack(client: pg.Client): Promise<void> {
  await client.query('ROLLBACK')
}
