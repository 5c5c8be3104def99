/** A PC with the program installed by a package, in folders of a test: dpkg or rpm with a root of its own, and a systemctl of a few lines. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Manifest } from '../../server/updates/manifest.ts'
import { type Result, readResult, requestFile } from '../../server/updates/request.ts'
import { aFile, aManifest, type Keys, newKeys, packDeb, packRpm, publish, type SmallProgram } from './publisher.ts'

const run = promisify(execFile)
const installer = fileURLToPath(new URL('install-process.ts', import.meta.url))

/** What runs on a PC. */
export interface Seen {
  readonly version: string
  readonly isReady: boolean
}

/** The version that runs on a data folder, and whether people can log in; undefined: none runs. */
export async function seen(dataDir: string): Promise<Seen | undefined> {
  try {
    const { adminUrl } = JSON.parse(await readFile(path.join(dataDir, 'run.json'), 'utf8'))
    const { version } = (await (await fetch(new URL('/api/session', adminUrl))).json()) as { version: string }
    return { version, isReady: (await fetch(new URL('/health/ready', adminUrl))).ok }
  } catch {
    return undefined // nothing answers
  }
}

/** Runs the installing program to its end, or until it is killed. @returns the result, if there is one */
export async function installing(
  options: object,
  stateDir: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Result | undefined> {
  // A group of its own: whoever kills it kills what it has started, as systemd does.
  const args = [installer, JSON.stringify(options)]
  const child = spawn(process.execPath, args, { env, detached: true, stdio: 'ignore' })
  await once(child, 'exit')
  return readResult(stateDir)
}

export class InstalledPc implements AsyncDisposable {
  readonly folder: string
  readonly keys: Keys = newKeys()
  readonly kind: 'deb' | 'rpm'
  #requests = 0

  constructor(folder: string, kind: 'deb' | 'rpm') {
    this.folder = folder
    this.kind = kind
  }

  /** With version 0.1.0 installed and running. */
  static async open(kind: 'deb' | 'rpm' = 'deb'): Promise<InstalledPc> {
    const pc = new InstalledPc(await mkdtemp(path.join(tmpdir(), 'lanthorn-update-')), kind)
    for (const folder of [pc.dataDir, pc.#programs, path.join(pc.#root, 'var/lib/dpkg/updates')])
      await mkdir(folder, { recursive: true })
    await mkdir(path.join(pc.#root, 'var/lib/dpkg/info'))
    await writeFile(path.join(pc.#root, 'var/lib/dpkg/status'), '')
    await pc.#write('dpkg', `exec ${pc.#dpkg} "$@"`)
    // Debian's rpm wants to be told that it is meant.
    await pc.#write('rpm', `exec /usr/bin/rpm --force-debian --root=${pc.#root} "$@"`)
    await pc.#write('systemctl', systemctl)
    const first = await pc.#pack({ version: '0.1.0' })
    await run(kind === 'deb' ? 'dpkg' : 'rpm', ['--install', first], { env: pc.#env })
    await pc.starts()
    return pc
  }

  #pack(program: Omit<SmallProgram, 'keys' | 'kind'>, depends?: string): Promise<string> {
    const { kind, keys, folder } = this
    return kind === 'deb'
      ? packDeb(folder, { ...program, kind, keys }, depends)
      : packRpm(folder, { ...program, kind, keys })
  }

  get dataDir(): string {
    return path.join(this.folder, 'data')
  }

  get stateDir(): string {
    return path.join(this.folder, 'state')
  }

  get top(): string {
    return path.join(this.#root, 'opt', 'lanthorn')
  }

  get #root(): string {
    return path.join(this.folder, 'root')
  }

  /** Its waits for the disk are left out: a test outlives no power cut. */
  get #dpkg(): string {
    return `/usr/bin/dpkg --root=${this.#root} --force-unsafe-io`
  }

  get #programs(): string {
    return path.join(this.folder, 'programs')
  }

  get #env(): NodeJS.ProcessEnv {
    const { dataDir, top } = this
    return { ...process.env, PATH: `${this.#programs}:/usr/sbin:/usr/bin:/sbin:/bin`, DATA: dataDir, TOP: top }
  }

  /** The server has fetched this package and asks for it. */
  async fetched(program: Omit<SmallProgram, 'keys' | 'kind'>, how: Fetched = {}): Promise<void> {
    const { keys = this.keys, changes = {}, depends } = how
    const file = await this.#pack(program, depends)
    const files = [await aFile(file, this.kind)]
    const { version } = program
    await publish(path.join(this.dataDir, 'updates'), aManifest({ version, files, ...changes }), keys)
    await writeFile(path.join(this.dataDir, 'updates', path.basename(file)), await readFile(file))
    await this.asksFor(version)
  }

  /** A new request for what is there. */
  async asksFor(version: string): Promise<void> {
    await mkdir(path.dirname(requestFile(this.dataDir)), { recursive: true })
    await writeFile(requestFile(this.dataDir), JSON.stringify({ id: `request-${++this.#requests}`, version }))
  }

  /** In the middle of its work dpkg is killed with everything around it, as by a power cut. */
  async dpkgDiesOnce(): Promise<void> {
    const real = this.#dpkg
    const last = 'for last; do :; done'
    await this.#write('dpkg', `cp "$0.real" "$0"\n${last}\n${real} --unpack "$last"\nkill -9 0`)
    await this.#write('dpkg.real', `exec ${real} "$@"`)
  }

  /** Runs the installing program to its end, or to the step at which it is killed. @returns the result, if there is one */
  async installs(how: { diesAt?: string; tidy?: boolean } = {}): Promise<Result | undefined> {
    const { dataDir, stateDir, top } = this
    const options = { dataDir, stateDir, top, ...how }
    return installing(options, stateDir, this.#env)
  }

  runs(): Promise<Seen | undefined> {
    return seen(this.dataDir)
  }

  async starts(): Promise<void> {
    await run('systemctl', ['start', 'lanthorn.service'], { env: this.#env })
  }

  async stops(): Promise<void> {
    await run('systemctl', ['stop', 'lanthorn.service'], { env: this.#env })
  }

  /** What the package manager says: 'ii  0.2.0'. */
  async packages(): Promise<string> {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the words of dpkg-query
    const format = '--showformat=${db:Status-Abbrev} ${Version}'
    const admin = `--admindir=${path.join(this.#root, 'var/lib/dpkg')}`
    return (await run('dpkg-query', [admin, '--show', format, 'lanthorn'])).stdout
  }

  async #write(name: string, script: string): Promise<void> {
    const file = path.join(this.#programs, name)
    await writeFile(file, `#!/bin/sh\n${script}\n`)
    await chmod(file, 0o755)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stops()
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

interface Fetched {
  readonly keys?: Keys
  readonly changes?: Partial<Manifest>
  /** A package that is not there. */
  readonly depends?: string
}

/** The few commands that are used. A server that ends removes its run.json. */
const systemctl = `
pid=$(sed -n 's/.*"pid":\\([0-9]*\\).*/\\1/p' "$DATA/run.json" 2>/dev/null)
case "$1" in
  stop)
    [ -n "$pid" ] && kill "$pid" 2>/dev/null && while [ -e "$DATA/run.json" ]; do sleep 0.02; done
    exit 0 ;;
  start)
    [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && exit 0
    parts="$TOP/resources/runtime"
    setsid "$parts/node/bin/node" "$parts/server/main.js" --data "$DATA" >/dev/null 2>&1 </dev/null &
    exit 0 ;;
esac`
