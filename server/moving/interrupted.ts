/** What a start makes of a move that was under way when the process or the PC ended. See switching.ts for why this is right. */
import { readNote, removeNote, unseal } from '../db/copy/capture.ts'
import { listTables } from '../db/copy/tables.ts'
import { endWork } from '../db/copy/work.ts'
import type { DataFolder } from '../node.ts'
import { memoryIn } from '../store.ts'
import { type KeptDatabases, keptSecret } from './kept.ts'
import type { MoveRecord, RecordFile } from './record.ts'
import type { Side } from './side.ts'

/** The secret with the URL that the data goes to. */
export const TARGET_SECRET = 'move-url'

/** Why a move stopped that nobody stopped. */
export const STOPPED_SERVER = 'This server was stopped while the data was moved.'

/**
 * Before the database is opened: a switch that had come so far that the new database is used is brought to its end.
 * @returns the record, if there is one; it says “stopped” when the move was interrupted
 */
export async function settleInterrupted(
  folder: DataFolder,
  file: RecordFile,
  kept: KeptDatabases,
): Promise<MoveRecord | undefined> {
  const record = await file.load()
  if (!record || record.state === 'switched' || record.state === 'stopped') return record
  if (record.state === 'switching' && folder.secret(keptSecret(record.id)) !== undefined) {
    // What was known of the old servers must not keep the new ones out.
    await memoryIn(folder.dir).forget()
    await noteSwitched(record, { file, kept, now: Date.now() })
    return record
  }
  record.state = 'stopped'
  record.problem = STOPPED_SERVER
  record.endedAt = new Date().toISOString()
  await file.save(record)
  return record
}

/** The switch is done: the old database is kept, and the record says so. May be repeated. */
export async function noteSwitched(
  record: MoveRecord,
  options: { file: RecordFile; kept: KeptDatabases; now: number; bytes?: number },
): Promise<void> {
  const { file, kept, now, bytes } = options
  const at = new Date(now).toISOString()
  await kept.add({ id: record.id, where: record.from, keptSince: at, ...(bytes === undefined ? {} : { bytes }) })
  record.state = 'switched'
  record.endedAt = at
  delete record.problem
  await file.save(record)
}

/**
 * Lets the database that is used be written again, if an interrupted switch of this move has sealed it. Before anything else is done with it.
 * @throws DatabaseAway, DatabaseFault
 */
export async function unsealUsed(side: Side, record: MoveRecord): Promise<void> {
  const client = await side.open()
  try {
    const note = await readNote(client)
    if (note?.kind !== 'moved-away' || note.move !== record.id) return
    await unseal(client, await listTables(client))
    await removeNote(client)
  } finally {
    await endWork(client)
  }
}
