import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ClusterNode, passed } from '../../test/support/cluster-node.ts'
import type { Over } from '../../test/support/office.ts'
import type { RawClient } from '../../test/support/raw.ts'
import { openTwoNodes } from '../../test/support/two-nodes.ts'
import { CallFault } from '../cluster/mesh.ts'
import { buildStanza } from '../xmpp/stanza.ts'

let house: Awaited<ReturnType<typeof openTwoNodes>>
let one: ClusterNode
let two: ClusterNode
let scene = 0
let romeo = ''
let juliet = ''

beforeAll(async () => {
  house = await openTwoNodes()
  ;[one, two] = house.nodes
})
afterAll(() => house[Symbol.asyncDispose]())
beforeEach(async () => {
  scene++
  romeo = `romeo-${scene}`
  juliet = `juliet-${scene}`
  await house.adds(romeo)
  await house.adds(juliet)
})

const ns = 'urn:xmpp:sm:3'
const a = (h: number): string => `<a xmlns='${ns}' h='${h}'/>`
const message = (to: string, body: string): string => `<message to='${to}' type='chat'><body>${body}</body></message>`
const resumeOf = (previd: string, h: number): string => `<resume xmlns='${ns}' previd='${previd}' h='${h}'/>`
const bodyOf = (text: string) => (element: { name: string; getChildText(name: string): string | null }) =>
  element.name === 'message' && element.getChildText('body') === text

/** Somebody at a node, with a bound resource. */
function at(node: ClusterNode, username: string, resource = 'desk', over: Over = 'plain'): Promise<RawClient> {
  return node.office.client(username, { resource, over })
}
async function managed(node: ClusterNode, username: string) {
  const client = await at(node, username)
  return { client, previd: String((await client.manage()).attrs.id) }
}
async function resumed(node: ClusterNode, username: string, previd: string, h: number): Promise<RawClient> {
  const client = await node.office.connect('plain')
  await client.authenticate(node.office.login(username))
  client.send(resumeOf(previd, h))
  return client
}
/** They see each other's presence. */
async function befriended(first: RawClient, second: RawClient): Promise<void> {
  first.send(`<presence to='${second.jid.split('/')[0]}' type='subscribe'/>`)
  await second.receives("<presence type='subscribe'/>")
  second.send(`<presence to='${first.jid.split('/')[0]}' type='subscribed'/>`)
  await first.receives(`<presence from='${second.jid}'/>`)
}
const sessionAt = (node: ClusterNode, client: RawClient) => node.office.chat.parts.sessions.get(client.jid)
const waiting = async (username: string): Promise<number> => {
  const { db, queue } = one.office.chat.parts
  await queue.flushed(2_000)
  await two.office.chat.parts.queue.flushed(2_000)
  return (await db.query('SELECT 1 FROM archive WHERE receiver = $1 AND pending', [username])).length
}

