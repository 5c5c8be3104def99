import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import https from 'node:https'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { Office } from '../../test/support/office.ts'
import { poolerProgram } from '../../test/support/poolers.ts'
import { quietPort } from '../../test/support/postgres-server.ts'
import { createWebServer, type WebServer } from '../admin/web.ts'
import { createAuthority, issue } from '../net/ca.ts'
import { openServerTls, type ServerTls } from '../net/tls.ts'
import { acceptBosh, BOSH_PATH } from '../stream/bosh.ts'
import { whyNotReady } from '../stream/readiness.ts'
import { acceptWebSocket } from '../stream/websocket.ts'
import { apacheConf, balancerSnippets, chatHaproxyCfg } from './balancers.ts'

const apache = ['/usr/sbin/apache2', '/usr/sbin/httpd'].find(file => existsSync(file))
const haproxy = poolerProgram('haproxy')
const nsBosh = 'http://jabber.org/protocol/httpbind'

let folder: string
let office: Office
const webs: { server: WebServer; port: number; close(): Promise<void> }[] = []
const children = new Set<ChildProcess>()

/** One web port of the office, as an appliance opens it. */
async function openWeb(tls: ServerTls): Promise<void> {
  const { streams, chat } = office
  const server = await createWebServer({
    tls,
    websocketPath: '/ws',
    boshPath: BOSH_PATH,
    proxies: streams.proxies,
    notReady: () => whyNotReady({ streams, db: chat.parts.db }),
  })
  const ways = [
    acceptWebSocket({ streams, server: server.server, tls }),
    acceptBosh({ streams, server: server.server }),
  ]
  const port = await server.listen({ host: '127.0.0.1', port: 0 })
  const close = async (): Promise<void> => {
    for (const way of ways) way.close()
    await server.close()
  }
  webs.push({ server, port, close })
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'lanthorn-balancers-'))
  office = await Office.start()
  const authority = await createAuthority('Test office')
  const load = () => issue(authority, { name: 'office.test', dnsNames: ['office.test'], addresses: ['127.0.0.1'] })
  const serverTls = await openServerTls({ source: { kind: 'office', load }, domain: 'office.test' })
  await openWeb(serverTls)
  await openWeb(serverTls)
})
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  for (const web of webs) await web.close()
  await office[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

/** Runs a program until the end of the tests; its port answers when this resolves. */
async function run(program: string, args: string[], port: number): Promise<() => Promise<void>> {
  let words = ''
  const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  for (const output of [child.stdout, child.stderr]) output.on('data', text => (words += text))
  children.add(child)
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
  await expect.poll(() => reaches(port), { timeout: 10_000, message: words }).toBe(true)
  return async () => {
    child.kill('SIGTERM')
    await ended
    children.delete(child)
  }
}

function reaches(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}

const nodes = () => [
  { name: 'front-desk', host: '127.0.0.1', c2s: office.ports.tcp, c2sTls: office.ports.tls, web: webs[0]?.port },
  { name: 'back-room', host: '127.0.0.1', c2s: 9, c2sTls: 9, web: 9 },
]

describe.skipIf(haproxy === undefined)('HAProxy with this configuration', () => {
  test('leads to PCs where people can sign in, and says who they are', async () => {
    await office.chat.parts.settings.set('c2s.proxies', '127.0.0.1', 'test')
    const [c2s, c2sTls, web] = [await quietPort(), await quietPort(), await quietPort()] as const
    const text = chatHaproxyCfg(nodes())
      .replace('bind :5222', `bind 127.0.0.1:${c2s}`)
      .replace('bind :5223', `bind 127.0.0.1:${c2sTls}`)
      .replace('bind :7443', `bind 127.0.0.1:${web}`)
      .replaceAll('inter 2s', 'inter 200ms')
    const file = path.join(folder, 'haproxy.cfg')
    await writeFile(file, text)
    execFileSync(haproxy ?? '', ['-c', '-f', file])
    const stop = await run(haproxy ?? '', ['-db', '-f', file], c2s)
    const addresses = (): string[] => [...office.streams].map(stream => stream.address)
    const localAddress = '127.0.0.9'
    try {
      const from = { host: '127.0.0.1', localAddress }
      const header =
        "<stream:stream to='office.test' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
      const opened = async (socket: net.Socket): Promise<string> => {
        socket.on('error', () => socket.destroy())
        socket.write(header)
        return await new Promise(resolve => {
          socket.once('data', chunk => resolve(String(chunk)))
          socket.once('close', () => resolve(''))
        })
      }
      // Until the checks have found out, half of all connections go to the PC that is not there.
      let inARow = 0
      const lasting = async (): Promise<number> => {
        const text = await opened(net.connect({ ...from, port: c2s }))
        inARow = text.includes('starttls') ? inARow + 1 : 0
        return inARow
      }
      await expect.poll(lasting, { timeout: 15_000 }).toBeGreaterThan(10)
      const plain = net.connect({ ...from, port: c2s })
      expect(await opened(plain)).toContain('starttls')
      const secured = tls.connect({ ...from, port: c2sTls, servername: 'office.test', rejectUnauthorized: false })
      expect(await opened(secured)).toContain('mechanisms')
      expect(new Set(addresses())).toEqual(new Set([localAddress]))
      expect(await get(web, '/health/ready')).toEqual({ status: 200, text: 'ready\n' })
      // Without a header nobody is let in from there any more.
      expect(await opened(net.connect(office.ports.tcp, '127.0.0.1'))).toBe('')
      await office.streams.drain(() => undefined, { limitMs: 100 })
      await expect.poll(() => opened(net.connect({ ...from, port: c2s })), { timeout: 8_000 }).toBe('')
      office.streams.resumeService()
      await expect.poll(() => opened(net.connect({ ...from, port: c2s })), { timeout: 8_000 }).toContain('starttls')
      plain.destroy()
      secured.destroy()
    } finally {
      await stop()
      await office.chat.parts.settings.set('c2s.proxies', '', 'test')
    }
  }, 30_000)
})

function get(port: number, url: string): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const request = https.get(
      { host: '127.0.0.1', port, path: url, rejectUnauthorized: false, agent: false },
      response => {
        let text = ''
        response.on('data', chunk => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode, text }))
      },
    )
    request.on('error', reject)
  })
}

