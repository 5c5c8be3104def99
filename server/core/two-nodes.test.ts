/** What two nodes of one office do to the same person at the same moment, and what each learns of the other. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ClusterNode } from '../../test/support/cluster-node.ts'
import type { House } from '../../test/support/house.ts'
import { reached } from '../../test/support/mesh.ts'
import type { RawClient } from '../../test/support/raw.ts'
import { openTwoNodes } from '../../test/support/two-nodes.ts'
import type { RosterItem } from './roster.ts'

let house: House & { readonly nodes: readonly [ClusterNode, ClusterNode] }
let one: ClusterNode
let two: ClusterNode
let people = 0

beforeAll(async () => {
  house = await openTwoNodes()
  ;[one, two] = house.nodes
})
afterAll(() => house[Symbol.asyncDispose]())

async function person(): Promise<string> {
  const username = `person-${++people}`
  await house.adds(username)
  return username
}

const partsOf = (node: ClusterNode) => node.office.chat.parts
const listed = (item: RosterItem, change: Partial<RosterItem> = {}): RosterItem => ({
  ...item,
  isListed: true,
  ...change,
})

/** A device of somebody at one of the nodes, with its presence sent and read. */
async function device(node: ClusterNode, username: string, resource: string): Promise<RawClient> {
  const client = await node.office.client(username, { over: 'plain', resource })
  client.send('<presence/>')
  await client.receives(`<presence from='${client.jid}'/>`)
  await house.settles?.()
  return client
}

test('changes of one contact on both nodes at once see each other, and both remember the same', async () => {
  const username = await person()
  await using here = await device(one, username, 'here')
  await using there = await device(two, username, 'there')
  const add = (node: ClusterNode, group: string) =>
    partsOf(node).rosters.change(username, 'nurse@office.test', item =>
      listed(item, { groups: [...item.groups, group] }),
    )
  const groups = Array.from({ length: 12 }, (_, index) => String(index))
  await Promise.all(groups.map((group, index) => add(index % 2 === 0 ? one : two, group)))
  const found = await Promise.all([one, two].map(async node => await partsOf(node).rosters.get(username)))
  expect(found.map(roster => roster.items.get('nurse@office.test')?.groups.toSorted())).toEqual([
    groups.toSorted(),
    groups.toSorted(),
  ])
  expect(found[0]?.version).toBe(found[1]?.version)
  expect([here.isClosed, there.isClosed]).toEqual([false, false])
})

test('addresses blocked on both nodes at once are all blocked on both', async () => {
  const username = await person()
  await using here = await device(one, username, 'here')
  await using there = await device(two, username, 'there')
  const block = (client: RawClient, name: string) =>
    client.send(
      `<iq type='set' id='${name}'><block xmlns='urn:xmpp:blocking'><item jid='${name}@office.test'/></block></iq>`,
    )
  for (const name of ['tybalt', 'paris', 'gregory']) block(here, name)
  for (const name of ['sampson', 'abram', 'peter']) block(there, name)
  for (const name of ['tybalt', 'paris', 'gregory']) await here.receives(`<iq id='${name}' type='result'/>`)
  for (const name of ['sampson', 'abram', 'peter']) await there.receives(`<iq id='${name}' type='result'/>`)
  await house.settles?.()
  for (const client of [here, there]) {
    client.send("<iq type='get' id='list'><blocklist xmlns='urn:xmpp:blocking'/></iq>")
    const answer = await client.receives("<iq id='list' type='result'/>")
    const jids = answer
      .getChild('blocklist')
      ?.getChildren('item')
      .map(item => item.attrs.jid)
    expect(jids?.length).toBe(6)
  }
})

test('what only the database and the node of a person know is asked of that node when the database does not answer', async () => {
  const username = await person()
  await using there = await device(two, username, 'there')
  there.send("<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='tybalt@office.test'/></block></iq>")
  await there.receives("<iq id='b' type='result'/>")
  const { hints } = partsOf(one)
  const never = () => new Promise<never>(() => undefined)
  expect(await hints.orElsewhere('blocking 0', username, never())).toEqual(new Set(['tybalt@office.test']))
  expect((await hints.orElsewhere<{ items: unknown }>('rosters', username, never())).items).toEqual(new Map())
  const fails = () => Promise.reject(new Error('away'))
  await expect(hints.orElsewhere('no such cache', username, fails())).rejects.toThrow('away')
  expect(await hints.orElsewhere('blocking 0', username, fails())).toEqual(new Set(['tybalt@office.test']))
})

test('a new password, a block and a removal hold on the other node at once, and end the devices there', async () => {
  const username = await person()
  await using there = await device(two, username, 'there')
  const password = async (node: ClusterNode) => (await partsOf(node).accounts.get(username))?.verifiers['SHA-256'].salt
  const before = await password(two)
  await partsOf(one).accounts.setPassword(username, 'another-password')
  expect(await password(two)).toEqual(await password(one))
  expect(await password(two)).not.toEqual(before)
  await partsOf(one).accounts.setBlocked(username, true)
  await there.fails('not-authorized')
  expect((await partsOf(two).accounts.get(username))?.isBlocked).toBe(true)
  await partsOf(two).accounts.remove(username)
  expect(await partsOf(one).accounts.get(username)).toBeUndefined()
})

