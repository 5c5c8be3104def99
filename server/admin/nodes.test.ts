import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type AdminBench, openAdmin } from '../../test/support/admin.ts'
import { aCard, allLinked, aNode, aRequest } from '../../test/support/node-desks.ts'
import type { HealthCheck } from './contract/health.ts'
import type { Joining } from './contract/joining.ts'
import type { JoinRequest, Node } from './contract/nodes.ts'

let bench: AdminBench
let cookie: string
let token: string
beforeAll(async () => {
  bench = await openAdmin()
  cookie = await bench.signIn()
  const made = await bench.ask<{ secret: string }>('POST', '/api/tokens', { cookie, body: { name: 'Script', days: 1 } })
  token = made.json.secret
})
afterAll(async () => bench[Symbol.asyncDispose]())
beforeEach(() => {
  const { nodes } = bench.desks
  nodes.nodes = allLinked([aNode(1, 'front-desk'), aNode(2, 'back-office', { people: 7 }), aNode(3, 'workshop')])
  nodes.enabled = true
  nodes.requests = []
  nodes.codes = []
  nodes.staying = 0
  nodes.changed()
})

const post = <T>(path: string, body: unknown = {}) => bench.ask<T>('POST', `/api/nodes/${path}`, { cookie, body })
async function done(): Promise<string[]> {
  const { json } = await bench.ask<{ entries: { sentence: string; kind: string }[] }>('GET', '/api/history', { cookie })
  return json.entries.filter(({ kind }) => kind === 'pc').map(({ sentence }) => sentence)
}
async function checks(): Promise<Record<string, HealthCheck>> {
  const { json } = await bench.ask<{ checks: HealthCheck[] }>('POST', '/api/health/check', { cookie, body: {} })
  return Object.fromEntries(json.checks.map(check => [check.id, check]))
}

