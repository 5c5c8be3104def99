/** Makes setup.exe (lanthorn.nsi) over a program folder, with NSIS: on Windows, Linux and macOS the same. */
import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { aptInstall, onPath } from '../apt.mjs'
import { must } from '../parts/fetch.ts'
import { root, run } from '../set-up.mjs'

export interface SetupOptions {
  /** The program: lanthorn-desktop.exe, resources/, bin/ … */
  readonly program: string
  /** lanthorn-service.exe, which buildService() makes. */
  readonly service: string
  readonly version: string
  /** The set-up to write. */
  readonly output: string
  /** Not packed: made in seconds, for tests. */
  readonly isQuick?: boolean
}

const makeMs = 15 * 60_000
const bytesPerKilobyte = 1024
const ownFolder = path.join(root, 'installers', 'windows')
const onWindows = 'C:\\Program Files (x86)\\NSIS\\makensis.exe'

/** @throws Error with a sentence: no NSIS, or a fault in the script */
export async function makeSetup({ program, service, version, output, isQuick }: SetupOptions): Promise<void> {
  const makensis = await findNsis()
  const kilobytes = Math.ceil(((await sizeOf(program)) + (await stat(service)).size) / bytesPerKilobyte)
  const names = {
    HERE: ownFolder,
    ICON: path.join(root, 'app', 'icons', 'lanthorn.ico'),
    PROGRAM: path.resolve(program),
    SERVICE: path.resolve(service),
    OUTPUT: path.resolve(output),
    VERSION: version,
    FILE_VERSION: fileVersion(version),
    SIZE_KB: kilobytes,
    ...(isQuick && { QUICK: 1 }),
  }
  const defines = Object.entries(names).map(([name, value]) => `-D${name}=${value}`)
  const args = ['-V2', '-WX', '-INPUTCHARSET', 'UTF8', ...defines, path.join(ownFolder, 'lanthorn.nsi')]
  await must('make the set-up for Windows', run(makensis, args, { timeoutMs: makeMs }))
}

/** '1.2.3-beta.4' → '1.2.3.0', as Windows wants it. */
function fileVersion(version: string): string {
  const [numbers = ''] = version.split(/[-+~]/)
  return [...numbers.split('.'), '0', '0', '0'].slice(0, 4).join('.')
}

async function findNsis(): Promise<string> {
  const found = () => onPath(['makensis']) ?? (existsSync(onWindows) ? onWindows : undefined)
  const makensis = found() ?? ((await aptInstall(['nsis'])) ? found() : undefined)
  if (makensis === undefined)
    throw new Error('The set-up for Windows is made with NSIS 3: install it (apt, dnf, brew, winget).')
  return makensis
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile()).map(entry => path.join(entry.parentPath, entry.name))
  const sizes = await Promise.all(files.map(async file => (await stat(file)).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}
