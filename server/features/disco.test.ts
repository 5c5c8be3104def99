import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { failure, Stage } from '../../test/support/script.ts'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.open()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

import { capsHash, readDiscoInfo } from '../xmpp/caps.ts'

const info = (to = '', node = '') =>
  `<iq type='get'${to}><query xmlns='http://jabber.org/protocol/disco#info'${node}/></iq>`
const items = (to = '', node = '') =>
  `<iq type='get'${to}><query xmlns='http://jabber.org/protocol/disco#items'${node}/></iq>`
const server = " to='office.test'"

test('the server says what it is and can do', async () => {
  const { romeo } = await stage.people('romeo')
  const query = (await romeo.asks(info(server))).getChild('query')!
  expect(query.getChildren('identity').map(one => one.attrs)).toContainEqual({
    category: 'server',
    type: 'im',
    name: 'Lanthorn',
  })
  const features = query.getChildren('feature').map(one => one.attrs.var)
  expect(features).toEqual(
    expect.arrayContaining([
      'http://jabber.org/protocol/disco#info',
      'urn:xmpp:blocking',
      'urn:xmpp:carbons:2',
      'msgoffline',
    ]),
  )
  expect(new Set(features).size).toBe(features.length)
})

test('the own account says what it can do', async () => {
  const { romeo } = await stage.people('romeo')
  const query = (await romeo.asks(info())).getChild('query')!
  expect(query.getChildren('identity').map(one => one.attrs)).toContainEqual({
    category: 'account',
    type: 'registered',
  })
  const features = query.getChildren('feature').map(one => one.attrs.var)
  expect(features).toEqual(expect.arrayContaining(['urn:xmpp:mam:2', 'urn:xmpp:mam:2#extended', 'urn:xmpp:sid:0']))
})

test('accounts are shown to their contacts only; to others there is nobody', async () => {
  const { romeo, juliet } = await stage.friends('romeo', 'juliet')
  const { tybalt } = await stage.people('tybalt')
  const to = ` to='${juliet.bare}'`
  expect((await romeo.asks(info(to))).attrs.type).toBe('result')
  const nobody = `<iq type='error'>${failure('cancel', 'service-unavailable')}</iq>`
  await tybalt.gets(info(to), nobody)
  await tybalt.gets(info(" to='nobody@office.test'"), nobody)
  const list = (jids: string[]) =>
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#items'>${jids.map(jid => `<item jid='${jid}'/>`).join('')}</query></iq>`
  await romeo.gets(items(to), list([juliet.jid]))
  for (const jid of [juliet.bare, 'nobody@office.test']) {
    const answer = await tybalt.gets(items(` to='${jid}'`), list([]))
    expect(answer.getChild('query')?.children).toEqual([])
  }
})

test('the server has a list of items', async () => {
  const { romeo } = await stage.people('romeo')
  await romeo.gets(
    items(server),
    "<iq type='result' from='office.test'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>",
  )
})

test('a node that nobody knows is not found', async () => {
  const { romeo } = await stage.people('romeo')
  const missing = `<iq type='error'>${failure('cancel', 'item-not-found')}</iq>`
  await romeo.gets(info(server, " node='nothing'"), missing)
  await romeo.gets(items(server, " node='nothing'"), missing)
})

test('the stream features carry the capabilities of the server, and their hash is that of the answer', async () => {
  const { romeo } = await stage.people('romeo')
  const { node, ver, hash } = romeo.client.features.getChild('c', 'http://jabber.org/protocol/caps')!.attrs
  expect(hash).toBe('sha-1')
  const answer = await romeo.asks(info(server, ` node='${node}#${ver}'`))
  const query = answer.getChild('query')!
  expect(query.attrs.node).toBe(`${node}#${ver}`)
  expect(capsHash(readDiscoInfo(query)!)).toBe(ver)
})
