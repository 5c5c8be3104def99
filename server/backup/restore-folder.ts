/** After all PCs were lost: makes the office anew in an empty data folder, with its own authority, so that apps trust it as before. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Logger } from 'pino'
import type { Connection } from '../db/address.ts'
import { embeddedDatabases } from '../db/embedded/databases.ts'
import { type Embedded, startEmbedded } from '../db/embedded/embedded.ts'
import type { MigrationStep } from '../db/migrate.ts'
import { type DataFolder, openDataFolder, RESTORING } from '../node.ts'
import { checkFiles } from './files.ts'
import { open, parseKey } from './keys.ts'
import { loadBackup, refuseNewer } from './load.ts'
import { aboutKeys, KEYS, type Progress } from './make.ts'
import { type Manifest, readManifest } from './manifest.ts'
import { layOfficeFiles, type OfficeFiles, parseOfficeFiles } from './office-files.ts'
import { openOutside, refuseOccupied } from './outside.ts'
import { mustHaveRoom, roomForDatabase } from './room.ts'

/** What was restored. */
export interface Restored {
  readonly office: string
  readonly domain: string
  readonly people: number
  readonly messages: number
  readonly madeAt: string
}

/**
 * Restores a backup into an empty data folder; `lanthorn run` starts the office then. Until everything is done the folder holds no office.
 * @param options.backup the folder of one backup
 * @param options.dataDir made when missing; must hold no office
 * @param options.recoveryKey as it stands on the recovery sheet
 * @param options.url an empty outside database; undefined: the built-in one
 * @throws BackupFault, DataFolderFault, EmbeddedFault, DatabaseUrlFault, DatabaseAway: each with one sentence; nothing of the office is
 * there then
 */
export async function restoreIntoFolder(options: {
  backup: string
  dataDir: string
  recoveryKey: string
  url: string | undefined
  steps: readonly MigrationStep[]
  log: Logger
  progress: Progress
}): Promise<Restored> {
  const { backup, dataDir, progress, url } = options
  progress.tell(0, 'Checking the backup.')
  const manifest = await readManifest(backup)
  refuseNewer(manifest, options.steps)
  await checkFiles(backup, manifest, progress)
  const files = await openKeys(backup, manifest, options.recoveryKey)
  await using folder = await openDataFolder(dataDir, { toRestore: true })
  await mustHaveRoom(folder.dir, undefined, roomForDatabase(url === undefined ? manifest.databaseBytes : 0))
  const isAgain = await wasInterrupted(folder)
  await writeFile(folder.file(RESTORING), `${path.resolve(backup)}\n`, { mode: 0o600 })
  await loadInto(folder, manifest, { ...options, isAgain })
  const state = await layOfficeFiles(folder, files)
  if (url !== undefined) await folder.saveSecrets({ 'database-url': url })
  // From here on the folder holds the office.
  await folder.become({ ...state, office: manifest.office, domain: manifest.domain })
  await rm(folder.file(RESTORING))
  progress.tell(1, 'Done.')
  const { office, domain, people, messages, madeAt } = manifest
  return { office, domain, people, messages, madeAt }
}

async function openKeys(backup: string, manifest: Manifest, recoveryKey: string): Promise<OfficeFiles> {
  const sealed = await readFile(path.join(backup, KEYS), 'utf8')
  return parseOfficeFiles(await open(sealed, parseKey(recoveryKey), aboutKeys(manifest.domain)))
}

/** Whether a restore into this folder was cut short: what is in its database then belongs to nobody. */
async function wasInterrupted(folder: DataFolder): Promise<boolean> {
  try {
    await readFile(folder.file(RESTORING))
    return true
  } catch {
    return false // none was
  }
}

async function loadInto(
  folder: DataFolder,
  manifest: Manifest,
  options: Parameters<typeof restoreIntoFolder>[0] & { isAgain: boolean },
): Promise<void> {
  const { url, log, progress } = options
  if (url !== undefined) {
    await using outside = await openOutside(url, log)
    await loadIt(outside.connection)
    return
  }
  progress.tell(0.05, 'Making the database.')
  let embedded: Embedded | undefined
  try {
    embedded = await startEmbedded({ dataDir: folder.dir, log, signal: progress.signal })
    if (options.isAgain) await emptyDatabase(embedded)
    await loadIt(embedded.connection)
  } finally {
    await embedded?.close()
  }

  async function loadIt(connection: Connection): Promise<void> {
    await refuseOccupied(connection)
    const part: Progress = { ...progress, tell: (share, sentence) => progress.tell(0.1 + 0.9 * share, sentence) }
    await loadBackup({ ...options, folder: options.backup, manifest, connection, progress: part })
  }
}

async function emptyDatabase(embedded: Embedded): Promise<void> {
  const { database } = embedded.connection
  const databases = embeddedDatabases(embedded)
  await databases.drop(database)
  await databases.create(database)
}