describe('the PCs', () => {
  test('are listed with links, requests and what happened; a script sees the same', async () => {
    bench.desks.nodes.requests = [aRequest(Date.now(), { name: 'library' })]
    bench.desks.nodes.changed()
    const { json } = await bench.ask<{ nodes: Node[]; requests: JoinRequest[]; happened: { sentence: string }[] }>(
      'GET',
      '/api/nodes',
      { headers: { authorization: `Bearer ${token}` } },
    )
    expect(json).toMatchObject({
      enabled: true,
      node: 'front-desk',
      sentence: 'Three PCs carry the office.',
      clusterPort: 5275,
    })
    expect(json.nodes.map(({ name }) => name)).toEqual(['front-desk', 'back-office', 'workshop'])
    expect(json.requests[0]?.code).toBe('4827 · blue otter')
    expect(json.happened[0]?.sentence).toBe('library asks to join.')
    const home = await bench.ask<{ pcs: Node[]; sentence: string }>('GET', '/api/home', { cookie })
    expect(home.json.pcs).toEqual(json.nodes)
  })

  test('come in, are taken out, put back, restarted and removed, and the history says by whom', async () => {
    const { nodes } = bench.desks
    nodes.requests = [
      aRequest(Date.now(), { name: 'library' }),
      aRequest(Date.now(), { id: 'stranger', name: 'stranger' }),
    ]
    expect((await post('requests/request-1', { accept: true })).status).toBe(200)
    expect((await post('requests/stranger', { accept: false })).status).toBe(200)
    expect((await post('requests/stranger', { accept: true })).status).toBe(404)
    expect((await post<{ moved: number }>('back-office/drain')).json).toEqual({ moved: 7, left: 0 })
    expect((await post('back-office/resume')).status).toBe(200)
    expect((await post('workshop/restart')).status).toBe(200)
    expect((await post('library/remove', { typed: 'LIBRARY' })).status).toBe(200)
    expect(await done()).toEqual([
      'Removed library from the office for good.',
      'Restarted chat on workshop.',
      'Put back-office back to work.',
      'Took back-office out for maintenance: 7 devices moved to other PCs.',
      'Refused stranger (192.168.1.31).',
      'Let library (192.168.1.31) into the office.',
    ])
    expect(nodes.asked).toEqual([
      'Anna Kessler accepted library',
      'Anna Kessler refused stranger',
      'Anna Kessler drained back-office',
      'Anna Kessler resumed back-office',
      'Anna Kessler restarted workshop',
      'Anna Kessler removed library',
    ])
  })

  test('are not removed by a slip, nor when they cannot be', async () => {
    bench.desks.nodes.put('workshop', { canRemove: false, whyNotRemove: 'The main database is there: move it first.' })
    const slip = await post<{ error: { field: string } }>('back-office/remove', { typed: 'front-desk' })
    expect(slip.status).toBe(422)
    expect(slip.json.error.field).toBe('typed')
    const stays = await post<{ error: { sentence: string } }>('workshop/remove', { typed: 'workshop' })
    expect(stays.json.error.sentence).toBe('The main database is there: move it first.')
    for (const path of ['nobody/remove', 'nobody/drain', 'nobody/resume', 'nobody/restart'])
      expect((await post(path, path.endsWith('remove') ? { typed: 'nobody' } : {})).status, path).toBe(404)
    expect(bench.desks.nodes.nodes).toHaveLength(3)
  })

  test('join by codes that are made once and can be taken back; others may be kept out', async () => {
    const { json } = await post<{ id: string; code: string }>('join-code')
    expect(json.code).toMatch(/^ACME-/)
    const list = await bench.ask<{ codes: { by: string }[] }>('GET', '/api/nodes', { cookie })
    expect(list.json.codes).toMatchObject([{ by: 'Anna Kessler' }])
    expect(list.text).not.toContain(json.code)
    const drop = () => bench.ask('DELETE', `/api/nodes/join-code/${json.id}`, { cookie, body: {} })
    expect((await drop()).status).toBe(200)
    expect((await drop()).status).toBe(404)
    const enable = (enabled: boolean) => bench.ask('PUT', '/api/nodes/enabled', { cookie, body: { enabled } })
    expect((await enable(false)).status).toBe(422)
    bench.desks.nodes.nodes = [aNode(1, 'front-desk')]
    expect((await enable(false)).status).toBe(200)
    expect(await done()).toContain('No other PC can join the office any more.')
    expect(JSON.stringify(await done())).not.toContain(json.code)
  })

  test('are told of as they go and come back', async () => {
    const { nodes } = bench.desks
    const happened = async () => {
      const { json } = await bench.ask<{ happened: { sentence: string; state: string }[] }>('GET', '/api/home', {
        cookie,
      })
      return json.happened.slice(0, 2).map(({ sentence, state }) => `${state}: ${sentence}`)
    }
    nodes.put('workshop', { state: 'off', sentence: 'workshop is off since 10:04.' })
    expect((await happened())[0]).toBe('warn: workshop is off.')
    bench.clock.ahead += 180_000
    nodes.put('workshop', { state: 'on', sentence: 'Works.' })
    expect((await happened())[0]).toBe('ok: workshop is back after 3 minutes.')
    nodes.put('workshop', { cpuPercent: 70, people: 3 })
    expect((await happened())[0]).toBe('ok: workshop is back after 3 minutes.')
    nodes.nodes = allLinked([...nodes.nodes, aNode(4, 'library', { state: 'away' })])
    nodes.changed()
    nodes.put('library', { state: 'on' })
    expect((await happened())[0]).toBe('ok: library is a PC of the office now.')
  })

  test('get a setting at once, or when they are back', async () => {
    bench.desks.nodes.put('back-office', { state: 'off' })
    bench.desks.nodes.put('workshop', { settings: 'away' })
    const { json } = await bench.ask<{
      groups: { settings: { key: string; value: unknown; schema: { type: string } }[] }[]
    }>('GET', '/api/settings', { cookie })
    const setting = json.groups.flatMap(group => group.settings).find(one => one.schema.type === 'boolean')
    const saved = await bench.ask<{ pcs: unknown[] }>('PUT', `/api/settings/${setting?.key}`, {
      cookie,
      body: { value: !setting?.value },
    })
    expect(saved.json.pcs).toEqual([
      { name: 'front-desk', state: 'applied' },
      { name: 'back-office', state: 'away' },
      { name: 'workshop', state: 'away' },
    ])
  })
})

