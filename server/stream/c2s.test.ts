import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Office } from '../../test/support/office.ts'
import type { RawClient } from '../../test/support/raw.ts'

let office: Office

beforeAll(async () => {
  office = await Office.start()
})
afterAll(() => office[Symbol.asyncDispose]())

const message = (to: string, body: string) =>
  `<message to='${to}' type='chat' id='m-${body}'><body>${body}</body></message>`

describe('a message reaches the other person', () => {
  for (const over of ['tcp', 'tls', 'ws', 'wss', 'plain'] as const) {
    if (over === 'ws') continue
    test(`over ${over}`, async () => {
      await using romeo = await office.client('romeo', { over, resource: `orchard-${over}` })
      await using juliet = await office.client('juliet', { over, resource: `balcony-${over}` })
      romeo.send(message(juliet.jid, over))
      const received = await juliet.receives(`<message from='${romeo.jid}'><body>${over}</body></message>`)
      // RFC 6120 §4.7.4: the language of the sender’s stream goes with it.
      expect(received.attrs['xml:lang']).toBe('en')
    })
  }
})

describe('the stream header', () => {
  const broken: [string, Record<string, string | undefined>, string][] = [
    ['for another host', { to: 'example.org' }, 'host-unknown'],
    ['of version 0.9', { version: undefined }, 'unsupported-version'],
    ['of a version that is no number', { version: 'one' }, 'unsupported-version'],
    ['of a namespace that is not that of streams', { 'xmlns:stream': 'http://wrong.example/' }, 'invalid-namespace'],
    ['with the content of servers', { xmlns: 'jabber:server' }, 'invalid-namespace'],
  ]
  for (const [what, attributes, condition] of broken) {
    test(`${what} is answered by a header, ${condition} and the end`, async () => {
      const client = await office.connect()
      client.sendHeader(attributes)
      await client.receives('<opened/>')
      expect(client.header.from).toBe('office.test')
      await client.fails(condition)
      await client.closed()
    })
  }

  test('is answered with version, language, and `to` only if there was a `from`', async () => {
    await using client = await office.connect()
    await client.open()
    expect(client.header).toMatchObject({ from: 'office.test', version: '1.0', lang: 'en', to: undefined })
    await using other = await office.connect('tls')
    await other.open({ from: 'Romeo@office.test', 'xml:lang': 'de' })
    expect(other.header).toMatchObject({ to: 'romeo@office.test', lang: 'en' })
  })

  test('may be without `to`, of a later version, in prefix-free style', async () => {
    await using client = await office.connect()
    await client.open({ to: undefined, version: '2.13' })
    expect(client.offers('starttls', 'urn:ietf:params:xml:ns:xmpp-tls')).toBe(true)
    const other = await office.connect()
    other.send("<stream to='office.test' version='1.0' xmlns='http://etherx.jabber.org/streams'>")
    await other.receives('<opened/>')
    await other.receives('<stream:features/>')
    other.send('</stream>')
    await other.closed()
  })

  test('with another prefix for streams is refused', async () => {
    const client = await office.connect()
    client.send(
      "<s:stream to='office.test' version='1.0' xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>",
    )
    await client.fails('bad-namespace-prefix')
  })
})

