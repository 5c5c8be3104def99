import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase, quietLog } from '../../test/support/database.ts'
import { authority, known, open, type Papers, papers, quick, reached } from '../../test/support/mesh.ts'
import { type Chat, startChat } from '../chat.ts'
import type { OpenMesh } from '../cluster/mesh/mesh.ts'
import { meshBus } from '../cluster/mesh-bus.ts'
import { sharedDirectory } from '../cluster/shared-directory.ts'
import type { Connection } from '../db/address.ts'
import { Database } from '../db/pool.ts'
import offline from '../features/offline.ts'
import type { CertifiedKey } from '../net/ca.ts'
import { managementFeature } from '../stream/settings.ts'
import { buildStanza, type Stanza } from '../xmpp/stanza.ts'
import { coreFeatures } from './core-features.ts'
import type { Feature } from './feature.ts'
import type { Outlet, Session } from './session.ts'

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
const patient = { ...quick, heartbeatMs: 500, suspectMs: 5_000, goneMs: 20_000, frozenMs: 10_000 }
const features = [...coreFeatures, managementFeature, offline] as unknown as Feature[]

interface Node {
  readonly chat: Chat
  readonly mesh: OpenMesh
  readonly db: Database
  /** Holds back what this node writes, until it is called again. */
  readonly gate: { hold(): void; open(): void }
  isDead: boolean
}

let office: { authority: CertifiedKey; connection: Connection; drop(): Promise<void>; papers: Papers[] }
let nodes: Node[] = []

beforeAll(async () => {
  const ca = await authority()
  const all = await Promise.all([1, 2, 3].map(number => papers(ca, number)))
  office = { authority: ca, papers: all, ...(await freshDatabase()) }
})
afterAll(async () => {
  await closeOffice()
  await office.drop()
})

let epoch = 0

/** Three nodes, linked, each knowing the routes of the others. */
async function openOffice(): Promise<[Node, Node, Node]> {
  epoch++
  const meshes = await Promise.all(
    office.papers.map(own => open(own, office.authority, { epoch, timings: patient, log: quietLog })),
  )
  const all = office.papers.map((own, index) => known(own, meshes[index]?.port))
  nodes = []
  for (const [index, mesh] of meshes.entries()) nodes.push(await openNode(mesh, `pc-${index + 1}`))
  for (const mesh of meshes) mesh.setNodes(all)
  for (const mesh of meshes) await Promise.all(mesh.peers.map(({ node }) => reached(mesh, node.name, 'up')))
  return nodes as [Node, Node, Node]
}

async function openNode(mesh: OpenMesh, name: string): Promise<Node> {
  const db = new Database({ connection: office.connection, log: quietLog })
  let wait: PromiseWithResolvers<void> | undefined
  const [exec, query] = [db.exec.bind(db), db.query.bind(db)]
  db.exec = async (...args) => {
    await wait?.promise
    return exec(...args)
  }
  db.query = async (...args) => {
    if (/INSERT/.test(args[0])) await wait?.promise
    return query(...args)
  }
  const bus = meshBus(mesh, quietLog)
  const directory = sharedDirectory({ node: name, bus, log: quietLog })
  const options = { domain: 'office.test', node: name, version: '0', log: quietLog, db, features }
  const chat = await startChat({ ...options, cluster: { directory, bus } })
  const gate = {
    hold: () => {
      wait ??= Promise.withResolvers()
    },
    open: () => {
      wait?.resolve()
      wait = undefined
    },
  }
  return { chat, mesh, db, gate, isDead: false }
}

/** Ends a node without any of the orderly words: it writes nothing more, and its links are gone. */
async function kill(node: Node): Promise<void> {
  node.isDead = true
  node.gate.hold()
  await node.mesh.close()
}

/** A node that was killed is not wanted again: the next test opens three new ones. Else only the people leave. */
afterEach(async () => {
  if (nodes.some(({ isDead }) => isDead)) return closeOffice()
  for (const { chat } of nodes) {
    const { sessions } = chat.parts
    for (const session of [...sessions.all()]) await sessions.end(session, 'left')
  }
  await settled()
  await nodes[0]?.db.exec('TRUNCATE archive')
})

async function closeOffice(): Promise<void> {
  const closing = nodes
  nodes = []
  for (const { gate } of closing) gate.open()
  await Promise.all(closing.map(({ chat }) => chat.close()))
  await Promise.all(closing.map(({ mesh }) => mesh.close()))
  await closing[0]?.db.exec('TRUNCATE archive')
  await Promise.all(closing.map(({ db }) => db.close()))
}

