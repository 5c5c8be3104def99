import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Office } from '../../test/support/office.ts'
import type { RosterItem } from './roster.ts'

let office: Office

beforeEach(async () => {
  office = await Office.start({ people: ['romeo', 'juliet'] })
})

afterEach(() => office[Symbol.asyncDispose]())

const listed = (item: RosterItem, change: Partial<RosterItem> = {}): RosterItem => ({
  ...item,
  isListed: true,
  ...change,
})

describe('rosters', () => {
  test('each change counts the version up and is still there when read again', async () => {
    const { rosters } = office.chat.parts
    await rosters.change('romeo', 'juliet@office.test', item => listed(item, { name: 'Juliet', groups: ['Capulets'] }))
    await rosters.change('romeo', 'nurse@office.test', item => listed(item))
    await rosters.change('romeo', 'nurse@office.test', () => 'remove')
    const roster = await rosters.get('romeo')
    expect(roster.version).toBeGreaterThan(0)
    const [row] = await office.chat.parts.db.query(
      'SELECT jid, name, groups, subscription FROM roster WHERE username = $1',
      ['romeo'],
    )
    expect(row).toEqual({ jid: 'juliet@office.test', name: 'Juliet', groups: ['Capulets'], subscription: 'none' })
    expect([...roster.items.keys()]).toEqual(['juliet@office.test'])
  })

  test('changes at the same time see each other', async () => {
    const { rosters } = office.chat.parts
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        rosters.change('romeo', 'juliet@office.test', item =>
          listed(item, { groups: [...item.groups, String(index)] }),
        ),
      ),
    )
    const roster = await rosters.get('romeo')
    expect(roster.items.get('juliet@office.test')?.groups).toHaveLength(20)
  })

  test('a change that is refused leaves everything as it was, and the next one goes on', async () => {
    const { rosters } = office.chat.parts
    const refused = rosters.change('romeo', 'juliet@office.test', () => {
      throw new Error('no')
    })
    await expect(refused).rejects.toThrow('no')
    expect((await rosters.get('romeo')).version).toBe(0)
    await rosters.change('romeo', 'juliet@office.test', item => listed(item))
    expect((await rosters.get('romeo')).version).toBeGreaterThan(0)
  })

  test('tell who has an address in the list', async () => {
    const { rosters } = office.chat.parts
    await rosters.change('romeo', 'nurse@office.test', item => listed(item))
    expect(await rosters.ownersOf('nurse@office.test')).toEqual(['romeo'])
    expect(await rosters.ownersOf('romeo@office.test')).toEqual([])
  })

  test('go away with their account', async () => {
    const { rosters, accounts, db } = office.chat.parts
    await rosters.change('romeo', 'juliet@office.test', item => listed(item))
    await accounts.remove('romeo')
    expect(await db.query('SELECT 1 FROM roster UNION ALL SELECT 1 FROM roster_version')).toEqual([])
  })
})
