/** What package-lock.json says about packages: the one truth about versions and sums of everything from npm. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { root } from './set-up.mjs'

export interface LockedPackage {
  readonly version: string
  /** 'sha512-…' */
  readonly integrity: string
  /** SPDX expression. */
  readonly licence: string
}

interface LockFile {
  readonly packages: Readonly<Record<string, { version?: string; integrity?: string; license?: string }>>
}

/**
 * A package by its folder, as in 'node_modules/pg' or 'node_modules/pg/node_modules/pg-types'.
 * @throws Error when the lock file does not have it
 */
export function lockedPackage(folder: string): LockedPackage {
  const found = lockFile().packages[folder]
  const { version, integrity, license } = found ?? {}
  if (version === undefined || integrity === undefined) throw new Error(`package-lock.json lacks ${folder}.`)
  return { version, integrity, licence: license ?? 'NOASSERTION' }
}

let read: LockFile | undefined

function lockFile(): LockFile {
  read ??= JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as LockFile
  return read
}
