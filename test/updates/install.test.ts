/** The installing program as a real process on a real package manager: a version takes the place of another, or the old one is there again. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { InstalledPc } from './installed-pc.ts'
import { newKeys } from './publisher.ts'

/** dpkg unpacks as root only, and other systems have none. */
const canInstall = existsSync('/usr/bin/dpkg') && existsSync('/usr/bin/dpkg-deb') && process.getuid?.() === 0

/** A package that cannot be installed. */
const missing = { depends: 'a-package-that-is-not-there' }

async function expectOld(pc: InstalledPc): Promise<void> {
  await expect.poll(() => pc.runs(), { timeout: 15_000 }).toEqual({ version: '0.1.0', isReady: true })
  const files = ['only-in-0.1.0', 'only-in-0.2.0'].map(name => existsSync(path.join(pc.top, 'resources/runtime', name)))
  expect(files).toEqual([true, false])
  const leftovers = [`${pc.top}.previous`, `${pc.top}.previous.part`, path.join(pc.stateDir, 'package')]
  expect(leftovers.filter(place => existsSync(place))).toEqual([])
}

describe.skipIf(!canInstall)('the installing program', () => {
  test('installs a newer version, waits until people can log in, and installs it once', async () => {
    await using pc = await InstalledPc.open()
    expect(await pc.installs()).toBeUndefined()
    await pc.fetched({ version: '0.2.0' })
    const result = await pc.installs()
    expect(result).toMatchObject({ id: 'request-1', state: 'done', from: '0.1.0', version: '0.2.0' })
    expect(await pc.runs()).toEqual({ version: '0.2.0', isReady: true })
    expect(await pc.packages()).toBe('ii  0.2.0')
    expect(existsSync(`${pc.top}.previous`)).toBe(false)
    expect(await pc.installs()).toEqual(result)
  })

  test('puts the old version back when people cannot log in on the new one', async () => {
    await using pc = await InstalledPc.open()
    await pc.fetched({ version: '0.2.0', isBroken: true })
    expect(await pc.installs()).toMatchObject({
      state: 'failed',
      sentence: 'People cannot log in: The database is away. Version 0.1.0 works again.',
    })
    await expectOld(pc)
  })

  test('puts the old version back when the package cannot be installed, and takes a better one later', async () => {
    await using pc = await InstalledPc.open()
    await pc.fetched({ version: '0.2.0' }, missing)
    const { state, sentence } = (await pc.installs())!
    expect([state, sentence]).toEqual([
      'failed',
      expect.stringMatching(/^dpkg could not install the package: .*again\.$/s),
    ])
    await expectOld(pc)
    await pc.fetched({ version: '0.2.1' })
    expect(await pc.installs()).toMatchObject({ state: 'done', version: '0.2.1' })
    expect(await pc.runs()).toEqual({ version: '0.2.1', isReady: true })
  })

  test.skipIf(!existsSync('/usr/bin/rpmbuild'))('does the same with rpm', async () => {
    await using pc = await InstalledPc.open('rpm')
    await pc.fetched({ version: '0.2.0', isBroken: true })
    expect(await pc.installs()).toMatchObject({
      state: 'failed',
      sentence: expect.stringMatching(/0\.1\.0 works again\.$/),
    })
    await expectOld(pc)
    // rpm knows the newer one that was put back: this one is older than that, and newer than what runs.
    await pc.fetched({ version: '0.1.9' }, { changes: { publishedAt: '2026-11-21T10:00:00.000Z' } })
    expect(await pc.installs()).toMatchObject({ state: 'done', version: '0.1.9' })
    expect(await pc.runs()).toEqual({ version: '0.1.9', isReady: true })
  })

  test('installs nothing that its own key did not sign, and no list that is older than one it has used', async () => {
    await using pc = await InstalledPc.open()
    await pc.fetched({ version: '0.2.0' }, { keys: newKeys() })
    expect(await pc.installs()).toMatchObject({ state: 'failed', sentence: expect.stringMatching(/is not signed/) })
    await pc.fetched({ version: '0.2.0' }, missing)
    expect(await pc.installs()).toMatchObject({ state: 'failed', publishedAt: '2026-11-20T10:00:00.000Z' })
    await pc.fetched({ version: '0.1.5' }, { changes: { publishedAt: '2026-11-19T10:00:00.000Z' } })
    expect((await pc.installs())?.sentence).toMatch(/is older than one that was used already/)
    await expectOld(pc)
  })

  test('killed at any step, it puts the old version back when it is started next', async () => {
    await using pc = await InstalledPc.open()
    for (const diesAt of ['kept', 'installing', 'starting', 'undoing']) {
      await pc.fetched({ version: '0.2.0' }, diesAt === 'undoing' ? missing : {})
      expect(await pc.installs({ diesAt }), diesAt).toMatchObject({ state: 'taken' })
      const result = await pc.installs()
      expect(result, diesAt).toMatchObject({
        state: 'failed',
        sentence: expect.stringMatching(/0\.1\.0 was put back\.$/),
      })
      await expectOld(pc)
    }
    await pc.fetched({ version: '0.2.0' })
    await pc.dpkgDiesOnce()
    expect(await pc.installs()).toMatchObject({ state: 'taken' })
    expect(await pc.packages()).toBe('iU  0.2.0')
    // As at the start of a computer: the server is started afterwards, by somebody else.
    expect(await pc.installs({ tidy: true })).toMatchObject({ state: 'failed' })
    expect(await pc.runs()).toBeUndefined()
    await pc.starts()
    await expectOld(pc)
    await pc.asksFor('0.2.0')
    expect(await pc.installs()).toMatchObject({ state: 'done' })
    expect([await pc.packages(), await pc.runs()]).toEqual(['ii  0.2.0', { version: '0.2.0', isReady: true }])
  }, 60_000)
})
