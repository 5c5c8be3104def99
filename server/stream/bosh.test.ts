import { createHash } from 'node:crypto'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { createClient } from 'stanza'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Office } from '../../test/support/office.ts'
import { type Element, parseElement } from '../xmpp/element.ts'
import { ScramClient } from '../xmpp/scram-client.ts'
import { acceptBosh } from './bosh.ts'

const nsBosh = 'http://jabber.org/protocol/httpbind'
const nsSasl = 'urn:ietf:params:xml:ns:xmpp-sasl'

let office: Office
let server: http.Server
let port: number
let bosh: { close(): void }

beforeAll(async () => {
  office = await Office.start({ settings: { 'c2s.bytesBeforeLogin': 4096 } })
  server = http.createServer((_request, response) => response.writeHead(404).end('somebody else'))
  bosh = acceptBosh({ streams: office.streams, server, allowPlaintext: true })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(async () => {
  bosh.close()
  server.closeAllConnections()
  server.close()
  await office[Symbol.asyncDispose]()
})

/** A client that says exactly what the test writes down. */
class BoshClient {
  rid = 1_573_741_820
  sid = ''
  jid = ''

  async post(body: string): Promise<{ status: number; body: Element; headers: Headers }> {
    const response = await fetch(`http://127.0.0.1:${port}/http-bind`, { method: 'POST', body })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      body: text ? parseElement(text) : parseElement('<none/>'),
    }
  }

  async create(more = ''): Promise<Element> {
    const attributes = `rid='${this.rid}' to='office.test' wait='60' hold='1' ver='1.11' xml:lang='en' ${more}`
    const { body } = await this.post(
      `<body ${attributes} xmpp:version='1.0' xmlns='${nsBosh}' xmlns:xmpp='urn:xmpp:xbosh'/>`,
    )
    this.sid = String(body.attrs.sid)
    return body
  }

  /** The next request. */
  async ask(payload = '', more = ''): Promise<Element> {
    return (await this.post(this.next(payload, more))).body
  }

  next(payload = '', more = ''): string {
    this.rid++
    return `<body rid='${this.rid}' sid='${this.sid}' ${more} xmlns='${nsBosh}' xmlns:xmpp='urn:xmpp:xbosh'>${payload}</body>`
  }

  async logIn(username: string, resource: string): Promise<void> {
    const created = await this.create()
    const mechanisms = featuresOf(created).getChild('mechanisms', nsSasl)
    const offered = mechanisms?.getChildren('mechanism').map(one => one.getText()) ?? []
    const scram = new ScramClient({
      mechanism: 'SCRAM-SHA-256',
      username,
      password: `${username}-password`,
      nonce: 'nonce-of-the-test',
      offered: { mechanisms: offered, channelBindings: [] },
    })
    const first = scram.first().toString('base64')
    const challenge = await this.ask(`<auth xmlns='${nsSasl}' mechanism='SCRAM-SHA-256'>${first}</auth>`)
    const final = await scram.final(Buffer.from(challenge.getChildText('challenge') ?? '', 'base64'))
    const success = await this.ask(`<response xmlns='${nsSasl}'>${final.toString('base64')}</response>`)
    expect(success.getChild('success')).toBeDefined()
    const features = await this.ask('', `to='office.test' xmpp:restart='true'`)
    expect(featuresOf(features).getChild('bind')).toBeDefined()
    const bind = `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind>`
    const bound = await this.ask(`<iq type='set' id='b' xmlns='jabber:client'>${bind}</iq>`)
    this.jid = bound.getChild('iq')?.getChild('bind')?.getChildText('jid') ?? ''
  }
}

const featuresOf = (body: Element): Element =>
  body.getChildElements().find(child => child.getName() === 'features') ?? parseElement('<none/>')
const chat = (to: string, text: string): string =>
  `<message to='${to}' type='chat' xmlns='jabber:client'><body>${text}</body></message>`
const texts = (body: Element): string[] => body.getChildren('message').map(one => one.getChildText('body') ?? '')
const turns = async (count = 5): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate)
}

