/** RFC 6121 §2: the contact list, as a script. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { failure, type Person, Stage } from '../support/script.ts'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.open()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

const NS = 'jabber:iq:roster'

const get = `<iq type='get'><query xmlns='${NS}'/></iq>`
const set = (content: string) => `<iq type='set'><query xmlns='${NS}'>${content}</query></iq>`
const push = (to: Person, item: string) =>
  `<iq type='set' id='*' to='${to.jid}' from='!'><query xmlns='${NS}' ver='*'>${item}</query></iq>`
const list = (...items: string[]) => `<iq type='result'><query xmlns='${NS}' ver='*'>${items.join('')}</query></iq>`
const done = "<iq type='result'/>"
const error = (type: string, condition: string) => `<iq type='error'>${failure(type, condition)}</iq>`
const nurse =
  "<item jid='nurse@office.test' name='Nurse' subscription='none' ask='!' approved='!'><group>Servants</group></item>"

describe('the list', () => {
  test('is empty at first', async () => {
    const { juliet } = await stage.people('juliet')
    expect((await juliet.gets(get, list())).getChild('query')?.children).toEqual([])
  })

  test('has what was put into it; the other devices that asked for it are told, the others are not', async () => {
    const { juliet } = await stage.people('juliet')
    const [chamber, garden] = [await juliet.device('chamber'), await juliet.device('garden')]
    await juliet.forgets()
    await chamber.forgets()
    await juliet.gets(get, list())
    await chamber.gets(get, list())
    juliet.sends(
      set("<item jid='nurse@office.test' name='Nurse'><group>Servants</group></item>").replace('<iq ', "<iq id='rs1' "),
    )
    await juliet.receivesInAnyOrder("<iq type='result' id='rs1'/>", push(juliet, nurse))
    await chamber.receives(push(chamber, nurse))
    await garden.receivesNothing()
    await garden.gets(get, list(nurse))
  })

  test('keeps the subscription that it has, whatever a change says of it', async () => {
    const { juliet } = await stage.people('juliet')
    await juliet.gets(set("<item jid='nurse@office.test' subscription='both' ask='subscribe' approved='true'/>"), done)
    await juliet.gets(get, list("<item jid='nurse@office.test' subscription='none' ask='!' approved='!' name='!'/>"))
  })

  test('shows changed names and groups', async () => {
    const { juliet } = await stage.people('juliet')
    await juliet.gets(set("<item jid='nurse@office.test' name='Nurse'><group>Servants</group></item>"), done)
    await juliet.gets(
      set("<item jid='nurse@office.test' name='Angelica'><group>A</group><group>B</group></item>"),
      done,
    )
    await juliet.gets(
      get,
      list("<item jid='nurse@office.test' name='Angelica'><group>A</group><group>B</group></item>"),
    )
    await juliet.gets(set("<item jid='nurse@office.test'/>"), done)
    const item = (await juliet.gets(get, list("<item jid='nurse@office.test' name='!'/>")))
      .getChild('query')
      ?.getChild('item')
    expect(item?.children).toEqual([])
  })

  test('knows an address without resource only', async () => {
    const { juliet } = await stage.people('juliet')
    await juliet.gets(set("<item jid='NURSE@office.test/kitchen'/>"), done)
    await juliet.gets(get, list("<item jid='nurse@office.test'/>"))
  })

  test('forgets what was removed, and says so', async () => {
    const { juliet } = await stage.people('juliet')
    await juliet.gets(set("<item jid='nurse@office.test'/>"), done)
    await juliet.gets(get, list("<item jid='nurse@office.test'/>"))
    juliet.sends(set("<item jid='nurse@office.test' subscription='remove'/>").replace('<iq ', "<iq id='rm' "))
    await juliet.receivesInAnyOrder(
      "<iq type='result' id='rm'/>",
      push(juliet, "<item jid='nurse@office.test' subscription='remove'/>"),
    )
    expect((await juliet.gets(get, list())).getChild('query')?.children).toEqual([])
    await juliet.gets(set("<item jid='nurse@office.test' subscription='remove'/>"), error('cancel', 'item-not-found'))
  })

  test('outlives the session', async () => {
    const { juliet } = await stage.people('juliet')
    await juliet.gets(set("<item jid='nurse@office.test' name='Nurse'><group>Servants</group></item>"), done)
    await juliet.leaves()
    await (await juliet.device('again')).gets(get, list(nurse))
  })
})

describe('refused are (§2.3.3)', () => {
  test.each([
    ['no item', '', 'modify', 'bad-request'],
    ['two items', "<item jid='a@office.test'/><item jid='b@office.test'/>", 'modify', 'bad-request'],
    ['an item without address', '<item/>', 'modify', 'bad-request'],
    [
      'the same group twice',
      "<item jid='a@office.test'><group>A</group><group>A</group></item>",
      'modify',
      'bad-request',
    ],
    ['a group without name', "<item jid='a@office.test'><group/></item>", 'modify', 'not-acceptable'],
    [
      'a group with a very long name',
      `<item jid='a@office.test'><group>${'x'.repeat(1001)}</group></item>`,
      'modify',
      'not-acceptable',
    ],
    ['a very long name', `<item jid='a@office.test' name='${'x'.repeat(1001)}'/>`, 'modify', 'not-acceptable'],
    ['an address that is none', "<item jid='@office.test'/>", 'modify', 'jid-malformed'],
  ])('%s', async (_, content, type, condition) => {
    const { juliet } = await stage.people('juliet')
    await juliet.gets(set(content), error(type, condition))
    expect((await juliet.gets(get, list())).getChild('query')?.children).toEqual([])
  })

  test('the list of somebody else', async () => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    const to = `<iq to='${romeo.bare}' `
    await juliet.gets(get.replace('<iq ', to), error('auth', 'forbidden'))
    await juliet.gets(set("<item jid='nurse@office.test'/>").replace('<iq ', to), error('auth', 'forbidden'))
  })

  test('more contacts than there may be', async () => {
    const { juliet } = await stage.people('juliet')
    await stage.sets('contacts.maxContacts', 10)
    for (let count = 1; count <= 10; count++) await juliet.gets(set(`<item jid='c${count}@office.test'/>`), done)
    await juliet.gets(set("<item jid='c11@office.test'/>"), error('wait', 'resource-constraint'))
    await juliet.gets(set("<item jid='c10@office.test' name='Ten'/>"), done)
  })
})

describe('versions (§2.6)', () => {
  const getSince = (version: string) => `<iq type='get'><query xmlns='${NS}' ver='${version}'/></iq>`
  const versionOf = (answer: { getChild(name: string): { attrs: Record<string, string> } | undefined }) =>
    answer.getChild('query')?.attrs.ver ?? ''

  test('are offered, as are approvals in advance', async () => {
    const { juliet } = await stage.strangers('juliet')
    expect(juliet.client.offers('ver', 'urn:xmpp:features:rosterver')).toBe(true)
    expect(juliet.client.offers('sub', 'urn:xmpp:features:pre-approval')).toBe(true)
  })

  test('who has the newest gets nothing, who has an older one gets what is there', async () => {
    const { juliet } = await stage.people('juliet')
    await juliet.gets(set("<item jid='nurse@office.test' name='Nurse'><group>Servants</group></item>"), done)
    const version = versionOf(await juliet.gets(getSince(''), list(nurse)))
    expect((await juliet.gets(getSince(version), done)).children).toEqual([])
    const phone = await juliet.device('phone')
    await phone.gets(set("<item jid='friar@office.test'/>"), done)
    const pushed = versionOf(await juliet.client.receives(`<iq type='set'><query xmlns='${NS}'/></iq>`))
    expect(pushed).not.toBe(version)
    expect(versionOf(await juliet.gets(getSince(version), list(nurse, "<item jid='friar@office.test'/>")))).toBe(pushed)
    expect((await juliet.gets(getSince(pushed), done)).children).toEqual([])
  })
})
