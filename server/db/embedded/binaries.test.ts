import { lstat, mkdir, readlink, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../../../test/support/database.ts'
import { findBinaries, versionOf } from './binaries.ts'
import { canReach, databaseUser, giveFolder } from './os-user.ts'

const isRoot = process.getuid?.() === 0
const stranger = { name: 'stranger', uid: 54_321, gid: 54_321 }

describe('the programs of PostgreSQL', () => {
  test('come with the package and tell their version', async () => {
    expect(await versionOf(await findBinaries(undefined))).toMatch(/^18\./)
  })

  test.skipIf(process.platform === 'win32')('are mended when a package manager left out links and rights', async () => {
    const folder = path.join(await temporaryFolder(), 'native')
    for (const name of ['bin', 'lib']) await mkdir(path.join(folder, name), { recursive: true })
    for (const name of ['postgres', 'initdb', 'pg_ctl'])
      await writeFile(path.join(folder, 'bin', name), '', { mode: 0o644 })
    await writeFile(path.join(folder, 'lib', 'libpq.so.5.18'), '')
    const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }]
    await writeFile(path.join(folder, 'pg-symlinks.json'), JSON.stringify(links))
    await findBinaries(undefined, folder)
    await findBinaries(undefined, folder)
    expect(await readlink(path.join(folder, 'lib', 'libpq.so.5'))).toBe('libpq.so.5.18')
    expect((await stat(path.join(folder, 'bin', 'initdb'))).mode & 0o555).toBe(0o555)
    await rm(path.dirname(folder), { recursive: true })
  })
})

describe.skipIf(process.platform === 'win32')('the user of the database', () => {
  test('is ourselves when we are an ordinary user, and never root', async () => {
    const user = await databaseUser()
    if (isRoot) expect(user?.uid).toBeGreaterThan(0)
    else expect(user).toBeUndefined()
  })

  test('reaches a file only when all folders above let it pass', async () => {
    const folder = await temporaryFolder() // private, as mkdtemp makes it
    const file = path.join(folder, 'program')
    await writeFile(file, '', { mode: 0o755 })
    expect(await canReach(file, stranger)).toBe(false)
    expect(await canReach('/bin/sh', stranger)).toBe(true)
    await rm(folder, { recursive: true })
  })

  test.runIf(isRoot)('gets a folder that belongs to somebody else with all in it', async () => {
    const folder = await temporaryFolder()
    await mkdir(path.join(folder, 'base', '1'), { recursive: true })
    await writeFile(path.join(folder, 'base', '1', 'data'), '')
    await giveFolder(folder, stranger)
    for (const name of ['', 'base', 'base/1', 'base/1/data']) {
      expect((await lstat(path.join(folder, name))).uid).toBe(stranger.uid)
    }
    await rm(folder, { recursive: true })
  })
})
