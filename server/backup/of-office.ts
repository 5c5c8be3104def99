/** The backups of the office of this appliance: what they need of it, gathered. */
import type { Logger } from 'pino'
import { migrationsOf } from '../chat.ts'
import type { Feature } from '../core/feature.ts'
import type { DataFolder } from '../node.ts'
import { type Office, officeFeatures } from '../office.ts'
import type { Store } from '../store.ts'
import { Backups, type FreshDatabase } from './desk.ts'
import { BackupFault } from './fault.ts'
import { type BackupSettings, backupFeature } from './feature.ts'
import { gatherOfficeFiles } from './office-files.ts'
import { scratchBeside, scratchInside } from './scratch.ts'

const MIGRATION_TABLE = 'migration'

/**
 * @param options.office the office as it was opened last; it may be closed for a moment
 * @param options.freshDatabase see BackupsOptions
 * @param options.busyWith why nothing may be begun now, as a sentence
 */
export function backupsOf(options: {
  folder: DataFolder
  version: string
  log: Logger
  features: readonly Feature[]
  office: () => Office
  store: () => Store
  freshDatabase: (url: string | undefined) => Promise<FreshDatabase>
  busyWith: () => string | undefined
  note: (sentence: string) => Promise<void>
}): Backups {
  const { folder, version, log, office, store } = options
  const steps = migrationsOf(officeFeatures(options.features))
  const words = new Set(steps.flatMap(({ sql }) => sql.match(/\w+/g) ?? []))
  return new Backups({
    dataDir: folder.dir,
    mark: folder.state.nodeId.slice(0, 8),
    log: log.child({ part: 'backups' }),
    now: Date.now,
    settings: () => office().chat.parts.settings.of(backupFeature.name) as BackupSettings,
    name: () => {
      const { office: name, domain, node } = office().identity
      return { office: name, domain, node, version }
    },
    connection: () => {
      const { embedded, db } = store()
      const connection = embedded?.connection ?? db.current
      if (connection) return connection
      throw new BackupFault('The database is away at the moment: try again when it is back.')
    },
    steps: () => steps,
    // In an outside database there may be tables of other programs: every table of ours is named in a migration.
    isOurs: table => table === MIGRATION_TABLE || words.has(table),
    secretPart: async () => JSON.stringify(await gatherOfficeFiles(folder)),
    recoveryKey: async () => Buffer.from(await folder.randomSecret('recovery-key'), 'base64url'),
    makeScratch: () => {
      const { embedded } = store()
      return embedded ? scratchInside(embedded) : scratchBeside(folder.dir, log)
    },
    freshDatabase: options.freshDatabase,
    busyWith: options.busyWith,
    note: options.note,
  })
}
