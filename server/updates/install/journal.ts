/** How far an installation has got, on disk before each step: whoever starts next knows what to tidy up, whenever the last one was killed. */
import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { syncFolder, writeDurably } from '../../durable-file.ts'
import type { PackageKind } from '../manifest.ts'

/**
 * `kept`: the package was checked, and the program as it is can be put back; nothing was changed · `installing`: files change · `starting`: the new
 * version is waited for · `undoing`: the old one is put back.
 */
export type Step = 'kept' | 'installing' | 'starting' | 'undoing'

export interface Journal {
  readonly id: string
  readonly kind: PackageKind
  readonly from: string
  readonly version: string
  readonly publishedAt: string
  readonly step: Step
  /** The process that is at work, or was killed at it. */
  readonly pid: number
  /** Why the old version is put back. */
  readonly why?: string
}

const fileIn = (stateDir: string): string => path.join(stateDir, 'journal.json')

/** Undefined: no installation was interrupted. */
export async function readJournal(stateDir: string): Promise<Journal | undefined> {
  try {
    return JSON.parse(await readFile(fileIn(stateDir), 'utf8')) as Journal
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** On disk when it resolves. */
export function writeJournal(stateDir: string, journal: Journal): Promise<void> {
  return writeDurably(fileIn(stateDir), `${JSON.stringify(journal)}\n`)
}

/** The installation is over. */
export async function removeJournal(stateDir: string): Promise<void> {
  await rm(fileIn(stateDir), { force: true })
  await syncFolder(stateDir)
}
