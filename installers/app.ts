/** The whole program of one target: Electron with our shell, and the staged server. A folder, on macOS also a disk image and a package. */
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { Arch, build, Platform } from 'electron-builder'
import { bundleApp } from '../app/build.ts'
import { type Electron, findElectron, partOf } from './electron.ts'
import { builderConfiguration } from './electron-builder.ts'
import { must } from './parts/fetch.ts'
import { root, run } from './set-up.mjs'
import { stage } from './stage.ts'
import type { Target } from './targets.ts'

export interface AppOptions {
  readonly target: Target
  /** Of the program. */
  readonly version: string
  /** Everything is made in it. */
  readonly folder: string
}

/** What the installers of a system are made from. */
export interface UnpackedApp {
  /** Contents of the later program folder; on macOS that with Lanthorn.app. */
  readonly folder: string
  readonly electron: Electron
  /** What electron-builder has made besides: on macOS the finished files. */
  readonly files: readonly string[]
}

const modesMs = 60_000
/** What electron-builder makes. Of the two for macOS the package brings a service, the image is for one person. */
const formats = {
  linux: [{ format: 'dir' }],
  win32: [{ format: 'dir' }],
  darwin: [{ format: 'dmg' }, { format: 'pkg', service: 'launchd' }],
} as const
const platforms = { linux: Platform.LINUX, win32: Platform.WINDOWS, darwin: Platform.MAC }

/** @throws Error with a sentence when a part cannot be had */
export async function makeApp({ target, version, folder }: AppOptions): Promise<UnpackedApp> {
  const places = {
    runtime: path.join(folder, 'runtime'),
    shell: path.join(folder, 'shell'),
    beside: path.join(folder, 'bin'),
    output: path.join(folder, 'app'),
  }
  await rm(places.output, { recursive: true, force: true })
  const electron = await findElectron(target)
  await stage({ target, version, folder: places.runtime, around: [await partOf(electron, target)] })
  await bundleApp(places.shell)
  await stageLaunchers(target, places.beside)
  const files: string[] = []
  for (const { format, ...variant } of formats[target.os]) {
    const options = { target, version, electron, ...places, ...variant, output: path.join(places.output, format) }
    const made = await build({
      projectDir: places.shell,
      targets: platforms[target.os].createTarget(format, Arch[target.arch]),
      config: { ...builderConfiguration(options), afterPack: context => tidy(target, context.appOutDir) },
      publish: 'never',
    })
    files.push(...made)
  }
  const unpacked = await unpackedFolder(path.join(places.output, formats[target.os][0].format))
  if (target.os !== 'win32') await setModes(unpacked)
  return { folder: unpacked, electron, files }
}

/** The command line, which finds the runtime from its own place. */
async function stageLaunchers(target: Target, folder: string): Promise<void> {
  const name = target.os === 'win32' ? 'lanthorn.cmd' : 'lanthorn'
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  await cp(path.join(root, 'installers', 'beside', name), path.join(folder, name))
}

/** 'linux-unpacked', 'mac-arm64' … */
async function unpackedFolder(output: string): Promise<string> {
  const found = (await readdir(output, { withFileTypes: true })).find(entry => entry.isDirectory())
  if (!found) throw new Error(`electron-builder has left nothing in ${output}.`)
  return path.join(output, found.name)
}

/** Chromium's licences are fifteen megabytes of text; the program that Electron shows without one of ours is never needed. */
async function tidy(target: Target, folder: string): Promise<void> {
  const isMac = target.os === 'darwin'
  const resources = isMac ? path.join(folder, 'Lanthorn.app', 'Contents', 'Resources') : path.join(folder, 'resources')
  const licences = path.join(isMac ? resources : folder, 'LICENSES.chromium.html')
  await writeFile(`${licences}.gz`, gzipSync(await readFile(licences)))
  await rm(licences)
  await rm(path.join(resources, 'default_app.asar'), { force: true })
}

/** As its owner may, whatever the umask and the packages of npm say: others may read and run all of it. */
async function setModes(folder: string): Promise<void> {
  await must('set the modes', run('chmod', ['-R', 'u=rwX,go=rX', folder], { timeoutMs: modesMs }))
}
