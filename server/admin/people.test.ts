import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AdminBench, anna, openAdmin } from '../../test/support/admin.ts'
import type { StreamError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import type { Connection } from './contract/connections.ts'
import type { HistoryEntry } from './contract/logs.ts'
import type { Person } from './contract/people.ts'

let bench: AdminBench
let cookie: string
beforeAll(async () => {
  bench = await openAdmin()
  cookie = await bench.signIn()
})
afterAll(async () => bench[Symbol.asyncDispose]())

const ask = <T = { error: { code: string; sentence: string; field?: string } }>(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  url: string,
  body?: unknown,
) => bench.ask<T>(method, url, { cookie, body: method === 'GET' ? undefined : (body ?? {}) })
const people = async (query = '') =>
  (await ask<{ people: Person[]; total: number; everyone: number }>('GET', `/api/people${query}`)).json
const history = async () => (await ask<{ entries: HistoryEntry[] }>('GET', '/api/history')).json.entries

/** Binds a resource without a socket. */
async function connect(username: string, resource: string) {
  const ended: string[] = []
  const session = await bench.open.parts.sessions.bind({
    username,
    resource,
    client: 'Gajim 1.9',
    outlet: {
      transport: 'tls',
      address: '::ffff:192.0.2.31',
      isSecure: true,
      receivedAt: Date.now() - 5_000,
      send: () => undefined,
      sendRaw: () => undefined,
      end: (error?: StreamError) => void ended.push(error?.condition ?? 'closed'),
    },
  })
  if (typeof session === 'string') throw new Error(session)
  return { session, ended }
}

describe('people', () => {
  test('are added with a password that is made up and shown once, or a given one', async () => {
    const { status, json } = await ask<{ person: Person; password?: string }>('POST', '/api/people', {
      username: 'Dora',
      name: ' Dora Ek ',
    })
    expect(status).toBe(200)
    expect(json.person).toMatchObject({
      username: 'dora',
      name: 'Dora Ek',
      address: 'dora@acme.test',
      admin: false,
      blocked: false,
      online: false,
      devices: 0,
      lastSeen: null,
    })
    expect(json.password).toMatch(/^[a-z]{4}[2-9](-[a-z]{4}[2-9]){3}$/)
    const account = await bench.open.parts.accounts.get('dora')
    expect(account).toBeDefined()
    const given = await ask<{ password?: string }>('POST', '/api/people', {
      username: 'emil',
      name: 'Emil',
      password: 'emil-chose-this',
      admin: true,
    })
    expect(given.json).not.toHaveProperty('password')
    expect(await bench.signIn({ username: 'emil', password: 'emil-chose-this' })).toBeTruthy()
    const told = await history()
    expect(told.slice(0, 3).map(({ by, sentence, kind }) => [by, kind, sentence])).toEqual([
      ['Emil', 'sign-in', 'Signed in.'],
      [anna.name, 'person', 'Added Emil (emil@acme.test) as an administrator.'],
      [anna.name, 'person', 'Added Dora Ek (dora@acme.test).'],
    ])
    expect(JSON.stringify(await bench.db.query('SELECT * FROM history'))).not.toMatch(/emil-chose-this/)
  })

  test('that are there already, or cannot be called so, are refused with the field', async () => {
    expect((await ask('POST', '/api/people', { username: 'ANNA', name: 'Anna' })).json.error).toMatchObject({
      code: 'exists-already',
      field: 'username',
    })
    expect((await ask('POST', '/api/people', { username: 'a b', name: 'Anna' })).json.error).toMatchObject({
      code: 'refused',
      field: 'username',
    })
  })

  test('are found by name and user name, page by page', async () => {
    expect((await people('?search=HALL')).people.map(({ username }) => username)).toEqual(['ben'])
    const all = await people()
    const first = await people('?limit=2')
    const second = await people('?limit=2&offset=2')
    expect([first.total, first.everyone]).toEqual([all.total, all.total])
    expect([...first.people, ...second.people].map(({ name }) => name)).toEqual(
      all.people.slice(0, 4).map(({ name }) => name),
    )
    expect((await people('?search=%25')).people).toEqual([])
  })

  test('show who is online, with how many devices, and when somebody was last there', async () => {
    const { session } = await connect('ben', 'desk')
    await connect('ben', 'phone')
    expect((await people('?search=ben')).people[0]).toMatchObject({ online: true, devices: 2 })
    await bench.open.parts.sessions.end(session, 'left')
    expect((await people('?search=ben')).people[0]).toMatchObject({
      online: true,
      devices: 1,
      lastSeen: expect.stringMatching(/Z$/),
    })
  })

  test('get a new password, and every device is signed out', async () => {
    const { ended } = await connect('ben', 'old-device')
    const { json } = await ask<{ password?: string }>('POST', '/api/people/ben/password')
    expect(json.password).toBeTruthy()
    expect(ended).toEqual(['not-authorized'])
    expect((await people('?search=ben')).people[0]).toMatchObject({ online: false })
  })

  test('that are blocked are signed out and shown so, until they are let in again', async () => {
    const { ended } = await connect('ben', 'desk')
    expect((await ask<Person>('PUT', '/api/people/ben/blocked', { blocked: true })).json).toMatchObject({
      blocked: true,
      online: false,
    })
    expect(ended).toEqual(['not-authorized'])
    expect((await ask<Person>('PUT', '/api/people/ben/blocked', { blocked: false })).json).toMatchObject({
      blocked: false,
    })
    expect((await history()).slice(0, 2).map(({ sentence }) => sentence)).toEqual([
      'Let Ben Hall in again.',
      'Blocked Ben Hall.',
    ])
  })

  test('are renamed and made administrators', async () => {
    const { json } = await ask<Person>('PATCH', '/api/people/ben', { name: 'Ben Hall-Ek', admin: true })
    expect(json).toMatchObject({ name: 'Ben Hall-Ek', admin: true })
    expect((await ask<Person>('PATCH', '/api/people/ben', { name: 'Ben Hall', admin: false })).json).toMatchObject({
      name: 'Ben Hall',
      admin: false,
    })
  })

  test('cannot take their own rights away, least of all the last administrator', async () => {
    expect((await ask('PUT', '/api/people/anna/blocked', { blocked: true })).json.error.code).toBe('refused')
    await ask('DELETE', '/api/people/emil')
    for (const [method, url, body] of [
      ['PUT', '/api/people/anna/blocked', { blocked: true }],
      ['PATCH', '/api/people/anna', { admin: false }],
      ['DELETE', '/api/people/anna', {}],
    ] as const) {
      expect((await ask(method, url, body)).json.error.code, url).toBe('last-administrator')
    }
    expect((await people('?search=anna')).people[0]).toMatchObject({ admin: true, blocked: false })
  })

  test('are removed for good, after a look at what goes', async () => {
    const preview = await ask<{ goes: string[]; stays: string[] }>('GET', '/api/people/dora/removal')
    expect(preview.json.goes[0]).toBe('The account dora@acme.test and its password.')
    expect(preview.json.stays[0]).toBe('Messages stay with the people they were written to.')
    const { ended } = await connect('dora', 'desk')
    expect((await ask('DELETE', '/api/people/dora')).status).toBe(200)
    expect(ended).toEqual(['not-authorized'])
    expect((await ask('DELETE', '/api/people/dora')).json.error.code).toBe('not-found')
    expect((await people('?search=dora')).total).toBe(0)
  })
})

describe('connections', () => {
  test('are shown with app, address and state, and ended one by one', async () => {
    const { session, ended } = await connect('ben', 'desk')
    const { json } = await ask<{ connections: Connection[]; total: number }>('GET', '/api/connections?username=ben')
    expect(json.connections).toEqual([
      {
        jid: new Jid('ben', 'acme.test', 'desk').full,
        username: 'ben',
        name: 'Ben Hall',
        client: 'Gajim 1.9',
        address: '192.0.2.31',
        transport: 'tls',
        encrypted: true,
        since: expect.any(String),
        presence: 'none',
        streamManagement: 'none',
        resting: false,
        idleSeconds: expect.any(Number),
        pc: 'front-desk',
      },
    ])
    expect((await ask<{ total: number }>('GET', '/api/connections?search=gajim')).json.total).toBe(1)
    expect((await ask<{ total: number }>('GET', '/api/connections?search=nothing')).json.total).toBe(0)
    expect((await ask('POST', '/api/connections/end', { jid: session.jid.full })).status).toBe(200)
    expect(ended).toEqual(['policy-violation'])
    expect((await ask('POST', '/api/connections/end', { jid: session.jid.full })).json.error.code).toBe('not-found')
  })
})