describe('a session', () => {
  test('begins, logs in, binds, talks and ends, in requests', async () => {
    const romeo = new BoshClient()
    await romeo.logIn('romeo', 'web')
    expect(romeo.jid).toBe('romeo@office.test/web')
    expect(office.chat.parts.sessions.get(romeo.jid)?.outlet?.transport).toBe('bosh')
    await using juliet = await office.client('juliet', { resource: 'desk' })
    const poll = romeo.ask()
    await turns()
    juliet.send(chat(romeo.jid, 'one'))
    expect(texts(await poll)).toEqual(['one'])
    // Nothing waits: what comes meanwhile is in the next answer, together.
    juliet.send(chat(romeo.jid, 'two') + chat(romeo.jid, 'three'))
    await juliet.leftovers()
    const sent = await romeo.ask(chat(juliet.jid, 'four'))
    expect(texts(sent)).toEqual(['two', 'three'])
    await juliet.receives(`<message from='${romeo.jid}'><body>four</body></message>`)
    const held = romeo.ask()
    await turns()
    const ended = await romeo.ask("<presence type='unavailable' xmlns='jabber:client'/>", "type='terminate'")
    expect([(await held).attrs.type, ended.attrs.type]).toEqual(['terminate', undefined])
    await turns()
    expect(office.chat.parts.sessions.get(romeo.jid)).toBeUndefined()
  })

  test('tells what it can do, no more than the client asked for', async () => {
    const client = new BoshClient()
    const created = await client.create("ack='1'")
    expect(created.attrs).toMatchObject({
      wait: '60',
      hold: '1',
      requests: '2',
      ver: '1.11',
      from: 'office.test',
      ack: String(client.rid),
      'xmpp:restartlogic': 'true',
    })
    expect(String(created.attrs.sid).length).toBeGreaterThan(20)
    const { body, headers } = await client.post(
      `<?xml version='1.0'?>\n<body rid='7' to='office.test' wait='0' hold='1' ver='1.6' xmlns='${nsBosh}'/>`,
    )
    expect(body.attrs).toMatchObject({ wait: '0', hold: '0', requests: '1', ver: '1.6' })
    expect(headers.get('access-control-allow-origin')).toBe('*')
    expect((await client.post(`<body rid='7' to='else.test' xmlns='${nsBosh}'/>`)).body.attrs).toMatchObject({
      type: 'terminate',
      condition: 'remote-stream-error',
    })
  })

  test('has one request waiting; another one lets the older go; after its time it is answered empty', async () => {
    const client = new BoshClient()
    await client.logIn('romeo', 'waiting')
    const first = client.ask()
    await turns()
    const second = client.ask()
    expect((await first).getChildElements()).toEqual([])
    office.clock.ahead += 61_000
    expect((await second).getChildElements()).toEqual([])
    expect(office.chat.parts.sessions.get(client.jid)).toBeDefined()
    office.clock.ahead += 61_000
    await expect.poll(() => office.chat.parts.sessions.get(client.jid), { timeout: 3_000 }).toBeUndefined()
    expect((await client.ask()).attrs).toMatchObject({ type: 'terminate', condition: 'item-not-found' })
  })
})

describe('requests', () => {
  test('that overtake each other are handled in their order', async () => {
    const client = new BoshClient()
    await client.logIn('romeo', 'order')
    await using juliet = await office.client('juliet')
    const one = client.next(chat(juliet.jid, 'one'))
    const two = client.next(chat(juliet.jid, 'two'))
    const late = client.post(two)
    await turns()
    await client.post(one)
    for (const text of ['one', 'two']) {
      const message = await juliet.receives(element => element.name === 'message')
      expect(message.getChildText('body')).toBe(text)
    }
    client.ask()
    await late
  })

  test('that are repeated are answered alike and handled once; one that is too old or too new ends the session', async () => {
    const client = new BoshClient()
    await client.logIn('romeo', 'repeating')
    await using juliet = await office.client('juliet')
    const request = client.next(
      chat(juliet.jid, 'once') +
        "<iq type='get' id='p' to='office.test' xmlns='jabber:client'><ping xmlns='urn:xmpp:ping'/></iq>",
    )
    const first = await client.post(request)
    expect((await client.post(request)).body.toString()).toBe(first.body.toString())
    await juliet.receives('<message><body>once</body></message>')
    expect(await juliet.leftovers()).toEqual([])
    // A connection broke while its request waited: the answer goes to the new one.
    const waiting = client.next()
    const broken = client.post(waiting)
    await turns()
    const again = client.post(waiting)
    expect((await broken).body.attrs.type).toBe('error')
    juliet.send(chat(client.jid, 'there'))
    expect(texts((await again).body)).toEqual(['there'])
    client.rid += 5
    expect((await client.ask()).attrs).toMatchObject({ type: 'terminate', condition: 'item-not-found' })
    await turns()
    expect(office.chat.parts.sessions.get(client.jid)).toBeUndefined()
  })

  test('are of who knows the next key', async () => {
    const hash = (text: string): string => createHash('sha1').update(text).digest('hex')
    const keys = ['seed']
    for (let index = 0; index < 4; index++) keys.push(hash(keys.at(-1) ?? ''))
    const client = new BoshClient()
    await client.create(`newkey='${keys.pop()}'`)
    const auth = `<auth xmlns='${nsSasl}' mechanism='PLAIN'>AHJvbWVvAHdyb25n</auth>`
    expect((await client.ask(auth, `key='${keys.pop()?.toUpperCase()}'`)).attrs.type).toBeUndefined()
    expect((await client.ask(auth, `key='${keys.pop()}' newkey='${hash('other')}'`)).attrs.type).toBeUndefined()
    expect((await client.ask(auth, "key='other'")).attrs.type).toBeUndefined()
    expect((await client.ask(auth, "key='other'")).attrs).toMatchObject({ condition: 'item-not-found' })
  })

  test('that are too many, too long, no XML or for somebody else are refused', async () => {
    const stranger = new BoshClient()
    expect((await stranger.post('<body')).body.attrs.condition).toBe('bad-request')
    expect((await stranger.post(`<body rid='x' xmlns='${nsBosh}'/>`)).body.attrs.condition).toBe('bad-request')
    expect((await stranger.post("<body rid='1' xmlns='else'/>")).body.attrs.condition).toBe('bad-request')
    expect((await stranger.post(`<!DOCTYPE x><body rid='1' xmlns='${nsBosh}'/>`)).body.attrs.condition).toBe(
      'bad-request',
    )
    expect((await stranger.post(`<body rid='1' sid='nobody' xmlns='${nsBosh}'/>`)).body.attrs.condition).toBe(
      'item-not-found',
    )
    expect((await stranger.post('x'.repeat(20_000))).status).toBe(413)
    const client = new BoshClient()
    await client.create()
    const [first, second, third] = [client.next(), client.next(), client.next()]
    // Before their turn, so that all three are open at once.
    const answers = [client.post(third), client.post(second), client.post(first)]
    const conditions = (await Promise.all(answers)).map(({ body }) => body.attrs.condition)
    expect(conditions.filter(condition => condition !== undefined).length).toBeGreaterThan(0)
    const methods = await fetch(`http://127.0.0.1:${port}/http-bind`, { method: 'OPTIONS' })
    expect(methods.headers.get('access-control-allow-methods')).toContain('POST')
    expect((await fetch(`http://127.0.0.1:${port}/http-bind`)).status).toBe(405)
    expect(await (await fetch(`http://127.0.0.1:${port}/other`)).text()).toBe('somebody else')
  })

  test('of a client that polls come no faster than it was told', async () => {
    const client = new BoshClient()
    const { body } = await client.post(
      `<body rid='${client.rid}' to='office.test' wait='0' hold='0' xmlns='${nsBosh}'/>`,
    )
    client.sid = String(body.attrs.sid)
    office.clock.ahead += 3_000
    expect((await client.ask()).attrs.type).toBeUndefined()
    office.clock.ahead += 3_000
    expect((await client.ask()).attrs.type).toBeUndefined()
    expect((await client.ask()).attrs).toMatchObject({ condition: 'policy-violation' })
  })
})

