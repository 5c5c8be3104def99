/** The PostgreSQL programs that come with Lanthorn: complete, and runnable by the database's user. */
import { execFile } from 'node:child_process'
import { access, chmod, constants, cp, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { postgresFolder } from '../../places.ts'
import { EmbeddedFault } from '../errors.ts'
import { canReach, type OsUser } from './os-user.ts'

export interface Binaries {
  postgres: string
  initdb: string
  pgCtl: string
}

/** Where a root-run server puts a copy of the programs when the database's user cannot reach the installed ones. */
const sharedFolder = '/var/lib/lanthorn-postgres'

/**
 * Finds the programs for this operating system and processor, mends what a package manager left out, and copies them to a folder the
 * database's user can read when the installed ones are in somebody's private folder.
 * @param folder the folder with bin/, lib/ and share/ when it is not the npm package's (an installer's)
 * @throws EmbeddedFault with a sentence when there are no programs for this computer
 */
export async function findBinaries(user: OsUser | undefined, folder = packagedFolder()): Promise<Binaries> {
  const found = programsIn(folder)
  if (!(await exists(found.postgres))) {
    throw new EmbeddedFault(
      `The PostgreSQL programs are not in ${folder}: install Lanthorn again, or name an outside database.`,
    )
  }
  await makeSymlinks(folder)
  await makeRunnable(found)
  if (!user || (await canReach(found.postgres, user))) return found
  return programsIn(await copyForEveryone(folder))
}

function packagedFolder(): string {
  try {
    return postgresFolder()
  } catch (cause) {
    throw new EmbeddedFault(
      `There is no PostgreSQL for this computer (${process.platform} on ${process.arch}) in this installation: install Lanthorn again, or name an outside database.`,
      { cause },
    )
  }
}

function programsIn(folder: string): Binaries {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  const program = (name: string) => path.join(folder, 'bin', `${name}${suffix}`)
  return { postgres: program('postgres'), initdb: program('initdb'), pgCtl: program('pg_ctl') }
}

/** The package's libraries need symbolic links that its install script makes; package managers that skip scripts leave them out. */
async function makeSymlinks(folder: string): Promise<void> {
  const list = path.join(folder, 'pg-symlinks.json')
  if (!(await exists(list))) return
  const links = JSON.parse(await readFile(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const link = path.join(folder, '..', target)
    if (await exists(link)) continue
    await rm(link, { force: true })
    await symlink(path.basename(source), link)
  }
}

async function makeRunnable(binaries: Binaries): Promise<void> {
  for (const file of Object.values(binaries)) {
    const { mode } = await stat(file)
    if ((mode & 0o111) !== 0o111 && process.platform !== 'win32') await chmod(file, mode | 0o555)
  }
}

async function copyForEveryone(folder: string): Promise<string> {
  const target = path.join(sharedFolder, await versionOf(programsIn(folder)))
  if (await exists(target)) return target
  const half = `${target}.${process.pid}`
  try {
    await mkdir(sharedFolder, { recursive: true, mode: 0o755 })
    await cp(folder, half, { recursive: true, verbatimSymlinks: true })
    await rename(half, target)
  } catch (cause) {
    await rm(half, { recursive: true, force: true })
    if (await exists(target)) return target // another server of this computer was quicker
    throw new EmbeddedFault(
      `The PostgreSQL programs in ${folder} are in a private folder and could not be copied to ${sharedFolder}: install Lanthorn in a folder that everybody may read, or start it as an ordinary user.`,
      { cause },
    )
  }
  return target
}

/** The version of PostgreSQL, as in "18.4". */
export async function versionOf(binaries: Binaries): Promise<string> {
  const { stdout } = await promisify(execFile)(binaries.postgres, ['--version'])
  const version = /\d+(\.\d+)?/.exec(stdout)?.[0]
  if (version === undefined)
    throw new EmbeddedFault(`${binaries.postgres} does not tell its version: install Lanthorn again.`)
  return version
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file, constants.F_OK)
    return true
  } catch {
    return false // access() tells "not there" by throwing
  }
}
