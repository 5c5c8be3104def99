/** A node that hangs is `up` for two more seconds: what people at the other nodes do meanwhile must not wait for it. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { ClusterNode } from '../../test/support/cluster-node.ts'
import { passed } from '../../test/support/cluster-node.ts'
import { RawClient } from '../../test/support/raw.ts'
import { deeds, openHangingNodes } from '../../test/support/two-nodes.ts'

/** The first one that asks waits 400 ms; the rest is for a busy PC. */
const WAIT_MS = 900

let house: Awaited<ReturnType<typeof openHangingNodes>>
let one: ClusterNode
let romeo: RawClient
let scene = 0

const parts = () => one.office.chat.parts
const other = 'pc-2'

beforeAll(async () => {
  house = await openHangingNodes()
  one = house.first
  for (const username of ['romeo', 'juliet', 'nurse']) await deeds(() => one.office).adds(username)
})
afterAll(() => house[Symbol.asyncDispose]())

/** Romeo has a device at either node, and Juliet one at the node that hangs. */
let elsewhere: RawClient[]
beforeEach(async () => {
  scene++
  const there = async (username: string): Promise<RawClient> => {
    const login = { username, password: `${username}-password`, resource: 'phone' }
    const client = await RawClient.logIn(house.second.target, login)
    await client.manage()
    client.send('<presence/>')
    await client.receives(`<presence from='${client.jid}'/>`)
    return client
  }
  elsewhere = [await there('romeo'), await there('juliet')]
  elsewhere[0]?.send(`<presence to='friend-${scene}@office.test/x'/>`)
  romeo = await one.office.client('romeo', { over: 'plain', resource: 'desk' })
  await romeo.manage()
  romeo.send('<presence/>')
  await romeo.receives(`<presence from='${romeo.jid}'/>`)
  await passed(one, other)
  house.second.hang()
})
afterEach(async () => {
  house.second.goOn()
  await passed(one, other)
  for (const client of [...elsewhere, romeo]) await client[Symbol.asyncDispose]()
})

const asked = async (id: string, payload: string, type = 'set'): Promise<unknown> => {
  romeo.send(`<iq type='${type}' id='${id}'>${payload}</iq>`)
  return await romeo.receives(`<iq id='${id}' type='result'/>`)
}
const deedsOfPeople: Record<string, () => Promise<unknown>> = {
  'a login, and a device with the name of one at the node that hangs': async () => {
    const login = { username: 'romeo', password: 'romeo-password', resource: 'phone' }
    await using client = await RawClient.logIn(one.office.target('plain'), login)
    expect(client.jid).toBe('romeo@office.test/phone')
  },
  'a change of the contact list': () =>
    asked('roster', "<query xmlns='jabber:iq:roster'><item jid='nurse@office.test' name='Nurse'/></query>"),
  'a request to see somebody, its approval, and the way back': async () => {
    await using nurse = await one.office.client('nurse', { over: 'plain', resource: 'desk' })
    nurse.send('<presence/>')
    romeo.send("<presence to='nurse@office.test' type='subscribe'/>")
    await nurse.receives("<presence type='subscribe'/>")
    nurse.send("<presence to='romeo@office.test' type='subscribed'/>")
    await romeo.receives(`<presence from='${nurse.jid}'/>`)
  },
  'a block and its end': async () => {
    const item = `<item jid='friend-${scene}@office.test'/>`
    await asked('block', `<block xmlns='urn:xmpp:blocking'>${item}</block>`)
    await asked('unblock', `<unblock xmlns='urn:xmpp:blocking'>${item}</unblock>`)
  },
  'a setting': () => parts().settings.set('offline.waitingMax', 500 + scene, 'test'),
  'a look into the archive, and a change of what it keeps': async () => {
    await asked('prefs', "<prefs xmlns='urn:xmpp:mam:2' default='always'><always/><never/></prefs>")
    await asked('mam', "<query xmlns='urn:xmpp:mam:2'/>")
  },
  'a message to somebody there, which is safe': async () => {
    romeo.send(
      "<message to='juliet@office.test' type='chat'><body>Good night</body></message><r xmlns='urn:xmpp:sm:3'/>",
    )
    await romeo.receives(element => element.name === 'a' && Number(element.attrs.h) >= 2)
  },
}

test.each(Object.keys(deedsOfPeople))('%s does not wait for it', async name => {
  const start = performance.now()
  await deedsOfPeople[name]?.()
  expect(performance.now() - start).toBeLessThan(WAIT_MS)
  expect(parts().bus.node(other)?.state).toBe('up')
})

test('somebody who came back elsewhere meanwhile is seen there, whatever the node says when it goes on', async () => {
  house.second.goOn()
  await using nurse = await one.office.client('nurse', { over: 'plain', resource: 'watch' })
  nurse.send("<presence/><presence to='romeo@office.test' type='subscribe'/>")
  romeo.send("<presence to='nurse@office.test' type='subscribed'/>")
  await nurse.receives(`<presence from='${romeo.jid}'/>`)
  await passed(one, other)
  house.second.hang()
  const login = { username: 'romeo', password: 'romeo-password', resource: 'phone' }
  await using phone = await RawClient.logIn(one.office.target('plain'), login)
  phone.send('<presence><status>back</status></presence>')
  await nurse.receives(`<presence from='${phone.jid}'><status>back</status></presence>`)
  house.second.goOn()
  await elsewhere[0]?.closed()
  // What the node says when a session ends takes some words with the database.
  for (let round = 0; round < 50; round++) await passed(one, other)
  const came = await nurse.leftovers()
  expect(came.filter(({ attrs }) => attrs.type === 'unavailable').map(String)).toEqual([])
})
