import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Office } from '../../test/support/office.ts'
import type { RawClient } from '../../test/support/raw.ts'

let office: Office

beforeAll(async () => {
  office = await Office.start()
})
afterAll(() => office[Symbol.asyncDispose]())

const ns = 'urn:xmpp:sm:3'
const r = `<r xmlns='${ns}'/>`
const a = (h: number) => `<a xmlns='${ns}' h='${h}'/>`
const message = (to: string, body: string) => `<message to='${to}' type='chat'><body>${body}</body></message>`
const resumeOf = (previd: string, h: number) => `<resume xmlns='${ns}' previd='${previd}' h='${h}'/>`
const sessionOf = (client: RawClient) => office.chat.parts.sessions.get(client.jid)

async function managed(username: string, resource: string) {
  const client = await office.client(username, { resource })
  const enabled = await client.manage()
  return { client, previd: String(enabled.attrs.id) }
}

async function resumed(username: string, previd: string, h: number) {
  const client = await office.connect('tls')
  await client.authenticate(office.login(username))
  client.send(resumeOf(previd, h))
  return client
}

/** A database that answers nothing until it thaws. */
function frozenDatabase(): { thaw(): void } & Disposable {
  const { db } = office.chat.parts
  const { promise, resolve } = Promise.withResolvers<void>()
  const original = { query: db.query, exec: db.exec, transaction: db.transaction }
  for (const name of ['query', 'exec', 'transaction'] as const) {
    const run = db[name].bind(db) as (...parameters: unknown[]) => Promise<unknown>
    Object.assign(db, { [name]: (...parameters: unknown[]) => promise.then(() => run(...parameters)) })
  }
  return {
    thaw: resolve,
    [Symbol.dispose]() {
      resolve()
      Object.assign(db, original)
    },
  }
}

describe('enabling', () => {
  test('answers with an id and for how long a stream can be resumed', async () => {
    await using client = await office.client('romeo')
    expect(client.offers('sm', ns)).toBe(true)
    const enabled = await client.manage("resume='1' max='60'")
    expect(enabled.attrs).toMatchObject({ resume: 'true', max: '60' })
    expect(enabled.attrs.id).toBe(sessionOf(client)?.id)
  })

  test('without resumption answers without', async () => {
    await using client = await office.client('romeo')
    expect((await client.manage('')).attrs).toEqual({ xmlns: ns })
    expect(sessionOf(client)?.resumableMs).toBe(0)
  })

  test('at the wrong time fails with unexpected-request', async () => {
    await using client = await office.connect('tls')
    await client.open()
    const failed = `<failed xmlns='${ns}'><unexpected-request/></failed>`
    for (const element of [`<enable xmlns='${ns}'/>`, resumeOf('x', 0), r, a(0)]) {
      client.send(element)
      await client.receives(failed)
    }
    await client.sasl(office.login('romeo'))
    await client.open()
    client.send(`<enable xmlns='${ns}'/>`)
    await client.receives(failed)
    await client.bind()
    await client.manage()
    client.send(`<enable xmlns='${ns}'/>`)
    await client.receives(failed)
    client.send(resumeOf('x', 0))
    await client.receives(failed)
  })
})

