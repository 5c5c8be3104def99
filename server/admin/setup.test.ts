import tls from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import { type AdminBench, type AdminBenchOptions, openAdmin } from '../../test/support/admin.ts'
import type { Session } from './contract/session.ts'
import type { RecoverySheet } from './contract/setup.ts'

let bench: AdminBench
afterEach(async () => bench[Symbol.asyncDispose]())
const fresh = async (options: AdminBenchOptions = {}) => {
  bench = await openAdmin({ ...options, stage: 'fresh' })
}

const wish = {
  office: 'ACME',
  domain: 'ACME.example.',
  person: { name: 'Anna Kessler', username: 'Anna', password: 'anna-has-the-keys' },
}
const create = (more: Parameters<AdminBench['ask']>[2] = {}) =>
  bench.ask<{ session: Session; recovery: RecoverySheet; error: { code: string; field?: string } }>(
    'POST',
    '/api/setup/office',
    { body: wish, ...more },
  )
const state = async (more: Parameters<AdminBench['ask']>[2] = {}) =>
  (
    await bench.ask<{ state: string; here: boolean; suggestedDomain?: string; problem?: { sentence: string } }>(
      'GET',
      '/api/setup',
      more,
    )
  ).json

function beStranger(): void {
  bench.origin.address = '192.0.2.66'
  bench.origin.isLocal = false
}

