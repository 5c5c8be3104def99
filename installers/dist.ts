/**
 * `npm run dist`: makes the installers that can be made on this system, and prints a table of them.
 * Options: `--target NAME` (may be repeated; else those that this system makes), `--output FOLDER` (else dist), `--quick` (hardly compressed).
 */
import { mkdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { makeApp, type UnpackedApp } from './app.ts'
import { bytesIn } from './files.ts'
import { makeArchive } from './linux/archive.ts'
import { makeDeb } from './linux/deb.ts'
import { layOut } from './linux/layout.ts'
import { makeRpm } from './linux/rpm.ts'
import { sha256Of } from './parts/fetch.ts'
import { root } from './set-up.mjs'
import { programVersion } from './stage.ts'
import { megabytes, type Product, tableOf } from './table.ts'
import { type Target, targetHere, targetNamed } from './targets.ts'
import { makeSetup } from './windows/setup.ts'

export interface DistOptions {
  readonly target: Target
  /** Of the finished files. Everything else is made in a folder below it. */
  readonly output: string
  readonly isQuick: boolean
}

/** What is made of an unpacked app: files, and for others why not. */
type Made = readonly ({ readonly file: string } | { readonly name: string; readonly reason: string })[]

interface MakeOptions extends DistOptions {
  readonly app: UnpackedApp
  /** In the names of the files, and what package managers compare. */
  readonly version: string
  /** For trees of packages. */
  readonly work: string
}

const installedBytesMax = 450e6
const debBytesMax = 200e6
const forTests = 'not to be given to anybody: it holds an old Electron that is for tests only'

/** Makes all installers of one target. */
export async function dist(options: DistOptions): Promise<Product[]> {
  const { target, output } = options
  const work = path.join(output, 'build', target.name)
  await mkdir(work, { recursive: true })
  const app = await makeApp({ target, version: await programVersion(), folder: work })
  const version = `${await programVersion()}${app.electron.isForTests ? '~test' : ''}`
  const made = await makers[target.os]({ ...options, app, version, work })
  const installed = await bytesIn(app.folder)
  const tooLarge =
    installed > installedBytesMax ? [`${megabytes(installed)} when installed is more than it may be`] : []
  return await Promise.all(
    made.map(async one => {
      if (!('file' in one)) return one
      const { size: bytes } = await stat(one.file)
      const faults = [
        ...tooLarge,
        ...(one.file.endsWith('.deb') && bytes > debBytesMax ? ['the file is too large'] : []),
      ]
      return {
        name: path.relative(output, one.file),
        bytes,
        sha256: await sha256Of(one.file),
        ...(app.electron.isForTests && { warning: forTests }),
        faults: options.isQuick ? [] : faults,
      }
    }),
  )
}

const makers: Readonly<Record<Target['os'], (options: MakeOptions) => Promise<Made>>> = {
  async linux({ target, app, version, work, output, isQuick }) {
    const tree = path.join(work, 'tree')
    await layOut(app.folder, tree)
    const options = { target, version, tree, output, isQuick }
    const [deb, rpm] = [await makeDeb(options), await makeRpm(options)]
    return [
      typeof deb === 'string' ? { name: '.deb', reason: deb } : deb,
      typeof rpm === 'string' ? { name: '.rpm', reason: rpm } : rpm,
      await makeArchive({ target, version, app: app.folder, output, isQuick }),
    ]
  },
  async win32({ app, version, work, output, isQuick }) {
    const setup = await makeSetup({ program: app.folder, version, work, output, isQuick })
    return [typeof setup === 'string' ? { name: 'set-up for Windows', reason: setup } : setup]
  },
  async darwin({ app }) {
    return app.files.filter(file => /\.(dmg|pkg)$/.test(file)).map(file => ({ file }))
  },
}

/** Those that are made without being asked for: of this system, and on Linux also of Windows. */
function usualTargets(): Target[] {
  const here = targetHere()
  const others = process.platform === 'linux' ? [targetNamed('win-x64')] : []
  return here ? [here, ...others] : others
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      target: { type: 'string', multiple: true, default: [] },
      output: { type: 'string', default: path.join(root, 'dist') },
      quick: { type: 'boolean', default: false },
    },
  })
  const targets = values.target.length > 0 ? values.target.map(targetNamed) : usualTargets()
  const products: Product[] = []
  for (const target of targets) {
    try {
      products.push(...(await dist({ target, output: path.resolve(values.output), isQuick: values.quick })))
    } catch (error) {
      // What is wrong with one of them must not keep the others from being made.
      products.push({ name: target.name, reason: error instanceof Error ? error.message : String(error) })
      process.exitCode = 1
    }
  }
  process.stdout.write(tableOf(products))
  if (products.some(product => 'faults' in product && product.faults.length > 0)) process.exitCode = 1
}