describe('Health, of the PCs', () => {
  test('says that all is well', async () => {
    const all = await checks()
    expect(all['pcs-off']?.sentence).toBe('All 3 PCs are there.')
    expect(all['pcs-links']?.sentence).toBe('All PCs reach each other within 0.4 ms.')
    expect(all['pcs-versions']?.sentence).toBe('All PCs run version 0.0.0-test.')
    expect(all['pcs-members']?.state).toBe('ok')
    expect(all['pcs-alone']).toBeUndefined()
  })

  test('finds what is off, cut, slow, older or apart', async () => {
    const { nodes } = bench.desks
    nodes.put('back-office', { state: 'off', sentence: 'back-office is off since 10:04.' })
    expect((await checks())['pcs-off']).toMatchObject({ state: 'warn', sentence: 'back-office is off since 10:04.' })
    nodes.put('back-office', { state: 'away', sentence: 'Does not answer since 10:04.' })
    nodes.link('front-desk', 'back-office', { state: 'cut', trouble: 'connection timed out.' })
    expect((await checks())['pcs-off']?.sentence).toBe(
      'back-office runs but cannot be reached on port 5275: connection timed out.',
    )
    nodes.put('back-office', { state: 'on', version: '0.9', member: 'apart' })
    const bad = await checks()
    expect(bad['pcs-links']).toMatchObject({
      state: 'bad',
      sentence: 'front-desk and back-office cannot reach each other.',
      lines: ['front-desk – back-office: connection timed out.'],
    })
    expect(bad['pcs-versions']?.sentence).toMatch(/0\.0\.0-test on front-desk and workshop; 0\.9 on back-office/)
    expect(bad['pcs-members']?.state).toBe('warn')
    nodes.link('front-desk', 'back-office', { state: 'slow', roundTripMs: 18 })
    expect((await checks())['pcs-links']).toMatchObject({
      state: 'ok',
      sentence: 'All PCs reach each other within 18 ms.',
    })
    nodes.link('front-desk', 'back-office', { state: 'slow', roundTripMs: 118 })
    expect((await checks())['pcs-links']?.sentence).toMatch(
      /^The line is slow: front-desk – back-office takes 118 ms\./,
    )
  })

  test('says that nobody can log in when every PC that is there is taken out', async () => {
    const { nodes } = bench.desks
    nodes.put('front-desk', { state: 'paused' })
    expect((await checks())['pcs-off']).toMatchObject({ state: 'ok', sentence: 'front-desk is out for maintenance.' })
    nodes.put('workshop', { state: 'paused' })
    nodes.put('back-office', { state: 'off', sentence: 'back-office is off since 10:04.' })
    expect((await checks())['pcs-off']).toMatchObject({
      state: 'bad',
      sentence: 'Nobody can log in: front-desk and workshop are out for maintenance. back-office is off since 10:04.',
    })
  })

  test('tells for a month what a removed PC may give away when it was stolen', async () => {
    const { nodes } = bench.desks
    const day = 24 * 60 * 60_000
    nodes.removed = [{ name: 'library', at: Date.now() - 31 * day }]
    expect((await checks())['pcs-removed']).toBeUndefined()
    nodes.removed = [{ name: 'attic', at: Date.now() - day }, ...nodes.removed]
    expect((await checks())['pcs-removed']).toMatchObject({
      state: 'ok',
      sentence:
        'attic was removed. If it was lost or stolen, let people’s devices no longer trust the office’s own authority, whose key is on it.',
    })
    nodes.put('back-office', { database: 'outside' })
    expect((await checks())['pcs-removed']?.sentence).toContain('change the password of your database servers, and')
  })

  test('finds a Hazelcast cluster that has become two, when the PCs say so', async () => {
    const { nodes } = bench.desks
    for (const name of ['front-desk', 'back-office', 'workshop'])
      nodes.put(name, { members: ['front-desk', 'back-office', 'workshop'] })
    expect((await checks())['pcs-members']).toMatchObject({
      state: 'ok',
      sentence: 'Hazelcast runs on every PC that is there, and each sees the others.',
    })
    // It may be joining: the PCs say that somebody is missing when it lasts.
    nodes.put('workshop', { members: ['workshop'] })
    expect((await checks())['pcs-members']?.state).toBe('ok')
    nodes.put('workshop', { membersMissing: ['front-desk', 'back-office'] })
    expect((await checks())['pcs-members']).toMatchObject({
      state: 'warn',
      sentence: expect.stringMatching(/^Hazelcast has split: workshop does not see front-desk and back-office\. /),
      lines: [
        'front-desk sees front-desk, back-office and workshop',
        'back-office sees front-desk, back-office and workshop',
        'workshop sees workshop',
      ],
    })
  })

  test('only notes that one PC is alone', async () => {
    bench.desks.nodes.nodes = [aNode(1, 'front-desk')]
    expect((await checks())['pcs-alone']).toMatchObject({ state: 'ok', mend: { page: '/pcs' } })
    bench.desks.nodes.enabled = false
    expect((await checks())['pcs-alone']).toBeUndefined()
  })
})