describe('acknowledgements', () => {
  test('name what was handled, and only stanzas are counted', async () => {
    const { client } = await managed('romeo', 'counting')
    await using romeo = client
    romeo.send(r)
    await romeo.receives(a(0))
    romeo.send(
      `${message('romeo@office.test/counting', 'one')}<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>${r}`,
    )
    await romeo.receives(a(2))
  })

  test('of a message come when it is kept in the archive', async () => {
    const { client: romeo } = await managed('romeo', 'archiving')
    romeo.send(message('juliet@office.test', 'kept') + r)
    await romeo.receives(a(1))
    const rows = await office.chat.parts.db.query('SELECT 1 FROM archive')
    expect(rows.length).toBeGreaterThan(0)
    romeo.cut()
  })

  test('of what is not kept yet wait a second, then name less, and the rest follows unasked', async () => {
    const { client: romeo } = await managed('romeo', 'waiting')
    using database = frozenDatabase()
    romeo.send(message('juliet@office.test', 'slow') + r)
    await romeo.receives(a(0))
    database.thaw()
    await romeo.receives(a(1))
    romeo.cut()
  })

  test('are asked for after a write, one question at a time', async () => {
    const { client: romeo } = await managed('romeo', 'asked')
    await using juliet = await office.client('juliet')
    juliet.send(message(romeo.jid, '1') + message(romeo.jid, '2'))
    await romeo.receives('<message><body>2</body></message>')
    await romeo.receives(r)
    juliet.send(message(romeo.jid, '3'))
    await romeo.receives('<message><body>3</body></message>')
    expect((await romeo.leftovers()).filter(element => element.name === 'r')).toEqual([])
    // The answer to the ping of `leftovers` was counted too.
    romeo.send(a(3))
    await romeo.receives(r)
    romeo.send(a(4))
    expect((await romeo.leftovers()).filter(element => element.name === 'r').length).toBeLessThanOrEqual(1)
    romeo.cut()
  })

  test('of more than was sent end the stream', async () => {
    const { client: romeo } = await managed('romeo', 'lying')
    romeo.send(a(10))
    const error = await romeo.fails('undefined-condition')
    expect(error.getChild('handled-count-too-high', ns)?.attrs).toMatchObject({ h: '10', 'send-count': '0' })
    const { client: other } = await managed('romeo', 'lying')
    other.send(`<a xmlns='${ns}'/>`)
    await other.fails('undefined-condition')
  })
})

