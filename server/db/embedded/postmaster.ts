/** One run of the PostgreSQL server process: start it and wait until it answers, stop it, find one that an earlier server left behind. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { readFile, readlink, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Logger } from 'pino'
import { EmbeddedFault } from '../errors.ts'
import type { Binaries } from './binaries.ts'
import type { OsUser } from './os-user.ts'

export interface PostmasterOptions {
  binaries: Binaries
  /** PostgreSQL's own data folder (PGDATA). */
  folder: string
  user: OsUser | undefined
  /** name=value settings that win over its configuration file. */
  settings: readonly string[]
  log: Logger
  /** Longest wait until it answers; recovery after a crash is in it. */
  startTimeoutMs?: number
}

export interface Postmaster {
  readonly pid: number
  /** Resolves when the process has ended, with how ("code 1", "signal SIGKILL") and its last words. */
  readonly exited: Promise<string>
  /** Stops it: politely, then firmly, then by force. Resolves when the process is gone. */
  stop(): Promise<void>
}

/** Steps of stopping: fast (rolls back, writes a checkpoint), immediate (recovery at the next start), kill. */
const stopSteps: [NodeJS.Signals, number][] = [
  ['SIGINT', 10_000],
  ['SIGQUIT', 3_000],
  ['SIGKILL', 3_000],
]

const LAST_WORDS_MS = 500

/**
 * How the database's user names its folder. A server that runs as root enters the folder before it becomes the database's user, and
 * PostgreSQL finds it as "where I am": so the folders above may stay private (0700).
 */
export function folderName(folder: string, user: OsUser | undefined): string {
  return user && process.platform === 'linux' ? '/proc/self/cwd' : folder
}

/** Options for running one of PostgreSQL's programs inside `folder` as the database's user. */
export function runOptions(folder: string, user: OsUser | undefined) {
  const environment = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name))
  return {
    cwd: folder,
    env: { ...Object.fromEntries(environment), LC_ALL: 'C', TZ: 'UTC' },
    windowsHide: true,
    ...(user ? { uid: user.uid, gid: user.gid } : {}),
  }
}

/** Starts PostgreSQL and waits until it takes connections. @throws EmbeddedFault with its last words when it does not. */
export async function startPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  const child = spawn(
    options.binaries.postgres,
    ['-D', folderName(options.folder, options.user), ...options.settings.flatMap(setting => ['-c', setting])],
    {
      ...runOptions(options.folder, options.user),
      stdio: ['ignore', 'ignore', 'pipe'],
      // A Ctrl-C in our terminal must reach us only: we stop PostgreSQL after everybody has been told goodbye.
      detached: process.platform !== 'win32',
    },
  )
  const words: string[] = []
  const exited = new Promise<string>(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('exit', (code, signal) => {
      const how = signal ? `signal ${signal}` : `code ${code}`
      const told = (): void => {
        clearTimeout(late)
        child.stderr?.destroy()
        resolve(words.length === 0 ? how : `${how}: ${words.join(' ')}`)
      }
      // Its last words may still be on the way; a process of it that hangs would keep the pipe open for ever.
      const late = setTimeout(told, LAST_WORDS_MS)
      child.once('close', told)
    })
  })
  const ready = new Promise<true>(resolve => {
    readLines(child, line => {
      const { level, text } = readLogLine(line)
      words.push(text)
      if (words.length > 2) words.shift()
      options.log[level]({ process: 'postgres' }, text)
      if (!text.includes('database system is ready to accept connections')) return
      words.length = 0
      resolve(true)
    })
  })
  const limit = new AbortController()
  const late = delay(options.startTimeoutMs ?? 120_000, 'it did not answer in time', { signal: limit.signal })
  const outcome = await Promise.race([ready, exited, late])
  limit.abort()
  late.catch(() => undefined) // aborted on purpose: the race is over
  const { pid } = child
  if (outcome === true && pid !== undefined) return { pid, exited, stop: () => stopChild(child, exited, options) }
  await stopChild(child, exited, options)
  throw new EmbeddedFault(`PostgreSQL did not start (${outcome}).`)
}

function readLines(child: ChildProcess, take: (line: string) => void): void {
  let rest = ''
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = (lines.pop() ?? '').slice(-10_000)
    for (const line of lines) if (line.trim() !== '') take(line.trim())
  })
}

