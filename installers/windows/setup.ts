/** Makes the set-up for Windows (lanthorn.nsi) over a program folder: on Windows, Linux and macOS the same. */
import path from 'node:path'
import { bytesIn } from '../files.ts'
import { must } from '../parts/fetch.ts'
import { root, run } from '../set-up.mjs'
import { buildService } from './service.ts'
import { windowsTools } from './tools.ts'

export interface SetupOptions {
  /** The program: lanthorn-desktop.exe, resources/, bin/ … */
  readonly program: string
  readonly version: string
  /** For what is made on the way. */
  readonly work: string
  /** Where the finished file shall be. */
  readonly output: string
  /** Not packed. */
  readonly isQuick: boolean
}

const makeMs = 15 * 60_000
const ownFolder = path.join(root, 'installers', 'windows')

/** @returns the finished file, or why there is none @throws Error when there is a fault in the sources */
export async function makeSetup(options: SetupOptions): Promise<{ file: string } | string> {
  const { program, version, work, output, isQuick } = options
  const tools = await windowsTools()
  if (typeof tools === 'string') return tools
  const service = await buildService(tools.gcc, work)
  const file = path.join(output, `Lanthorn-${version}-x64.exe`)
  const names = {
    HERE: ownFolder,
    ICON: path.join(root, 'app', 'icons', 'lanthorn.ico'),
    PROGRAM: path.resolve(program),
    SERVICE: path.resolve(service),
    OUTPUT: path.resolve(file),
    VERSION: version,
    FILE_VERSION: fileVersion(version),
    SIZE_KB: Math.ceil((await bytesIn(program)) / 1024),
    ...(isQuick && { QUICK: 1 }),
  }
  const defines = Object.entries(names).map(([name, value]) => `-D${name}=${value}`)
  const args = ['-V2', '-WX', '-INPUTCHARSET', 'UTF8', ...defines, path.join(ownFolder, 'lanthorn.nsi')]
  await must('make the set-up for Windows', run(tools.makensis, args, { timeoutMs: makeMs }))
  return { file }
}

/** '1.2.3-beta.4' → '1.2.3.0', as Windows wants it. */
function fileVersion(version: string): string {
  const [numbers = ''] = version.split(/[-+~]/)
  return [...numbers.split('.'), '0', '0', '0'].slice(0, 4).join('.')
}
