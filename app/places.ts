/** Where things are on this PC: the server's program, and the folders in which a running one is found. */
import { existsSync, promises as files } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** What runs the server when nobody is logged in. */
export type ServiceKind = 'systemd' | 'windows' | 'launchd'

/** The server as this installation has it. */
export interface Program {
  /** The Node that runs it. */
  readonly node: string
  readonly main: string
  /** Set when this installation has a service: the shell then never starts a server itself. */
  readonly service: ServiceKind | undefined
}

/**
 * Looks what a program folder is: `runtime` of an installation, or a checkout.
 * @returns undefined when there is no server in it
 */
export async function programAt(
  folder: string,
  platform: NodeJS.Platform = process.platform,
): Promise<Program | undefined> {
  const name = platform === 'win32' ? 'node.exe' : 'node'
  const bundled = path.join(folder, 'server', 'main.js')
  if (existsSync(bundled)) {
    const node = path.join(folder, 'node', ...(platform === 'win32' ? [name] : ['bin', name]))
    return { node, main: bundled, service: await serviceBeside(folder) }
  }
  const source = path.join(folder, 'server', 'main.ts')
  if (!existsSync(source)) return undefined
  return { node: path.join(folder, 'node_modules', 'node', 'bin', name), main: source, service: undefined }
}

/** `service.json` beside `runtime` is written by the packages that install a service. */
async function serviceBeside(folder: string): Promise<ServiceKind | undefined> {
  try {
    const { kind } = JSON.parse(await files.readFile(path.join(folder, '..', 'service.json'), 'utf8')) as {
      kind?: unknown
    }
    return kind === 'systemd' || kind === 'windows' || kind === 'launchd' ? kind : undefined
  } catch {
    return undefined // a tar archive or a checkout: no service
  }
}

/** Where the service writes its run.json for the people of this PC who may look after it. */
export function serviceRunFolder(environment: NodeJS.ProcessEnv = process.env, platform = process.platform): string {
  if (environment.LANTHORN_RUN_FOLDER) return environment.LANTHORN_RUN_FOLDER
  switch (platform) {
    case 'win32':
      return path.win32.join(environment.ProgramData ?? 'C:\\ProgramData', 'Lanthorn', 'run')
    case 'darwin':
      return '/Library/Application Support/Lanthorn/run'
    default:
      return '/run/lanthorn'
  }
}

/** The data folder of a server that this person starts: the same as the server's own default. */
export function ownDataFolder(environment: NodeJS.ProcessEnv = process.env, platform = process.platform): string {
  const home = os.homedir()
  switch (platform) {
    case 'win32':
      return path.win32.join(environment.LOCALAPPDATA ?? path.win32.join(home, 'AppData', 'Local'), 'Lanthorn')
    case 'darwin':
      return path.join(home, 'Library', 'Application Support', 'Lanthorn')
    default:
      if (process.getuid?.() === 0) return '/var/lib/lanthorn'
      return path.join(environment.XDG_DATA_HOME || path.join(home, '.local', 'share'), 'lanthorn')
  }
}