/** "2026-11-22 17:00:00.000 UTC [12] LOG:  text" or "LOG:  text" → our level and the text. */
function readLogLine(line: string): { level: 'info' | 'warn' | 'error' | 'debug'; text: string } {
  const found = /(LOG|WARNING|ERROR|FATAL|PANIC|HINT|DETAIL):\s+(.*)$/.exec(line)
  const text = found?.[2] ?? line
  // Connections that end because we stop are no news; other FATAL lines (a wrong password, no free connection) are.
  if (found?.[1] === 'FATAL') return { level: text.startsWith('terminating connection') ? 'debug' : 'warn', text }
  if (found?.[1] === 'PANIC') return { level: 'error', text }
  return { level: 'debug', text }
}

async function stopChild(child: ChildProcess, exited: Promise<string>, options: PostmasterOptions): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  if (process.platform === 'win32') {
    await pgCtlStop(options)
  }
  for (const [signal, limitMs] of stopSteps) {
    child.kill(signal)
    if (await endsWithin(exited, limitMs)) return
    options.log.warn({ pid: child.pid, signal }, 'PostgreSQL did not stop in time')
  }
}

async function endsWithin(exited: Promise<unknown>, limitMs: number): Promise<boolean> {
  const limit = new AbortController()
  const late = delay(limitMs, false, { signal: limit.signal }).catch(() => false)
  const ended = await Promise.race([exited.then(() => true), late])
  limit.abort()
  return ended
}

/** On Windows there are no signals; pg_ctl speaks to the server through a named pipe. */
async function pgCtlStop(options: Pick<PostmasterOptions, 'binaries' | 'folder' | 'user'>): Promise<void> {
  try {
    const args = ['stop', '-D', options.folder, '-m', 'fast', '-w', '-t', '15']
    await promisify(execFile)(options.binaries.pgCtl, args, runOptions(options.folder, options.user))
  } catch {
    // pg_ctl also fails when nothing runs any more, which is what we want; the callers look at the process itself.
  }
}

/**
 * Makes a data folder free: stops a PostgreSQL that a killed server left running in it, and removes the note of one that is long gone
 * (its process id may belong to somebody else after a reboot, which makes PostgreSQL refuse to start).
 * @returns whether one was running
 */
export async function clearLeftover(
  options: Pick<PostmasterOptions, 'binaries' | 'folder' | 'user' | 'log'>,
): Promise<boolean> {
  const note = path.join(options.folder, 'postmaster.pid')
  const pid = await notedPid(note)
  if (pid === undefined) return false
  if (!(await isPostgresIn(pid, options.folder))) {
    await rm(note, { force: true })
    return false
  }
  options.log.info({ pid }, 'stopping the PostgreSQL that an earlier run left behind')
  if (process.platform === 'win32') await pgCtlStop(options)
  for (const [signal, limitMs] of stopSteps) {
    if (await goneAfter(pid, signal, limitMs)) return true
  }
  throw new EmbeddedFault(
    `A PostgreSQL of an earlier run (process ${pid}) does not stop: end it by hand or restart this computer.`,
  )
}

async function goneAfter(pid: number, signal: NodeJS.Signals, limitMs: number): Promise<boolean> {
  const until = performance.now() + limitMs
  try {
    process.kill(pid, signal)
    while (performance.now() < until) {
      process.kill(pid, 0)
      if (await isZombie(pid)) return true
      await delay(10)
    }
    return false
  } catch {
    return true // kill() throws when there is no such process any more
  }
}

async function notedPid(note: string): Promise<number | undefined> {
  try {
    const pid = Number.parseInt((await readFile(note, 'utf8')).split('\n', 1)[0] ?? '', 10)
    return pid > 0 && pid !== process.pid ? pid : undefined
  } catch {
    return undefined // no note: nothing ran, or it was stopped in order
  }
}

async function isPostgresIn(pid: number, folder: string): Promise<boolean> {
  try {
    process.kill(pid, 0)
    if (process.platform === 'linux') return (await readlink(`/proc/${pid}/cwd`)) === folder && !(await isZombie(pid))
    const [program, args] =
      process.platform === 'win32' ? ['tasklist', ['/FI', `PID eq ${pid}`]] : ['ps', ['-o', 'command=', '-p', `${pid}`]]
    const { stdout } = await promisify(execFile)(program as string, args as string[])
    return /postgres/i.test(stdout)
  } catch {
    return false // no such process
  }
}

/** A dead child that its parent has not collected yet still has a process id. */
async function isZombie(pid: number): Promise<boolean> {
  if (process.platform !== 'linux') return false
  const status = await readFile(`/proc/${pid}/stat`, 'utf8')
  return / Z /.test(status.slice(status.lastIndexOf(')')).slice(0, 4))
}
