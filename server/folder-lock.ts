/** One process per data folder: a lock file with the process that holds it, which a killed process does not keep. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { link, readFile, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

/** Which process holds the lock. `birth` tells it apart from a later process with the same number. */
interface Holder {
  pid: number
  birth: string
}

export interface FolderLock {
  release(): Promise<void>
}

/**
 * Takes the lock of a folder; a lock whose process is gone is taken over.
 * @returns the lock, or the number of the process that has it
 */
export async function lockFolder(folder: string): Promise<FolderLock | { heldBy: number }> {
  const file = path.join(folder, 'lock')
  const own = JSON.stringify({ pid: process.pid, birth: await birthOf(process.pid) } satisfies Holder)
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    if (await create(file, own)) return { release: () => release(file, own) }
    const holder = await holderOf(file)
    if (holder) return { heldBy: holder.pid }
    await removeStale(file)
  }
  return { heldBy: 0 }
}

const attemptsMax = 100
/** Longest time that taking over a stale lock can take; a note about it that is older was left by a starter that was killed. */
const takeOverMs = 10_000

/** Removes a stale lock. Only one starter at a time may, so that none removes the fresh lock of another. */
async function removeStale(file: string): Promise<void> {
  const turn = `${file}.turn`
  if (!(await create(turn, ''))) {
    await delay(20)
    const since = await writtenAt(turn)
    if (since !== undefined && Date.now() - since > takeOverMs) await rm(turn, { force: true })
    return
  }
  try {
    if ((await holderOf(file)) === undefined) await rm(file, { force: true })
  } finally {
    await rm(turn, { force: true })
  }
}

async function writtenAt(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).mtimeMs
  } catch {
    return undefined // it is gone: the other starter is done
  }
}

/** The living process that has the lock; undefined when nobody has. */
async function holderOf(file: string): Promise<Holder | undefined> {
  const holder = parse((await read(file)) ?? '')
  return holder && (await isAlive(holder)) ? holder : undefined
}

/** Makes a file with its whole content in one step. False when there is one already. */
async function create(file: string, content: string): Promise<boolean> {
  const whole = `${file}.${process.pid}.${randomUUID()}`
  await writeFile(whole, content, { flag: 'wx', mode: 0o600 })
  try {
    await link(whole, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(whole, { force: true })
  }
}

async function release(file: string, own: string): Promise<void> {
  if ((await read(file)) === own) await rm(file, { force: true })
}

async function read(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** An empty or torn lock file (the computer went off while it was written) belongs to nobody. */
function parse(text: string): Holder | undefined {
  try {
    return JSON.parse(text) as Holder
  } catch {
    return undefined
  }
}

async function isAlive({ pid, birth }: Holder): Promise<boolean> {
  if (pid === process.pid && birth !== (await birthOf(pid))) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is there, but belongs to another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return (await birthOf(pid)) === birth
}

/** When a process was started, in the operating system's own words; '' when there is no such process or no way to ask. */
async function birthOf(pid: number): Promise<string> {
  try {
    if (process.platform === 'linux') return await linuxBirth(pid)
    const [program, options] =
      process.platform === 'win32'
        ? ['powershell', ['-NoProfile', '-Command', `(Get-Process -Id ${pid}).StartTime.Ticks`]]
        : ['ps', ['-o', 'lstart=', '-p', `${pid}`]]
    const { stdout } = await promisify(execFile)(program as string, options as string[], {
      windowsHide: true,
      timeout: 10_000,
    })
    return stdout.trim()
  } catch {
    return '' // no such process
  }
}

/** The boot and the clock tick of the start (proc(5), field 22 of stat). A process that is dead but not collected counts as gone. */
async function linuxBirth(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z') return ''
  return `${(await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()} ${fields[19]}`
}
