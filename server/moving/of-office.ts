/** The moves of this appliance: what a former one left is settled around the opening of the database, then there is a desk. */
import type { Logger } from 'pino'
import { migrationsOf } from '../chat.ts'
import type { Feature } from '../core/feature.ts'
import type { DataFolder } from '../node.ts'
import { officeFeatures } from '../office.ts'
import type { Store } from '../store.ts'
import { MoveDesk } from './desk.ts'
import { settleInterrupted, unsealUsed } from './interrupted.ts'
import { KeptDatabases } from './kept.ts'
import type { MoveStep } from './move.ts'
import { recordFile } from './record.ts'
import { usedSide } from './side.ts'

export interface Moves {
  /** Once the database is open, before anything else is done with it. @throws DatabaseAway, DatabaseFault */
  settle(store: Store): Promise<void>
  /** Once the office is open. */
  desk(options: {
    store: Store
    features: readonly Feature[]
    busyWith: () => string | undefined
    onStep?: ((name: MoveStep) => void) | undefined
  }): MoveDesk
}

/** Before the database is opened. @throws DataFolderFault when a file was damaged */
export async function openMoves(folder: DataFolder, log: Logger): Promise<Moves> {
  const file = recordFile(folder.file('move.json'))
  const kept = new KeptDatabases(folder.file('database-kept.json'))
  const record = await settleInterrupted(folder, file, kept)
  return {
    async settle(store) {
      if (record && record.state !== 'switched') await unsealUsed(usedSide(store.db), record)
    },
    desk: ({ store, features, busyWith, onStep }) =>
      new MoveDesk({
        folder,
        store,
        steps: migrationsOf(officeFeatures(features)),
        file,
        kept,
        record,
        log: log.child({ part: 'moving' }),
        busyWith,
        ...(onStep ? { onStep } : {}),
      }),
  }
}
