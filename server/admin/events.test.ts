import http from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type AdminBench, openAdmin } from '../../test/support/admin.ts'
import { aRequest } from '../../test/support/node-desks.ts'

let bench: AdminBench
let cookie: string
beforeEach(async () => {
  bench = await openAdmin()
  await bench.admin.listen()
  cookie = await bench.signIn()
})
afterEach(async () => bench[Symbol.asyncDispose]())

interface Stream {
  readonly status: number
  readonly text: string
  /** Waits until the stream has this in it. */
  has(pattern: RegExp): Promise<void>
  readonly response: http.IncomingMessage
  readonly over: Promise<void>
}

/** Follows a stream over a real socket. */
function follow(path: string, headers: Record<string, string> = { cookie }): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const url = `http://127.0.0.1:${bench.admin.ports.adminPlain}${path}`
    const request = http.get(url, { agent: false, headers }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', chunk => {
        text += chunk
      })
      const over = new Promise<void>(done => response.once('close', done))
      resolve({
        status: response.statusCode ?? 0,
        response,
        over,
        get text() {
          return text
        },
        has: pattern => expect.poll(() => text, { timeout: 10_000 }).toMatch(pattern),
      })
    })
    request.on('error', reject)
  })
}

const change = (url: string, body: unknown, method: 'POST' | 'PUT' = 'POST') => bench.ask(method, url, { cookie, body })

