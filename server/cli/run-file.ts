/**
 * run.json in the data folder: how the command line and the tray find the server that runs there, and prove that they are of this PC. A server that
 * is a service of the system writes it into its run folder too: who may read it there may do everything with the office.
 */
import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { writeDurably } from '../durable-file.ts'

/** What run.json holds. In the data folder it is readable by its owner only. */
export interface RunFile {
  readonly pid: number
  /** The admin pages on this PC. */
  readonly adminUrl: string
  /** Bearer token of the admin API, good over loopback while the server runs. */
  readonly token: string
}

const nameIn = (folder: string): string => path.join(folder, 'run.json')

/**
 * Where a server that is a service of this computer writes run.json too.
 * @param environment LANTHORN_RUN_FOLDER names another folder
 */
export function systemRunFolder(
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  if (environment.LANTHORN_RUN_FOLDER) return environment.LANTHORN_RUN_FOLDER
  if (platform === 'win32') return path.win32.join(environment.ProgramData ?? 'C:\\ProgramData', 'Lanthorn', 'run')
  return platform === 'darwin' ? '/Library/Application Support/Lanthorn/run' : '/run/lanthorn'
}

/**
 * Written by a server once its admin ports are open.
 * @param options.isShared the group of the server may read it
 * @throws Error of node when the disk refuses
 */
export async function writeRunFile(
  folder: string,
  content: RunFile,
  options: { isShared?: boolean } = {},
): Promise<void> {
  await writeDurably(nameIn(folder), `${JSON.stringify(content)}\n`, options.isShared ? 0o640 : 0o600)
}

/** Removed by a server that stops; one of another server that runs stays. */
export async function removeRunFile(folder: string): Promise<void> {
  const found = await readRunFile(folder)
  if (found === undefined || found.pid === process.pid) await rm(nameIn(folder), { force: true })
}

/**
 * The server whose run.json is in a folder.
 * @returns undefined when none runs: no file, half a file, or one of a process that is gone
 * @throws Error of node when this user may not read it
 */
export async function readRunFile(folder: string): Promise<RunFile | undefined> {
  try {
    const found = JSON.parse(await readFile(nameIn(folder), 'utf8')) as Partial<RunFile>
    const { pid, adminUrl, token } = found
    if (typeof pid !== 'number' || typeof adminUrl !== 'string' || typeof token !== 'string') return undefined
    return isAlive(pid) ? { pid, adminUrl, token } : undefined
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Windows says EPERM.
    if (code === 'EACCES' || code === 'EPERM') throw error
    // Not there, or half of it: as good as not running.
    return undefined
  }
}

/** Whether there is a process of this number, whosever it is. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
