import { existsSync } from 'node:fs'
import { chmod, mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { temporaryFolder } from '../../../test/support/database.ts'
import { aFile, aManifest, type Keys, newKeys, publish } from '../../../test/updates/publisher.ts'
import type { Manifest } from '../manifest.ts'
import { readProgram } from '../program.ts'
import { checkPackage } from './check-package.ts'

const newestSeen = '2026-11-01T00:00:00.000Z'
let keys: Keys
let folder: string
let fetched: string
let key: string

/** A program 0.1.0, and what its server has fetched. */
beforeEach(async () => {
  keys = newKeys()
  folder = await temporaryFolder()
  fetched = path.join(folder, 'fetched')
  const parts = path.join(folder, 'resources', 'runtime')
  key = path.join(parts, 'updates-key.pem')
  await mkdir(parts, { recursive: true })
  await mkdir(fetched)
  await writeFile(path.join(folder, 'resources', 'package-type'), 'deb\n')
  await writeFile(path.join(parts, 'package.json'), JSON.stringify({ version: '0.1.0' }))
  await writeFile(key, keys.publicKey, { mode: 0o644 })
  await writeFile(path.join(fetched, 'lanthorn.deb'), 'a package')
})

async function list(changes: Partial<Manifest> = {}, signer = keys): Promise<void> {
  const files = [await aFile(path.join(fetched, 'lanthorn.deb'), 'deb')]
  await publish(fetched, aManifest({ files, ...changes }), signer)
}

async function check(wanted = '0.2.0') {
  const program = await readProgram(path.dirname(key))
  return checkPackage({ program, wanted, from: fetched, to: path.join(folder, 'checked'), newestSeen })
}

describe('a fetched package', () => {
  test('that is what the signed list names is copied to where nobody else writes', async () => {
    await list()
    expect(await check()).toMatchObject({
      manifest: { version: '0.2.0' },
      file: path.join(folder, 'checked/lanthorn.deb'),
    })
    expect(existsSync(path.join(folder, 'checked/lanthorn.deb'))).toBe(true)
  })

  test('is refused with a list of somebody else, or one that was changed', async () => {
    await list({}, newKeys())
    await expect(check()).rejects.toThrow(/is not signed by the makers/)
    await list()
    await rename(path.join(fetched, 'lanthorn-updates.json'), path.join(fetched, 'other'))
    await writeFile(path.join(fetched, 'lanthorn-updates.json'), '{}')
    await expect(check()).rejects.toThrow(/is not signed by the makers/)
  })

  test('is refused when it is no newer version, too new a one, or not the one that was asked for', async () => {
    await list({ version: '0.1.0' })
    await expect(check('0.1.0')).rejects.toThrow('Version 0.1.0 is not newer than 0.1.0, which runs.')
    await list({ version: '0.0.9' })
    await expect(check('0.0.9')).rejects.toThrow('is not newer')
    await list({ version: '0.9.0' })
    await expect(check('0.9.0')).rejects.toThrow('too far from 0.1.0')
    await expect(check('0.2.0')).rejects.toThrow('Version 0.2.0 was asked for, but the list names 0.9.0.')
  })

  test('is refused with a list that is older than one that was used', async () => {
    await list({ publishedAt: '2026-10-31T23:59:59.999Z' })
    await expect(check()).rejects.toThrow(/older than one that was used already/)
  })

  test('is refused when its contents are others, or it is none at all', async () => {
    await list()
    const file = path.join(fetched, 'lanthorn.deb')
    await writeFile(file, 'a packagE')
    await expect(check()).rejects.toThrow('The file lanthorn.deb is not the one that the list of updates names.')
    await truncate(file, 4)
    await expect(check()).rejects.toThrow('is not the one')
    await truncate(file, 100_000)
    await expect(check()).rejects.toThrow('is larger than the list of updates says')
    await rm(file)
    await expect(check()).rejects.toThrow(/ENOENT/)
    await publish(fetched, aManifest({ files: [{ ...aManifest().files[0]!, kind: 'rpm' }] }), keys)
    await expect(check()).rejects.toThrow(/has no deb package for/)
  })

  test.skipIf(process.platform === 'win32')('is refused when it, or its list, leads somewhere else', async () => {
    await list()
    const file = path.join(fetched, 'lanthorn.deb')
    await rename(file, path.join(folder, 'elsewhere'))
    await symlink(path.join(folder, 'elsewhere'), file)
    await expect(check()).rejects.toThrow(/ELOOP/)
    await rm(path.join(fetched, 'lanthorn-updates.json'))
    await symlink('/dev/zero', path.join(fetched, 'lanthorn-updates.json'))
    await expect(check()).rejects.toThrow(/ELOOP/)
    await rm(path.join(fetched, 'lanthorn-updates.json'))
    await mkdir(path.join(fetched, 'lanthorn-updates.json'))
    await expect(check()).rejects.toThrow(/is no ordinary file/)
  })

  test.skipIf(process.platform === 'win32')('is refused while others could change the key', async () => {
    await list()
    await chmod(key, 0o664)
    await expect(check()).rejects.toThrow(/^Others may write to .*updates-key\.pem/)
    await rm(key)
    await expect(check()).rejects.toThrow(/without the key of its makers/)
  })
})
