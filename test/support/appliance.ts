/** One real appliance in a process of its own, for tests: server, embedded PostgreSQL, all ports, nothing replaced. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { withTimeout } from './timeout.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readyMs = 60_000
const stopMs = 30_000
const outputBytesMax = 1_000_000

/** The autosetup file (DESIGN.md section 9); every key given replaces the default one, `listen` key by key. */
export interface ApplianceConfig {
  office?: string
  domain?: string
  node?: string
  admin?: { username: string; password: string }
  people?: { username: string; password: string; name?: string }[]
  listen?: Partial<Record<PortName, number>> & { host?: string }
  tls?: { certificate: string; key: string }
  database?: { url: string }
  cluster?: Record<string, unknown>
  settings?: Record<string, unknown>
}

export type PortName =
  | 'c2s'
  | 'c2sTls'
  | 's2s'
  | 's2sTls'
  | 'component'
  | 'web'
  | 'webPlain'
  | 'admin'
  | 'adminPlain'
  | 'cluster'

/** What the server prints when people can log in. */
export type Ready = { domain: string; node: string; pid: number; adminUrl: string } & Record<PortName, number>

export interface ApplianceOptions {
  config?: ApplianceConfig
  /** Further command line options. */
  args?: string[]
  /** An existing or wished data folder; by default a new one, deleted by `cleanup`. */
  dataDir?: string
  /** What starts the server, in front of its own command: `ip netns exec …`. */
  through?: readonly string[]
  /** Where clients reach it; 127.0.0.1 if absent. */
  host?: string
  /** false: without an autosetup file, so that a fresh one waits in its wizard; `ready` comes when it has an office. */
  isUnattended?: boolean
  /** Added to the environment of the server. */
  env?: Record<string, string>
}

export const people = {
  anna: { username: 'anna', password: 'anna-has-the-keys' },
  romeo: { username: 'romeo', password: 'wherefore-art-thou' },
  juliet: { username: 'juliet', password: 'that-which-we-call-a-rose' },
  mercutio: { username: 'mercutio', password: 'a-plague-on-both-houses' },
} as const

export const anyFreePort: Record<PortName, number> = {
  c2s: 0,
  c2sTls: 0,
  s2s: 0,
  s2sTls: 0,
  component: 0,
  web: 0,
  webPlain: 0,
  admin: 0,
  adminPlain: 0,
  cluster: 0,
}

/**
 * Starts an appliance and waits until people can log in (at most 60 s).
 * Without options: domain `office.test`, admin anna, people romeo, juliet and mercutio, every port a free one on 127.0.0.1.
 * @throws Error with what the server wrote to stderr when it ends or stays silent instead
 */
export async function startAppliance(options: ApplianceOptions = {}): Promise<Appliance> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'lanthorn-test-'))
  // PostgreSQL runs as another user when the tests run as root, and must get through to its data.
  await chmod(folder, 0o755)
  const configFile = path.join(folder, 'config.json')
  await writeFile(configFile, JSON.stringify(completeConfig(options.config ?? {}), undefined, 2), { mode: 0o600 })
  const appliance = new Appliance(folder, configFile, options)
  try {
    await appliance.start()
  } catch (error) {
    await appliance.cleanup()
    throw error
  }
  return appliance
}

function completeConfig(config: ApplianceConfig): ApplianceConfig {
  return {
    office: 'ACME',
    domain: 'office.test',
    node: 'front-desk',
    admin: people.anna,
    people: [people.romeo, people.juliet, people.mercutio],
    ...config,
    listen: { host: '127.0.0.1', ...anyFreePort, ...config.listen },
  }
}

/** A running appliance. `await using` stops it and deletes its folder. */
export class Appliance implements AsyncDisposable {
  readonly dataDir: string
  readonly #folder: string
  readonly #configFile: string
  readonly #options: ApplianceOptions
  #child: ChildProcess | undefined
  #ended: Promise<number> = Promise.resolve(0)
  #ready: Ready | undefined
  #stdout = ''
  #stderr = ''

  constructor(folder: string, configFile: string, options: ApplianceOptions) {
    this.#folder = folder
    this.#configFile = configFile
    this.#options = options
    this.dataDir = options.dataDir ?? path.join(folder, 'data')
  }

