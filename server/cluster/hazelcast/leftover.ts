/** A member never outlives its server: a watcher ends it when the server is killed, and a note lets the next start look for one. */
import { execFile, spawn } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const goneMs = 5_000

/** Notes which process is the member. */
export async function noteMember(note: string, pid: number): Promise<void> {
  await writeFile(note, `${pid}\n`, { mode: 0o600 })
}

/**
 * Ends the member that a killed server left behind: the very process that was noted, and only when its command line has `mark`, which no other
 * process has.
 * @returns its process id, or undefined when there was none
 */
export async function endLeftover(note: string, mark: string): Promise<number | undefined> {
  const pid = Number.parseInt(await readFile(note, 'utf8').catch(() => ''), 10)
  if (!(pid > 1) || pid === process.pid) return undefined
  const isOurs = (await commandLineOf(pid)).includes(mark)
  if (isOurs) {
    process.kill(pid, 'SIGKILL')
    const until = performance.now() + goneMs
    while ((await commandLineOf(pid)).includes(mark) && performance.now() < until) await delay(20)
  }
  await rm(note, { force: true })
  return isOurs ? pid : undefined
}

/**
 * Starts a watcher (a shell that only waits) which kills the process once this one is gone in whatever way: its standard input ends then.
 * On Windows there is none: there the note alone helps.
 * @returns ends the watcher
 */
export function killWithUs(pid: number): () => void {
  if (process.platform === 'win32') return () => undefined
  const watcher = spawn('/bin/sh', ['-c', 'read -r _; kill -9 "$1"', 'sh', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  watcher.on('error', () => undefined) // no shell: the note alone helps
  watcher.stdin?.on('error', () => undefined) // the watcher was ended
  watcher.unref()
  return () => watcher.kill('SIGKILL')
}

/** Of a living process; '' when there is none, or it cannot be told. */
async function commandLineOf(pid: number): Promise<string> {
  try {
    if (process.platform === 'linux') return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ')
    const [program, options] =
      process.platform === 'win32'
        ? [
            'powershell',
            ['-NoProfile', '-Command', `(Get-CimInstance Win32_Process -Filter 'ProcessId=${pid}').CommandLine`],
          ]
        : ['ps', ['-ww', '-o', 'command=', '-p', `${pid}`]]
    const { stdout } = await promisify(execFile)(program as string, options as string[], {
      timeout: 10_000,
      windowsHide: true,
    })
    return stdout
  } catch {
    return '' // no such process
  }
}
