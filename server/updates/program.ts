/** What this very program is: its version, how it was installed, and whose updates it takes. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { UpdateFault } from './fault.ts'
import { KEY_NAME, kinds, type PackageKind } from './manifest.ts'

/** Beside the folder of the server's parts, where the package says how it is installed: the file that electron-builder writes. */
const KIND_FILE = 'package-type'
/** There too: which kind of service runs the server. */
const SERVICE_FILE = 'service.json'
/** dpkg's list of our files. */
const DPKG_LIST = '/var/lib/dpkg/info/lanthorn.list'

/** Folders of an installed program: `<top>/resources/runtime/package.json`. */
export interface Program {
  /** The folder of package.json: of a checkout, or of the server's parts in an installed program. */
  readonly folder: string
  readonly version: string
  /** 'linux-x64', 'win-x64', 'darwin-arm64' */
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
  const platform = process.platform === 'win32' ? 'win' : process.platform
  return {
    folder: path.resolve(folder),
    version,
    target: `${platform}-${process.arch}`,
    kind: await kindOf(path.resolve(folder)),
    key: await textOf(path.join(folder, KEY_NAME)),
  }
}

/** How the program was installed, as its files tell. */
async function kindOf(folder: string): Promise<PackageKind | undefined> {
  if (path.basename(folder) !== 'runtime') return undefined
  const resources = path.dirname(folder)
  const told = (await textOf(path.join(resources, KIND_FILE)))?.trim()
  if (told !== undefined) return kinds.find(kind => kind === told)
  const service = await textOf(path.join(resources, SERVICE_FILE))
  if (service?.includes('systemd')) return existsSync(DPKG_LIST) ? 'deb' : 'rpm'
  // What no service of this computer runs was unpacked by somebody; only on Linux do we make such archives.
  return service === undefined && process.platform === 'linux' ? 'tar' : 'setup'
}

async function textOf(file: string): Promise<string | undefined> {
  return existsSync(file) ? await readFile(file, 'utf8') : undefined
}
