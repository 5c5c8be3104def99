/** The data of the embedded PostgreSQL: made once, whole or not at all, with passwords nobody has to know. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { syncFolder, writeDurably } from '../../durable-file.ts'
import { EmbeddedFault } from '../errors.ts'
import { type Binaries, versionOf } from './binaries.ts'
import type { OsUser } from './os-user.ts'
import { folderName, runOptions } from './postmaster.ts'

/** Passwords of the two accounts: `postgres` may do everything, `lanthorn` owns our database. */
export interface Passwords {
  postgres: string
  lanthorn: string
  /** The database of the office; absent: “lanthorn”, the first one. */
  database?: string
}

export interface MakeDataOptions {
  /** The appliance's data folder. */
  dataDir: string
  binaries: Binaries
  user: OsUser | undefined
  signal: AbortSignal
}

/** PostgreSQL's data folder inside the appliance's data folder. */
export function databaseFolder(dataDir: string): string {
  return path.join(dataDir, 'database')
}

/** Where the passwords are kept, and which database is the office's. */
export function passwordFileIn(dataDir: string): string {
  return path.join(dataDir, 'database.json')
}

/**
 * Makes PostgreSQL's data folder when there is none. It is built beside its place and moved there when complete, so a first start that was
 * interrupted leaves nothing that the next one could take for a database.
 * @returns the passwords, and whether the folder is new
 * @throws EmbeddedFault with a sentence when the folder is of another PostgreSQL generation or its passwords are gone
 */
export async function makeData(options: MakeDataOptions): Promise<{ passwords: Passwords; isNew: boolean }> {
  const folder = databaseFolder(options.dataDir)
  const passwordFile = passwordFileIn(options.dataDir)
  const known = await readPasswords(passwordFile)
  if (await exists(folder)) {
    await refuseOtherGeneration(folder, options.binaries)
    if (known) return { passwords: known, isNew: false }
    throw new EmbeddedFault(
      `The file ${passwordFile} with the passwords of the embedded database is missing: put it back from a backup of this data folder.`,
    )
  }
  const passwords = known ?? { postgres: randomPassword(), lanthorn: randomPassword() }
  if (!known) await writeDurably(passwordFile, `${JSON.stringify(passwords)}\n`)
  const staging = `${folder}.new`
  await rm(staging, { recursive: true, force: true })
  try {
    await runInitdb(staging, passwords.postgres, options)
    await rename(path.join(staging, 'data'), folder)
    await syncFolder(options.dataDir)
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
  return { passwords, isNew: true }
}

async function runInitdb(staging: string, password: string, options: MakeDataOptions): Promise<void> {
  const { user, binaries, signal } = options
  const data = path.join(staging, 'data')
  const passwordFile = path.join(staging, 'password')
  await mkdir(data, { recursive: true, mode: 0o700 })
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  if (user) for (const name of [staging, data, passwordFile]) await chown(name, user.uid, user.gid)
  const name = folderName(data, user)
  const args = [
    `--pgdata=${name}`,
    `--pwfile=${name === data ? passwordFile : `${name}/../password`}`,
    '--username=postgres',
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // The built-in provider sorts the same on every computer and makes initdb five times quicker than the system's locales.
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    '--data-checksums',
    '--no-instructions',
  ]
  try {
    await promisify(execFile)(binaries.initdb, args, { ...runOptions(data, user), timeout: 300_000, signal })
  } catch (cause) {
    const words = (cause as { stderr?: string }).stderr?.trim().split('\n').slice(-2).join(' ') || String(cause)
    throw new EmbeddedFault(`The embedded database could not be made in ${options.dataDir}: ${words}`, { cause })
  }
}

async function refuseOtherGeneration(folder: string, binaries: Binaries): Promise<void> {
  const data = (await readFile(path.join(folder, 'PG_VERSION'), 'utf8')).trim()
  const program = (await versionOf(binaries)).split('.', 1)[0]
  if (program === data) return
  throw new EmbeddedFault(
    `The database in ${folder} was made by PostgreSQL ${data}, but this Lanthorn brings PostgreSQL ${program}: start the Lanthorn that made it, make a backup there, and restore it here.`,
  )
}

async function readPasswords(file: string): Promise<Passwords | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Passwords
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function randomPassword(): string {
  return randomBytes(24).toString('base64url')
}

async function exists(folder: string): Promise<boolean> {
  try {
    await stat(folder)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