describe('order', () => {
  const nsTls = 'urn:ietf:params:xml:ns:xmpp-tls'

  test('STARTTLS is the one feature before TLS, and no feature after it', async () => {
    await using client = await office.connect()
    await client.open()
    expect(client.features.getChildElements().map(child => child.name)).toEqual(['starttls'])
    expect(client.features.getChild('starttls')?.getChild('required')).toBeDefined()
    await client.startTls()
    await client.open()
    expect(client.offers('starttls', nsTls)).toBe(false)
    expect(client.mechanisms[0]).toBe('SCRAM-SHA-512-PLUS')
  })

  test('SASL before STARTTLS gets encryption-required, and the stream goes on', async () => {
    await using client = await office.connect()
    await client.open()
    client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHJvbWVvAHg=</auth>")
    await client.receives('<failure><encryption-required/></failure>')
    await client.startTls()
    await client.open()
  })

  test('bytes behind <starttls/> end the stream: they would be taken for encrypted', async () => {
    for (const smuggled of [' ', "<stream:stream to='office.test'>", '</stream:stream>']) {
      const client = await office.connect()
      await client.open()
      client.send(`<starttls xmlns='${nsTls}'/>${smuggled}`)
      await client.fails('policy-violation')
      await client.closed()
    }
  })

  test('STARTTLS inside TLS fails and ends the stream', async () => {
    const client = await office.connect('tls')
    await client.open()
    client.send(`<starttls xmlns='${nsTls}'/>`)
    await client.receives(`<failure xmlns='${nsTls}'/>`)
    await client.receives('<ended/>')
  })

  const early: [string, (client: RawClient) => Promise<void>][] = [
    ['before TLS', client => client.open()],
    [
      'before login',
      async client => {
        await client.open()
        await client.startTls()
        await client.open()
      },
    ],
    ['before binding', client => client.authenticate(office.login('romeo'))],
  ]
  for (const [when, prepare] of early) {
    test(`a stanza ${when} is not-authorized`, async () => {
      const client = await office.connect()
      await prepare(client)
      client.send(message('juliet@office.test', 'early'))
      await client.fails('not-authorized')
    })
  }

  test('more than 10 KiB before login are too much', async () => {
    const client = await office.connect('tls')
    await client.open()
    for (let index = 0; index < 40; index++) client.send(' '.repeat(300))
    await client.fails('policy-violation')
  })

  test('an element that nobody knows is an unsupported-stanza-type, before and after binding', async () => {
    const client = await office.connect()
    await client.open()
    client.send("<surprise xmlns='urn:example:surprise'/>")
    await client.fails('unsupported-stanza-type')
    const romeo = await office.client('romeo')
    romeo.send("<surprise xmlns='urn:example:surprise'/>")
    await romeo.fails('unsupported-stanza-type')
  })

  test('a second header inside a stream is refused', async () => {
    const client = await office.client('romeo')
    client.sendHeader()
    await client.fails('restricted-xml')
    const other = await office.client('romeo')
    other.send("<stream:stream to='office.test' version='1.0'/>")
    await other.fails('unsupported-stanza-type')
  })

  test('a second login is refused', async () => {
    const client = await office.connect('tls')
    await client.authenticate(office.login('romeo'))
    client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHJvbWVvAHg=</auth>")
    await client.fails('policy-violation')
  })
})

