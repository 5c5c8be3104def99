import http from 'node:http'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import { describe, expect, test } from 'vitest'
import { chance } from '../../test/faults/random.ts'
import { createAuthority, issue } from './ca.ts'
import { acceptProxies, Proxies, parseProxies, withTrueAddress } from './proxies.ts'
import { readProxyHeader } from './proxy-protocol.ts'

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** A header of version 2 as HAProxy writes it. */
function binary(versionAndCommand: number, kind: number, addresses: Buffer, extra = Buffer.alloc(0)): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(addresses.length + extra.length)
  return Buffer.concat([signature, Buffer.from([versionAndCommand, kind]), length, addresses, extra])
}
const ipv4 = Buffer.from([192, 0, 2, 7, 10, 0, 0, 1, 0xc3, 0x50, 0x14, 0x66])
const ipv6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000007', 'hex'),
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.from([0xc3, 0x50, 0x14, 0x66]),
])
const line = (text: string): Buffer => Buffer.from(text, 'latin1')

describe('a PROXY header', () => {
  test('of either version tells the address and its own length, TLVs are skipped', () => {
    const tlv = Buffer.from('030004deadbeef', 'hex')
    const source = { address: '192.0.2.7', port: 50_000 }
    for (const header of [
      line('PROXY TCP4 192.0.2.7 10.0.0.1 50000 5222\r\n'),
      binary(0x21, 0x11, ipv4),
      binary(0x21, 0x11, ipv4, tlv),
    ]) {
      const read = readProxyHeader(Buffer.concat([header, line('<stream:stream')]))
      expect(read).toEqual({ kind: 'header', length: header.length, source })
      for (let cut = 0; cut < header.length; cut++) {
        expect(readProxyHeader(header.subarray(0, cut)), `${cut} bytes`).toEqual({ kind: 'more' })
      }
    }
    for (const header of [line('PROXY TCP6 2001:db8::7 2001:db8::1 50000 5222\r\n'), binary(0x21, 0x21, ipv6)]) {
      expect(readProxyHeader(header)).toMatchObject({ source: { address: '2001:db8::7', port: 50_000 } })
    }
  })

  test('of a balancer that speaks for itself names nobody', () => {
    for (const header of [
      line('PROXY UNKNOWN\r\n'),
      line('PROXY UNKNOWN ffff:f...f:ffff whatever\r\n'),
      binary(0x20, 0x00, Buffer.alloc(0)),
      binary(0x20, 0x11, ipv4),
      binary(0x21, 0x00, Buffer.alloc(0)),
    ]) {
      expect(readProxyHeader(header)).toEqual({ kind: 'header', length: header.length, source: undefined })
    }
  })

  test('that is not exactly one is refused', () => {
    for (const wrong of [
      line('GET / HTTP/1.1\r\n'),
      line("<?xml version='1.0'?>"),
      line('PROXY TCP4 192.0.2.7 10.0.0.1 50000 65536\r\n'),
      line('PROXY TCP4 192.0.2.7 10.0.0.1 050000 5222\r\n'),
      line('PROXY TCP4 192.0.2.07 10.0.0.1 50000 5222\r\n'),
      line('PROXY TCP4 2001:db8::7 2001:db8::1 50000 5222\r\n'),
      line('PROXY TCP4  192.0.2.7 10.0.0.1 50000 5222\r\n'),
      line('PROXY TCP5 192.0.2.7 10.0.0.1 50000 5222\r\n'),
      line('PROXY UNKNOWNS\r\n'),
      line(`PROXY UNKNOWN ${'x'.repeat(100)}\r\n`),
      binary(0x11, 0x11, ipv4),
      binary(0x22, 0x11, ipv4),
      binary(0x21, 0x12, ipv4),
      binary(0x21, 0x31, Buffer.alloc(216)),
      binary(0x21, 0x41, ipv4),
      binary(0x21, 0x21, ipv4),
      binary(0x21, 0x11, ipv4, Buffer.alloc(5_000)),
    ]) {
      expect(readProxyHeader(wrong).kind, wrong.toString('latin1')).toBe('bad')
    }
  })

  test('whatever bytes come, reading ends: no more than the limit is asked for, nothing behind the header is looked at', () => {
    const { between, seed } = chance()
    const starts = [
      line('PROXY TCP4 192.0.2.7 10.0.0.1 50000 5222\r\n'),
      binary(0x21, 0x11, ipv4),
      binary(0x21, 0x21, ipv6),
    ]
    for (let round = 0; round < 3_000; round++) {
      const bytes = Buffer.concat([starts[round % 3] ?? signature, Buffer.alloc(4_200)])
      for (let change = 0; change < 1 + (round % 4); change++) {
        bytes[between(0, 59)] = between(0, 255)
      }
      const whole = readProxyHeader(bytes)
      expect(whole.kind, `seed ${seed} round ${round}`).not.toBe('more')
      if (whole.kind === 'header') expect(readProxyHeader(bytes.subarray(0, whole.length))).toEqual(whole)
      if (whole.kind === 'header' && whole.source) expect(net.isIP(whole.source.address)).not.toBe(0)
    }
  })
})

