import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { Office } from '../../test/support/office.ts'
import { RawClient } from '../../test/support/raw.ts'
import { acceptWebSocket } from './websocket.ts'

let office: Office

beforeAll(async () => {
  office = await Office.start()
})
afterAll(() => office[Symbol.asyncDispose]())

const framing = 'urn:ietf:params:xml:ns:xmpp-framing'

function upgrade(path: string, protocol: string): Promise<number | string> {
  const options = { ca: office.ca, servername: 'office.test' }
  const webSocket = new WebSocket(`wss://127.0.0.1:${office.ports.wss}${path}`, protocol, options)
  return new Promise(resolve => {
    webSocket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0))
    webSocket.on('error', error => resolve(error.message))
    webSocket.on('open', () => {
      resolve(webSocket.protocol)
      webSocket.close()
    })
  })
}

test('only the two paths and only the subprotocol xmpp are taken', async () => {
  expect(await upgrade('/ws', 'xmpp')).toBe('xmpp')
  expect(await upgrade('/xmpp-websocket?x=1', 'xmpp')).toBe('xmpp')
  expect(await upgrade('/elsewhere', 'xmpp')).toBe(404)
  expect(await upgrade('/ws', 'chat')).toBe(400)
})

test('a stream is opened and closed by messages of their own', async () => {
  const client = await office.connect('wss')
  await client.open()
  expect(client.header).toMatchObject({ from: 'office.test', version: '1.0' })
  expect(client.offers('starttls', 'urn:ietf:params:xml:ns:xmpp-tls')).toBe(false)
  client.send(`<close xmlns='${framing}'/>`)
  await client.receives('<ended/>')
  await client.closed()
})

test('what is no opening is answered by one, an error and the end', async () => {
  const faults: [string, string][] = [
    ["<open xmlns='urn:example:other' to='office.test' version='1.0'/>", 'invalid-namespace'],
    [`<open xmlns='${framing}' to='example.org' version='1.0'/>`, 'host-unknown'],
    [`<open xmlns='${framing}' to='office.test'/>`, 'unsupported-version'],
    ["<message xmlns='jabber:client'/>", 'bad-format'],
    ['not XML', 'not-well-formed'],
  ]
  for (const [text, condition] of faults) {
    const client = await office.connect('wss')
    client.send(text)
    await client.receives('<opened/>')
    await client.fails(condition)
    await client.closed()
  }
})

test('binary messages, two elements in one message and too long ones end the stream', async () => {
  const binary = await office.client('romeo', { over: 'wss', resource: 'binary' })
  binary.sendBytes(Buffer.from("<message xmlns='jabber:client'/>"))
  await binary.closed()
  const double = await office.client('romeo', { over: 'wss' })
  double.send("<presence xmlns='jabber:client'/><presence xmlns='jabber:client'/>")
  await double.fails('not-well-formed')
  const long = await office.client('romeo', { over: 'wss', resource: 'long' })
  long.send(`<message><body>${'x'.repeat(300_000)}</body></message>`)
  await long.closed()
  await expect.poll(() => office.chat.parts.sessions.of('romeo').size).toBe(0)
})

test('many stanzas at once arrive in order, each as a message of its own', async () => {
  await using romeo = await office.client('romeo', { over: 'wss' })
  await using juliet = await office.client('juliet', { over: 'wss' })
  for (let index = 0; index < 50; index++) romeo.send(`<message to='${juliet.jid}'><body>${index}</body></message>`)
  const bodies: string[] = []
  while (bodies.length < 50) {
    const message = await juliet.receives(element => element.name === 'message')
    expect(message.attrs.xmlns).toBe('jabber:client')
    bodies.push(message.getChildText('body') ?? '')
  }
  expect(bodies).toEqual(Array.from({ length: 50 }, (_, index) => String(index)))
})

test('silence is met by a ping of WebSocket, which browsers answer by themselves', async () => {
  await using romeo = await office.client('romeo', { over: 'wss', resource: 'silent' })
  for (let times = 0; times < 4; times++) {
    office.pass(301_000)
    const heardAt = office.chat.parts.sessions.get(romeo.jid)?.outlet?.receivedAt ?? 0
    await expect
      .poll(() => office.chat.parts.sessions.get(romeo.jid)?.outlet?.receivedAt)
      .toSatisfy((at: number) => at > heardAt || Date.now() + office.clock.ahead - at < 10_000)
  }
  expect(await romeo.leftovers()).toEqual([])
})

test('a server that closes ends its WebSockets, and only those', async () => {
  const { streams } = office
  const server = http.createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const accepted = acceptWebSocket({ streams, server, allowPlaintext: true })
  const port = (server.address() as AddressInfo).port
  const romeo = await RawClient.logIn({ ...office.target('ws'), port }, office.login('romeo'))
  await using other = await office.client('romeo', { over: 'wss' })
  const closed = new Promise(resolve => server.close(resolve))
  accepted.close()
  await romeo.fails('system-shutdown')
  await closed
  expect(office.chat.parts.sessions.get(romeo.jid)).toBeUndefined()
  expect(await other.leftovers()).toEqual([])
})

test('a broken WebSocket rests and is resumed over TCP', async () => {
  const former = await office.client('romeo', { over: 'wss', resource: 'moving' })
  const { id } = (await former.manage()).attrs
  const session = office.chat.parts.sessions.get(former.jid)
  former.cut()
  await expect.poll(() => session?.restingSince).toBeDefined()
  const romeo = await office.connect('tls')
  await romeo.authenticate(office.login('romeo'))
  romeo.send(`<resume xmlns='urn:xmpp:sm:3' previd='${id}' h='0'/>`)
  await romeo.receives('<resumed/>')
  expect(session?.outlet?.transport).toBe('tls')
  romeo.cut()
})
