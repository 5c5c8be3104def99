/** Three PCs of one office and their real desks, links and database: one after the other, the one with the database last, and no further when something fails. */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { requestFile } from '../../server/updates/request.ts'
import { readTurn, takeTurn } from '../../server/updates/turn.ts'
import { newKeys, publish } from './publisher.ts'
import { RollingOffice } from './rolling-office.ts'

const all = (version: string): string[] => Array(3).fill(version)
const wait = { timeout: 20_000, interval: 20 }
let office: RollingOffice

beforeEach(async () => {
  office = await RollingOffice.open()
  await office.publishes('1.3.0')
})
afterEach(() => office[Symbol.asyncDispose]())

/** How each PC's tray says it. */
const states = (): (string | undefined)[] => office.pcs.map(pc => pc.desk?.desktop.state)

describe('an office on three PCs', () => {
  test('is brought to the newest version when somebody wants it: one PC after the other, the main database last', async () => {
    await office.start()
    await office.tick()
    expect(states()).toEqual(['available', 'available', 'available'])
    expect(await office.pcs[2]!.opened.view()).toMatchObject({ canInstall: true, newest: { version: '1.3.0' } })
    expect(office.versions()).toEqual(all('1.2.0'))
    const view = await office.pcs[2]!.opened.install()
    expect(view).toMatchObject({ canInstall: false, canStop: true })
    await expect.poll(() => office.versions(), wait).toEqual(all('1.3.0'))
    await expect.poll(states, wait).toEqual(['current', 'current', 'current'])
    expect(office.updated).toEqual(['pc-2', 'pc-3', 'pc-1'])
    expect(office.history).toEqual(
      ['pc-2', 'pc-3', 'pc-1'].flatMap(name => [
        `${name} is being updated from version 1.2.0 to 1.3.0.`,
        `${name} has version 1.3.0 now.`,
      ]),
    )
    await expect
      .poll(async () => readTurn(office.pcs[0]!.db), wait)
      .toMatchObject({ ordered: undefined, holder: undefined })
    expect(office.pcs.filter(pc => existsSync(requestFile(pc.dataDir)))).toEqual([])
    expect(office.pcs[0]!.opened.desktop.sentence).toBe('All PCs have the newest version, 1.3.0.')
  })

  test('stays as it is after a failure, until somebody acts', async () => {
    const why = 'People cannot log in: The database is away. Version 1.2.0 works again.'
    office.outcome = pc => (pc.name === 'pc-3' ? { state: 'failed', sentence: why } : { state: 'done', sentence: '' })
    await office.start()
    await office.tick()
    await office.pcs[0]!.opened.install()
    await expect.poll(states, wait).toEqual(['failed', 'failed', 'failed'])
    expect(office.versions()).toEqual(['1.2.0', '1.3.0', '1.2.0'])
    await office.tick()
    expect(office.updated).toEqual(['pc-2', 'pc-3'])
    expect(office.pcs[0]!.opened.health).toEqual({
      state: 'warn',
      sentence: `Version 1.3.0 is not on all PCs. pc-3 was not updated: ${why}`,
    })
    office.outcome = () => ({ state: 'done', sentence: '' })
    await office.pcs[1]!.opened.install()
    await expect.poll(() => office.versions(), wait).toEqual(all('1.3.0'))
    expect(office.updated.slice(2)).toEqual(['pc-3', 'pc-1'])
  })

  test('does it by itself at night only, while all PCs are on and well', async () => {
    await office.setting('updates.automatic', true)
    await office.start()
    await office.tick()
    expect(office.updated).toEqual([])
    office.now = new Date(2026, 10, 21, 3, 10)
    office.pcs[0]!.illness = 'The disk is almost full.'
    await office.tick()
    expect((await office.pcs[1]!.opened.view()).step).toBe('Updates wait for pc-1: The disk is almost full.')
    office.pcs[0]!.illness = undefined
    await office.pcs[2]!.stop()
    await office.tick()
    expect((await office.pcs[1]!.opened.view()).step).toBe('pc-3 is off: updates wait until all PCs are on.')
    expect(office.updated).toEqual([])
    await office.pcs[2]!.start()
    await office.tick()
    await expect.poll(() => office.versions(), wait).toEqual(all('1.3.0'))
    expect(office.history.filter(sentence => sentence.endsWith('!'))).toEqual([])
  })

  test('a PC that a person has to go to says so, and the others are updated', async () => {
    office.pcs[1]!.kind = 'setup'
    await office.start()
    await office.tick()
    await office.pcs[1]!.opened.install()
    await expect.poll(() => office.versions(), wait).toEqual(['1.3.0', '1.2.0', '1.3.0'])
    await expect.poll(async () => (await readTurn(office.pcs[0]!.db)).ordered, wait).toBeUndefined()
    const { pcs, canInstall } = await office.pcs[0]!.opened.view()
    expect(canInstall).toBe(false)
    expect(pcs[1]).toMatchObject({
      state: 'by-hand',
      sentence: `Run lanthorn-1.3.0-setup.exe there; it lies in ${office.feed}.`,
    })
    await expect(office.pcs[0]!.opened.install()).rejects.toThrow('Run lanthorn-1.3.0-setup.exe there')
  })

  test('takes no list that was put back, forged, or of the future; and says what is wrong with it', async () => {
    await office.start()
    await office.tick()
    const { opened } = office.pcs[0]!
    await office.publishes('1.3.1')
    office.now = new Date(office.now.getTime() - 24 * 60 * 60_000)
    await office.publishes('1.2.9')
    expect((await opened.check()).trouble).toMatch(/somebody has put an old one back/)
    await publish(office.feed, { format: 1 }, newKeys())
    expect((await opened.check()).trouble).toMatch(/is not signed by the makers/)
    const today = office.now
    office.now = new Date(2027, 1, 1)
    await office.publishes('1.3.2')
    office.now = today
    expect(await opened.check()).toMatchObject({
      trouble: expect.stringMatching(/which is to come: is the clock of this PC right\?/),
      newest: { version: '1.3.0' },
    })
  })

  test('goes on after a PC ended before it asked for anything, and stops after one of which nothing is heard', async () => {
    const [first, second] = office.pcs
    await takeTurn(first!.db, { id: 'id-2', name: 'pc-2', version: '1.3.0', lastsMs: 60_000 })
    await office.start()
    await office.tick()
    expect(await readTurn(first!.db)).toMatchObject({ holder: undefined, stopped: undefined })
    await takeTurn(first!.db, { id: 'id-9', name: 'pc-9', version: '1.3.0', lastsMs: -1_000 })
    await second!.opened.tick()
    await expect.poll(states, wait).toEqual(['failed', 'failed', 'failed'])
    expect(first!.opened.desktop.sentence).toMatch(
      /pc-9 began to be updated to version 1\.3\.0, and nothing was heard of it/,
    )
  })

  test('cannot be switched on where the program came without the key of its makers', async () => {
    const [first] = office.pcs
    first!.hasKey = false
    await first!.start()
    await expect(first!.settings!.set('updates.feed', '/srv/other', 'anna')).rejects.toThrow(
      /without the key of its makers/,
    )
    expect(await first!.opened.view()).toMatchObject({ state: 'off', canBeOn: false, canInstall: false })
    await expect(first!.opened.check()).rejects.toThrow(/without the key/)
    await first!.settings!.set('updates.feed', '', 'anna')
    expect(first!.opened.health).toBeUndefined()
  })

  test('a package that is not the one of the list keeps a PC from its turn', async () => {
    await writeFile(path.join(office.feed, 'lanthorn-1.3.0.deb'), 'version 6.6.6')
    await office.start()
    await office.tick()
    await office.pcs[0]!.opened.install()
    await expect
      .poll(async () => (await office.pcs[1]!.opened.view()).step, wait)
      .toMatch(/^Updates wait for pc-[123]: The file lanthorn-1\.3\.0\.deb is not the one/)
    expect(office.updated).toEqual([])
    expect(await office.pcs[0]!.opened.stop('Anna')).toMatchObject({
      state: 'failed',
      canInstall: true,
      canStop: false,
    })
  })
})