describe('resumption', () => {
  test('brings what was not acknowledged, in order, and goes on counting', async () => {
    const { client: former, previd } = await managed('romeo', 'train')
    await using juliet = await office.client('juliet')
    former.send(message(juliet.jid, 'before') + r)
    await juliet.receives('<message><body>before</body></message>')
    await former.receives(a(1))
    juliet.send(message(former.jid, 'seen'))
    await former.receives('<message><body>seen</body></message>')
    const session = sessionOf(former)
    former.cut()
    await expect.poll(() => session?.restingSince).toBeDefined()
    juliet.send(message(former.jid, 'one') + message(former.jid, 'two'))
    await juliet.leftovers()
    const romeo = await resumed('romeo', previd, 1)
    const answer = await romeo.receives('<resumed/>')
    expect(answer.attrs).toMatchObject({ previd, h: '1' })
    await romeo.receives('<message><body>one</body></message>')
    await romeo.receives('<message><body>two</body></message>')
    await romeo.receives(r)
    romeo.send(a(3) + message(juliet.jid, 'after') + r)
    await juliet.receives(`<message from='${former.jid}'><body>after</body></message>`)
    await romeo.receives(a(2))
    expect(await romeo.receives(() => true, 100).catch(() => 'nothing')).toBe('nothing')
    expect(session?.outbox?.unacked).toBe(0)
    romeo.cut()
  })

  test('takes over from a stream that is still open, which ends with conflict', async () => {
    const { client: former, previd } = await managed('romeo', 'roaming')
    const romeo = await resumed('romeo', previd, 0)
    await romeo.receives('<resumed/>')
    await former.fails('conflict')
    expect(sessionOf(former)?.isClosed).toBe(false)
    romeo.send(r)
    await romeo.receives(a(0))
    romeo.cut()
  })

  test('while the database is away names what is safe, and passes over what the client then sends again', async () => {
    await using juliet = await office.client('juliet')
    const { client: former, previd } = await managed('romeo', 'unsafe')
    const session = sessionOf(former)
    using database = frozenDatabase()
    former.send(message(juliet.jid, 'once'))
    await juliet.receives('<message><body>once</body></message>')
    former.cut()
    await expect.poll(() => session?.restingSince).toBeDefined()
    const romeo = await resumed('romeo', previd, 0)
    await expect.poll(() => office.streams.resuming.size).toBe(1)
    office.clock.ahead += 10_000
    const answer = await romeo.receives('<resumed/>')
    expect(answer.attrs.h).toBe('0')
    romeo.send(message(juliet.jid, 'once') + message(juliet.jid, 'twice'))
    await juliet.receives('<message><body>twice</body></message>')
    expect(await juliet.receives('<message><body>once</body></message>', 50).catch(() => 'nothing')).toBe('nothing')
    database.thaw()
    romeo.send(r)
    await romeo.receives(a(2))
    romeo.cut()
  })

  test('of a session of somebody else, or of none, fails with item-not-found; the client may bind', async () => {
    const { client: former, previd } = await managed('romeo', 'private')
    await using juliet = await resumed('juliet', previd, 0)
    await juliet.receives(`<failed xmlns='${ns}'><item-not-found/></failed>`)
    expect(sessionOf(former)?.outlet).toBeDefined()
    juliet.send(resumeOf('no-such-stream', 0))
    await juliet.receives(`<failed xmlns='${ns}'><item-not-found/></failed>`)
    juliet.send(`<resume xmlns='${ns}' previd='x'/>`)
    await juliet.receives(`<failed xmlns='${ns}'><bad-request/></failed>`)
    await juliet.bind('balcony')
    former.cut()
  })

  test('tells how far a stream got that this process does not know, from the archive', async () => {
    const { queue } = office.chat.parts
    const recover = queue.recover.bind(queue)
    const asked: unknown[] = []
    queue.recover = async options => {
      asked.push(options)
      return 7
    }
    await using romeo = await resumed('romeo', 'of-another-life', 3)
    await romeo.receives(`<failed xmlns='${ns}' h='7'><item-not-found/></failed>`)
    expect(asked).toEqual([{ streamId: 'of-another-life', username: 'romeo', h: 3 }])
    queue.recover = recover
  })

  test('that claims more than was sent ends the new stream, and the session rests on', async () => {
    const { client: former, previd } = await managed('romeo', 'greedy')
    const session = sessionOf(former)
    former.cut()
    await expect.poll(() => session?.restingSince).toBeDefined()
    const romeo = await resumed('romeo', previd, 5)
    await romeo.fails('undefined-condition')
    expect(session?.isClosed).toBe(false)
    const again = await resumed('romeo', previd, 0)
    await again.receives('<resumed/>')
    again.cut()
  })

  test('is not possible after the stream was closed', async () => {
    const { client: former, previd } = await managed('romeo', 'done')
    former.send('</stream:stream>')
    await former.closed()
    await using romeo = await resumed('romeo', previd, 0)
    await romeo.receives('<failed><item-not-found/></failed>')
  })

  test('waits for a stanza that is still being handled, so that it is neither lost nor done twice', async () => {
    const { router } = office.chat.parts
    const receive = router.receive.bind(router)
    const release = Promise.withResolvers<void>()
    const { client: former, previd } = await managed('romeo', 'busy')
    const session = sessionOf(former)
    const handled: string[] = []
    router.receive = (from, stanza) => {
      handled.push(stanza.id ?? '')
      return from === session ? release.promise : receive(from, stanza)
    }
    try {
      former.send("<message id='slow'/><message id='behind'/>")
      await expect.poll(() => handled).toEqual(['slow'])
      former.cut()
      const romeo = await resumed('romeo', previd, 0)
      await expect.poll(() => office.streams.resuming.size).toBe(1)
      release.resolve()
      const answer = await romeo.receives('<resumed/>')
      expect(answer.attrs.h).toBe('1')
      expect(handled).toEqual(['slow'])
      romeo.cut()
    } finally {
      router.receive = receive
    }
  })
})

test('a session whose client acknowledges nothing ends when too much waits', async () => {
  await office.chat.parts.settings.set('stream-management.maxUnacked', 100, 'test')
  const { client: romeo } = await managed('romeo', 'silent')
  await using juliet = await office.client('juliet')
  juliet.send(message(romeo.jid, 'x').repeat(101))
  await romeo.fails('resource-constraint')
  await office.chat.parts.settings.set('stream-management.maxUnacked', undefined, 'test')
})
