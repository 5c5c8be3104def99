/** run.json in the data folder: how the command line and the tray find the server that runs there, and prove that they are of this PC. */
import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { writeDurably } from '../durable-file.ts'

/** What run.json holds. Readable by the owner of the data folder only. */
export interface RunFile {
  readonly pid: number
  /** The admin pages on this PC. */
  readonly adminUrl: string
  /** Bearer token of the admin API, good over loopback while the server runs. */
  readonly token: string
}

const nameIn = (folder: string): string => path.join(folder, 'run.json')

/** Written by a server once its admin ports are open. @throws Error of node when the disk refuses */
export async function writeRunFile(folder: string, content: RunFile): Promise<void> {
  await writeDurably(nameIn(folder), `${JSON.stringify(content)}\n`)
}

/** Removed by a server that stops. */
export async function removeRunFile(folder: string): Promise<void> {
  await rm(nameIn(folder), { force: true })
}

/**
 * The server that runs on a data folder.
 * @returns undefined when none does: no file, one that cannot be read, or of a process that is gone
 */
export async function readRunFile(folder: string): Promise<RunFile | undefined> {
  try {
    const found = JSON.parse(await readFile(nameIn(folder), 'utf8')) as Partial<RunFile>
    const { pid, adminUrl, token } = found
    if (typeof pid !== 'number' || typeof adminUrl !== 'string' || typeof token !== 'string') return undefined
    return isAlive(pid) ? { pid, adminUrl, token } : undefined
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES') throw error
    // Not there, or half of it: as good as not running.
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
