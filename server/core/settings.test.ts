import { Type } from 'typebox'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDatabase } from '../../test/support/database.ts'
import { migrate } from '../db/migrate.ts'
import type { Database } from '../db/pool.ts'
import { type Feature, feature } from './feature.ts'
import { Settings } from './settings.ts'

const archive = feature({
  name: 'archive',
  title: 'Archive',
  page: 'Messages',
  standards: [],
  settings: Type.Object({
    days: Type.Integer({ title: 'Days kept', default: 30, minimum: 1, maximum: 3650 }),
    mode: Type.Union([Type.Literal('all'), Type.Literal('none')], { title: 'What is kept', default: 'all' }),
  }),
  start: () => undefined,
}) as Feature

let db: Database
let settings: Settings

async function fresh(): Promise<Settings> {
  const made = new Settings(db)
  made.declare(archive)
  await made.load()
  return made
}

beforeEach(async () => {
  db = await openDatabase()
  await migrate(
    db,
    Settings.migrations.map((sql, index) => ({ feature: 'settings', number: index + 1, sql })),
  )
  settings = await fresh()
})

afterEach(() => db.close())

describe('settings', () => {
  test('have their defaults until somebody changes them, and the change outlives a restart', async () => {
    expect(settings.values()).toEqual({ 'archive.days': 30, 'archive.mode': 'all' })
    await settings.set('archive.days', 7, 'anna')
    expect(settings.of('archive')).toEqual({ days: 7, mode: 'all' })
    expect((await fresh()).values()['archive.days']).toBe(7)
  })

  test('are changed in place: whoever holds them sees the change', async () => {
    const live = settings.of('archive')
    await settings.set('archive.days', 7, 'anna')
    expect(live.days).toBe(7)
  })

  test('refuse a value that is not possible, with a sentence that names the setting and its bounds', async () => {
    await expect(settings.set('archive.days', 0, 'anna')).rejects.toThrow(
      'Days kept must be a whole number from 1 to 3650.',
    )
    await expect(settings.set('archive.days', '7', 'anna')).rejects.toThrow('Days kept')
    await expect(settings.set('archive.mode', 'some', 'anna')).rejects.toThrow('What is kept')
    await expect(settings.set('archive.nothing', 1, 'anna')).rejects.toThrow(
      'There is no setting called archive.nothing; did you mean archive.mode?',
    )
    await expect(settings.set('constructor', 1, 'anna')).rejects.toThrow('There is no setting')
    expect(settings.values()['archive.days']).toBe(30)
  })

  test('a listener may refuse with a sentence; nothing is changed then', async () => {
    settings.subscribe('archive', {
      verify() {
        throw new Error('Somebody is reading the archive.')
      },
    })
    await expect(settings.set('archive.days', 7, 'anna')).rejects.toThrow('Somebody is reading the archive.')
    expect((await fresh()).values()['archive.days']).toBe(30)
  })

  test('a listener is told after the commit, and once', async () => {
    const told: unknown[] = []
    const stop = settings.subscribe('archive', { apply: next => void told.push(next) })
    await settings.set('archive.days', 7, 'anna')
    await settings.load()
    expect(told).toEqual([{ days: 7, mode: 'all' }])
    stop()
    await settings.set('archive.days', 8, 'anna')
    expect(told).toHaveLength(1)
  })

  test('a change on another node arrives with the next look at the database', async () => {
    const other = await fresh()
    await other.set('archive.days', 9, 'romeo')
    expect(settings.values()['archive.days']).toBe(30)
    await settings.load()
    expect(settings.values()['archive.days']).toBe(9)
  })

  test('back to the default is no row, so that a better default reaches those who never chose', async () => {
    await settings.set('archive.days', 7, 'anna')
    await settings.set('archive.days', undefined, 'anna')
    expect(settings.values()['archive.days']).toBe(30)
    expect(await db.query('SELECT key FROM setting')).toEqual([])
  })

  test('the history tells who changed what, newest first', async () => {
    await settings.set('archive.days', 7, 'anna')
    await settings.set('archive.days', 8, 'romeo')
    expect(await settings.history()).toMatchObject([
      { key: 'archive.days', before: 7, after: 8, by: 'romeo' },
      { key: 'archive.days', before: 30, after: 7, by: 'anna' },
    ])
  })

  test('changes at the same time happen one after the other', async () => {
    await Promise.all([1, 2, 3, 4, 5].map(days => settings.set('archive.days', days, 'anna')))
    expect(settings.values()['archive.days']).toBe(5)
    expect((await settings.history()).map(change => change.after)).toEqual([5, 4, 3, 2, 1])
  })
})
