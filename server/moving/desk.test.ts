import { afterAll, expect, test } from 'vitest'
import { quietLog, temporaryDatabaseFolder } from '../../test/support/database.ts'
import { fill, officeSteps } from '../../test/support/moving.ts'
import { freshOutside, hasOutside } from '../../test/support/outside.ts'
import type { DatabaseMove } from '../admin/contract/database.ts'
import { readNote } from '../db/copy/capture.ts'
import { listTables } from '../db/copy/tables.ts'
import { endWork, openWork } from '../db/copy/work.ts'
import { migrate } from '../db/migrate.ts'
import { openDataFolder } from '../node.ts'
import { openStore } from '../store.ts'
import { MoveDesk } from './desk.ts'
import { KeptDatabases } from './kept.ts'
import type { MoveStep } from './move.ts'
import { recordFile } from './record.ts'

const closers: (() => Promise<void>)[] = []

afterAll(async () => {
  for (const close of closers.reverse()) await close()
}, 60_000)

/** A desk as in an appliance, on the built-in database, with an office in it. */
async function openDesk() {
  const dir = await temporaryDatabaseFolder()
  const folder = await openDataFolder(dir)
  await folder.saveSecrets({ 'database-url': 'embedded' })
  const store = await openStore({ url: 'embedded', dataDir: dir, log: quietLog })
  const steps = await officeSteps()
  await migrate(store.db, steps)
  await fill(store.db, 45_000)
  const at: { step?: (name: MoveStep) => void | Promise<void> } = {}
  const desk = new MoveDesk({
    folder,
    store,
    steps,
    file: recordFile(folder.file('move.json')),
    kept: new KeptDatabases(folder.file('database-kept.json')),
    record: undefined,
    log: quietLog,
    busyWith: () => undefined,
    onStep: name => at.step?.(name),
  })
  closers.push(async () => {
    await desk.close()
    await store.close()
    await folder.close()
  })
  const until = (isIt: (move: DatabaseMove) => boolean): Promise<DatabaseMove> =>
    new Promise(resolve => {
      const off = desk.onMove(move => {
        if (!isIt(move)) return
        off()
        resolve(move)
      })
    })
  return { desk, store, folder, at, until }
}

test.skipIf(!hasOutside)(
  'a move can be cancelled, resumed, forgotten, and begun anew; afterwards the old database is kept until it is removed',
  { timeout: 120_000 },
  async () => {
    const outside = await freshOutside()
    const { desk, store, at, until } = await openDesk()
    // The move waits behind its first range of the archive until it is cancelled.
    const reached = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    at.step = async name => {
      if (name !== 'range' || !desk.move?.tables.some(one => one.table === 'archive' && one.done >= 20_000)) return
      reached.resolve()
      await goOn.promise
    }
    const begun = await desk.startMove(outside.url)
    expect(begun).toMatchObject({ state: 'copying', from: 'built in', percent: 0 })
    await reached.promise
    await expect(desk.startMove(outside.url)).rejects.toThrow(/being moved/)
    await expect(desk.steerMove('forget')).rejects.toThrow(/being moved/)
    const cancelling = desk.steerMove('cancel')
    goOn.resolve()
    expect(await cancelling).toMatchObject({ state: 'stopped', sentence: expect.stringMatching(/^Cancelled/) })
    const source = await openWork(store.embedded!.connection)
    expect((await source.query(`SELECT to_regclass('move_change') AS it`)).rows).toEqual([{ it: null }])
    await endWork(source)
    await expect(desk.startMove(outside.url)).rejects.toThrow(/resume it, or forget it/)

    const target = await openWork(outside.connection)
    expect(await readNote(target)).toMatchObject({ kind: 'half-copy' })
    expect(await desk.steerMove('forget')).toBeUndefined()
    expect(await listTables(target)).toEqual([])
    expect(await readNote(target)).toBeUndefined()
    await endWork(target)
    await expect(desk.steerMove('resume')).rejects.toThrow(/no move/)

    at.step = () => undefined
    const switched = until(move => move.state === 'switched')
    const told: number[] = []
    const off = desk.onMove(() => told.push(performance.now()))
    await desk.startMove(outside.url)
    expect(await switched).toMatchObject({ state: 'switched', percent: 100, pauseMs: expect.any(Number) })
    off()
    const gaps = told.slice(1).map((time, index) => time - told[index]!)
    // The last one is told at once.
    for (const gap of gaps.slice(0, -1)) expect(gap).toBeGreaterThan(450)
    expect(desk.url()).toMatch(/^postgresql:\/\/.*••••/)
    expect(store.embedded).toBeUndefined()
    await expect(desk.steerMove('cancel')).rejects.toThrow(/nothing to cancel/)

    const [old] = await desk.old()
    expect(old).toMatchObject({ place: 'built in (lanthorn)', bytes: expect.any(Number) })
    await desk.removeOld(old!.id)
    expect(await desk.old()).toEqual([])
    const back = until(move => move.state === 'switched' && move.to === 'built in')
    await desk.startMove('embedded')
    await back
    expect(store.embedded?.connection.database).toMatch(/^lanthorn_/)
    expect((await store.db.one<{ count: number }>('SELECT count(*)::int AS count FROM archive'))?.count).toBe(45_000)
  },
)

test('what cannot be read as an address of a database is refused as such', async () => {
  const { desk } = await openDesk()
  await expect(desk.startMove('nonsense')).rejects.toMatchObject({ problem: { code: 'not-valid', field: 'url' } })
  await expect(desk.startMove('embedded')).rejects.toMatchObject({ problem: { code: 'refused' } })
  await expect(desk.removeOld('none')).rejects.toMatchObject({ problem: { code: 'not-found' } })
  expect(desk.move).toBeUndefined()
})
