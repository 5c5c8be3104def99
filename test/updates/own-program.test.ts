/** A program that somebody unpacked from an archive and runs as himself: the installing program moves its folder, and starts the server again. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { requestFile } from '../../server/updates/request.ts'
import { temporaryFolder } from '../support/database.ts'
import { installing, seen } from './installed-pc.ts'
import { aFile, aManifest, type Keys, layOut, newKeys, packTar, publish } from './publisher.ts'

const canUnpack = process.platform === 'linux'
let home: string
let keys: Keys
let requests = 0

const top = (): string => path.join(home, 'lanthorn')
const data = (): string => path.join(home, 'data')
const state = (): string => path.join(data(), 'updates', 'state')

beforeEach(async () => {
  home = await temporaryFolder()
  keys = newKeys()
  await mkdir(path.join(data(), 'updates'), { recursive: true })
  await layOut(top(), { version: '0.1.0', kind: 'tar', keys })
  const main = path.join(top(), 'resources/runtime/server/main.js')
  spawn(process.execPath, [main, '--data', data()], { stdio: 'ignore' })
  await expect.poll(() => seen(data()), { timeout: 15_000 }).toEqual({ version: '0.1.0', isReady: true })
})
afterEach(async () => {
  const { pid } = JSON.parse(await readFile(path.join(data(), 'run.json'), 'utf8'))
  process.kill(pid, 'SIGTERM')
  await expect.poll(() => existsSync(path.join(data(), 'run.json'))).toBe(false)
})

async function fetched(version: string, named = version, isBroken = false): Promise<void> {
  const folder = await temporaryFolder()
  const archive = await packTar(folder, { version, kind: 'tar', keys, isBroken })
  const updates = path.join(data(), 'updates')
  await copyFile(archive, path.join(updates, path.basename(archive)))
  await publish(updates, aManifest({ version: named, files: [await aFile(archive, 'tar')] }), keys)
  const request = { id: `request-${++requests}`, version: named, arguments: ['--data', data()] }
  await writeFile(requestFile(data()), JSON.stringify(request))
}

const installs = (how: { diesAt?: string } = {}) =>
  installing({ dataDir: data(), stateDir: state(), top: top(), isOwn: true, ...how }, state())

describe.skipIf(!canUnpack)('a program that somebody runs as himself', () => {
  test('is replaced by a newer one, and is there again when that does not work', async () => {
    await fetched('0.2.0')
    expect(await installs()).toMatchObject({ state: 'done', from: '0.1.0', version: '0.2.0' })
    expect(await seen(data())).toEqual({ version: '0.2.0', isReady: true })
    await fetched('0.2.1', '0.2.2')
    expect((await installs())?.sentence).toBe(
      'The package holds version 0.2.1, and not 0.2.2. Version 0.2.0 works again.',
    )
    await fetched('0.3.0', '0.3.0', true)
    expect(await installs()).toMatchObject({
      state: 'failed',
      sentence: expect.stringMatching(/Version 0\.2\.0 works again\.$/),
    })
    await fetched('0.3.1')
    expect(await installs({ diesAt: 'starting' })).toMatchObject({ state: 'taken' })
    expect(await installs()).toMatchObject({
      state: 'failed',
      sentence: expect.stringMatching(/0\.2\.0 was put back\.$/),
    })
    await expect.poll(() => seen(data()), { timeout: 15_000 }).toEqual({ version: '0.2.0', isReady: true })
    expect((await readdir(home)).sort()).toEqual(['data', 'lanthorn'])
  }, 60_000)
})
