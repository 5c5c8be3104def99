/** What is in memory after another database server was promoted that had not got the last changes: what the database says counts. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Office } from '../../test/support/office.ts'
import { LosingDatabase } from '../../test/support/promotion.ts'
import type { RawClient } from '../../test/support/raw.ts'
import blocking from '../features/blocking.ts'
import contacts from '../features/roster.ts'
import type { Feature } from './feature.ts'

const nsRoster = 'jabber:iq:roster'
let db: LosingDatabase
let office: Office
let romeo: RawClient
let questions = 0

beforeEach(async () => {
  db = await LosingDatabase.open()
  office = await Office.start({ db: db.asDatabase, features: [contacts, blocking] as Feature[] })
  romeo = await office.client('romeo', { over: 'plain' })
})

afterEach(async () => {
  romeo.cut()
  await office[Symbol.asyncDispose]()
  await db.close()
})

async function asks(type: 'get' | 'set', payload: string) {
  const id = `q${++questions}`
  romeo.send(`<iq type='${type}' id='${id}'>${payload}</iq>`)
  const answer = await romeo.receives(({ name, attrs }) => name === 'iq' && attrs.id === id)
  expect(answer.attrs.type).toBe('result')
  return answer
}

const getRoster = async (version: string) =>
  (await asks('get', `<query xmlns='${nsRoster}' ver='${version}'/>`)).getChild('query', nsRoster)

async function adds(jid: string, name: string): Promise<string> {
  await asks('set', `<query xmlns='${nsRoster}'><item jid='${jid}' name='${name}'/></query>`)
  const push = await romeo.receives(`<iq type='set'><query xmlns='${nsRoster}'><item jid='${jid}'/></query></iq>`)
  return String(push.getChild('query', nsRoster)?.attrs.ver)
}

describe('contact lists', () => {
  test('clients are told what became of the changes that were lost', async () => {
    await getRoster('')
    await adds('nurse@office.test', 'Nurse')
    await db.copy()
    await adds('nurse@office.test', 'Angelica')
    await adds('friar@office.test', 'Friar')
    db.lose()
    await romeo.receives(
      `<iq type='set'><query xmlns='${nsRoster}'><item jid='nurse@office.test' name='Nurse'/></query></iq>`,
    )
    await romeo.receives(
      `<iq type='set'><query xmlns='${nsRoster}'><item jid='friar@office.test' subscription='remove'/></query></iq>`,
    )
    const names = (await getRoster(''))?.getChildren('item').map(item => item.attrs.name)
    expect(names).toEqual(['Nurse'])
  })

  test('a version of the lost changes is never one of later changes: who knows it gets the whole list (RFC 6121 §2.6)', async () => {
    await getRoster('')
    await adds('nurse@office.test', 'Nurse')
    await db.copy()
    const lost = await adds('friar@office.test', 'Friar')
    db.lose()
    const kept = await adds('mercutio@office.test', 'Mercutio')
    expect(kept).not.toBe(lost)
    const jids = (await getRoster(lost))?.getChildren('item').map(item => item.attrs.jid)
    expect(jids?.toSorted()).toEqual(['mercutio@office.test', 'nurse@office.test'])
    expect((await getRoster(kept))?.children ?? []).toEqual([])
  })
})

test('a block that was lost is one no more, in memory neither', async () => {
  const list = async () =>
    (await asks('get', "<blocklist xmlns='urn:xmpp:blocking'/>")).getChild('blocklist')?.getChildren('item').length
  await list()
  await db.copy()
  await asks('set', "<block xmlns='urn:xmpp:blocking'><item jid='tybalt@office.test'/></block>")
  expect(await list()).toBe(1)
  db.lose()
  expect(await list()).toBe(0)
})

test('settings are what the database says, also when its counter comes to the same number again', async () => {
  const { settings } = office.chat.parts
  const key = 'blocking.entriesMax'
  await settings.set(key, 10, 'anna')
  await db.copy()
  await settings.set(key, 20, 'anna')
  db.promote()
  // Another node has seen it first and changes something: the counter is the same as here, the contents are not.
  await db.real.exec(`UPDATE setting SET value = '30' WHERE key = $1`, [key])
  await db.real.exec('UPDATE setting_counter SET counter = counter + 1')
  db.tell({ isNewTimeline: true })
  await settings.load()
  expect(settings.values()[key]).toBe(30)
})

test('a password that was changed and lost is the former one again', async () => {
  const { accounts } = office.chat.parts
  const before = await accounts.get('romeo')
  await db.copy()
  await accounts.setPassword('romeo', 'another-password')
  expect((await accounts.get('romeo'))?.verifiers).not.toEqual(before?.verifiers)
  db.lose()
  await expect.poll(async () => (await accounts.get('romeo'))?.verifiers).toEqual(before?.verifiers)
})
