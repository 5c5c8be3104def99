/** The processes of an appliance, as Linux shows them in /proc: whom to kill, whom to freeze. */
import { spawnSync } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'

const pollMs = 10
const goneMs = 10_000

/** Faults of processes are only brought about where signals and /proc are what they are on Linux. */
export const canBreakProcesses = process.platform === 'linux'

/** Whether a command exists here, and we are allowed to do what it does: containers often let root do little. */
export function canRun(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

interface Process {
  pid: number
  parent: number
  /** R, S, D, T (stopped), Z (ended, not yet waited for), … */
  state: string
  name: string
}

/** The PostgreSQL of a data folder: its postmaster and all that it has started, the postmaster first. Empty when none runs. */
export async function postgresOf(dataDir: string): Promise<number[]> {
  const postmaster = await readPidFile(path.join(dataDir, 'database', 'postmaster.pid'))
  if (postmaster === undefined) return []
  const all = await processes()
  const found = all.filter(({ pid, name }) => pid === postmaster && name === 'postgres')
  for (const { pid } of found) found.push(...all.filter(({ parent }) => parent === pid))
  return found.map(({ pid }) => pid)
}

/** The children of a process that run this program. */
export async function childrenOf(parent: number, name: string): Promise<number[]> {
  const all = await processes()
  return all.filter(one => one.parent === parent && one.name === name).map(({ pid }) => pid)
}

/** Sends a signal to each; one that has ended meanwhile is left out. */
export function signalAll(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

/** Stops a whole family at once: the postmaster first, so that it starts nobody else while the others are being stopped. */
export async function freezePostgres(dataDir: string): Promise<{ pids: readonly number[]; thaw(): void }> {
  const [postmaster, ...rest] = await postgresOf(dataDir)
  if (postmaster === undefined) throw new Error(`no PostgreSQL runs in ${dataDir}`)
  signalAll([postmaster], 'SIGSTOP')
  signalAll(rest, 'SIGSTOP')
  const pids = await postgresOf(dataDir)
  signalAll(pids, 'SIGSTOP')
  return { pids, thaw: () => signalAll(pids.toReversed(), 'SIGCONT') }
}

/** Resolves when none of them runs any more (at most 10 s). */
export async function gone(pids: readonly number[]): Promise<void> {
  const end = performance.now() + goneMs
  for (;;) {
    const all = await processes()
    const left = all.filter(({ pid, state }) => pids.includes(pid) && state !== 'Z')
    if (left.length === 0) return
    if (performance.now() > end)
      throw new Error(`still running: ${left.map(({ pid, name }) => `${name} ${pid}`).join(', ')}`)
    await new Promise(resolve => setTimeout(resolve, pollMs))
  }
}

/** Resident memory of a process now, in bytes. */
export async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
}

/** CPU time of one process so far, in milliseconds. */
export async function cpuOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

async function readPidFile(file: string): Promise<number | undefined> {
  try {
    return Number((await readFile(file, 'utf8')).split('\n', 1)[0])
  } catch {
    return undefined // PostgreSQL removes the file when it stops
  }
}

async function processes(): Promise<Process[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const read = await Promise.all(pids.map(readProcess))
  return read.filter(process => process !== undefined)
}

async function readProcess(pid: string): Promise<Process | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The name stands in parentheses and may hold anything (man 5 proc_pid_stat).
    const end = stat.lastIndexOf(')')
    const [state = '', parent] = stat.slice(end + 2).split(' ')
    return { pid: Number(pid), parent: Number(parent), state, name: stat.slice(stat.indexOf('(') + 1, end) }
  } catch {
    return undefined // it ended while we looked
  }
}