class Client {
  readonly got: Stanza[] = []
  readonly node: Node
  readonly session: Session

  private constructor(node: Node, session: Session, got: Stanza[]) {
    this.node = node
    this.session = session
    this.got = got
  }

  static async bind(node: Node, username: string, resource: string, isManaged = true): Promise<Client> {
    const got: Stanza[] = []
    const outlet: Outlet = {
      transport: 'tls',
      address: '127.0.0.1',
      isSecure: true,
      receivedAt: 0,
      send: stanza => void (stanza.kind === 'message' && got.push(stanza)),
      sendRaw: () => undefined,
      end: () => undefined,
    }
    const session = await node.chat.parts.sessions.bind({ username, resource, outlet })
    if (typeof session === 'string') throw new Error(session)
    if (isManaged) session.enableManagement({ resumableMs: 60_000, limits: { stanzas: 5_000, bytes: 1e8 } })
    return new Client(node, session, got)
  }

  static async online(node: Node, username: string, resource: string, isManaged = true): Promise<Client> {
    const client = await Client.bind(node, username, resource, isManaged)
    await client.appears()
    return client
  }

  async appears(): Promise<void> {
    await this.node.chat.parts.router.receive(this.session, buildStanza('presence', { from: this.session.jid.full }))
  }

  async says(to: string, body: string, type = 'chat'): Promise<void> {
    const stanza = buildStanza('message', { from: this.session.jid.full, to, type }, `<body>${body}</body>`)
    await this.node.chat.parts.router.receive(this.session, stanza)
    this.session.inbox?.count()
  }

  acks(): void {
    this.session.acknowledged(this.session.outbox?.sent ?? 0)
  }

  get bodies(): (string | undefined)[] {
    return this.got.map(stanza => stanza.child('body', 'jabber:client')?.getText())
  }

  /** Resolves when it has got these, and nothing else. */
  async has(...bodies: string[]): Promise<void> {
    await expect.poll(() => this.bodies, { timeout: 5_000, interval: 5 }).toEqual(bodies)
  }

  leaves(): Promise<void> {
    return this.node.chat.parts.sessions.end(this.session, 'left')
  }
}

interface Row {
  body: string
  pending: boolean
  holder: string | null
  out: string | null
}

async function stored(): Promise<Row[]> {
  const db = new Database({ connection: office.connection, log: quietLog })
  try {
    const rows = await db.query<{ stanza: string; pending: boolean; holder: string | null; out: string | null }>(
      `SELECT stanza, pending, holder, out_stream || ' ' || out_count AS out FROM archive ORDER BY id`,
    )
    return rows.map(({ stanza, ...rest }) => ({ body: /<body>(.*)<\/body>/.exec(stanza)?.[1] ?? '', ...rest }))
  } finally {
    await db.close()
  }
}