describe('a fresh appliance', () => {
  test('makes the office for who sits at it, and signs the first person in', async () => {
    await fresh()
    expect(await state()).toMatchObject({ state: 'fresh', here: true, suggestedDomain: 'acme.example' })
    const { status, json, cookie } = await create()
    expect(status).toBe(200)
    expect(json.session).toMatchObject({ username: 'anna', office: 'ACME', domain: 'acme.example' })
    expect(json.recovery).toMatchObject({
      officeId: 'office-1',
      kept: false,
      fingerprint: expect.stringMatching(/^([0-9A-F]{2}:){31}/),
    })
    expect(json.recovery.recoveryKey).toMatch(/^([0-9A-Z]{4}-){12}[0-9A-Z]{4}$/)
    expect((await bench.ask('GET', '/api/home', { cookie })).status).toBe(200)
    expect(await state()).toMatchObject({ state: 'ready', office: 'ACME' })
    expect((await create()).json.error.code).toBe('set-up-already')
  })

  test('cannot be taken over by a stranger on the network', async () => {
    await fresh()
    beStranger()
    expect(await state()).toMatchObject({ state: 'fresh', here: false })
    expect(await state()).not.toHaveProperty('suggestedDomain')
    const pretending: Record<string, string>[] = [
      {},
      { 'x-forwarded-for': '127.0.0.1' },
      { host: 'localhost:9091' },
      { cookie: `__Host-lanthorn-setup-9091=${'A'.repeat(43)}` },
      { authorization: `Bearer ${bench.admin.runToken}` },
    ]
    for (const headers of pretending) {
      expect((await create({ headers })).json.error.code, JSON.stringify(headers)).toBe('not-here')
      expect(
        (await bench.ask('POST', '/api/setup/database', { body: { url: 'postgresql://x' }, headers })).status,
      ).toBe(403)
      expect((await bench.ask('POST', '/api/setup/domain', { body: { domain: 'x.y' }, headers })).status).toBe(403)
    }
    expect(await state()).toMatchObject({ state: 'fresh' })
  })

  test('nor through the browser of who sits at it: a page of elsewhere, a name pointed at us, a proxy on this PC', async () => {
    await fresh()
    const tricks: Record<string, string>[] = [
      { origin: 'https://evil.example', host: '127.0.0.1:9091' },
      { origin: 'https://evil.example:9091', host: 'evil.example:9091' },
      { 'x-forwarded-for': '192.0.2.66' },
      { forwarded: 'for=192.0.2.66' },
      { 'sec-fetch-site': 'cross-site' },
    ]
    for (const headers of tricks) {
      const { status } = await create({ headers, isOwnPage: !headers.origin })
      expect(status, JSON.stringify(headers)).toBe(403)
    }
    expect(await state()).toMatchObject({ state: 'fresh' })
  })

  test('can be set up from elsewhere with the link that was made on it, once', async () => {
    await fresh()
    const token = bench.admin.makeLink().split('#token=')[1]
    beStranger()
    const opened = await bench.ask('POST', '/api/session/token', { body: { token } })
    expect([opened.status, opened.json]).toEqual([200, {}])
    expect(opened.setCookie).toMatch(/HttpOnly; Secure; SameSite=Strict/)
    expect((await bench.ask('POST', '/api/session/token', { body: { token } })).status).toBe(401)
    expect(await state({ cookie: opened.cookie })).toMatchObject({ here: true })
    expect((await create({ cookie: opened.cookie })).status).toBe(200)
  })

  test('has HTTPS for that link already, and goes on there with the office’s certificate', async () => {
    await fresh()
    const subjectAt = (port: number | undefined) =>
      new Promise<string>((resolve, reject) => {
        const socket = tls.connect({ host: '127.0.0.1', port: port ?? 0, rejectUnauthorized: false })
        socket.once('secureConnect', () => {
          resolve(String(socket.getPeerCertificate().subject.CN))
          socket.destroy()
        })
        socket.once('error', reject)
      })
    const { admin } = bench.admin.ports
    expect(await subjectAt(admin)).toBe('Lanthorn set-up')
    expect((await create()).status).toBe(200)
    expect(await subjectAt(admin)).toBe('acme.example')
  })

  test('answers everything else with “not set up”', async () => {
    await fresh()
    for (const url of ['/api/session', '/api/people', '/api/settings', '/api/events']) {
      expect((await bench.ask('GET', url)).json.error.code).toBe('not-set-up')
    }
    expect((await bench.ask('POST', '/api/session', { body: { username: 'a', password: 'b' } })).json.error.code).toBe(
      'not-set-up',
    )
    expect((await bench.ask('GET', '/health/ready')).status).toBe(503)
    expect((await bench.ask('GET', '/health/live')).status).toBe(200)
  })

  test('looks at the domain first', async () => {
    await fresh()
    const check = async (domain: string) =>
      (await bench.ask<{ state: string; domain: string }>('POST', '/api/setup/domain', { body: { domain } })).json
    expect(await check('Büro.Example')).toMatchObject({ state: 'ok', domain: 'büro.example' })
    for (const domain of ['', 'acme', '192.168.1.7', '[::1]', 'anna@acme.lan', 'a b.lan', '-x.lan', 'a..b']) {
      expect(await check(domain), domain).toMatchObject({ state: 'bad' })
    }
    expect(await check('acme.local')).toMatchObject({ state: 'warn' })
    const { status, json } = await create({ body: { ...wish, domain: 'not a domain' } })
    expect([status, json.error.field]).toEqual([422, 'domain'])
  })
})

describe('making the office', () => {
  test('happens once, however often the button is pressed', async () => {
    let release = (): void => undefined
    const gate = new Promise<void>(resolve => {
      release = resolve
    })
    let count = 0
    await fresh({
      createOffice: async make => {
        count++
        await gate
        await make()
        return { kind: 'made' }
      },
    })
    const first = create()
    // The second is asked for after the first was taken.
    await expect.poll(async () => (await state()).state).toBe('making')
    const second = await create()
    expect([second.status, second.json.error.code]).toEqual([409, 'set-up-already'])
    release()
    expect((await first).status).toBe(200)
    expect(count).toBe(1)
  })

  test('can be tried again after it was refused, and says why', async () => {
    let tries = 0
    await fresh({
      createOffice: async make => {
        if (tries++ === 0) return { kind: 'refused', sentence: 'The database is away.', field: 'database.url' }
        await make()
        return { kind: 'made' }
      },
    })
    const { status, json } = await create()
    expect(status).toBe(422)
    expect(json.error).toEqual({ code: 'refused', sentence: 'The database is away.', field: 'database.url' })
    expect(await state()).toMatchObject({ state: 'fresh', problem: { sentence: 'The database is away.' } })
    expect((await create()).status).toBe(200)
  })
})
