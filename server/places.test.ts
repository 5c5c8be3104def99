import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { hazelcastFolder, isInstalledProgram, javaFolders, ownVersion, postgresFolder, uiFolder } from './places.ts'

async function installedProgram(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-places-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await writeFile(path.join(folder, 'runtime.json'), '{}')
  return folder
}

test('a checkout has its parts where npm and set-up put them', async () => {
  expect(isInstalledProgram()).toBe(false)
  expect(existsSync(path.join(postgresFolder(), 'bin'))).toBe(true)
  expect(uiFolder()).toMatch(/ui[\\/]dist$/)
  expect(hazelcastFolder()).toMatch(/installers[\\/]hazelcast[\\/]parts$/)
  expect(await ownVersion()).toMatch(/^\d+\.\d+\.\d+/)
})

test('an installed program has them side by side', async () => {
  const folder = await installedProgram()
  expect(isInstalledProgram(folder)).toBe(true)
  for (const [place, name] of [
    [postgresFolder(folder), 'postgres'],
    [uiFolder(folder), 'ui'],
    [hazelcastFolder(folder), 'hazelcast'],
  ] as const) {
    expect(place).toBe(path.join(folder, name))
  }
})

test("an installed program prefers its own Java, a checkout the computer's", async () => {
  const env = { JAVA_HOME: '/jdk', PATH: ['/usr/bin', '/bin'].join(path.delimiter) }
  const folder = await installedProgram()
  const ofComputer = [path.join('/jdk', 'bin'), '/usr/bin', '/bin']
  expect(javaFolders(env, folder)).toEqual([path.join(folder, 'java', 'bin'), ...ofComputer])
  expect(javaFolders(env).slice(0, 3)).toEqual(ofComputer)
})