describe('leaving this office for another', () => {
  const merge = (body: unknown) => post<Joining>('merge', body)

  test('asks for its name, needs one way in, and tells how it goes on', async () => {
    bench.desks.merge.offices = [aCard()]
    const body = { address: '192.168.1.20', people: 'bring', typed: 'Acme' }
    expect((await merge(body)).status).toBe(422) // other PCs carry it too
    bench.desks.nodes.nodes = [aNode(1, 'front-desk')]
    expect((await merge({ ...body, typed: 'something else' })).json).toMatchObject({ error: { field: 'typed' } })
    expect((await merge({ people: 'bring', typed: 'ACME' })).status).toBe(422)
    expect((await merge({ ...body, code: 'ACME-1' })).status).toBe(422)
    expect((await merge(body)).json).toEqual({ state: 'asking', steps: [] })
    expect(bench.desks.merge.asked).toEqual([{ address: '192.168.1.20', people: 'bring' }])
    const { json } = await bench.ask('GET', '/api/nodes/merge', { cookie })
    expect(json).toMatchObject({
      own: { office: 'ACME', domain: 'acme.test', people: 2 },
      joining: { state: 'asking' },
    })
    expect((await bench.ask('DELETE', '/api/nodes/merge', { cookie, body: {} })).status).toBe(200)
    expect((await done())[0]).toBe('front-desk stays in ACME after all.')
  })
})

describe('joining from the wizard', () => {
  test('is for who sits at the PC, and its end is told after the office is there', async () => {
    await using fresh = await openAdmin({ stage: 'fresh' })
    const { join } = fresh.desks
    join.offices = [aCard()]
    const look = () => fresh.ask<{ offices: unknown[]; joining: Joining }>('GET', '/api/setup/join')
    const begin = (body: unknown) => fresh.ask<Joining>('POST', '/api/setup/join', { body })
    expect((await look()).json).toMatchObject({ offices: [{ office: 'ACME' }], joining: { state: 'idle' } })
    expect((await begin({ code: 'nonsense' })).json).toMatchObject({ error: { field: 'code' } })
    expect((await begin({})).status).toBe(422)
    expect((await begin({ address: '192.168.1.20' })).json.state).toBe('asking')
    expect((await begin({ address: '192.168.1.20' })).status).toBe(422)
    expect((await fresh.ask('DELETE', '/api/setup/join', { body: {} })).status).toBe(200)

    Object.assign(fresh.origin, { address: '192.168.1.77', isLocal: false })
    expect((await look()).status).toBe(403)
    expect((await begin({ address: '192.168.1.20' })).status).toBe(403)
    Object.assign(fresh.origin, { address: '127.0.0.1', isLocal: true })

    await fresh.ask('POST', '/api/setup/office', {
      body: {
        office: 'New',
        domain: 'new.test',
        person: { name: 'N', username: 'nora', password: 'nora-has-the-keys' },
      },
    })
    join.goOn({ state: 'joined', steps: [], sentence: 'Two PCs carry the office.' })
    expect((await look()).json).toMatchObject({ offices: [], joining: { state: 'joined' } })
    expect((await begin({ address: '192.168.1.20' })).status).toBe(409)
  })
})
