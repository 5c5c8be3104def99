import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Office } from '../../test/support/office.ts'

let office: Office

beforeAll(async () => {
  office = await Office.start({ people: ['romeo', 'juliet', 'mercutio', 'tybalt'] })
})
afterAll(() => office[Symbol.asyncDispose]())

const nsSasl = 'urn:ietf:params:xml:ns:xmpp-sasl'
const auth = (mechanism: string, data: string) => `<auth xmlns='${nsSasl}' mechanism='${mechanism}'>${data}</auth>`
const base64 = (text: string) => Buffer.from(text).toString('base64')

async function atLogin(over: 'tls' | 'wss' = 'tls', header: Record<string, string> = {}) {
  const client = await office.connect(over)
  await client.open(header)
  return client
}

describe('login', () => {
  test('offers SCRAM with and without channel binding, best first, and PLAIN last', async () => {
    await using client = await atLogin()
    expect(client.mechanisms).toEqual([
      'SCRAM-SHA-512-PLUS',
      'SCRAM-SHA-256-PLUS',
      'SCRAM-SHA-1-PLUS',
      'SCRAM-SHA-512',
      'SCRAM-SHA-256',
      'SCRAM-SHA-1',
      'PLAIN',
    ])
    expect(client.channelBindings).toEqual(['tls-exporter', 'tls-server-end-point'])
  })

  for (const mechanism of ['SCRAM-SHA-512-PLUS', 'SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN']) {
    test(`works by ${mechanism}`, async () => {
      await using client = await atLogin()
      await client.sasl(office.login('romeo', { mechanism }))
      await client.open()
      expect(client.offers('bind', 'urn:ietf:params:xml:ns:xmpp-bind')).toBe(true)
    })
  }

  test('over WebSocket is bound to its TLS only if an admin wants it: browsers cannot', async () => {
    await using client = await atLogin('wss')
    expect(client.mechanisms[0]).toBe('SCRAM-SHA-512')
    expect(client.channelBindings).toEqual([])
    await client.sasl(office.login('romeo'))
    await office.chat.parts.settings.set('c2s.bindWebSockets', true, 'test')
    await using bound = await atLogin('wss')
    expect(bound.mechanisms[0]).toBe('SCRAM-SHA-512-PLUS')
    await bound.sasl(office.login('romeo'))
    await office.chat.parts.settings.set('c2s.bindWebSockets', undefined, 'test')
  })

  test('without encryption is offered on the port for load tests only, and never by PLAIN', async () => {
    await using client = await office.connect('plain')
    await client.open()
    expect(client.mechanisms).toEqual(['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1'])
    const webSocket = await office.connect('ws')
    webSocket.sendHeader()
    await webSocket.fails('policy-violation')
  })

  test('fails alike for a wrong password and for nobody', async () => {
    await using client = await atLogin()
    const wrong = await client.trySasl({ username: 'juliet', password: 'no' })
    const nobody = await client.trySasl({ username: 'nobody', password: 'no' })
    expect(wrong.getChild('not-authorized')).toBeDefined()
    expect(nobody.toString()).toBe(wrong.toString())
    await client.sasl(office.login('juliet'))
  })

  test('has an answer for everything that is not a login', async () => {
    await using client = await atLogin()
    const faults: [string, string][] = [
      [auth('CRAM-MD5', ''), 'invalid-mechanism'],
      [`<auth xmlns='${nsSasl}'/>`, 'invalid-mechanism'],
      [auth('PLAIN', '%%%'), 'incorrect-encoding'],
      [`<abort xmlns='${nsSasl}'/>`, 'aborted'],
    ]
    for (const [element, condition] of faults) {
      client.send(element)
      await client.receives(`<failure xmlns='${nsSasl}'><${condition}/></failure>`)
    }
    const other = await atLogin()
    other.send(`<response xmlns='${nsSasl}'/>`)
    await other.receives('<failure><malformed-request/></failure>')
    other.send(auth('PLAIN', base64('juliet@office.test\0romeo\0romeo-password')))
    await other.receives('<failure><invalid-authzid/></failure>')
    other.send(`<surprise xmlns='${nsSasl}'/>`)
    await other.fails('unsupported-stanza-type')
  })

  test('that begins anew gives up the attempt under way', async () => {
    await using client = await atLogin()
    client.send(auth('SCRAM-SHA-1', base64('n,,n=romeo,r=abcdefghijkl')))
    await client.receives('<challenge/>')
    client.send(auth('PLAIN', base64('\0romeo\0romeo-password')))
    await client.receives('<success/>')
  })

  test('without an initial response is asked for it', async () => {
    await using client = await atLogin()
    client.send(auth('PLAIN', ''))
    await client.receives(`<challenge xmlns='${nsSasl}'/>`)
    client.send(`<response xmlns='${nsSasl}'>${base64('\0romeo\0romeo-password')}</response>`)
    await client.receives('<success/>')
  })

  test('as somebody else than the stream header says is refused', async () => {
    await using client = await atLogin('tls', { from: 'juliet@office.test' })
    const answer = await client.trySasl(office.login('romeo'))
    expect(answer.getChild('invalid-authzid')).toBeDefined()
  })

  test('of a blocked person tells so, only to who knows the password', async () => {
    await office.chat.parts.accounts.setBlocked('mercutio', true)
    await using client = await atLogin()
    const right = await client.trySasl(office.login('mercutio'))
    expect(right.getChild('account-disabled')).toBeDefined()
    const wrong = await client.trySasl({ username: 'mercutio', password: 'no' })
    expect(wrong.getChild('not-authorized')).toBeDefined()
  })

  test('that fails five times ends the stream', async () => {
    const client = await atLogin()
    for (let index = 0; index < 5; index++) await client.trySasl({ username: `nobody-${index}`, password: 'no' })
    await client.fails('policy-violation')
  })

  test('of a person waits after too many wrong passwords, and works again later', async () => {
    await using first = await atLogin()
    for (let index = 0; index < 4; index++) await first.trySasl({ username: 'tybalt', password: 'no' })
    await using second = await atLogin()
    await second.trySasl({ username: 'tybalt', password: 'no' })
    const held = await second.trySasl(office.login('tybalt'))
    expect(held.getChild('temporary-auth-failure')).toBeDefined()
    expect(held.getChildText('text')).toBe('Too many failed logins. Try again in 2 seconds.')
    office.clock.ahead += 2000
    await second.sasl(office.login('tybalt'))
  })

  test('is answered within 5 seconds when the database hangs', async () => {
    const { accounts } = office.chat.parts
    const get = accounts.get.bind(accounts)
    accounts.get = () => new Promise(() => undefined)
    try {
      await using client = await atLogin()
      const failed = client.trySasl(office.login('juliet'))
      await expect.poll(() => office.streams.alarms.size).toBeGreaterThan(0)
      office.clock.ahead += 5000
      expect((await failed).getChild('temporary-auth-failure')).toBeDefined()
    } finally {
      accounts.get = get
    }
  })
})
