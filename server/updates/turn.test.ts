import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openDatabase } from '../../test/support/database.ts'
import { migrate } from '../db/migrate.ts'
import type { Database } from '../db/pool.ts'
import { dropOrder, endLateTurn, endTurn, orderVersion, readTurn, stopTurns, takeTurn, turnMigrations } from './turn.ts'

let db: Database
beforeAll(async () => {
  db = await openDatabase()
  await migrate(
    db,
    turnMigrations.map((sql, index) => ({ feature: 'updates', number: index + 1, sql })),
  )
})
beforeEach(async () => {
  await db.exec(
    'UPDATE update_turn SET node = NULL, name = NULL, since = NULL, until = NULL, ordered = NULL, stopped = NULL',
  )
})
afterAll(() => db.close())

const take = (id: string, lastsMs = 60_000) => takeTurn(db, { id, name: `pc-${id}`, version: '1.3.0', lastsMs })

describe('the turn', () => {
  test('has one PC, however many want it at once', async () => {
    const ids = Array.from({ length: 30 }, (_, index) => `${index}`)
    const epochs = await Promise.all(ids.map(id => take(id)))
    expect(epochs.filter(epoch => epoch !== undefined)).toHaveLength(1)
    const winner = ids[epochs.findIndex(epoch => epoch !== undefined)]!
    expect(await readTurn(db)).toMatchObject({
      holder: { id: winner, name: `pc-${winner}` },
      version: '1.3.0',
      isOver: false,
    })
  })

  test('is given on when it is over, and ended by nobody else, nor twice', async () => {
    const epoch = (await take('a'))!
    expect(await endTurn(db, { id: 'b', epoch }, undefined)).toBe(false)
    expect(await endTurn(db, { id: 'a', epoch: epoch - 1 }, undefined)).toBe(false)
    expect(await endTurn(db, { id: 'a', epoch }, undefined)).toBe(true)
    expect(await take('b')).toBe(epoch + 1)
    expect(await endTurn(db, { id: 'a', epoch }, 'late word')).toBe(false)
    expect(await readTurn(db)).toMatchObject({ holder: { id: 'b' }, stopped: undefined })
  })

  test('is not given on after a failure, until somebody wants a version', async () => {
    await orderVersion(db, '1.3.0')
    const epoch = (await take('a'))!
    await endTurn(db, { id: 'a', epoch }, 'It did not start.')
    expect(await readTurn(db)).toMatchObject({ stopped: 'It did not start.', ordered: undefined })
    expect(await take('b')).toBeUndefined()
    await orderVersion(db, '1.3.1')
    expect(await readTurn(db)).toMatchObject({ stopped: undefined, ordered: '1.3.1' })
    expect(await take('b')).toBe(epoch + 1)
  })

  test('that lasts too long ends, and nobody follows', async () => {
    const epoch = (await take('a', -1_000))!
    expect(await readTurn(db)).toMatchObject({ isOver: true })
    expect(await endLateTurn(db, epoch, 'Nothing was heard of pc-a.')).toBe(true)
    expect(await endLateTurn(db, epoch, 'Nothing was heard of pc-a.')).toBe(false)
    expect(await take('b')).toBeUndefined()
    const next = await orderVersion(db, '1.3.0').then(() => take('b'))
    expect(await endLateTurn(db, next!, 'not yet')).toBe(false)
  })

  test('stopped by somebody, it goes to its end, and nobody follows', async () => {
    await orderVersion(db, '1.3.0')
    const epoch = (await take('a'))!
    await stopTurns(db, 'Anna has stopped it.')
    expect(await readTurn(db)).toMatchObject({
      holder: { id: 'a' },
      stopped: 'Anna has stopped it.',
      ordered: undefined,
    })
    await endTurn(db, { id: 'a', epoch }, undefined)
    expect(await readTurn(db)).toMatchObject({ holder: undefined, stopped: 'Anna has stopped it.' })
    expect(await take('b')).toBeUndefined()
  })

  test('an order that was carried out is dropped, a newer one is not', async () => {
    await orderVersion(db, '1.3.1')
    await dropOrder(db, '1.3.0')
    expect((await readTurn(db)).ordered).toBe('1.3.1')
    await dropOrder(db, '1.3.1')
    expect((await readTurn(db)).ordered).toBeUndefined()
  })
})