describe.skipIf(apache === undefined)('Apache with this configuration', () => {
  test('keeps each BOSH session with its PC, and lets WebSockets through', async () => {
    const port = await quietPort()
    const both = webs.map((web, index) => ({ name: `pc-${index + 1}`, host: '127.0.0.1', web: web.port }))
    const modules =
      'mpm_event authz_core ssl socache_shmcb headers proxy proxy_http proxy_wstunnel proxy_balancer lbmethod_byrequests slotmem_shm'
    const loaded = modules
      .split(' ')
      .map(name => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so\n`)
      .join('')
    const main = `ServerRoot ${folder}
ServerName office.test
KeepAlive Off
PidFile ${folder}/apache.pid
ErrorLog ${folder}/apache.log
DefaultRuntimeDir ${folder}
${loaded}${process.getuid?.() === 0 ? 'User nobody\nGroup nogroup\n' : ''}Listen 127.0.0.1:${port}
<VirtualHost *:${port}>
${apacheConf('office.test', both)}</VirtualHost>
`
    const file = path.join(folder, 'apache.conf')
    await writeFile(file, main)
    const stop = await run(apache ?? '', ['-D', 'FOREGROUND', '-f', file], port)
    try {
      const post = async (body: string, cookie = '') => {
        const response = await fetch(`http://127.0.0.1:${port}/http-bind`, {
          method: 'POST',
          body,
          headers: { cookie },
        })
        const given = response.headers.get('set-cookie')?.split(';')[0] ?? cookie
        return { text: await response.text(), cookie: given }
      }
      const routes = new Set<string>()
      for (let round = 0; round < 4; round++) {
        const attributes = `to='office.test' wait='5' hold='1' xmlns='${nsBosh}'`
        const created = await post(`<body rid='100' ${attributes}/>`)
        routes.add(created.cookie)
        const sid = / sid='([^']+)'/.exec(created.text)?.[1]
        expect(sid, created.text).toBeDefined()
        for (let rid = 101; rid < 104; rid++) {
          const auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='NONE'/>"
          const answer = await post(`<body rid='${rid}' sid='${sid}' xmlns='${nsBosh}'>${auth}</body>`, created.cookie)
          expect(answer.text).toContain('invalid-mechanism')
        }
      }
      expect([...routes].sort()).toEqual(['LANTHORN=.pc-1', 'LANTHORN=.pc-2'])
      const webSocket = new WebSocket(`ws://127.0.0.1:${port}/ws`, 'xmpp')
      await new Promise((resolve, reject) => webSocket.once('open', resolve).once('error', reject))
      webSocket.send("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='office.test' version='1.0'/>")
      const first = await new Promise(resolve => webSocket.once('message', data => resolve(String(data))))
      expect(first).toMatch(/^<open /)
      webSocket.terminate()
    } finally {
      await stop()
    }
  }, 30_000)
})

test('all of it is made of what is known of the PCs', () => {
  const pcs = [{ name: 'front-desk', addresses: ['[fd00::1]', '192.0.2.1'], c2s: 5222, c2sTls: 5223, web: 7443 }]
  const snippets = balancerSnippets('acme.test', pcs)
  expect(snippets.map(({ id }) => id)).toEqual(['zone', 'chat-haproxy', 'chat-apache'])
  for (const { text, sentence } of snippets) {
    expect(text).toMatch(/fd00::1/)
    expect(text).toMatch(/[^\n]\n$/)
    expect(text.split('\n').every(line => line.length <= 160)).toBe(true)
    expect(sentence).toMatch(/\.$/)
  }
})

test('names that would need quoting are left out, and so are services that nobody has', () => {
  const text = chatHaproxyCfg([
    { name: 'good', host: 'fd00::1', c2s: 5222, web: 7443 },
    { name: 'a b', host: '10.0.0.1', c2s: 5222, web: 7443 },
    { name: 'evil', host: 'x\n  server y', c2s: 5222, web: 7443 },
  ])
  expect(text.match(/^ {2}server .*$/gm)).toEqual([
    expect.stringMatching(/^ {2}server good \[fd00::1\]:5222 send-proxy-v2 check port 7443 check-ssl/),
    expect.stringMatching(/^ {2}server good \[fd00::1\]:7443 send-proxy-v2 check port 7443 check-ssl/),
  ])
  expect(text).not.toContain('listen chat-tls')
})