test('a chat library of somebody else signs in, talks, and is told what is said to it', async () => {
  const library = createClient({
    jid: 'romeo@office.test',
    password: 'romeo-password',
    resource: 'library',
    server: 'office.test',
    transports: { bosh: `http://127.0.0.1:${port}/http-bind`, websocket: false },
    autoReconnect: false,
  })
  const heard = Promise.withResolvers<string | undefined>()
  library.on('message', ({ body }) => heard.resolve(body))
  const started = new Promise((resolve, reject) => {
    library.on('session:started', resolve)
    library.on('disconnected', () => reject(new Error('disconnected')))
  })
  library.connect()
  await started
  await using juliet = await office.client('juliet', { resource: 'desk' })
  library.sendMessage({ to: juliet.jid, type: 'chat', body: 'over HTTP' })
  await juliet.receives("<message from='romeo@office.test/library'><body>over HTTP</body></message>")
  juliet.send(chat('romeo@office.test/library', 'answered'))
  expect(await heard.promise).toBe('answered')
  library.disconnect()
  await expect.poll(() => office.chat.parts.sessions.get('romeo@office.test/library')).toBeUndefined()
})

test('what is interrupted rests, and is resumed with all that was not acknowledged', async () => {
  const client = new BoshClient()
  await client.logIn('romeo', 'resting')
  const enabled = await client.ask("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
  const previd = enabled.getChild('enabled')?.attrs.id
  office.clock.ahead += 61_000
  const session = office.chat.parts.sessions.get(client.jid)
  await expect.poll(() => session?.outlet, { timeout: 3_000 }).toBeUndefined()
  await using juliet = await office.client('juliet')
  juliet.send(chat(client.jid, 'while away'))
  await juliet.leftovers()
  const other = await office.connect('tls')
  await other.authenticate(office.login('romeo'))
  other.send(`<resume xmlns='urn:xmpp:sm:3' previd='${previd}' h='0'/>`)
  await other.receives(`<resumed xmlns='urn:xmpp:sm:3' previd='${previd}'/>`)
  await other.receives('<message><body>while away</body></message>')
  await other[Symbol.asyncDispose]()
})

test('a drained node tells where else to go', async () => {
  const client = new BoshClient()
  await client.logIn('romeo', 'draining')
  const held = client.ask()
  await turns()
  await office.streams.drain(() => 'https://pc-2.office.test:7443/http-bind', { limitMs: 2_000 })
  const ended = await held
  expect(ended.attrs).toMatchObject({ type: 'terminate', condition: 'see-other-uri' })
  expect(ended.getChildText('uri')).toBe('https://pc-2.office.test:7443/http-bind')
  expect((await new BoshClient().create()).attrs.condition).toBe('see-other-uri')
  office.streams.resumeService()
  expect((await new BoshClient().create()).attrs.condition).toBeUndefined()
})
