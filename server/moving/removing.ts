/** Removing a database that was kept, for good. */
import { refusal } from '../admin/problem.ts'
import { readNote, removeCapture, removeNote, sealedTables, unseal } from '../db/copy/capture.ts'
import { listTables } from '../db/copy/tables.ts'
import { endWork } from '../db/copy/work.ts'
import type { Ends } from './ends.ts'
import { type Kept, placeOfKept } from './kept.ts'
import { dropTables, identify, isSame } from './target.ts'

/**
 * Drops the former database of the built-in server, or our tables in an outside one.
 * @throws Refusal when it is used, or is not what was left; DatabaseAway, DatabaseFault
 */
export async function removeKept(kept: Kept, ends: Ends): Promise<void> {
  const { where } = kept
  const { used } = ends
  if (where.kind === 'embedded') {
    if (used.kind === 'embedded' && used.database === where.database) throw inUse(kept)
    await ends.dropEmbedded(where.database)
    return
  }
  const side = await ends.kept(kept.id, where)
  try {
    const client = await side.open()
    const present = await ends.source().open()
    try {
      if (isSame(await identify(client), await identify(present))) throw inUse(kept)
      if ((await readNote(client))?.kind !== 'moved-away') {
        throw refusal('refused', `What is at ${where.place} now is not what was left there: nothing was removed.`)
      }
      const names = new Set(await sealedTables(client))
      const tables = (await listTables(client)).filter(table => names.has(table.name))
      await removeCapture(client, tables)
      await dropTables(client, [...names])
      await unseal(client, [])
      await removeNote(client)
    } finally {
      await Promise.all([endWork(client), endWork(present)])
    }
  } finally {
    await side.close()
  }
}

const inUse = (kept: Kept): Error =>
  refusal('refused', `The database ${placeOfKept(kept)} is used: it cannot be removed.`)
