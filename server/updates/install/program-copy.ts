/** A copy of the program that costs next to nothing, because its files are the same ones under a second name (hard links), and the way back to it. */
import type { Dirent } from 'node:fs'
import { link, lstat, mkdir, readdir, readlink, rename, rm, symlink } from 'node:fs/promises'
import path from 'node:path'

/** Behind the name of a file that is about to take its place. */
const NEXT_ENDING = '.lanthorn-next'

/**
 * Makes the copy. Package managers write new files and move them over the old ones; they never write into them, so the copy stays as it is.
 * @param to beside `from`, on the same disk; must not be there
 */
export async function linkTree(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: (await lstat(from)).mode & 0o7777 })
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [old, copy] = [path.join(from, entry.name), path.join(to, entry.name)]
    if (entry.isDirectory()) await linkTree(old, copy)
    else await second(entry, old, copy)
  }
}

/**
 * Makes `to` what `from` is, file by file, each in one step: at no moment does a file lack that both have. Can be repeated after it was
 * interrupted anywhere.
 */
export async function makeLike(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true })
  const wanted = await readdir(from, { withFileTypes: true })
  for (const entry of wanted) {
    const [old, place] = [path.join(from, entry.name), path.join(to, entry.name)]
    if (entry.isDirectory() !== (await isDirectory(place))) await rm(place, { recursive: true, force: true })
    if (entry.isDirectory()) {
      await makeLike(old, place)
      continue
    }
    if (await isSame(old, place)) continue
    const next = `${place}${NEXT_ENDING}`
    await rm(next, { force: true })
    await second(entry, old, next)
    await rename(next, place)
  }
  const names = new Set(wanted.map(({ name }) => name))
  for (const name of await readdir(to)) {
    if (!names.has(name)) await rm(path.join(to, name), { recursive: true, force: true })
  }
}

/** A second name of a file; symbolic links are made anew, for not every system links them. */
async function second(entry: Dirent, old: string, name: string): Promise<void> {
  if (entry.isSymbolicLink()) await symlink(await readlink(old), name)
  else await link(old, name)
}

async function isDirectory(place: string): Promise<boolean> {
  return (await lstat(place).catch(() => undefined))?.isDirectory() === true // nothing there is no folder
}

async function isSame(one: string, other: string): Promise<boolean> {
  const [left, right] = await Promise.all([lstat(one), lstat(other).catch(() => undefined)])
  return right !== undefined && left.ino === right.ino && left.dev === right.dev
}