  /** The `ready` line of the present run: ports are new after each start. */
  get ready(): Ready {
    if (!this.#ready) throw new Error('the appliance is not running')
    return this.#ready
  }

  get pid(): number {
    return this.ready.pid
  }

  /** Where clients reach it. */
  get host(): string {
    return this.#options.host ?? '127.0.0.1'
  }

  get domain(): string {
    return this.ready.domain
  }

  get adminUrl(): string {
    return this.ready.adminUrl
  }

  /** All that the present run wrote to stdout (the last megabyte). */
  get stdout(): string {
    return this.#stdout
  }

  /** All that the present run wrote to stderr (the last megabyte). */
  get stderr(): string {
    return this.#stderr
  }

  /** The office's own certificate authority as PEM: what a client has to trust. */
  async officeCa(): Promise<string> {
    return await readFile(this.officeCaFile, 'utf8')
  }

  get officeCaFile(): string {
    return path.join(this.dataDir, 'certificates', 'office-ca.pem')
  }

  /** Starts the server on its folder. Called by `startAppliance`; afterwards use `restart`. */
  async start(): Promise<void> {
    const { args = [], env = {}, through = [] } = this.#options
    const main = path.join(root, 'server', 'main.ts')
    const command = [
      ...through,
      process.execPath,
      main,
      'run',
      '--no-open',
      '--data',
      this.dataDir,
      ...(this.#options.isUnattended === false ? [] : ['--config', this.#configFile]),
      ...args,
    ]
    this.#stdout = ''
    this.#stderr = ''
    const [program = process.execPath, ...rest] = command
    const child = spawn(program, rest, {
      cwd: this.#folder,
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache, NODE_OPTIONS: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    running.add(child)
    child.stdout.setEncoding('utf8').on('data', text => {
      this.#stdout = (this.#stdout + text).slice(-outputBytesMax)
    })
    child.stderr.setEncoding('utf8').on('data', text => {
      this.#stderr = (this.#stderr + text).slice(-outputBytesMax)
    })
    this.#ended = new Promise(resolve => {
      child.on('error', () => resolve(127))
      child.on('close', (code, signal) => resolve(code ?? 128 + os.constants.signals[signal ?? 'SIGKILL']))
    })
    void this.#ended.then(() => {
      running.delete(child)
      if (this.#child === child) this.#ready = undefined
    })
    this.#ready = await this.#waitUntilReady(child)
  }

  async #waitUntilReady(child: ChildProcess): Promise<Ready> {
    const line = new Promise<Ready>((resolve, reject) => {
      child.stdout?.on('data', () => {
        const found = /^ready (\{.*\})$/m.exec(this.#stdout)?.[1]
        if (!found) return
        try {
          resolve(JSON.parse(found))
        } catch (error) {
          reject(error)
        }
      })
    })
    const end = this.#ended.then(code => {
      throw new Error(`the server ended with code ${code} before it was ready:\n${this.#stderr}`)
    })
    return await withTimeout(Promise.race([line, end]), readyMs, () => {
      child.kill('SIGKILL')
      return `the server was not ready after ${readyMs / 1000} s:\n${this.#stderr}`
    })
  }

  /** Ends the server as a service manager does. Resolves with its exit code, 0 after a graceful stop. */
  async stop(): Promise<number> {
    this.signal('SIGTERM')
    return await withTimeout(this.#ended, stopMs, () => {
      this.signal('SIGKILL')
      return `the server did not stop within ${stopMs / 1000} s after SIGTERM:\n${this.#stderr}`
    })
  }

  /** Ends the server as a power cut would. */
  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.#ended
  }

  /** Sends any signal; nothing happens if the server is not running. */
  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name)
  }

  /** Resolves with the exit code when the server has ended by itself. */
  async ended(): Promise<number> {
    return await this.#ended
  }

  /** Starts again on the same folder; stops first if it is running. */
  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  /** Stops and deletes everything that was made for this appliance. */
  async cleanup(): Promise<void> {
    try {
      await this.stop()
      await this.#stopLeftDatabase()
    } finally {
      await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 })
    }
  }

  /** A server that was killed leaves its PostgreSQL running, for the next start to take over; here there is none. */
  async #stopLeftDatabase(): Promise<void> {
    const note = path.join(this.dataDir, 'database', 'postmaster.pid')
    if (!existsSync(note)) return
    const pid = Number.parseInt(await readFile(note, 'utf8'), 10)
    try {
      process.kill(pid, 'SIGQUIT')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // it ended by itself
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cleanup()
  }
}

const compileCache = path.join(root, 'node_modules', '.cache', 'lanthorn', 'compiled')

/** A test runner that is ended leaves no servers behind. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGTERM')
})