test('many changes at once are all noted on the other node, however busy it is', async () => {
  const usernames = await Promise.all(Array.from({ length: 100 }, () => person()))
  const rosters = await Promise.all(usernames.map(async username => await partsOf(two).rosters.get(username)))
  const { promise, resolve } = Promise.withResolvers<void>()
  const unhint = partsOf(two).hints.add('slow', { outdated: () => promise, doubtAll: () => undefined })
  const slow = Array.from({ length: 70 }, () => partsOf(one).hints.tell('slow', 'somebody'))
  await Promise.all(
    usernames.map(username => partsOf(one).rosters.change(username, 'nurse@office.test', item => listed(item))),
  )
  resolve()
  await Promise.all(slow)
  unhint()
  await house.settles?.()
  expect(rosters.map(({ items }) => items.size)).toEqual(usernames.map(() => 0))
  const now = await Promise.all(usernames.map(async username => await partsOf(two).rosters.get(username)))
  expect(now.map(({ items }) => items.size)).toEqual(usernames.map(() => 1))
})

test('a setting is in force on both nodes when its change is done, also when both change one', async () => {
  const [first, second] = [partsOf(one).settings, partsOf(two).settings]
  await Promise.all([first.set('sessions.perPerson', 3, 'test'), second.set('sessions.conflict', 'refuse-new', 'test')])
  for (const settings of [first, second]) {
    expect(settings.of('sessions')).toMatchObject({ perPerson: 3, conflict: 'refuse-new' })
  }
  const username = await person()
  await using _a = await device(one, username, 'a')
  await using _b = await device(two, username, 'b')
  // The same name elsewhere is refused, and three devices are three, wherever they are.
  await expect(one.office.client(username, { over: 'plain', resource: 'b' })).rejects.toThrow(/conflict/)
  await using _c = await device(one, username, 'c')
  await expect(two.office.client(username, { over: 'plain', resource: 'd' })).rejects.toThrow(/resource-constraint/)
  await second.set('sessions.conflict', 'new-resource', 'test')
  await first.set('sessions.perPerson', undefined, 'test')
  await using also = await one.office.client(username, { over: 'plain', resource: 'b' })
  expect(also.jid).toMatch(/\/b\/.+/)
  await first.set('sessions.conflict', undefined, 'test')
})

test('the same device on the other node ends the former one', async () => {
  const username = await person()
  await using former = await device(one, username, 'phone')
  await using watcher = await device(one, username, 'pc')
  await using later = await device(two, username, 'phone')
  await former.fails('conflict')
  expect(later.isClosed).toBe(false)
  await watcher.receives(`<presence type='unavailable' from='${later.jid}'/>`)
  await watcher.receives(`<presence from='${later.jid}'/>`)
  expect(partsOf(one).directory.route(`${username}@office.test`, 'phone')?.node).toBe(two.name)
})

test('while two nodes do not see each other each tells its people so; afterwards all is exact again', async () => {
  const username = await person()
  const friend = await person()
  for (const [owner, contact] of [
    [username, friend],
    [friend, username],
  ] as const) {
    await partsOf(one).rosters.change(owner, `${contact}@office.test`, item => listed(item, { subscription: 'both' }))
  }
  await using here = await device(one, username, 'here')
  await using there = await device(two, friend, 'there')
  await using leaves = await device(two, friend, 'leaves')
  await using own = await device(two, username, 'own')
  const removed = await person()
  await using stays = await device(two, removed, 'stays')
  await here.receives(`<presence from='${there.jid}'/>`)
  const nodes = [...one.mesh.peers, ...two.mesh.peers].map(peer => peer.node)
  for (const { mesh } of house.nodes) mesh.setNodes([])
  for (const gone of [there, leaves, own]) await here.receives(`<presence type='unavailable' from='${gone.jid}'/>`)
  for (const client of [there, own]) await client.receives(`<presence type='unavailable' from='${here.jid}'/>`)
  await leaves[Symbol.asyncDispose]()
  there.send('<presence><show>away</show></presence>')
  here.send('<presence><show>dnd</show></presence>')
  // Somebody is removed, and a contact goes, while the other node cannot be told.
  await partsOf(one).accounts.remove(removed)
  await partsOf(one).rosters.change(friend, 'nurse@office.test', item => listed(item))
  for (const { mesh } of house.nodes) mesh.setNodes(nodes)
  await Promise.all([reached(one.mesh, two.name, 'up'), reached(two.mesh, one.name, 'up')])
  await here.receives(`<presence from='${there.jid}'><show>away</show></presence>`)
  await here.receives(`<presence from='${own.jid}'/>`)
  for (const client of [there, own]) await client.receives(`<presence from='${here.jid}'><show>dnd</show></presence>`)
  await stays.fails('not-authorized')
  await expect
    .poll(() => partsOf(two).rosters.peek(friend)?.items.has('nurse@office.test'), { timeout: 5_000 })
    .toBe(true)
  for (const node of house.nodes) {
    expect(node.directory.routes(`${friend}@office.test`).map(route => route.resource)).toEqual(['there'])
  }
})
