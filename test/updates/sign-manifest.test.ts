import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { newKey, packageOf, publish } from '../../installers/sign-manifest.ts'
import { openManifest } from '../../server/updates/manifest.ts'
import { temporaryFolder } from '../support/database.ts'

async function aPublisher(): Promise<{ root: string; key: string; dist: string }> {
  const root = await temporaryFolder()
  const [key, dist] = [path.join(root, 'secret.pem'), path.join(root, 'dist')]
  await writeFile(path.join(root, 'package.json'), JSON.stringify({ version: '0.2.0' }))
  await mkdir(dist)
  await newKey(key, root)
  return { root, key, dist }
}

describe('publishing', () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true)

  test('lists the packages of this version, signed with a key of which programs have the other half', async () => {
    const { root, key, dist } = await aPublisher()
    for (const name of [
      'lanthorn_0.2.0_amd64.deb',
      'lanthorn-0.2.0.aarch64.rpm',
      'lanthorn_0.1.0_amd64.deb',
      'readme.txt',
    ])
      await writeFile(path.join(dist, name), name)
    await writeFile(path.join(root, 'notes.txt'), 'Rooms load at once.\n')
    await publish(key, dist, { root, notesFile: path.join(root, 'notes.txt') })
    const [bytes, signature, shipped] = await Promise.all([
      readFile(path.join(dist, 'lanthorn-updates.json')),
      readFile(path.join(dist, 'lanthorn-updates.json.sig')),
      readFile(path.join(root, 'updates-key.pem'), 'utf8'),
    ])
    const { version, notes, hazelcast, files } = openManifest(bytes, signature, shipped)
    expect({ version, notes, hazelcast }).toEqual({
      version: '0.2.0',
      notes: 'Rooms load at once.',
      hazelcast: expect.stringMatching(/^\d+\.\d+$/),
    })
    expect(files.map(({ name, target, kind }) => [name, target, kind])).toEqual([
      ['lanthorn-0.2.0.aarch64.rpm', 'linux-arm64', 'rpm'],
      ['lanthorn_0.2.0_amd64.deb', 'linux-x64', 'deb'],
    ])
    expect((await stat(key)).mode & 0o077).toBe(0)
  })

  test('is refused without packages, with the key of another program, and over a key that is there', async () => {
    const { root, key, dist } = await aPublisher()
    await expect(publish(key, dist, { root })).rejects.toThrow(/There is no package of version 0\.2\.0/)
    const other = await aPublisher()
    await writeFile(path.join(dist, 'lanthorn_0.2.0_amd64.deb'), '')
    await expect(publish(other.key, dist, { root })).rejects.toThrow(/no office would take what it signs/)
    await expect(publish(key, dist, { root })).rejects.toThrow(/^“bytes”/)
    await expect(newKey(key, root)).rejects.toThrow(/EEXIST/)
    expect(await readdir(dist)).toEqual(['lanthorn_0.2.0_amd64.deb'])
  })

  test('knows a package by its name', () => {
    const known = (name: string) => Object.values(packageOf(name) ?? {}).join(' ')
    expect(known('lanthorn-0.2.0-setup.exe')).toBe('win-x64 setup')
    expect(known('Lanthorn-0.2.0-arm64.pkg')).toBe('darwin-arm64 setup')
    expect(known('lanthorn-0.2.0-linux-x64.tar.gz')).toBe('linux-x64 tar')
    expect(known('lanthorn-0.2.0.x86_64.rpm')).toBe('linux-x64 rpm')
    expect(known('builder-debug.yml')).toBe('')
  })
})
