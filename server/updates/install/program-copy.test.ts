import { chmod, lstat, mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../../test/support/database.ts'
import { linkTree, makeLike } from './program-copy.ts'

/** Everything in a folder: name, rights, contents. */
async function contents(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  const lines = entries.map(async entry => {
    const place = path.join(entry.parentPath, entry.name)
    const name = path.relative(folder, place)
    if (entry.isSymbolicLink()) return `${name} -> ${await readlink(place)}`
    const { mode } = await lstat(place)
    return entry.isDirectory() ? `${name}/` : `${name} ${mode.toString(8)} ${await readFile(place, 'utf8')}`
  })
  return (await Promise.all(lines)).sort()
}

async function aProgram(): Promise<{ program: string; copy: string }> {
  const folder = await temporaryFolder()
  const program = path.join(folder, 'program')
  await mkdir(path.join(program, 'bin', 'deep'), { recursive: true })
  await writeFile(path.join(program, 'bin', 'node'), 'old node')
  await chmod(path.join(program, 'bin', 'node'), 0o755)
  await writeFile(path.join(program, 'bin', 'deep', 'part'), 'old part')
  await symlink('node', path.join(program, 'bin', 'link'))
  await writeFile(path.join(program, 'main.js'), 'old main')
  return { program, copy: path.join(folder, 'copy') }
}

/** As package managers do it. */
async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text)
  await rename(`${file}.new`, file)
}

test('a copy stays as it was while the files of the program are replaced, and the program becomes what it was', async () => {
  const { program, copy } = await aProgram()
  const before = await contents(program)
  await linkTree(program, copy)
  expect((await lstat(path.join(copy, 'main.js'))).ino).toBe((await lstat(path.join(program, 'main.js'))).ino)
  await replace(path.join(program, 'main.js'), 'new main')
  await rm(path.join(program, 'bin', 'deep'), { recursive: true })
  await writeFile(path.join(program, 'bin', 'deep'), 'a file where a folder was')
  await rm(path.join(program, 'bin', 'link'))
  await mkdir(path.join(program, 'bin', 'link'))
  await mkdir(path.join(program, 'new', 'folder'), { recursive: true })
  await writeFile(path.join(program, 'new', 'file'), 'new')
  expect(await contents(copy)).toEqual(before)
  await makeLike(copy, program)
  expect(await contents(program)).toEqual(before)
})

test('putting back goes on after it was interrupted, whatever was done until then', async () => {
  const { program, copy } = await aProgram()
  const before = await contents(program)
  await linkTree(program, copy)
  await writeFile(path.join(program, 'main.js.lanthorn-next'), 'left by the one that was killed')
  await rm(path.join(program, 'bin'), { recursive: true })
  await makeLike(copy, program)
  await makeLike(copy, program)
  expect(await contents(program)).toEqual(before)
})
