/** A Windows for tests: Wine with a disk of its own, on which programs of 64 bits and services run. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { onPath } from '../../installers/apt.mjs'
import { run } from '../../installers/set-up.mjs'

const programMs = 60_000
const debians = '/usr/lib/wine/wine64'

/** The program that runs those of Windows; undefined when this computer has none. */
export function wineProgram(): string | undefined {
  return existsSync(debians) ? debians : onPath(['wine64', 'wine'])
}

/** What a program said, and its exit code (only its last eight bits come through). */
export interface Ended {
  readonly code: number
  readonly output: string
}

export class Wine implements AsyncDisposable {
  readonly #program: string
  readonly #folder: string
  #session: ChildProcess | undefined
  #runs = 0
  #isClosed = false

  private constructor(program: string, folder: string) {
    this.#program = program
    this.#folder = folder
  }

  /** A new Windows 10, as far as programs ask. */
  static async start(program: string): Promise<Wine> {
    const wine = new Wine(program, await mkdtemp(path.join(os.tmpdir(), 'lanthorn-wine-')))
    await wine.run('wineboot.exe', '--init')
    await wine.run('reg.exe', 'add', 'HKCU\\Software\\Wine', '/v', 'Version', '/d', 'win10', '/f')
    await wine.#server('-k')
    // Services end with the last program of a person: this one waits for what is typed.
    const session = spawn(program, ['cmd.exe'], { env: wine.#env, stdio: ['pipe', 'pipe', 'ignore'] })
    wine.#session = session
    await once(session.stdout, 'data', { signal: AbortSignal.timeout(programMs) })
    session.stdout.resume()
    return wine
  }

  /** Where a file of Windows is for us: 'C:\a\b'. */
  file(...names: string[]): string {
    const [drive = '', ...rest] = names.join('\\').split('\\')
    return path.join(this.#folder, `drive_${drive.charAt(0).toLowerCase()}`, ...rest)
  }

  /** Runs a program to its end. What it says goes to a file: what it has started (Wine's desktop) may hold a pipe for ever. */
  async run(program: string, ...args: string[]): Promise<Ended> {
    if (this.#isClosed) throw new Error(`${program} was to be run after the end`)
    const file = path.join(this.#folder, `output-${this.#runs++}`)
    const output = await open(file, 'w')
    try {
      const stdio: StdioOptions = ['ignore', output.fd, output.fd]
      const child = spawn(this.#program, [program, ...args], { env: this.#env, stdio })
      const late = setTimeout(() => child.kill('SIGKILL'), programMs)
      const [code] = (await once(child, 'exit')) as [number | null]
      clearTimeout(late)
      return { code: code ?? 124, output: await readFile(file, 'utf8') }
    } finally {
      await output.close()
    }
  }

  /** A value of the registry; undefined when there is none. */
  async registry(key: string, name: string): Promise<string | undefined> {
    const { output } = await this.run('reg.exe', 'query', key, '/v', name)
    return new RegExp(`^ *${name} +REG_\\w+ +(.*?)\\r?$`, 'm').exec(output)?.[1]
  }

  /** Ends a program as a power cut would. */
  kill(name: string): void {
    for (const pid of readdirSync('/proc').filter(entry => /^\d+$/.test(entry))) {
      if (this.#isOurs(pid, name)) process.kill(Number(pid), 'SIGKILL')
    }
  }

  /** Ends everything that runs in it, and removes it. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#session?.stdin?.end()
    await this.#server('-k')
    await this.#server('-w')
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** No screen, and neither Wine's own downloads of .NET and a browser. */
  get #env(): NodeJS.ProcessEnv {
    const without = { DISPLAY: '', WINEDLLOVERRIDES: 'mscoree,mshtml=', WINEDEBUG: '-all' }
    return { PATH: process.env.PATH, HOME: this.#folder, LANG: 'C.UTF-8', WINEPREFIX: this.#folder, ...without }
  }

  #isOurs(pid: string, name: string): boolean {
    try {
      const [line, env] = ['cmdline', 'environ'].map(file => readFileSync(`/proc/${pid}/${file}`, 'utf8'))
      return line?.includes(name) === true && env?.includes(`WINEPREFIX=${this.#folder}\0`) === true
    } catch {
      return false // it ended meanwhile, or is somebody else's
    }
  }

  async #server(option: string): Promise<void> {
    const beside = ['wineserver64', 'wineserver'].map(name => path.join(path.dirname(this.#program), name))
    const server = beside.find(file => existsSync(file)) ?? 'wineserver'
    await run(server, [option], { timeoutMs: programMs, env: this.#env })
  }
}