describe('a stream that is resumed on another node', () => {
  test('goes on there with what is not acknowledged, in order, and nobody sees the person leave', async () => {
    const { client, previd } = await managed(one, romeo)
    await using friend = await at(two, juliet)
    client.send('<presence><priority>5</priority></presence>')
    await client.receives(`<presence from='${client.jid}'/>`)
    friend.send('<presence/>')
    await befriended(friend, client)
    const before = sessionAt(one, client)?.outbox?.sent ?? 0
    friend.send(message(client.jid, 'one') + message(client.jid, 'two'))
    await client.receives(bodyOf('two'))
    client.send(message(friend.jid, 'sent before'))
    await friend.receives(bodyOf('sent before'))
    await friend.leftovers()
    client.cut()
    await expect.poll(() => sessionAt(one, client)?.outlet).toBeUndefined()
    friend.send(message(client.jid, 'three'))
    await friend.leftovers()

    await using back = await resumed(two, romeo, previd, before + 1)
    const handled = (await back.receives(`<resumed xmlns='${ns}' previd='${previd}'/>`)).attrs.h
    expect(Number(handled)).toBeGreaterThan(1)
    for (const text of ['two', 'three']) {
      expect((await back.receives(element => element.name === 'message')).getChildText('body')).toBe(text)
    }
    const moved = two.office.chat.parts.sessions.get(client.jid)
    expect(moved).toMatchObject({ id: previd, priority: 5, isAvailable: true })
    for (const { directory } of [one, two]) {
      expect(directory.routes(`${romeo}@office.test`)).toMatchObject([{ node: two.name, session: previd, priority: 5 }])
    }
    // Counting goes on, both ways; what is acknowledged waits no more.
    friend.send(message(client.jid, 'four'))
    await back.receives(bodyOf('four'))
    back.send(a(before + 4))
    back.send(`${message(friend.jid, 'sent after')}<r xmlns='${ns}'/>`)
    await back.receives(a(Number(handled) + 1))
    await friend.receives(bodyOf('sent after'))
    expect(moved?.outbox?.unacked).toBe(0)
    await expect.poll(() => waiting(romeo)).toBe(0)
    const seen = (await friend.leftovers()).filter(element => element.name === 'presence')
    expect(seen.map(String).filter(text => text.includes('unavailable'))).toEqual([])
    one.office.chat.parts.sessions.sweep()
  })

  test('ends over there with conflict while it is still open; two who resume it get it once', async () => {
    const { client, previd } = await managed(one, romeo)
    const racers = await Promise.all([
      resumed(two, romeo, previd, 0),
      resumed(two, romeo, previd, 0),
      resumed(one, romeo, previd, 0),
    ])
    const isAnswer = (element: { name: string }): boolean => ['resumed', 'failed'].includes(element.name)
    const answers = await Promise.all(racers.map(racer => racer.receives(isAnswer)))
    expect(answers.map(answer => answer.name)).toContain('resumed')
    await client.fails('conflict')
    // Whoever came last has it; those before were told so.
    await expect
      .poll(() => racers.filter((racer, index) => answers[index]?.name === 'resumed' && !racer.isClosed))
      .toHaveLength(1)
    const sessions = [one, two].map(node => node.office.chat.parts.sessions.byId(previd))
    expect(sessions.filter(session => session && session.departedAt === undefined)).toHaveLength(1)
    for (const racer of racers) racer.cut()
  })

  test('brings what was held back for a sleeping phone, and what came while it moved', async () => {
    const { client, previd } = await managed(one, romeo)
    await using friend = await at(two, juliet)
    friend.send('<presence/>')
    client.send('<presence/>')
    await befriended(client, friend)
    await client.leftovers()
    client.send("<inactive xmlns='urn:xmpp:csi:0'/>")
    await client.leftovers()
    friend.send('<presence><status>held back</status></presence>')
    await friend.leftovers()
    await passed(two, one.name)
    const old = sessionAt(one, client)
    const late = buildStanza('message', { from: 'office.test', to: client.jid, type: 'headline' }, '<body>late</body>')
    const off = two.office.chat.parts.hooks.on('session:bound', 'watch', ({ session }) => {
      if (session.id !== previd) return
      old?.send(late)
      friend.send(message(client.jid, 'kept'))
    })
    await using back = await resumed(two, romeo, previd, old?.outbox?.sent ?? 0)
    await back.receives(`<resumed xmlns='${ns}' previd='${previd}'/>`)
    await back.receives('<presence><status>held back</status></presence>')
    await back.receives(bodyOf('late'))
    await back.receives(bodyOf('kept'))
    off()
    // Somebody may still think that it is over there.
    old?.send(late.with({ id: 'later' }))
    await back.receives("<message id='later'/>")
  })

  test('brings more than goes into one answer', async () => {
    const { client, previd } = await managed(one, romeo)
    const session = sessionAt(one, client)
    const text = 'x'.repeat(4_000)
    for (let count = 0; count < 300; count++) {
      session?.send(
        buildStanza('message', { from: 'office.test', to: client.jid, id: `m${count}` }, `<body>${text}</body>`),
      )
    }
    client.cut()
    await using back = await resumed(two, romeo, previd, 0)
    await back.receives(`<resumed xmlns='${ns}' previd='${previd}'/>`)
    for (let count = 0; count < 300; count++) {
      expect((await back.receives(element => element.name === 'message')).attrs.id).toBe(`m${count}`)
    }
  })

  test('and back again, is the same session still', async () => {
    const { client, previd } = await managed(one, romeo)
    const there = await resumed(two, romeo, previd, 0)
    await there.receives(`<resumed xmlns='${ns}' previd='${previd}'/>`)
    await using again = await resumed(one, romeo, previd, 0)
    await again.receives(`<resumed xmlns='${ns}' previd='${previd}'/>`)
    expect(sessionAt(one, client)?.departedAt).toBeUndefined()
    await passed(one, two.name)
    expect(two.directory.bySession(previd)?.node).toBe(one.name)
  })
})

