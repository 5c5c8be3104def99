/** What the packages of all Linux systems have in common. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { elfFilesIn } from '../files.ts'
import { root } from '../set-up.mjs'
import type { Target } from '../targets.ts'

export interface PackageOptions {
  readonly target: Target
  /** '0.1.0', '0.1.0~test' */
  readonly version: string
  /** Of layOut(). */
  readonly tree: string
  /** Folder of the finished package. */
  readonly output: string
  /** For tests: quick, and large. */
  readonly isQuick: boolean
}

const glibcMark = 'GLIBC_2.'

/** A file of installers/linux with values in the place of its @names@. @throws Error when it has a name without a value */
export async function filled(name: string, values: Readonly<Record<string, string>>): Promise<string> {
  const text = await readFile(path.join(root, 'installers', 'linux', name), 'utf8')
  return text.replaceAll(/@(\w+)@/g, (_, key: string) => {
    const value = values[key]
    if (value === undefined) throw new Error(`installers/linux/${name} asks for ${key}.`)
    return value
  })
}

/** The shell lines that make the service's account. */
export async function accountLines(): Promise<string> {
  return (await filled('account.sh', {})).trimEnd()
}

/** The oldest GNU C library ('2.28') that all programs and libraries in a folder run with. */
export async function glibcOf(folder: string): Promise<string> {
  let newest = 0
  for (const file of await elfFilesIn(folder)) {
    const content = await readFile(file)
    for (let at = content.indexOf(glibcMark); at >= 0; at = content.indexOf(glibcMark, at + 1)) {
      const minor = Number.parseInt(content.toString('latin1', at + glibcMark.length, at + glibcMark.length + 2), 10)
      if (minor > newest) newest = minor
    }
  }
  return `2.${newest}`
}
