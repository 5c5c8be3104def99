import net from 'node:net'
import tls from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Office } from '../../test/support/office.ts'
import { RawClient } from '../../test/support/raw.ts'
import { listenTcp } from './tcp.ts'

let office: Office

beforeAll(async () => {
  office = await Office.start()
})
afterAll(() => office[Symbol.asyncDispose]())

function handshake(options: tls.ConnectionOptions): Promise<string> {
  const socket = tls.connect({
    port: office.ports.tls,
    host: '127.0.0.1',
    servername: 'office.test',
    ca: office.ca,
    ...options,
  })
  return new Promise(resolve => {
    socket.on('secureConnect', () => {
      resolve(`${socket.getProtocol()} ${socket.alpnProtocol}`)
      socket.destroy()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

test('direct TLS speaks TLS 1.3 and 1.2, with ALPN xmpp-client or without', async () => {
  expect(await handshake({ ALPNProtocols: ['xmpp-client'] })).toBe('TLSv1.3 xmpp-client')
  expect(await handshake({})).toBe('TLSv1.3 false')
  expect(await handshake({ maxVersion: 'TLSv1.2' })).toBe('TLSv1.2 false')
})

test('direct TLS refuses another protocol and older TLS', async () => {
  expect(await handshake({ ALPNProtocols: ['http/1.1'] })).toBe('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL')
  expect(await handshake({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' })).toMatch(
    /^ERR_SSL/,
  )
})

test('with TLS 1.2 a login is bound to the certificate only', async () => {
  const socket = tls.connect({
    port: office.ports.tls,
    host: '127.0.0.1',
    servername: 'office.test',
    ca: office.ca,
    maxVersion: 'TLSv1.2',
  })
  let text = ''
  socket.on('data', chunk => {
    text += chunk
  })
  socket.write(
    "<stream:stream to='office.test' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
  )
  await expect.poll(() => text).toContain('</stream:features>')
  expect(text).toContain('tls-server-end-point')
  expect(text).not.toContain('tls-exporter')
  socket.destroy()
})

test('a listener that closes frees its port, and its streams go on', async () => {
  const { streams } = office
  const romeo = await office.client('romeo', { over: 'tls' })
  const tlsOfOffice = { current: undefined } as never
  const first = await listenTcp({ streams, tls: tlsOfOffice, host: '127.0.0.1', port: 0, mode: 'starttls' })
  await expect(
    listenTcp({ streams, tls: tlsOfOffice, host: '127.0.0.1', port: first.port, mode: 'starttls' }),
  ).rejects.toThrow('EADDRINUSE')
  const client = await RawClient.connect({ ...office.target(), port: first.port })
  await client.open()
  await first.close()
  const second = await listenTcp({ streams, tls: tlsOfOffice, host: '127.0.0.1', port: first.port, mode: 'starttls' })
  client.send('</stream:stream>')
  await client.receives('<ended/>')
  await second.close()
  expect(await romeo.leftovers()).toEqual([])
  romeo.cut()
})

test('login without TLS is not offered on a port that others can reach', async () => {
  const { streams } = office
  const listener = await listenTcp({
    streams,
    tls: { current: undefined } as never,
    host: '0.0.0.0',
    port: 0,
    mode: 'starttls',
    allowPlaintext: true,
  })
  await using client = await RawClient.connect({ ...office.target(), port: listener.port })
  await client.open()
  expect(client.features.getChildElements().map(child => child.name)).toEqual(['starttls'])
  await listener.close()
})

test('a handshake that fails, garbage and a connection that breaks leave nothing behind', async () => {
  const before = office.streams.size
  for (const port of [office.ports.tcp, office.ports.tls]) {
    for (const bytes of [
      Buffer.from([0x16, 0x03, 0x01, 0x00]),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.alloc(0),
    ]) {
      const socket = net.connect(port, '127.0.0.1')
      await new Promise(resolve => socket.once('connect', resolve))
      socket.on('error', () => socket.destroy())
      socket.write(bytes)
      socket.resetAndDestroy()
    }
  }
  await expect.poll(() => office.streams.size).toBe(before)
})