describe('a stream that cannot come', () => {
  test('is told how much of it was kept when its node does not answer', async () => {
    const { client, previd } = await managed(one, romeo)
    client.send(`${message(`${juliet}@office.test`, 'kept')}<r xmlns='${ns}'/>`)
    await client.receives(a(1))
    const { ask } = two.bus
    two.bus.ask = (node, topic, body, timeoutMs) =>
      topic === 'session-take'
        ? Promise.reject(new CallFault('late', 'It hangs.'))
        : ask.call(two.bus, node, topic, body, timeoutMs)
    const back = await resumed(two, romeo, previd, 0)
    const failed = await back.receives(element => element.name === 'failed')
    two.bus.ask = ask
    expect(failed.attrs.h).toBe('1')
    expect(failed.getChild('item-not-found')).toBeDefined()
    back.cut()
  })

  test('stays where it was when it does not arrive', async () => {
    const { client, previd } = await managed(one, romeo)
    await using friend = await at(two, juliet)
    friend.send(message(client.jid, 'still here'))
    await client.receives(bodyOf('still here'))
    const off = two.office.chat.parts.hooks.on('session:bound', 'watch', ({ session }) => {
      if (session.id === previd) throw new Error('the database is away')
    })
    const back = await resumed(two, romeo, previd, 0)
    await back.receives(element => element.name === 'failed')
    off()
    back.cut()
    await passed(two, one.name)
    expect(two.office.chat.parts.sessions.byId(previd)).toBeUndefined()
    const again = await resumed(one, romeo, previd, 0)
    await again.receives(`<resumed xmlns='${ns}' previd='${previd}'/>`)
    await again.receives(bodyOf('still here'))
    again.cut()
  })

  test('belongs to somebody else, or has acknowledged too much: it stays as well', async () => {
    const { previd } = await managed(one, romeo)
    const thief = await resumed(two, juliet, previd, 0)
    await thief.receives(element => element.name === 'failed')
    const liar = await resumed(two, romeo, previd, 7)
    expect((await liar.fails('undefined-condition')).getChild('handled-count-too-high')?.attrs).toMatchObject({
      h: '7',
    })
    const owner = await resumed(two, romeo, previd, 0)
    await owner.receives(`<resumed xmlns='${ns}' previd='${previd}'/>`)
    owner.cut()
    thief.cut()
  })
})

test('a node that is taken out while it is alone tells everybody, waits for nobody, and takes them again later', async () => {
  const { sessions } = one.office.chat.parts
  await Promise.all([...sessions.all()].map(session => sessions.end(session, 'left')))
  const { client } = await managed(one, romeo)
  const plain = await at(one, juliet)
  expect(await one.office.streams.drain(() => undefined, { isAlone: true })).toEqual({ moved: 0, left: 2 })
  for (const sent of [client, plain])
    expect((await sent.fails('system-shutdown')).getChildText('text')).toMatch(/^Nobody can connect/)
  expect(sessions.size).toBe(0)
  const late = await one.office.connect('plain')
  late.sendHeader()
  await late.fails('system-shutdown')
  one.office.streams.resumeService()
  await (await at(one, juliet, 'again'))[Symbol.asyncDispose]()
})

test('a node that is drained sends everybody away, and its sessions are fetched', async () => {
  const { sessions } = one.office.chat.parts
  await Promise.all([...sessions.all()].map(session => sessions.end(session, 'left')))
  const { client, previd } = await managed(one, romeo)
  const plain = await at(one, juliet)
  const stranger = await one.office.connect('plain')
  const place = `127.0.0.1:${two.office.ports.plain}`
  const seen: unknown[] = []
  const draining = one.office.streams.drain(kind => (kind === 'tcp' ? place : undefined), {
    limitMs: 5_000,
    onProgress: progress => seen.push(progress),
  })
  for (const sent of [client, plain]) {
    expect((await sent.fails('see-other-host')).getChildText('see-other-host')).toBe(place)
  }
  stranger.sendHeader()
  await expect(stranger.closed()).resolves.toBeUndefined()
  const late = await one.office.connect('plain')
  late.sendHeader()
  await late.fails('see-other-host')
  const browser = await one.office.connect('wss')
  browser.sendHeader()
  await browser.fails('system-shutdown')
  const back = await resumed(two, romeo, previd, 0)
  await back.receives(`<resumed xmlns='${ns}' previd='${previd}'/>`)
  expect(await draining).toEqual({ moved: 1, left: 0 })
  expect(seen.length).toBeGreaterThan(1)
  expect(sessionAt(one, plain)).toBeUndefined()
  one.office.streams.resumeService()
  await (await at(one, juliet, 'again'))[Symbol.asyncDispose]()
  back.cut()
})
