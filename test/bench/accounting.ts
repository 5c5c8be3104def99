/** What processes have cost, from Linux's own books in /proc. */
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'

/** Linux counts processor time in ticks; on every platform that Node runs on there are 100 in a second. */
const tickMs = 10

interface Process {
  pid: number
  parent: number
  name: string
  /** Of the process itself. */
  ownMs: number
  /** Of its children that have ended and were waited for. */
  endedChildrenMs: number
}

/** CPU time since each process began, in milliseconds. */
export interface Cpu {
  server: number
  postgres: number
}

/** CPU time of an appliance, split into the server and its PostgreSQL. */
export async function cpuOf(serverPid: number): Promise<Cpu> {
  const tree = treeUnder(serverPid, await processes())
  const server = tree.find(({ pid }) => pid === serverPid)
  const others = tree.filter(({ pid }) => pid !== serverPid)
  return {
    server: server?.ownMs ?? Number.NaN,
    // A connection of PostgreSQL that ended counts for the process that had started it.
    postgres: others.reduce((sum, { ownMs, endedChildrenMs }) => sum + ownMs + endedChildrenMs, 0),
  }
}

/** CPU time of everything an appliance has done so far, helpers that have ended included, in milliseconds. */
export async function wholeCpuOf(serverPid: number): Promise<number> {
  const tree = treeUnder(serverPid, await processes())
  return tree.reduce((sum, { ownMs, endedChildrenMs }) => sum + ownMs + endedChildrenMs, 0)
}

/** Resident memory of one process, in bytes. */
export async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
}

function treeUnder(rootPid: number, all: Process[]): Process[] {
  const found = all.filter(({ pid }) => pid === rootPid)
  for (const { pid } of found) found.push(...all.filter(({ parent }) => parent === pid))
  return found
}

async function processes(): Promise<Process[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const read = await Promise.all(pids.map(readProcess))
  return read.filter(process => process !== undefined)
}

async function readProcess(pid: string): Promise<Process | undefined> {
  try {
    const stat = await readFile(path.join('/proc', pid, 'stat'), 'utf8')
    // The name stands in parentheses and may hold anything; what follows it are numbers (man 5 proc_pid_stat).
    const end = stat.lastIndexOf(')')
    const fields = stat.slice(end + 2).split(' ')
    const ticks = (from: number) => (Number(fields[from]) + Number(fields[from + 1])) * tickMs
    return {
      pid: Number(pid),
      parent: Number(fields[1]),
      name: stat.slice(stat.indexOf('(') + 1, end),
      ownMs: ticks(11),
      endedChildrenMs: ticks(13),
    }
  } catch {
    return undefined // it ended while we looked
  }
}

/**
 * How long this computer needs for a fixed piece of work, in milliseconds, at best of five: the other numbers are worth little
 * while this one jumps.
 */
export function calibrate(): number {
  return Math.min(...Array.from({ length: 5 }, timeOneLoop))
}

function timeOneLoop(): number {
  const from = performance.now()
  let state = 1
  for (let i = 0; i < 1_000_000; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
  }
  if (state === 0) throw new Error('xorshift never reaches zero')
  return performance.now() - from
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]]
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2
}
