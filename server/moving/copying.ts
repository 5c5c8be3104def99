/**
 * The first part of a move: every table, as it is in one snapshot of the old database, into the new one. Large tables go in ranges of their
 * key. A range is compared by count and hash inside the target's transaction and committed only when it is the same, so what is noted as
 * done is done: after an interruption the next snapshot goes on behind it, and what changed meanwhile is in the capture.
 */
import { type Readable, Transform, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { copyIn, copyOut, emptyTable, endOfRange, fingerprint, type Range } from '../db/copy/copy.ts'
import type { Table } from '../db/copy/tables.ts'
import { beginWork, commitWork } from '../db/copy/work.ts'
import { DatabaseAway } from '../db/pool.ts'
import type { TableRecord } from './record.ts'

/** Rows that go over, and are compared and noted, as one. */
export const RANGE_ROWS = 20_000
/** A copy of which nothing came or went for so long is given up. */
const STALLED_MS = 60_000

/** The two databases do not hold the same; the message is a sentence. */
export class CopyFault extends Error {
  override readonly name = 'CopyFault'
  readonly table: string

  constructor(table: string, message: string) {
    super(message)
    this.table = table
  }
}

export interface CopyingParts {
  readonly source: pg.Client
  readonly target: pg.Client
  readonly tables: readonly Table[]
  /** Of the same tables; changed here as they go on. */
  readonly records: readonly TableRecord[]
  /** What is noted is on disk when it resolves. Called after every range. */
  saved(): Promise<void>
  /** Called as rows go over, often. */
  moved(): void
}

/**
 * Copies all that is not done yet.
 * @throws CopyFault when what arrived is not what was sent; DatabaseAway, DatabaseFault
 */
export async function copyTables(parts: CopyingParts): Promise<void> {
  const { source, tables, records } = parts
  await beginWork(source, 'snapshot')
  for (const table of tables) {
    const record = records.find(one => one.table === table.name)
    if (!record || record.state === 'done') continue
    try {
      await copyTable(parts, table, record)
    } catch (error) {
      record.state = 'waiting'
      throw error
    }
  }
  await commitWork(source)
}

async function copyTable(parts: CopyingParts, table: Table, record: TableRecord): Promise<void> {
  // Each round takes a range away; the bound is far above what fits into any database of ours.
  for (let rounds = 0; rounds < 1_000_000; rounds++) {
    const after = record.after
    const upTo = table.isRanged ? await endOfRange(parts.source, table, after, RANGE_ROWS) : undefined
    const range = { ...(after === undefined ? {} : { after }), ...(upTo === undefined ? {} : { upTo }) }
    await copyRange(parts, table, record, range)
    if (upTo === undefined) {
      record.state = 'done'
      record.rows = record.done
      await parts.saved()
      return
    }
    record.after = upTo
    await parts.saved()
  }
}

async function copyRange(parts: CopyingParts, table: Table, record: TableRecord, range: Range): Promise<void> {
  const { source, target } = parts
  const before = record.done
  record.state = 'copying'
  await beginWork(target, 'write')
  try {
    // Committed by an earlier try that was interrupted before it could be noted.
    await emptyTable(target, table, range)
    await pour(copyOut(source, table, range), copyIn(target, table), rows => {
      record.done += rows
      parts.moved()
    })
    record.state = 'comparing'
    parts.moved()
    const [there, here] = await Promise.all([fingerprint(source, table, range), fingerprint(target, table, range)])
    if (there.rows !== here.rows || there.hash !== here.hash) throw differing(table.name, there.rows, here.rows)
    record.done = before + here.rows
    await commitWork(target)
  } catch (error) {
    record.done = before
    throw error
  }
}

/** What to say when counts or hashes are not equal. */
export function differing(table: string, there: number, here: number): CopyFault {
  const how = there === here ? `${there} rows in both, but not the same` : `${there} rows before, ${here} after`
  return new CopyFault(table, `The copy of the table ${table} is not the same as the original (${how}).`)
}

/**
 * Lets rows flow from one COPY into the other, never more than the streams hold. After a failure neither connection can be used any more.
 * @param counted called with the number of rows that have just come by
 * @throws DatabaseAway when nothing moves for a minute; what either side throws
 */
export async function pour(from: Readable, into: Writable, counted: (rows: number) => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const stalled = new Promise<never>((_, reject) => {
    const sentence = `Nothing was copied for ${STALLED_MS / 1_000} s: one of the databases hangs.`
    timer = setTimeout(() => reject(new DatabaseAway('timeout', sentence)), STALLED_MS)
  })
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      timer?.refresh()
      let rows = 0
      // In COPY's text format a line feed ends a row; one inside a value is written as \\n.
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) rows++
      counted(rows)
      done(null, chunk)
    },
  })
  const pouring = pipeline(from, counter, into)
  pouring.catch(() => undefined) // when it is late, its own failure comes after the connections were cut, and says nothing new
  try {
    await Promise.race([pouring, stalled])
  } finally {
    clearTimeout(timer)
  }
}
