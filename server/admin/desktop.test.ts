import net from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type AdminBench, openAdmin } from '../../test/support/admin.ts'
import { aNode, aRequest } from '../../test/support/node-desks.ts'
import type { Desktop } from './contract/desktop.ts'
import type { HistoryEntry } from './contract/logs.ts'
import type { CheckResult } from './parts.ts'

/** What of the office is otherwise than usual. */
interface Circumstances {
  notReady?: string
  ports?: { c2s: number; cluster: number }
  door?: CheckResult
}

let bench: AdminBench
let now: Circumstances = {}
beforeAll(async () => {
  bench = await openAdmin({
    checks: [{ id: 'door', group: 'pcs', why: 'It matters.', run: () => now.door }],
    office: { notReady: () => now.notReady, ports: () => now.ports ?? {} },
  })
})
beforeEach(() => {
  now = {}
  Object.assign(bench.desks.backups.trouble, { failures: 0 })
  Object.assign(bench.desks.nodes, { nodes: [aNode(1, 'front-desk')], requests: [], enabled: true })
})
afterAll(async () => bench[Symbol.asyncDispose]())

/** As the tray asks. */
const tray = <T>(method: 'GET' | 'POST', path: string, body?: unknown, asked = bench) =>
  asked.ask<T>(method, path, {
    headers: { authorization: `Bearer ${asked.admin.runToken}` },
    isOwnPage: false,
    ...(body !== undefined && { body }),
  })
const shown = async (): Promise<Desktop> => (await tray<Desktop>('GET', '/api/desktop')).json
const checked = async (): Promise<Desktop> => {
  await tray('POST', '/api/health/check', {})
  return shown()
}
/** The newest deeds. */
const history = async (count: number): Promise<string[]> => {
  const { json } = await tray<{ entries: HistoryEntry[] }>('GET', '/api/history')
  return json.entries.slice(0, count).map(({ by, sentence }) => `${by}: ${sentence}`)
}
/** From elsewhere. */
async function asStranger<T>(asked: AdminBench, ask: () => Promise<T>): Promise<T> {
  Object.assign(asked.origin, { address: '192.0.2.66', isLocal: false })
  const answer = await ask()
  Object.assign(asked.origin, { address: '127.0.0.1', isLocal: true })
  return answer
}

describe('the tray of an office', () => {
  test('says what Home says, and counts', async () => {
    const { json: home } = await tray<{ state: string; sentence: string }>('GET', '/api/home')
    expect(await shown()).toEqual({
      // A computer with a full disk is told of it on both.
      state: home.state === 'ok' ? 'ok' : 'warn',
      office: 'ACME',
      pc: 'front-desk',
      version: '0.0.0-test',
      headline: home.state === 'ok' ? 'everything works' : 'chat works',
      sentence: home.sentence,
      peopleOnline: 0,
      peopleHere: 0,
      pcsOn: 1,
      pcs: 1,
      canJoin: true,
      requests: [],
      backupFailures: 0,
      update: { state: 'off', sentence: 'Nobody looks for updates.' },
    })
  })

  test('shows the PC that is off, who could take over, and who asks to join', async () => {
    const { nodes } = bench.desks
    nodes.nodes = [aNode(1, 'front-desk'), aNode(2, 'back-office', { people: 9 }), aNode(3, 'workshop', { people: 4 })]
    const request = aRequest(Date.now())
    nodes.requests = [request]
    expect(await shown()).toMatchObject({ pcsOn: 3, pcs: 3, movesTo: 'workshop', requests: [request] })
    nodes.put('workshop', { state: 'off', sentence: 'Is off since 10:04.' })
    expect(await shown()).toMatchObject({
      state: 'warn',
      headline: 'chat works',
      sentence: 'workshop: Is off since 10:04.',
      pcsOn: 2,
      movesTo: 'back-office',
    })
    nodes.nodes = nodes.nodes.slice(0, 1)
    nodes.enabled = false
    const alone = await shown()
    expect([alone.movesTo, alone.canJoin]).toEqual([undefined, false])
  })

  test('warns of what is broken while people can log in, of backups that fail, and of an update that did', async () => {
    now.door = { state: 'bad', sentence: 'The door does not close.' }
    expect(await checked()).toMatchObject({ state: 'warn', sentence: 'The door does not close.' })
    now = {}
    await checked()
    Object.assign(bench.desks.backups.trouble, { failures: 2, sentence: 'The share is away.' })
    expect(await shown()).toMatchObject({
      state: 'warn',
      sentence: '2 backups in a row failed: The share is away.',
      backupFailures: 2,
    })
    Object.assign(bench.desks.backups.trouble, { failures: 0 })
    bench.desks.updates.put({ state: 'failed', sentence: 'Version 1.3 did not start.' })
    expect(await shown()).toMatchObject({
      state: 'warn',
      update: { state: 'failed', sentence: 'Version 1.3 did not start.' },
    })
    bench.desks.updates.put({ state: 'off', sentence: 'Nobody looks for updates.' })
  })

  test('is red when nobody can log in on this PC', async () => {
    now.notReady = 'The database is away.'
    expect(await shown()).toMatchObject({
      state: 'bad',
      headline: 'nobody can log in here',
      sentence: 'The database is away.',
    })
  })

  test('is red when no chat port answers; a deaf port for something else is a warning', async () => {
    const door = net.createServer()
    await new Promise<void>(resolve => door.listen(0, '127.0.0.1', resolve))
    const c2s = (door.address() as net.AddressInfo).port
    now.ports = { c2s, cluster: 1 }
    expect(await checked()).toMatchObject({
      state: 'warn',
      sentence: 'Not answered at 127.0.0.1: 1 for the other PCs.',
    })
    await new Promise(resolve => door.close(resolve))
    const sentence = `Not answered at 127.0.0.1: ${c2s} for chat apps, 1 for the other PCs.`
    expect(await checked()).toMatchObject({ state: 'bad', sentence })
    now = {}
    await checked()
  })
})