describe('events', () => {
  test('are for administrators only', async () => {
    expect((await follow('/api/events', {})).status).toBe(401)
    expect((await follow('/api/log/live', {})).status).toBe(401)
  })

  test('tell open pages of people, settings, figures and what happened', async () => {
    const stream = await follow('/api/events')
    expect(stream.response.headers['content-type']).toBe('text/event-stream; charset=utf-8')
    expect(stream.response.headers['x-content-type-options']).toBe('nosniff')
    await stream.has(/event: figures\ndata: \{"peopleOnline":0,"people":2,/)
    await change('/api/people', { username: 'kim', name: 'Kim' })
    await stream.has(/event: happened\ndata: \{[^\n]*"sentence":"Added Kim \(kim@acme\.test\)\."/)
    await stream.has(/event: people\ndata: \{\}/)
    await stream.has(/"people":3,/)
    await change('/api/settings/version.shown', { value: false }, 'PUT')
    await stream.has(/event: setting\ndata: \{"key":"version.shown","by":"Anna Kessler"\}/)
  })

  test('tell of people who come and go at most once a second', async () => {
    const stream = await follow('/api/events')
    for (let number = 0; number < 20; number++) {
      const outlet = {
        transport: 'tcp',
        address: '',
        isSecure: true,
        receivedAt: 0,
        send: () => undefined,
        sendRaw: () => undefined,
        end: () => undefined,
      } as const
      const session = await bench.open.parts.sessions.bind({ username: 'ben', resource: `r${number}`, outlet })
      if (typeof session !== 'string') await bench.open.parts.sessions.end(session, 'left')
    }
    await stream.has(/event: connections/)
    expect(stream.text.match(/event: connections/g)?.length).toBeLessThanOrEqual(2)
  })

  test('tell the tray of any change of what it shows', async () => {
    const stream = await follow('/api/events', { authorization: `Bearer ${bench.admin.runToken}` })
    const count = (): number => stream.text.match(/event: desktop\ndata: \{\}\n/g)?.length ?? 0
    await expect.poll(count).toBe(1)
    const { nodes, backups } = bench.desks
    const changes: (() => unknown)[] = [
      () => nodes.put('front-desk', { state: 'starting' }),
      () => Object.assign(nodes, { requests: [aRequest(Date.now())] }),
      () => Object.assign(backups.trouble, { failures: 1 }),
      () => change('/api/desktop/pause', {}),
      () => bench.admin.pause('The office is put back to a backup.'),
    ]
    for (const [index, happen] of changes.entries()) {
      await happen()
      await expect.poll(count, { timeout: 5_000 }).toBe(index + 2)
    }
    const { json } = await bench.ask('GET', '/api/desktop', { cookie })
    expect(json.error).toEqual({ code: 'not-ready', sentence: 'The office is put back to a backup.' })
  })

  test('end when their sign-in does, and say so', async () => {
    const stream = await follow('/api/events')
    await stream.has(/retry: 2000/)
    await bench.ask('DELETE', '/api/session', { cookie, body: {} })
    await stream.over
    expect(stream.text).toMatch(/event: signed-out\ndata: \{\}/)
  })

  test('of a script end when its token is revoked', async () => {
    const made = await bench.ask<{ token: { id: string }; secret: string }>('POST', '/api/tokens', {
      cookie,
      body: { name: 'watcher', days: null },
    })
    const stream = await follow('/api/events', { authorization: `Bearer ${made.json.secret}` })
    const page = await follow('/api/events')
    await bench.ask('DELETE', `/api/tokens/${made.json.token.id}`, { cookie, body: {} })
    await stream.over
    await page.has(/Revoked the token “watcher”/)
  })

  test('a reader that does not read is cut off, the others go on', async () => {
    const slow = await follow('/api/events')
    slow.response.pause()
    const quick = await follow('/api/events')
    const noise = 'x'.repeat(60_000)
    let isCut = false
    slow.response.socket.once('close', () => {
      isCut = true
    })
    const { events } = inside(bench)
    for (let round = 0; round < 400 && !isCut; round++) {
      events.tell('setting', { key: noise, by: 'test' })
      await new Promise(resolve => setImmediate(resolve))
    }
    slow.response.resume()
    await slow.over
    expect(slow.text.length).toBeLessThan(400 * noise.length)
    events.tell('setting', { key: 'last.one', by: 'test' })
    await quick.has(/last\.one/)
  })

  test('are open thirty times from one address and no more', async () => {
    const open = []
    for (let number = 0; number < 30; number++) open.push(await follow('/api/events'))
    expect(open.every(({ status }) => status === 200)).toBe(true)
    const oneMore = await follow('/api/events')
    expect(oneMore.status).toBe(429)
    open[0]?.response.destroy()
    await expect.poll(async () => (await follow('/api/events')).status).toBe(200)
  })

  test('end when the server stops', async () => {
    const stream = await follow('/api/events')
    await bench.admin.close()
    await stream.over
  })
})

describe('the live log', () => {
  test('gives what was missed and then each new line that fits, numbered', async () => {
    const { log } = inside(bench).parts
    log.info({ jid: 'ben@acme.test' }, 'first line')
    log.warn('second line')
    const { json } = await bench.ask<{
      entries: { id: number; message: string; level: string; fields: object; pc: string }[]
    }>('GET', '/api/log?level=info&text=LINE', { cookie })
    expect(json.entries.map(({ message, level, pc }) => [message, level, pc])).toEqual([
      ['first line', 'info', 'front-desk'],
      ['second line', 'warn', 'front-desk'],
    ])
    expect(json.entries[0]?.fields).toEqual({ jid: 'ben@acme.test' })
    const first = json.entries[0]?.id ?? 0
    const stream = await follow(`/api/log/live?after=${first}&level=warn`)
    await stream.has(/event: log\nid: \d+\ndata: \{[^\n]*"second line"/)
    log.info('not important')
    log.error('third line')
    await stream.has(/"third line"/)
    expect(stream.text).not.toMatch(/first line|not important/)
  })

  test('hides passwords and the like', async () => {
    inside(bench).parts.log.info({ password: 'anna-has-the-keys', deep: { token: 'secret-token' } }, 'signing in')
    const { text } = await bench.ask('GET', '/api/log?text=signing', { cookie })
    expect(text).toContain('(hidden)')
    expect(text).not.toMatch(/anna-has-the-keys|secret-token/)
  })
})

/** What the routes are given. */
function inside({ admin }: AdminBench) {
  return admin.inside
}