describe('a bound stream', () => {
  test('stamps `from`, which may be absent, bare or full, and nobody else’s', async () => {
    await using juliet = await office.client('juliet', { resource: 'balcony' })
    const romeo = await office.client('romeo', { resource: 'orchard' })
    for (const from of ['romeo@office.test', 'romeo@office.test/orchard', 'ROMEO@office.test']) {
      romeo.send(`<message from='${from}' to='${juliet.jid}' id='x'><body>${from}</body></message>`)
      await juliet.receives(`<message from='romeo@office.test/orchard' id='x'><body>${from}</body></message>`)
    }
    romeo.send(`<message from='mercutio@office.test' to='${juliet.jid}'><body>Hi</body></message>`)
    await romeo.fails('invalid-from')
    expect(office.chat.parts.sessions.get('romeo@office.test/orchard')).toBeUndefined()
  })

  test('refuses a second binding, answers the session request of old apps', async () => {
    await using romeo = await office.client('romeo')
    romeo.send("<iq type='set' id='b2'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    await romeo.receives("<iq type='error' id='b2'><error><not-allowed/></error></iq>")
    romeo.send("<iq type='set' id='s1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>")
    await romeo.receives("<iq type='result' id='s1'/>")
  })

  test('ends with not-well-formed, restricted-xml, policy-violation or bad-format for bytes that are no stanza', async () => {
    const faults: [string | Buffer, string][] = [
      ['<message><body></message>', 'not-well-formed'],
      ['<!-- x -->', 'restricted-xml'],
      ["<message to='a@office.test'><body>&nbsp;</body></message>", 'restricted-xml'],
      ['lorem ipsum', 'bad-format'],
      [Buffer.from([0x3c, 0x61, 0x3e, 0xff, 0xfe]), 'unsupported-encoding'],
      [`<message>${'<a>'.repeat(200)}`, 'policy-violation'],
      [`<message><body>${'x'.repeat(300_000)}`, 'policy-violation'],
    ]
    for (const [bytes, condition] of faults) {
      const romeo = await office.client('romeo')
      if (typeof bytes === 'string') romeo.send(bytes)
      else romeo.sendBytes(bytes)
      await romeo.fails(condition)
      await romeo.closed()
    }
  })

  test('is closed by both sides when the client closes it, and its session ends', async () => {
    const romeo = await office.client('romeo', { resource: 'leaving' })
    romeo.send('</stream:stream>')
    await romeo.receives('<ended/>')
    await romeo.closed()
    expect(office.chat.parts.sessions.get('romeo@office.test/leaving')).toBeUndefined()
  })

  test('ends when the client sends a stream error', async () => {
    const romeo = await office.client('romeo', { resource: 'failing' })
    romeo.send("<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>")
    await romeo.receives('<ended/>')
    expect(office.chat.parts.sessions.get('romeo@office.test/failing')).toBeUndefined()
  })

  test('takes everything a client sends at once, in one packet, from login to messages', async () => {
    await using juliet = await office.client('juliet', { resource: 'balcony' })
    const client = await office.connect('tls')
    await client.open()
    client.send(
      "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
        `${Buffer.from('\0romeo\0romeo-password').toString('base64')}</auth>` +
        "<?xml version='1.0'?><stream:stream to='office.test' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>" +
        "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>rush</resource></bind></iq>" +
        "<enable xmlns='urn:xmpp:sm:3' resume='true'/>" +
        `<message to='${juliet.jid}' id='rush'><body>Rush</body></message><r xmlns='urn:xmpp:sm:3'/>`,
    )
    await juliet.receives("<message from='romeo@office.test/rush'><body>Rush</body></message>")
    client.cut()
  })

  test('does not mind how its bytes are cut', async () => {
    await using juliet = await office.client('juliet', { resource: 'balcony' })
    await using romeo = await office.client('romeo', { over: 'plain' })
    const bytes = Buffer.from(`<message to='${juliet.jid}'><body>Grüße, 👋 &amp; &#x263a;</body></message> <presence/>`)
    for (const byte of bytes) romeo.sendBytes(Buffer.from([byte]))
    await juliet.receives('<message><body>Grüße, 👋 &amp; ☺</body></message>')
    expect((await romeo.leftovers()).filter(element => element.name.startsWith('stream'))).toEqual([])
  })

  test('with the same resource ends the older one with conflict', async () => {
    const older = await office.client('romeo', { resource: 'twice' })
    await using newer = await office.client('romeo', { resource: 'twice' })
    await older.fails('conflict')
    expect(await newer.leftovers()).toEqual([])
  })
})

describe('binding', () => {
  test('gives a random resource when none is asked for', async () => {
    await using one = await office.client('romeo')
    await using other = await office.client('romeo')
    expect(one.jid).toMatch(/^romeo@office\.test\/.{16,}$/)
    expect(other.jid).not.toBe(one.jid)
  })

  test('refuses what cannot be a resource, a few times', async () => {
    const client = await office.connect('tls')
    await client.authenticate(office.login('romeo'))
    const request =
      "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>a&#xAD;\u0378</resource></bind></iq>"
    for (let index = 0; index < 6; index++) {
      client.send(request)
      await client.receives("<iq type='error' id='b'><error type='modify'><bad-request/></error></iq>")
    }
    await client.fails('policy-violation')
  })
})