/** Everything is written, on all nodes that live, and all words have been heard. */
async function settled(): Promise<void> {
  for (let round = 0; round < 2; round++) {
    for (const { chat, isDead } of nodes) if (!isDead) await expect.poll(() => chat.parts.queue.isIdle).toBe(true)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** The route of somebody is known everywhere. */
async function seen(jid: string, ...by: Node[]): Promise<void> {
  const [bare = '', resource = ''] = jid.split('/')
  for (const { chat } of by) {
    await expect.poll(() => chat.parts.directory.route(bare, resource)?.priority, { interval: 5 }).toBe(0)
  }
}

const people = ['romeo', 'juliet', ...Array.from({ length: 10 }, (_, index) => `person-${index}`)]

async function furnished(): Promise<[Node, Node, Node]> {
  if (nodes.length > 0) return nodes as [Node, Node, Node]
  const all = await openOffice()
  for (const username of people) {
    const account = { username, password: 'long enough' }
    if (!(await all[0].chat.parts.accounts.get(username))) await all[0].chat.parts.accounts.create(account)
  }
  return all
}

describe('a message to somebody on another node', () => {
  test('is there at once and in order, is written once, and waits no more when it is acknowledged there', async () => {
    const [first, second] = await furnished()
    const juliet = await Client.online(second, 'juliet', 'phone')
    await seen('juliet@office.test/phone', first)
    const romeo = await Client.online(first, 'romeo', 'desk')
    for (const word of ['one', 'two', 'three']) await romeo.says('juliet@office.test', word)
    await juliet.has('one', 'two', 'three')
    expect(juliet.got[0]?.has('stanza-id', 'urn:xmpp:sid:0')).toBe(true)
    await settled()
    const out = (count: number) => `${juliet.session.id} ${count}`
    const { holder } = second.chat.parts.bus
    const start = (juliet.session.outbox?.sent ?? 0) - 3
    expect(await stored()).toEqual([
      { body: 'one', pending: true, holder, out: out(start + 1) },
      { body: 'two', pending: true, holder, out: out(start + 2) },
      { body: 'three', pending: true, holder, out: out(start + 3) },
    ])
    expect(romeo.session.inbox?.safe).toBe(3)
    juliet.acks()
    await settled()
    expect((await stored()).map(({ pending }) => pending)).toEqual([false, false, false])
    // A client without stream management has it as soon as it is written.
    const nurse = await Client.online(second, 'person-1', 'phone', false)
    await seen('person-1@office.test/phone', first)
    await romeo.says('person-1@office.test', 'four')
    await nurse.has('four')
    await settled()
    expect((await stored()).at(-1)).toMatchObject({ body: 'four', pending: false })
  })

  test('who is not there any more: another resource gets it, or it waits; what is not kept comes back', async () => {
    const [first, second, third] = await furnished()
    const romeo = await Client.online(first, 'romeo', 'desk')
    const juliet = await Client.online(second, 'juliet', 'phone')
    await seen('juliet@office.test/phone', first, third)
    // pc-1 and pc-3 do not hear that she leaves: what they send is not taken there.
    const put = first.chat.parts.directory.route('juliet@office.test', 'phone')
    await juliet.leaves()
    await expect.poll(() => first.chat.parts.directory.routes('juliet@office.test')).toEqual([])
    const { directory } = first.chat.parts
    const { routes } = directory
    if (put) directory.routes = bare => (bare === put.bare ? [put] : [])
    const errors = romeo.got
    const note = buildStanza(
      'message',
      { from: romeo.session.jid.full, to: 'juliet@office.test/phone', type: 'chat' },
      "<body>gone</body><no-store xmlns='urn:xmpp:hints'/>",
    )
    await first.chat.parts.router.receive(romeo.session, note)
    await expect.poll(() => errors.map(({ type }) => type), { interval: 5 }).toEqual(['error'])
    await romeo.says('juliet@office.test', 'waits')
    await settled()
    directory.routes = routes
    expect(await stored()).toEqual([{ body: 'waits', pending: true, holder: null, out: null }])
    const later = await Client.online(third, 'juliet', 'tablet')
    await later.has('waits')
  })

  test('many that wait are given out once, when their receiver comes on two nodes at a time', async () => {
    const [first, second, third] = await furnished()
    const romeo = await Client.online(first, 'romeo', 'desk')
    const words = Array.from({ length: 150 }, (_, index) => `word ${index}`)
    for (const word of words) await romeo.says('juliet@office.test', word)
    await settled()
    const clients = await Promise.all([
      Client.online(second, 'juliet', 'phone'),
      Client.online(third, 'juliet', 'tablet'),
    ])
    const all = (): (string | undefined)[] => clients.flatMap(client => client.bodies)
    await expect.poll(() => all().length, { timeout: 5_000 }).toBe(150)
    await settled()
    expect(all().sort()).toEqual([...words].sort())
    for (const { bodies } of clients) {
      expect(bodies).toEqual(words.filter(word => bodies.includes(word)))
    }
  })

  test('that waits for somebody who comes and goes is counted once, not each time they leave it', async () => {
    const [first, second] = await furnished()
    await first.chat.parts.settings.set('offline.waitingMax', 50, 'test')
    const romeo = await Client.online(first, 'romeo', 'desk')
    const words = Array.from({ length: 30 }, (_, index) => `word ${index}`)
    for (const word of words) await romeo.says('juliet@office.test', word)
    for (let times = 0; times < 3; times++) {
      const juliet = await Client.online(second, 'juliet', 'phone')
      await juliet.has(...words)
      await juliet.leaves()
      await settled()
    }
    for (let more = 30; more < 50; more++) await romeo.says('juliet@office.test', `word ${more}`)
    await settled()
    expect(romeo.got).toEqual([])
    await romeo.says('juliet@office.test', 'one too many')
    expect(romeo.got.map(({ type }) => type)).toEqual(['error'])
    await first.chat.parts.settings.set('offline.waitingMax', 1_000, 'test')
    await settled()
    expect(await stored()).toHaveLength(50)
  })

  test(`reaches somebody who is just logging in elsewhere, each time and once (seed ${seed})`, {
    timeout: 30_000,
  }, async () => {
    const [first, second] = await furnished()
    const random = randomOf(seed)
    const romeo = await Client.online(first, 'romeo', 'desk')
    const delay = () => new Promise(resolve => setTimeout(resolve, random() * 40))
    const round = async (person: string, text: string): Promise<void> => {
      const said = delay().then(() => romeo.says(`${person}@office.test`, text))
      await delay()
      const client = await Client.bind(second, person, 'phone', random() < 0.7)
      await delay()
      await client.appears()
      await said
      await client.has(text)
      await delay()
      client.acks()
      await client.leaves()
      expect(client.bodies, text).toEqual([text])
    }
    for (let batch = 0; batch < 20; batch++) {
      await Promise.all(people.slice(2).map(person => round(person, `${person} ${batch}`)))
    }
    await settled()
    const rows = await stored()
    expect(rows).toHaveLength(200)
    expect(rows.filter(({ pending }) => pending)).toEqual([])
  })

  test('waits a little when its receiver there is far behind with acknowledgements', async () => {
    const [first, second] = await furnished()
    const romeo = await Client.online(first, 'romeo', 'desk')
    const juliet = await Client.online(second, 'juliet', 'phone')
    await seen('juliet@office.test/phone', first)
    const { bus } = first.chat.parts
    for (let count = 0; count < 1_010; count++) void romeo.says('juliet@office.test', 'again')
    await expect
      .poll(() => bus.isCrowded('pc-2', 'juliet@office.test/phone'), { timeout: 5_000, interval: 5 })
      .toBe(true)
    let hasRoom = false
    const said = romeo.says('juliet@office.test', 'last').then(() => {
      hasRoom = true
    })
    await new Promise(resolve => setImmediate(resolve))
    expect(hasRoom).toBe(false)
    await expect.poll(() => juliet.bodies.at(-1), { interval: 5 }).toBe('last')
    juliet.acks()
    await said
    await expect.poll(() => bus.isCrowded('pc-2', 'juliet@office.test/phone'), { interval: 5 }).toBe(false)
  })

  test('survives the node that took it in, when that dies before it wrote it down; the sender is told so elsewhere', async () => {
    const [first, second, third] = await furnished()
    const romeo = await Client.online(first, 'romeo', 'desk')
    const juliet = await Client.online(second, 'juliet', 'phone')
    await seen('juliet@office.test/phone', first, third)
    first.gate.hold()
    await romeo.says('juliet@office.test', 'half-sent')
    await juliet.has('half-sent')
    expect(await stored()).toEqual([])
    await kill(first)
    await reached(second.mesh, 'pc-1', 'away')
    const { id } = romeo.session
    expect(await third.chat.parts.queue.recover({ streamId: id, username: 'romeo', h: 0 })).toBe(1)
    const row = { body: 'half-sent', holder: second.chat.parts.bus.holder }
    expect(await stored()).toMatchObject([{ ...row, pending: true }])
    juliet.acks()
    await settled()
    // The dead one was only frozen: nothing comes twice.
    first.gate.open()
    await expect.poll(() => first.chat.parts.queue.isIdle).toBe(true)
    await settled()
    expect(await stored()).toMatchObject([{ ...row, pending: false }])
    expect(juliet.bodies).toEqual(['half-sent'])
  })

  test('survives the node of its receiver: another one takes it once, at once if the receiver is there too', async () => {
    const [first, second, third] = await furnished()
    const romeo = await Client.online(first, 'romeo', 'desk')
    await Client.online(second, 'juliet', 'phone')
    await seen('juliet@office.test/phone', first, third)
    await romeo.says('juliet@office.test', 'one')
    await settled()
    const tablet = await Client.online(third, 'juliet', 'tablet')
    await settled()
    expect(tablet.bodies).toEqual([])
    await kill(second)
    await tablet.has('one')
    await settled()
    expect(await stored()).toMatchObject([{ body: 'one', pending: true, holder: third.chat.parts.bus.holder }])
    const desk = await Client.online(first, 'juliet', 'desk')
    await settled()
    expect([tablet.bodies, desk.bodies]).toEqual([['one'], []])
    // What a session did not acknowledge before it ends goes to the next one, wherever that is.
    await tablet.leaves()
    await desk.has('one')
  })
})

/** Numbers from 0 to 1 that only depend on the seed (mulberry32). */
function randomOf(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
