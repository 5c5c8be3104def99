/** Fetches parts from the registries through their own clients, proves them by their sums, and keeps them for the next time. */
import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { onPathAll } from '../apt.mjs'
import { cacheFolder, npm, run, say } from '../set-up.mjs'
import type { NpmPin, WheelPin } from './pins.ts'

/** A file that was fetched and proved. */
export interface Fetched {
  readonly file: string
  readonly sha256: string
}

type Outcome = Awaited<ReturnType<typeof run>>

const keptIn = path.join(cacheFolder, 'parts')
const fetchMs = 10 * 60_000
const unpackMs = 3 * 60_000

/** A package of npm, packed. @throws Error with a sentence: not to be had, or not what was pinned */
export async function fetchNpm(pin: NpmPin): Promise<Fetched> {
  const name = `${pin.package}@${pin.version}`
  return await fetchOnce(name, pin.integrity, async folder => {
    const [program, first] = npm()
    const args = [...first, 'pack', '--silent', '--pack-destination', folder, name]
    return await run(program, args, { timeoutMs: fetchMs, cwd: folder, shell: program === 'npm.cmd' })
  })
}

/** A wheel of PyPI, packed. @throws Error with a sentence: not to be had, or not what was pinned */
export async function fetchWheel(pin: WheelPin): Promise<Fetched> {
  const name = `${pin.package}==${pin.version}`
  return await fetchOnce(`${name}-${pin.platform}`, pin.sha256, async folder => {
    return await pip(['download', '--platform', pin.platform, '--dest', folder, name])
  })
}

/** Unpacks files of an npm package into a folder. `names`: those wanted, as in ['bin', 'LICENSE']. */
export async function unpackNpm(fetched: Fetched, folder: string, names: readonly string[]): Promise<void> {
  await mkdir(folder, { recursive: true })
  const wanted = names.map(name => `package/${name}`)
  const args = ['-xzf', fetched.file, '-C', folder, '--strip-components=1', '--no-same-owner', ...wanted]
  await must(`unpack ${fetched.file}`, run('tar', args, { timeoutMs: unpackMs }))
}

/** Unpacks a wheel into a folder: a zip file, which pip everywhere unpacks with the right file modes. */
export async function unpackWheel(fetched: Fetched, pin: WheelPin, folder: string): Promise<void> {
  const how = ['install', '--no-index', '--no-compile', '--platform', pin.platform, '--target', folder]
  await must(`unpack ${fetched.file}`, pip([...how, fetched.file]))
}

/** The SHA-256 of a file, in hexadecimal. */
export async function sha256Of(file: string): Promise<string> {
  return await sumOf(file, 'sha256', 'hex')
}

/** Does work in a new folder beside what is kept (so that files can be moved from one to the other), which is removed afterwards. */
export async function inWorkFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(keptIn, { recursive: true })
  const folder = await mkdtemp(path.join(keptIn, 'work-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Waits for a program. @returns what it printed. @throws Error with a sentence and its last lines when it failed */
export async function must(what: string, running: Promise<Outcome>): Promise<string> {
  const { code, output } = await running
  if (code === 0) return output
  throw new Error(`Could not ${what} (code ${code}):\n${output.trim().split('\n').slice(-8).join('\n')}`)
}

/** Kept in a folder of its own under the name that the registry gave it. */
async function fetchOnce(what: string, sum: string, fetch: (folder: string) => Promise<Outcome>): Promise<Fetched> {
  const folder = path.join(keptIn, what.replaceAll(/[^\w.-]/g, '_'))
  const known = await onlyFile(folder)
  if (known && (await isProved(known, sum))) return { file: known, sha256: await sha256Of(known) }
  say(`Fetching ${what}…`)
  await inWorkFolder(async work => {
    await must(`fetch ${what}`, fetch(work))
    const brought = await onlyFile(work)
    if (brought === undefined || !(await isProved(brought, sum))) {
      throw new Error(`What came as ${what} has not the sum that is pinned for it: nothing of it is used.`)
    }
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
    await rename(brought, path.join(folder, path.basename(brought)))
  })
  return await fetchOnce(what, sum, fetch)
}

async function onlyFile(folder: string): Promise<string | undefined> {
  const [name, second] = existsSync(folder) ? await readdir(folder) : []
  return name === undefined || second !== undefined ? undefined : path.join(folder, name)
}

async function isProved(file: string, sum: string): Promise<boolean> {
  if (!sum.startsWith('sha512-')) return (await sha256Of(file)) === sum
  return `sha512-${await sumOf(file, 'sha512', 'base64')}` === sum
}

async function sumOf(file: string, algorithm: string, encoding: 'hex' | 'base64'): Promise<string> {
  const hash = createHash(algorithm)
  await pipeline(createReadStream(file), hash)
  return hash.digest(encoding)
}

async function pip([command = '', ...args]: string[]): Promise<Outcome> {
  const python = onPathAll(['python3', 'python'])[0]
  if (python === undefined) return { code: 127, output: 'Python with pip is needed to fetch it: install Python 3.' }
  const how = ['--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:']
  const env = { ...process.env, PIP_ROOT_USER_ACTION: 'ignore' }
  return await run(python, ['-m', 'pip', command, ...how, ...args], { timeoutMs: fetchMs, env })
}
