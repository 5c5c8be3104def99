/** `lanthorn restore …`: puts a running office back to a backup, or makes a lost one anew in an empty data folder. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import pino from 'pino'
import { restoreBackup as endpoint } from '../admin/contract/backups.ts'
import { getSession } from '../admin/contract/session.ts'
import { wait } from './backup.ts'
import { CallFault, connect, findRun } from './client.ts'
import { marks } from './marks.ts'
import type { RestoreCommand } from './parse-database.ts'
import { readPiped, readUrl } from './piped.ts'

/** Where it writes, and on which data folder. */
interface Surroundings {
  readonly folder: string
  /** Where a server of the system is found; undefined when the folder was named. */
  readonly runFolder?: string | undefined
  print(text: string): void
  complain(text: string): void
}

const PRINT_EVERY_MS = 1_000

/**
 * Restores.
 * @returns exit code 0, or 1 when it failed
 * @throws CallFault, PipeFault
 */
export async function restoreBackup(command: RestoreCommand, here: Surroundings): Promise<number> {
  const isFolder = existsSync(path.join(command.from, 'manifest.json')) || command.from.includes(path.sep)
  if (isFolder && !(await findRun(here.folder, here.runFolder))) return restoreLost(command, here)
  return restoreRunning({ ...command, from: isFolder ? path.resolve(command.from) : command.from }, here)
}

async function restoreRunning(command: RestoreCommand, here: Surroundings): Promise<number> {
  const call = await connect(here.folder, here.runFolder)
  if (!command.isSure)
    throw new CallFault('This puts the whole office back to the time of that backup: say --yes if you mean it.')
  const url = command.url === undefined ? undefined : await readUrl(command.url)
  const { domain = '' } = await call(getSession)
  const body = { confirm: domain, ...(url !== undefined && { url }) }
  return wait(call, await call(endpoint, { params: { name: command.from }, body }), command.json, here)
}

async function restoreLost(command: RestoreCommand, here: Surroundings): Promise<number> {
  const { from: backup, json, recoveryKey: typed } = command
  const recoveryKey = typed === undefined || typed === '-' ? await readPiped('recovery key') : typed
  if (recoveryKey === undefined) {
    throw new CallFault(
      'The keys of the office are encrypted in the backup: give the recovery key of the recovery sheet with --recovery-key, or through standard input.',
    )
  }
  // Everything else of the command line does without the server's own parts.
  const { restoreIntoFolder } = await import('../backup/restore-folder.ts')
  const { loadFeatures, migrationsOf } = await import('../chat.ts')
  const { officeFeatures } = await import('../office.ts')
  const stop = new AbortController()
  const interrupt = (): void => stop.abort(new Error('interrupted'))
  process.once('SIGINT', interrupt)
  try {
    const restored = await restoreIntoFolder({
      backup: path.resolve(backup),
      dataDir: here.folder,
      recoveryKey,
      url: command.url === undefined ? undefined : await readUrl(command.url),
      steps: migrationsOf(officeFeatures(await loadFeatures())),
      log: pino({ level: 'silent' }),
      progress: { signal: stop.signal, tell: progressLine(json ? () => undefined : here.print) },
    })
    const { office, domain, people, messages, madeAt } = restored
    here.print(
      json
        ? JSON.stringify({ restored })
        : `${marks.ok} ${office} (${domain}) is as it was on ${madeAt}: ${people} accounts, ${messages} messages. Start it with “lanthorn run --data ${here.folder}”.`,
    )
    return 0
  } catch (error) {
    if (!(error instanceof Error) || !/(Fault|Away)$/.test(error.name)) throw error
    here.complain(error.message)
    return 1
  } finally {
    process.off('SIGINT', interrupt)
  }
}

/** Prints what is being done, at most once a second. */
function progressLine(print: (text: string) => void): (share: number, sentence: string) => void {
  let printedAt = Number.NEGATIVE_INFINITY
  return (share, sentence) => {
    const now = performance.now()
    if (now - printedAt < PRINT_EVERY_MS) return
    printedAt = now
    print(`  ${String(Math.floor(share * 100)).padStart(3)} %  ${sentence}`)
  }
}
