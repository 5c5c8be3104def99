/** The proof that a backup is one: it is restored into a scratch database and every row is compared. */
import type { Logger } from 'pino'
import type { MigrationStep } from '../db/migrate.ts'
import { checkFiles } from './files.ts'
import { loadBackup } from './load.ts'
import type { Progress } from './make.ts'
import type { Manifest } from './manifest.ts'
import type { Scratch } from './scratch.ts'

/**
 * Restores a backup for a try and removes what it made.
 * @throws BackupFault when it is not good; anything else when it could not be tried
 */
export async function proveBackup(options: {
  folder: string
  manifest: Manifest
  makeScratch: () => Promise<Scratch>
  steps: readonly MigrationStep[]
  log: Logger
  progress: Progress
}): Promise<void> {
  const { folder, manifest, progress, log } = options
  progress.tell(0, 'Reading the backup again.')
  await checkFiles(folder, manifest, progress)
  progress.tell(0.1, 'Making a database to restore it into for a try.')
  const scratch = await options.makeScratch()
  try {
    const rest: Progress = { ...progress, tell: (share, sentence) => progress.tell(0.2 + 0.8 * share, sentence) }
    await loadBackup({ ...options, connection: scratch.connection, progress: rest })
  } finally {
    await scratch.drop().catch((error: unknown) => {
      log.warn({ err: error }, 'a scratch database was not removed; the next proof removes it')
    })
  }
}