describe('the list of balancers', () => {
  test('names addresses and networks of both families', () => {
    const proxies = new Proxies(() => '10.0.0.2, 10.1.0.0/16\nfd00::/64')
    expect(['10.0.0.2', '10.1.2.3', '::ffff:10.0.0.2', 'fd00::9'].every(address => proxies.has(address))).toBe(true)
    expect(['10.0.0.3', '10.2.0.1', 'fd00:1::9', '', '::1'].some(address => proxies.has(address))).toBe(false)
    expect(new Proxies(() => '').has('127.0.0.1')).toBe(false)
  })

  test('is refused with a sentence when it cannot be read', () => {
    for (const wrong of ['haproxy.acme.test', '10.0.0.0/33', '10.0.0.0/', '10.0.0/8', 'fd00::/64/1']) {
      expect(parseProxies(wrong), wrong).toMatch(/is no address and no network/)
    }
    expect(parseProxies(' , ')).toBeUndefined()
  })
})

describe('a connection through a balancer', () => {
  const proxies = new Proxies(() => '127.0.0.1')
  const header = 'PROXY TCP4 192.0.2.7 10.0.0.1 50000 5222\r\n'

  async function listening(server: net.Server): Promise<number> {
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  }
  const textOf = (socket: net.Socket): Promise<string> =>
    new Promise(resolve => {
      let text = ''
      socket.on('data', chunk => {
        text += chunk
      })
      socket.on('error', () => socket.destroy())
      socket.on('close', () => resolve(text))
    })

  test('is of who is behind it, whatever pieces the header comes in; without one it is closed', async () => {
    const refusals: string[] = []
    const server = net.createServer(socket =>
      withTrueAddress(
        socket,
        proxies,
        address => socket.on('data', chunk => socket.end(`${address} said ${chunk}`)),
        why => refusals.push(why),
      ),
    )
    const port = await listening(server)
    const whole = net.connect(port, '127.0.0.1')
    whole.write(`${header}hello`)
    expect(await textOf(whole)).toBe('192.0.2.7 said hello')
    const pieces = net.connect({ port, host: '127.0.0.1', noDelay: true })
    for (const piece of [header.slice(0, 5), header.slice(5, 20), header.slice(20)]) {
      await new Promise(resolve => pieces.write(piece, resolve))
      await new Promise(setImmediate)
    }
    pieces.write('hello')
    expect(await textOf(pieces)).toBe('192.0.2.7 said hello')
    const stranger = net.connect(port, '127.0.0.1')
    stranger.write("<?xml version='1.0'?>")
    expect(await textOf(stranger)).toBe('')
    expect(refusals).toEqual(['it does not begin with a PROXY header'])
    server.close()
  })

  test('on a web port, in the clear and under TLS, is of who is behind it', async () => {
    const authority = await createAuthority('Test office')
    const pair = await issue(authority, { name: 'office.test', dnsNames: ['office.test'], addresses: ['127.0.0.1'] })
    const answer: http.RequestListener = (request, response) => response.end(request.socket.remoteAddress)
    const servers = [http.createServer(answer), https.createServer({ cert: pair.certificate, key: pair.key }, answer)]
    for (const server of servers) {
      acceptProxies(server, proxies, () => undefined)
      const port = await listening(server)
      const socket = net.connect(port, '127.0.0.1')
      const request = 'GET / HTTP/1.1\r\nhost: office.test\r\nconnection: close\r\n\r\n'
      let text: Promise<string>
      if (server instanceof https.Server) {
        socket.write(binary(0x21, 0x11, ipv4))
        const secured = tls.connect({ socket, servername: 'office.test', ca: authority.certificate })
        secured.write(request)
        text = textOf(secured)
      } else {
        socket.write(header + request)
        text = textOf(socket)
      }
      expect(await text).toMatch(/\r\n192\.0\.2\.7$/)
      server.close()
    }
  })
})
