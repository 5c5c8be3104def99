/** Files of folders that are packed. */
import { open, readdir, stat } from 'node:fs/promises'
import path from 'node:path'

const elfMark = Buffer.from([0x7f, 0x45, 0x4c, 0x46])

/** All files in a folder and in those below, by their path in it, in order. Symbolic links are not files. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile())
  return files.map(file => path.relative(folder, path.join(file.parentPath, file.name))).sort()
}

/** The sum of their sizes. */
export async function bytesIn(folder: string): Promise<number> {
  const sizes = await Promise.all((await filesIn(folder)).map(async name => (await stat(path.join(folder, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** Those that are programs or libraries of Linux, with their whole path. */
export async function elfFilesIn(folder: string): Promise<string[]> {
  const files = (await filesIn(folder)).map(name => path.join(folder, name))
  const isElf = await Promise.all(files.map(hasElfMark))
  return files.filter((_, index) => isElf[index])
}

async function hasElfMark(file: string): Promise<boolean> {
  await using handle = await open(file)
  const { buffer } = await handle.read(Buffer.alloc(elfMark.length), 0, elfMark.length, 0)
  return buffer.equals(elfMark)
}
