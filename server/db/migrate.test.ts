import { describe, expect, test, vi } from 'vitest'
import { freshDatabase, openDatabase, quietLog } from '../../test/support/database.ts'
import { MigrationFault, migrate, versionMigrations } from './migrate.ts'
import { Database } from './pool.ts'

const first = { feature: 'roster', number: 1, sql: 'CREATE TABLE roster (owner text); INSERT INTO roster VALUES (1)' }
const second = { feature: 'roster', number: 2, sql: 'ALTER TABLE roster ADD COLUMN contact text' }
const other = { feature: 'archive', number: 1, sql: 'CREATE TABLE archive (id uuid)' }

describe('migrate', () => {
  test('runs each step once, in order, and only the missing ones later', async () => {
    await using database = await openDatabase()
    expect(await migrate(database, [first])).toEqual([first])
    expect(await migrate(database, [first, second, other])).toEqual([second, other])
    expect(await migrate(database, [first, second, other])).toEqual([])
    expect(await database.query('SELECT owner, contact FROM roster')).toEqual([{ owner: '1', contact: null }])
  })

  test('lets five servers start at the same time and runs each step once', async () => {
    const { connection, drop } = await freshDatabase()
    const databases = Array.from({ length: 5 }, () => new Database({ connection, log: quietLog }))
    const slow = { ...first, sql: `${first.sql}; SELECT pg_sleep(0.2)` }
    const runs = await Promise.all(databases.map(database => migrate(database, [slow, second])))
    expect(runs.map(run => run.length).sort()).toEqual([0, 0, 0, 0, 2])
    expect(await databases[0]!.query('SELECT count(*) AS n FROM roster')).toEqual([{ n: 1 }])
    await Promise.all(databases.map(database => database.close()))
    await drop()
  })

  test('leaves nothing behind when a step fails', async () => {
    await using database = await openDatabase()
    const wrong = { feature: 'roster', number: 2, sql: 'CREATE TABLE half (id int); SELECT nonsense' }
    await expect(migrate(database, [first, wrong])).rejects.toThrow(/nonsense/)
    expect(await database.one(`SELECT to_regclass('roster') AS roster, to_regclass('half') AS half`)).toEqual({
      roster: null,
      half: null,
    })
    expect(await migrate(database, [first, second])).toHaveLength(2)
  })

  test('refuses a database that a newer version has changed', async () => {
    await using database = await openDatabase()
    await migrate(database, [first, second])
    await expect(migrate(database, [first])).rejects.toThrow(MigrationFault)
    await expect(migrate(database, [first])).rejects.toThrow(/newer version of Lanthorn \(it has "roster 2"/)
  })

  test('goes on with what a neighbouring version has changed, and with nothing newer', async () => {
    await using database = await openDatabase()
    const notes = { feature: 'program', number: 1, sql: versionMigrations[0]! }
    await migrate(database, [notes, first], { version: '1.2.0' })
    await migrate(database, [notes, first, second], { version: '1.3.1' })
    expect(await migrate(database, [notes, first], { version: '1.2.0' })).toEqual([])
    await expect(migrate(database, [notes, first])).rejects.toThrow(/newer version of Lanthorn \(it has "roster 2"/)
    await expect(migrate(database, [notes, first], { version: '1.1.9' })).rejects.toThrow(MigrationFault)
    await expect(migrate(database, [notes, first], { version: '2.3.0' })).rejects.toThrow(MigrationFault)
    // The older one coming back changes nothing about who was here: another step of its own is no reason to trust more.
    await migrate(database, [notes, first, other], { version: '1.2.0' })
    expect(await database.one('SELECT version FROM program_version')).toEqual({ version: '1.3.1' })
  })

  test('says so when another server holds the lock too long', async () => {
    await using database = await openDatabase()
    await database.direct(async blocker => {
      await blocker.query('SELECT pg_advisory_lock(1)')
      const running = migrate(database, [{ ...first, sql: 'SELECT pg_advisory_lock(1); SELECT pg_advisory_unlock(1)' }])
      const isWaiting = `SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`
      await vi.waitFor(async () => expect(await database.one(isWaiting)).toEqual({ n: 1 }))
      await expect(migrate(database, [first], { waitMs: 20 })).rejects.toThrow(/changing the tables of this database/)
      await blocker.query('SELECT pg_advisory_unlock(1)')
      expect(await running).toHaveLength(1)
    })
  })

  test('takes wrong numbers for a mistake in the program', async () => {
    await using database = await openDatabase()
    await expect(migrate(database, [second])).rejects.toThrow('migration roster 2 should have the number 1')
  })
})
