import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDatabase } from '../../test/support/database.ts'
import { localBus } from '../cluster/bus.ts'
import { migrate } from '../db/migrate.ts'
import type { Database } from '../db/pool.ts'
import { verifyPassword } from '../xmpp/scram.ts'
import { Accounts } from './accounts.ts'
import { CacheHints } from './cache-hints.ts'
import { HookTable } from './hooks.ts'

let db: Database
let hooks: HookTable
let accounts: Accounts
let now = 0

function fresh(): Accounts {
  return new Accounts({
    db,
    hooks,
    domain: 'office.test',
    iterations: () => 4_096,
    isPinned: () => false,
    now: () => now,
    hints: new CacheHints(localBus()),
  })
}

beforeEach(async () => {
  db = await openDatabase()
  hooks = new HookTable()
  now = 1_000
  await migrate(
    db,
    Accounts.migrations.map((sql, index) => ({ feature: 'accounts', number: index + 1, sql })),
  )
  accounts = fresh()
})

afterEach(() => db.close())

const anna = { username: 'anna', password: 'anna-has-the-keys', name: 'Anna', isAdmin: true }
const romeo = { username: 'romeo', password: 'wherefore-art-thou' }

describe('accounts', () => {
  test('keep verifiers instead of the password, one per hash function', async () => {
    const made = await accounts.create(romeo)
    for (const verifier of Object.values(made.verifiers)) {
      expect(await verifyPassword(verifier, romeo.password)).toBe(true)
      expect(await verifyPassword(verifier, 'another')).toBe(false)
    }
    const [row] = await db.query<{ text: string }>('SELECT account::text AS text FROM account')
    expect(row?.text).not.toContain(romeo.password)
    const readBack = await fresh().get('romeo')
    expect(readBack?.verifiers).toEqual(made.verifiers)
    expect(readBack?.name).toBe('romeo')
  })

  test('are known by their enforced name', async () => {
    await accounts.create({ ...romeo, username: ' ROMEO ' })
    expect((await accounts.get('romeo'))?.username).toBe('romeo')
  })

  test('refuse what cannot be, with a sentence and the field', async () => {
    await accounts.create(romeo)
    const refusals: [Partial<typeof anna>, string, string][] = [
      [{ username: 'Romeo' }, 'username', 'There is already somebody called romeo.'],
      [{ username: 'with space' }, 'username', 'A user name has no spaces'],
      [{ username: 'a@b' }, 'username', 'A user name has no spaces'],
      [{ username: '' }, 'username', 'A user name'],
      [{ username: 'x'.repeat(65) }, 'username', 'at most 64'],
      [{ password: 'short' }, 'password', 'at least 8'],
      [{ password: 'x'.repeat(257) }, 'password', 'at most 256'],
      [{ password: 'with\u0000control' }, 'password', 'character'],
      [{ name: 'x'.repeat(101) }, 'name', 'at most 100'],
    ]
    for (const [change, field, sentence] of refusals) {
      await expect(accounts.create({ ...anna, ...change })).rejects.toMatchObject({
        field,
        message: expect.stringContaining(sentence),
      })
    }
    expect(await accounts.count()).toBe(1)
  })

  test('the last administrator cannot be removed, blocked or made an ordinary person', async () => {
    await accounts.create(anna)
    for (const attempt of [
      () => accounts.remove('anna'),
      () => accounts.setBlocked('anna', true),
      () => accounts.setAdmin('anna', false),
    ]) {
      await expect(attempt()).rejects.toThrow('anna is the only administrator.')
    }
    await accounts.create({ ...romeo, isAdmin: true })
    await accounts.remove('anna')
    expect(await accounts.get('anna')).toBeUndefined()
  })

  test('a change is seen at once, also by who has the account in memory', async () => {
    await accounts.create(anna)
    await accounts.create(romeo)
    await accounts.setBlocked('romeo', true)
    await accounts.setName('romeo', 'Romeo M.')
    await accounts.setPassword('romeo', 'a-new-password')
    const changed = await accounts.get('romeo')
    expect(changed).toMatchObject({ isBlocked: true, name: 'Romeo M.' })
    expect(changed && (await verifyPassword(changed.verifiers['SHA-256'], 'a-new-password'))).toBe(true)
  })

  test('somebody seen lately is known while the database is away; a stranger is not', async () => {
    await accounts.create(romeo)
    await db.exec('ALTER TABLE account RENAME TO account_away')
    expect((await accounts.get('romeo'))?.username).toBe('romeo')
    await expect(accounts.get('juliet')).rejects.toThrow()
    await db.exec('ALTER TABLE account_away RENAME TO account')
  })

  test('what another node changed is seen within minutes', async () => {
    await accounts.create(anna)
    await accounts.create(romeo)
    await fresh().setBlocked('romeo', true)
    expect((await accounts.get('romeo'))?.isBlocked).toBe(false)
    now += 6 * 60_000
    // The old answer is given once more while the new one is being read.
    await accounts.get('romeo')
    await expect.poll(async () => (await accounts.get('romeo'))?.isBlocked).toBe(true)
  })

  test('a person who is added after being asked for is found', async () => {
    expect(await accounts.get('romeo')).toBeUndefined()
    await accounts.create(romeo)
    expect((await accounts.get('romeo'))?.username).toBe('romeo')
  })

  test('features are told of who comes and who goes', async () => {
    const told: string[] = []
    hooks.on('account:created', 'watch', ({ username }) => void told.push(`+${username}`))
    hooks.on('account:removed', 'watch', ({ username }) => void told.push(`-${username}`))
    await accounts.create(romeo)
    await accounts.remove('romeo')
    expect(told).toEqual(['+romeo', '-romeo'])
    await expect(accounts.remove('romeo')).rejects.toThrow('There is nobody called romeo.')
  })
})
