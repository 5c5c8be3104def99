import net from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Office } from '../../test/support/office.ts'

let office: Office

beforeAll(async () => {
  office = await Office.start({
    settings: { 'c2s.writeBufferBytes': 64 * 1024, 'stream-management.maxUnackedBytes': 512 * 1024 * 1024 },
  })
})
afterAll(() => office[Symbol.asyncDispose]())

const second = 1000
const sessionOf = (jid: string) => office.chat.parts.sessions.get(jid)

test('a connection that says nothing, or does not log in, is closed after 30 seconds', async () => {
  const silent = await office.connect()
  const talking = await office.connect()
  await talking.open()
  await expect.poll(() => office.streams.size).toBe(2)
  office.pass(29 * second)
  expect(silent.isClosed || talking.isClosed).toBe(false)
  office.pass(2 * second)
  await silent.fails('connection-timeout')
  await talking.fails('connection-timeout')
  await silent.closed()
})

test('a connection in the middle of a TLS handshake is closed as well', async () => {
  const socket = net.connect(office.ports.tls, '127.0.0.1')
  const closed = new Promise(resolve => socket.once('close', resolve))
  socket.on('error', () => socket.destroy())
  await expect.poll(() => office.streams.size).toBe(1)
  office.pass(31 * second)
  office.pass(6 * second)
  await closed
})

test('a client that keeps its end open after ours is cut off after 5 seconds', async () => {
  const socket = net.connect({ port: office.ports.tcp, host: '127.0.0.1', allowHalfOpen: true })
  socket.write('nonsense')
  let text = ''
  socket.on('data', chunk => {
    text += chunk
  })
  socket.on('error', () => socket.destroy())
  await new Promise(resolve => socket.once('end', resolve))
  expect(text).toContain('not-well-formed')
  expect(office.streams.size).toBe(1)
  office.pass(6 * second)
  await expect.poll(() => office.streams.size).toBe(0)
  socket.destroy()
})

test('silence is met by a blank, then a ping, then the end', async () => {
  const romeo = await office.client('romeo', { resource: 'asleep' })
  office.pass(301 * second)
  expect(sessionOf(romeo.jid)).toBeDefined()
  office.pass(300 * second)
  const ping = await romeo.receives("<iq type='get' from='office.test'><ping xmlns='urn:xmpp:ping'/></iq>")
  romeo.send(`<iq type='result' id='${ping.attrs.id}' to='office.test'/>`)
  expect(await romeo.leftovers()).toEqual([])
  office.pass(601 * second)
  await romeo.receives('<iq><ping/></iq>')
  office.pass(61 * second)
  await romeo.fails('connection-timeout')
  expect(sessionOf(romeo.jid)).toBeUndefined()
})

test('with stream management the question is <r/>, and a session that can be resumed rests', async () => {
  const romeo = await office.client('romeo', { resource: 'tunnel' })
  await romeo.manage()
  office.pass(601 * second)
  await romeo.receives("<r xmlns='urn:xmpp:sm:3'/>")
  office.pass(61 * second)
  await romeo.fails('connection-timeout')
  expect(sessionOf(romeo.jid)?.restingSince).toBeDefined()
})

for (const isManaged of [false, true]) {
  test(`a client that does not read is cut off, and its session ${isManaged ? 'rests' : 'ends'}`, async () => {
    await using juliet = await office.client('juliet')
    const romeo = await office.client('romeo', { over: 'plain' })
    if (isManaged) await romeo.manage()
    const session = sessionOf(romeo.jid)
    romeo.pause()
    // The first part fills the buffers of the operating system; the limit is far below what is sent.
    for (let index = 0; index < 200 && session?.outlet; index++) {
      const body = `<body>${'x'.repeat(200_000)}</body><no-store xmlns='urn:xmpp:hints'/>`
      juliet.send(`<message to='${romeo.jid}' type='headline'>${body}</message>`)
      await juliet.leftovers()
    }
    expect(session?.outlet).toBeUndefined()
    expect(session?.isClosed).toBe(!isManaged)
    romeo.cut()
  })
}

test('a connection that takes nothing for 30 seconds is given up, however little waits', async () => {
  await using juliet = await office.client('juliet')
  const romeo = await office.client('romeo', { over: 'plain' })
  await romeo.manage()
  const session = sessionOf(romeo.jid)
  romeo.pause()
  const size = 20_000
  const message = `<message to='${romeo.jid}' type='headline'><body>${'x'.repeat(size)}</body></message>`
  const waiting = () => [...office.streams].find(stream => stream.session === session)?.wire.waitingBytes
  // Until the buffers of the operating system are full, and a little more.
  for (let index = 0; index < 2000 && waiting() === 0; index++) {
    juliet.send(message)
    await juliet.leftovers()
  }
  expect(waiting()).toBeGreaterThan(0)
  for (let sweeps = 0; sweeps < 31; sweeps++) office.streams.sweep()
  await expect.poll(() => session?.restingSince).toBeDefined()
  romeo.cut()
})

test('a client in a hurry is read more slowly, and nothing is lost', async () => {
  await office.chat.parts.settings.set('c2s.stanzasPerSecond', 100, 'test')
  await office.chat.parts.settings.set('c2s.burstSeconds', 1, 'test')
  await using juliet = await office.client('juliet')
  await using romeo = await office.client('romeo')
  for (let index = 0; index < 4; index++) {
    romeo.send(`<message to='${juliet.jid}'><body>${index}</body></message>`.repeat(100))
    await juliet.receives(`<message><body>${index}</body></message>`)
  }
  await expect.poll(() => office.streams.alarms.size, { timeout: 5000 }).toBeGreaterThan(0)
  office.clock.ahead += 10 * second
  for (let index = 0; index < 4; index++) {
    for (let count = 1; count < 100; count++) await juliet.receives(`<message><body>${index}</body></message>`)
  }
  await office.chat.parts.settings.set('c2s.stanzasPerSecond', undefined, 'test')
  await office.chat.parts.settings.set('c2s.burstSeconds', undefined, 'test')
})
