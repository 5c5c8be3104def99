import { mkdir, writeFile } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import path from 'node:path'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AdminBench, anna, openAdmin } from '../../test/support/admin.ts'
import { createAuthority, issue } from '../net/ca.ts'
import { neighbourOf } from '../net/neighbour.ts'
import { openServerTls } from '../net/tls.ts'
import { isHere, originOf, plainAddress } from './caller.ts'
import { createWebServer } from './web.ts'

let bench: AdminBench
beforeAll(async () => {
  bench = await openAdmin()
  await bench.admin.listen()
})
afterAll(async () => bench[Symbol.asyncDispose]())

interface Answer {
  status: number
  headers: http.IncomingHttpHeaders
  text: string
}

/** One request over a real socket. */
function get(url: string, options: https.RequestOptions & { ca?: string } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = (url.startsWith('https:') ? https : http).get(url, { agent: false, ...options }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', chunk => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
    })
    request.on('error', reject)
  })
}

const authority = () =>
  bench.admin.app
    .inject({ url: '/api/certificates/authority.crt', headers: { host: '127.0.0.1' } })
    .then(({ body }) => body)

describe('the admin ports', () => {
  test('answer over TLS with the office’s certificate, and over loopback without TLS', async () => {
    const { admin, adminPlain } = bench.admin.ports
    const ca = await authority()
    expect((await get(`https://127.0.0.1:${admin}/health/live`, { ca, servername: 'acme.test' })).status).toBe(200)
    expect((await get(`http://127.0.0.1:${adminPlain}/health/live`)).text).toBe('live\n')
    expect(bench.admin.url).toBe(`http://127.0.0.1:${adminPlain}/`)
  })

  test('speak no TLS older than 1.2', async () => {
    const ca = await authority()
    const tried = new Promise((resolve, reject) => {
      const socket = tls.connect({
        host: '127.0.0.1',
        port: bench.admin.ports.admin ?? 0,
        ca,
        servername: 'acme.test',
        maxVersion: 'TLSv1.1',
        minVersion: 'TLSv1',
      })
      socket.once('secureConnect', resolve).once('error', reject)
    })
    await expect(tried).rejects.toThrow()
  })

  test('show a new certificate as soon as there is one', async () => {
    const made = await createAuthority('Second')
    const leaves = [
      await issue(made, { name: 'one', dnsNames: ['one.test'], addresses: [] }),
      await issue(made, { name: 'two', dnsNames: ['one.test', 'two.test'], addresses: [] }),
    ]
    let current = 0
    const source = { kind: 'office' as const, load: async () => leaves[current] ?? leaves[0]! }
    const serverTls = await openServerTls({ domain: 'one.test', source })
    const web = await createWebServer({ tls: serverTls, websocketPath: '/ws' })
    const port = await web.listen({ host: '127.0.0.1', port: 0 })
    const ask = (servername: string) =>
      get(`https://127.0.0.1:${port}/.well-known/host-meta`, { ca: made.certificate, servername })
    expect((await ask('one.test')).status).toBe(200)
    await expect(ask('two.test')).rejects.toThrow(/altnames/)
    current = 1
    await serverTls.reload()
    expect((await ask('two.test')).status).toBe(200)
    await web.close()
  })

  test('cut off who sends headers without end or too many of them', async () => {
    const answer = await new Promise<string>(resolve => {
      const socket = net.connect(bench.admin.ports.adminPlain ?? 0, '127.0.0.1')
      let text = ''
      socket.setEncoding('utf8').on('data', chunk => {
        text += chunk
      })
      socket.on('close', () => resolve(text))
      socket.write(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(20_000)}\r\n\r\n`)
    })
    expect(answer).toMatch(/^HTTP\/1\.1 431 /)
  })

  test('send others from the plain port to HTTPS, and serve them nothing else there', async () => {
    bench.origin.address = '192.0.2.66'
    bench.origin.isLocal = false
    bench.origin.isSecure = false
    const secure = bench.admin.ports.admin
    const page = await bench.ask('GET', '/people?x=1', { headers: { host: 'front-desk.acme.test:9090' } })
    expect([page.status, page.headers.location]).toEqual([307, `https://front-desk.acme.test:${secure}/people?x=1`])
    expect(page.text).toMatch(/encrypted/)
    const { username, password } = anna
    const signIn = await bench.ask('POST', '/api/session', { body: { username, password } })
    expect([signIn.status, signIn.setCookie]).toEqual([403, ''])
    const odd = await bench.ask('GET', '/', { headers: { host: 'evil" onload="x' } })
    expect(odd.status).toBe(403)
    Object.assign(bench.origin, { address: '127.0.0.1', isLocal: true, isSecure: true })
  })

  test('limit how often one neighbour asks', async () => {
    bench.origin.address = '192.0.2.99'
    const answers = await Promise.all(Array.from({ length: 400 }, () => bench.ask('GET', '/health/live')))
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(50)
    expect(refused[0]?.headers['retry-after']).toBe('1')
    bench.origin.address = '127.0.0.1'
    expect((await bench.ask('GET', '/health/live')).status).toBe(200)
  })
})

describe('who asks', () => {
  const from = (remoteAddress: string, headers: http.IncomingHttpHeaders, localAddress = '192.168.1.20') => {
    const request = {
      raw: { socket: { remoteAddress, localAddress, localPort: 9090 } },
      headers: { host: '127.0.0.1:9090', ...headers },
    }
    return isHere(request as never, originOf(request as never))
  }

  test('sits at this PC when it comes from this machine and asks for it by number or as localhost', () => {
    for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '127.8.8.8', '192.168.1.20'])
      expect(from(address, {}), address).toBe(true)
    for (const host of ['localhost', 'localhost:9090', '[::1]:9090', '192.168.1.20'])
      expect(from('127.0.0.1', { host }), host).toBe(true)
  })

  test('does not when it is another machine, a proxy, or a name that may be anybody’s', () => {
    for (const address of ['192.168.1.21', '::ffff:192.168.1.21', 'fe80::1%eth0', ''])
      expect(from(address, {}), address).toBe(false)
    for (const host of ['evil.example', 'localhost.evil.example', '', 'front-desk'])
      expect(from('127.0.0.1', { host }), host).toBe(false)
    for (const name of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip'])
      expect(from('127.0.0.1', { [name]: '1' }), name).toBe(false)
  })

  test('counts as one neighbour by IPv4 address or IPv6 /64', () => {
    expect(plainAddress('::ffff:192.0.2.1')).toBe('192.0.2.1')
    expect(neighbourOf('192.0.2.1')).toBe('192.0.2.1')
    expect(neighbourOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64')
    expect(neighbourOf('2001:db8::1')).toBe('2001:db8:0:0::/64')
    expect(neighbourOf('::1')).toBe('0:0:0:0::/64')
  })
})

describe('the pages', () => {
  test('are told to be built when they are not', async () => {
    const { status, text, headers } = await bench.ask('GET', '/people')
    expect(status).toBe(503)
    expect(headers['content-type']).toMatch(/text\/html/)
    expect(text).toMatch(/npm run build/)
  })

  test('come with one index for all addresses of the app, hashed files for ever, the others fresh', async () => {
    const folder = path.join(bench.dataFolder, 'ui')
    await mkdir(path.join(folder, 'assets'), { recursive: true })
    await writeFile(path.join(folder, 'index.html'), '<!doctype html><title>Lanthorn</title>')
    await writeFile(path.join(folder, 'assets', 'app-1234.js'), 'export {}')
    await writeFile(path.join(folder, '.secret'), 'no')
    await using withUi = await openAdmin({ uiFolder: folder })
    for (const url of ['/', '/people', '/settings/messages?find=x', '/setup']) {
      const { status, text, headers } = await withUi.ask('GET', url)
      expect([status, text], url).toEqual([200, '<!doctype html><title>Lanthorn</title>'])
      expect(headers['cache-control'], url).toBe('no-cache')
    }
    const script = await withUi.ask('GET', '/assets/app-1234.js')
    expect(script.headers['cache-control']).toBe('public, max-age=31536000, immutable')
    expect(script.headers['content-type']).toMatch(/javascript/)
    for (const url of [
      '/assets/gone-1234.js',
      '/../package.json',
      '/%2e%2e/package.json',
      '/.secret',
      '/api/nothing',
      '/api',
      '/assets/',
    ]) {
      const { status, text } = await withUi.ask('GET', url)
      expect(status === 404 || text.includes('Lanthorn</title>'), `${url} ${status}`).toBe(true)
      expect(text, url).not.toMatch(/"name"|^no$/)
    }
  })
})

describe('the web ports', () => {
  test('tell chat apps of any origin where the WebSocket is, encrypted only', async () => {
    const plain = await createWebServer({ websocketPath: '/ws', securePort: () => 7443 })
    const port = await plain.listen({ host: '127.0.0.1', port: 0 })
    const meta = await get(`http://127.0.0.1:${port}/.well-known/host-meta`, {
      headers: { host: 'chat.acme.test:7070' },
    })
    expect(meta.headers['access-control-allow-origin']).toBe('*')
    expect(meta.headers['content-type']).toMatch(/xrd\+xml/)
    expect(meta.text).toContain("<Link rel='urn:xmpp:alt-connections:websocket' href='wss://chat.acme.test:7443/ws'/>")
    const json = await get(`http://127.0.0.1:${port}/.well-known/host-meta.json`, {
      headers: { host: '[fd00::2]:7070' },
    })
    expect(JSON.parse(json.text)).toEqual({
      links: [{ rel: 'urn:xmpp:alt-connections:websocket', href: 'wss://[fd00::2]:7443/ws' }],
    })
    expect((await get(`http://127.0.0.1:${port}/`)).status).toBe(404)
    await plain.close()
    const alone = await createWebServer({ websocketPath: '/ws' })
    const other = await alone.listen({ host: '127.0.0.1', port: 0 })
    expect((await get(`http://127.0.0.1:${other}/.well-known/host-meta`)).status).toBe(404)
    await alone.close()
  })
})
