/** What a process costs. Linux tells it in files; elsewhere it is not known. */
import { readFileSync } from 'node:fs'

/** Clock ticks a second in /proc, the same on every Linux that Node runs on. */
const ticks = 100

/** Memory in use, in bytes. */
export function residentBytes(pid: number): number | undefined {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

/** Processor time used since its start, in seconds. */
export function processorSeconds(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const used = Number(fields[11]) + Number(fields[12])
  return Number.isFinite(used) ? used / ticks : undefined
}

function read(file: string): string {
  if (process.platform !== 'linux') return ''
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // it has ended
  }
}