describe('a pause of this PC', () => {
  test('for a time shows until when; it stands in the history', async () => {
    bench.desks.nodes.put('front-desk', { people: 3 })
    const { json: done } = await tray('POST', '/api/desktop/pause', { minutes: 30 })
    expect(done).toEqual({ moved: 0, left: 3 })
    const { pausedUntil, sentence, ...rest } = await shown()
    expect(Date.parse(pausedUntil ?? '') - Date.now()).toBeGreaterThan(29 * 60_000)
    expect(sentence).toMatch(/^Chat is paused on front-desk until (\d{4}-\d\d-\d\d )?\d\d:\d\d\.$/)
    expect(rest).toMatchObject({ state: 'paused', headline: 'paused', pcsOn: 0 })
    await tray('POST', '/api/desktop/resume', {})
    await tray('POST', '/api/desktop/resume', {})
    expect(await shown()).not.toHaveProperty('pausedUntil')
    expect(await history(2)).toEqual([
      'front-desk: Put front-desk back to work.',
      'front-desk: Paused chat on front-desk for 30 minutes: 0 devices moved to other PCs; 3 devices had to connect again.',
    ])
  })

  test('without an end lasts until somebody resumes it, and Home says that nobody can log in', async () => {
    const cookie = await bench.signIn()
    await bench.ask('POST', '/api/desktop/pause', { cookie, body: {} })
    expect(await checked()).toMatchObject({
      state: 'paused',
      pausedUntil: null,
      sentence: 'Chat is paused on front-desk until somebody resumes it.',
    })
    expect((await tray('GET', '/api/home')).json).toMatchObject({
      state: 'bad',
      sentence: 'Nobody can log in: front-desk is out for maintenance.',
    })
    const long = await bench.ask('POST', '/api/desktop/pause', { cookie, body: { minutes: 24 * 60 + 1 } })
    expect([long.status, long.json.error.field]).toEqual([400, 'minutes'])
    await bench.ask('POST', '/api/desktop/resume', { cookie, body: {} })
  })
})

describe('only the tray and the command line of this PC', () => {
  test.each(['/api/desktop/stop', '/api/session/link'])(
    'may POST %s: no administrator, no script, nobody from elsewhere',
    async path => {
      const cookie = await bench.signIn()
      const body = { name: `script for ${path}`, days: null }
      const { json } = await bench.ask<{ secret: string }>('POST', '/api/tokens', { cookie, body })
      const code = async (headers: Record<string, string>) =>
        (await bench.ask('POST', path, { body: {}, headers })).json.error.code
      expect(await code({ cookie })).toBe('not-here')
      expect(await code({ authorization: `Bearer ${json.secret}` })).toBe('not-here')
      const own = { authorization: `Bearer ${bench.admin.runToken}` }
      expect(await asStranger(bench, () => code(own))).toBe('not-here')
      expect(bench.isStopped).toBe(false)
    },
  )

  test('stop the server: it answers first, and writes it down', async () => {
    expect((await tray('POST', '/api/desktop/stop', {})).status).toBe(200)
    await expect.poll(() => bench.isStopped).toBe(true)
    expect(await history(1)).toEqual(['front-desk: Stopped chat on front-desk.'])
  })

  test('are told that there is no office yet, get a link that opens its set-up, and can stop the server then, too', async () => {
    await using fresh = await openAdmin({ stage: 'starting' })
    const ask = async () => {
      const { status, json } = await tray<{ error: { code: string } }>('GET', '/api/desktop', undefined, fresh)
      return [status, json.error.code]
    }
    expect(await ask()).toEqual([503, 'not-ready'])
    await fresh.admin.waitForSetup()
    expect(await ask()).toEqual([409, 'not-set-up'])
    const { json } = await tray<{ url: string }>('POST', '/api/session/link', {}, fresh)
    const [page, token] = json.url.split('#token=')
    expect(page).toBe(fresh.admin.url)
    // The link does it, not where its browser is.
    const setup = await asStranger(fresh, async () => {
      const { json: opened, cookie } = await fresh.ask('POST', '/api/session/token', { body: { token } })
      expect(opened).toEqual({})
      return fresh.ask<{ here: boolean }>('GET', '/api/setup', { cookie })
    })
    expect(setup.json.here).toBe(true)
    expect((await tray('POST', '/api/desktop/stop', {}, fresh)).status).toBe(200)
    await expect.poll(() => fresh.isStopped).toBe(true)
  })
})
