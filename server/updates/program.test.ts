import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../test/support/database.ts'
import { readProgram, topOf } from './program.ts'

async function aProgram(files: Record<string, string>): Promise<string> {
  const folder = path.join(await temporaryFolder(), 'resources', 'runtime')
  await mkdir(folder, { recursive: true })
  for (const [name, text] of Object.entries({ 'package.json': '{"version":"1.2.3"}', ...files }))
    await writeFile(path.join(folder, name), text)
  return folder
}

test('a program knows its version, its key, and how it was installed', async () => {
  const folder = await aProgram({ 'updates-key.pem': 'a key', '../package-type': 'rpm\n' })
  expect(await readProgram(`${folder}/`)).toEqual({
    folder,
    version: '1.2.3',
    target: expect.stringMatching(/^(linux|win|darwin)-(x64|arm64)$/),
    kind: 'rpm',
    key: 'a key',
  })
  expect(topOf({ folder })).toBe(path.join(folder, '..', '..'))
})

test('without a word of the package, the service tells it', async () => {
  const kind = async (files: Record<string, string>) => (await readProgram(await aProgram(files))).kind
  expect(await kind({ '../service.json': '{ "kind": "systemd" }' })).toMatch(/^(deb|rpm)$/)
  expect(await kind({ '../service.json': '{ "kind": "windows" }' })).toBe('setup')
  expect(await kind({})).toBe(process.platform === 'linux' ? 'tar' : 'setup')
})

test('a checkout has no kind, and takes no updates by itself', async () => {
  const { kind, key } = await readProgram(path.join(import.meta.dirname, '..', '..'))
  expect([kind, key === undefined || key.includes('PUBLIC KEY')]).toEqual([undefined, true])
})
