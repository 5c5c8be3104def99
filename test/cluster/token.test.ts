/** Three fresh appliances with one token in their autosetup files, started at the same moment, become one office; then what happens to it in a long life. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { getDatabase, moveDatabase } from '../../server/admin/contract/database.ts'
import { drainNode, makeJoinCode, removeNode, resumeNode } from '../../server/admin/contract/nodes.ts'
import { readJoinCode } from '../../server/cluster/pairing/join-code.ts'
import { joinOffice } from '../../server/cluster/pairing/joiner.ts'
import { openLinkKey } from '../../server/nodes/link-key.ts'
import type { Appliance } from '../support/appliance.ts'
import { people } from '../support/appliance.ts'
import { type ChatClient, logIn } from '../support/clients.ts'
import { eventually } from '../support/postgres-server.ts'
import { adminOf, isWhole, startWith, tokenConfigs, viewOf } from '../support/small-office.ts'

const tls = { library: '@xmpp/client', transport: 'direct TLS' } as const
const body = (text: string) => (stanza: { name: string; getChildText(name: string): string | null }) =>
  stanza.name === 'message' && stanza.getChildText('body') === text

let pcs: Appliance[] = []
let token = ''

/** The one with the main database, and the two others. */
async function byRole(): Promise<{ main: Appliance; others: [Appliance, Appliance] }> {
  const { nodes } = await viewOf(pcs[0]!)
  const name = nodes.find(({ database }) => database === 'main')?.name
  const main = pcs.find(({ ready }) => ready.node === name)!
  const [a, b] = pcs.filter(pc => pc !== main)
  return { main, others: [a!, b!] }
}

async function expectToTalk(romeo: ChatClient, juliet: ChatClient, text: string): Promise<void> {
  await romeo.message(juliet.bareJid, text)
  await juliet.next(body(text), 15_000)
}

beforeAll(async () => {
  const configs = await tokenConfigs(['front-desk', 'back-office', 'front-desk'])
  token = String(configs[0]!.cluster!.token)
  const since = performance.now()
  pcs = await Promise.all(configs.map(config => startWith(config)))
  const [first, , third] = pcs as [Appliance, Appliance, Appliance]
  const romeo = await logIn(first, tls, people.romeo)
  const juliet = await logIn(third, tls, people.juliet)
  await expectToTalk(romeo, juliet, 'first')
  process.stdout.write(
    `token: three fresh PCs, first message across after ${Math.round(performance.now() - since)} ms\n`,
  )
  await Promise.all([romeo.close(), juliet.close()])
}, 120_000)

afterAll(async () => {
  await Promise.all(pcs.map(pc => pc.cleanup()))
})

test('all three carry one office, with names of their own and one database, and say so on every PC', async () => {
  await isWhole(pcs)
  expect(pcs.map(({ ready }) => ready.node).toSorted()).toEqual(['back-office', 'front-desk', 'front-desk-2'])
  const ids = new Set<string>()
  for (const pc of pcs) {
    const view = await viewOf(pc)
    expect(view.sentence).toBe('Three PCs carry the office.')
    expect(view.nodes.map(({ database }) => database).toSorted()).toEqual(['main', 'through', 'through'])
    ids.add(await pc.officeCa())
  }
  expect(ids.size).toBe(1)
}, 90_000)

test('the PC with the database is started anew while the others wait for it, then each of the others', async () => {
  const { main, others } = await byRole()
  const romeo = await logIn(others[0], tls, people.romeo)
  const juliet = await logIn(others[1], tls, people.juliet)
  await expectToTalk(romeo, juliet, 'all is well')
  await main.stop()
  await expectToTalk(romeo, juliet, 'the database is away')
  await main.start()
  await isWhole(pcs)
  await expectToTalk(romeo, juliet, 'the database is back')
  await Promise.all([romeo.close(), juliet.close()])
  for (const pc of others) await pc.restart()
  await isWhole(pcs)
}, 90_000)

test('the data moves to another PC: everybody follows, sessions stay', async () => {
  const { others } = await byRole()
  const romeo = await logIn(others[0], tls, people.romeo)
  const juliet = await logIn(others[1], tls, people.juliet)

  const admin = await adminOf(others[0])
  await admin(moveDatabase, { body: { url: 'embedded' } })
  await eventually('the data to be moved', async () => (await admin(getDatabase)).move?.state === 'switched', 30_000)
  await eventually(
    'all to follow',
    async () => {
      const { nodes } = await viewOf(others[1])
      return nodes.find(({ name }) => name === others[0].ready.node)?.database === 'main'
    },
    15_000,
  )
  await expectToTalk(romeo, juliet, 'moved')
  expect([romeo.connections, juliet.connections]).toEqual([1, 1])
  await Promise.all([romeo.close(), juliet.close()])
}, 90_000)

test('a PC is taken out for maintenance and put back from another one, then removed for good', async () => {
  const { main, others } = await byRole()
  const [left, right] = others
  const admin = await adminOf(main)
  const params = { name: left.ready.node }
  expect(await admin(drainNode, { params })).toMatchObject({ left: 0 })
  await eventually('it to be paused', async () =>
    (await viewOf(right)).nodes.some(node => node.name === params.name && node.state === 'paused'),
  )
  await admin(resumeNode, { params })
  await isWhole(pcs)

  await expect(
    admin(removeNode, { params: { name: main.ready.node }, body: { typed: main.ready.node } }),
  ).rejects.toThrow('The main database is on it')
  await admin(removeNode, { params, body: { typed: params.name } })
  await isWhole([main, right])
  await eventually('the removed PC to say so', async () => {
    const said = await viewOf(left).catch(String)
    return String(said).includes('was removed from its office')
  })
  await expect(logIn(left, tls, people.mercutio)).rejects.toThrow()
}, 90_000)

test('a removed PC gets in by no token and no code with its key; with a new one a code lets it in, the token nobody', async () => {
  const there = (await Promise.all(pcs.map(async pc => ((await viewOf(pc).catch(() => undefined)) ? [pc] : [])))).flat()
  const removed = pcs.find(pc => !there.includes(pc))!
  const host = there[0]!
  const address = `127.0.0.1:${host.ready.cluster}`
  const { version } = (await viewOf(host)).nodes.find(({ here }) => here)!
  const apply = async (way: 'token' | 'code', folder: string) => {
    const { publicKey } = await openLinkKey(folder)
    const code = way === 'code' ? (await (await adminOf(host))(makeJoinCode)).code : ''
    return joinOffice({
      address,
      way: way === 'code' ? { kind: 'code', code: readJoinCode(code) } : { kind: 'token', token },
      applicant: {
        ...{ id: randomUUID(), name: 'again', system: 'Test', version: version ?? '', hazelcast: undefined },
        ...{ publicKey, addresses: ['127.0.0.1:9'] },
      },
    })
  }
  const old = path.join(removed.dataDir, 'certificates')
  await expect(apply('code', old)).rejects.toThrow('refuses its key for good')
  await expect(apply('token', old)).rejects.toThrow('refuses its key for good')
  const fresh = await mkdtemp(path.join(tmpdir(), 'lanthorn-token-'))
  await using _ = { [Symbol.asyncDispose]: () => rm(fresh, { recursive: true }) }
  await expect(apply('token', fresh)).rejects.toThrow('that ended its token')
  const welcome = await apply('code', fresh)
  expect(welcome.nodes.map(({ name }) => name)).toContain('again')
  expect(welcome.secrets).not.toHaveProperty('join-token')
}, 60_000)
