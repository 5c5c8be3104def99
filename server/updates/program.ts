/** What this very program is: its version, how it was installed, and whose updates it takes. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { UpdateFault } from './fault.ts'
import { KEY_NAME, kinds, type PackageKind } from './manifest.ts'

/** Beside the folder of the server's parts: how the whole was installed (the file that electron-builder writes, too). */
const KIND_FILE = 'package-type'

/** Folders of an installed program: `<top>/resources/runtime/package.json`. */
export interface Program {
  /** The folder of package.json: of a checkout, or of the server's parts in an installed program. */
  readonly folder: string
  readonly version: string
  /** 'linux-x64' */
  readonly target: string
  /** Undefined: it runs from its sources. */
  readonly kind: PackageKind | undefined
  /** The publisher's key, PEM; undefined: there is none, so nothing can be updated. */
  readonly key: string | undefined
}

/** The folder of everything that is replaced by an update. */
export function topOf({ folder }: Pick<Program, 'folder'>): string {
  return path.dirname(path.dirname(folder))
}

/** The folder of the server's parts in an installed program. */
export function partsIn(top: string): string {
  return path.join(top, 'resources', 'runtime')
}

/** Looks at the program in a folder. @throws UpdateFault when it names no version */
export async function readProgram(folder: string): Promise<Program> {
  const { version } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8')) as { version: unknown }
  if (typeof version !== 'string') throw new UpdateFault(`The file package.json in ${folder} names no version.`)
  const kindFile = path.join(path.dirname(folder), KIND_FILE)
  const isInstalled = path.basename(folder) === 'runtime' && existsSync(kindFile)
  const kind = isInstalled ? (await readFile(kindFile, 'utf8')).trim() : undefined
  const keyFile = path.join(folder, KEY_NAME)
  const key = existsSync(keyFile) ? await readFile(keyFile, 'utf8') : undefined
  return {
    folder: path.resolve(folder),
    version,
    target: `${process.platform}-${process.arch}`,
    kind: kinds.find(one => one === kind),
    key,
  }
}
