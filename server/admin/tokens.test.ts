import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AdminBench, openAdmin } from '../../test/support/admin.ts'
import type { Session, Token } from './contract/session.ts'

let bench: AdminBench
let cookie: string
beforeAll(async () => {
  bench = await openAdmin()
  cookie = await bench.signIn()
})
afterAll(async () => bench[Symbol.asyncDispose]())

const make = async (name: string, days: number | null = null) =>
  (await bench.ask<{ token: Token; secret: string }>('POST', '/api/tokens', { cookie, body: { name, days } })).json
const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` })

describe('a token for scripts', () => {
  test('does what its maker may do, without a cookie and from no page, and is in no list with its secret', async () => {
    const { token, secret } = await make('backup')
    const added = await bench.ask('POST', '/api/people', {
      headers: bearer(secret),
      isOwnPage: false,
      body: { username: 'kim', name: 'Kim' },
    })
    expect(added.status).toBe(200)
    const { json, text } = await bench.ask<{ tokens: Token[] }>('GET', '/api/tokens', { cookie })
    expect(json.tokens[0]).toMatchObject({ id: token.id, name: 'backup', madeBy: 'anna', expiresAt: null })
    expect(json.tokens[0]?.lastUsedAt).not.toBeNull()
    expect(text).not.toContain(secret)
    expect(JSON.stringify(await bench.db.query('SELECT * FROM script_token'))).not.toContain(secret)
    const { json: history } = await bench.ask<{ entries: { by: string; sentence: string }[] }>('GET', '/api/history', {
      cookie,
    })
    expect(history.entries.find(({ sentence }) => /^Added Kim/.test(sentence))?.by).toBe('backup')
  })

  test('is refused at once after it was revoked, and after its time', async () => {
    const short = await make('short', 1)
    const long = await make('long')
    const ask = (secret: string) => bench.ask('GET', '/api/people', { headers: bearer(secret) })
    expect([(await ask(short.secret)).status, (await ask(long.secret)).status]).toEqual([200, 200])
    expect((await bench.ask('DELETE', `/api/tokens/${long.token.id}`, { cookie, body: {} })).status).toBe(200)
    expect((await ask(long.secret)).status).toBe(401)
    expect((await bench.ask('DELETE', `/api/tokens/${long.token.id}`, { cookie, body: {} })).status).toBe(404)
    bench.clock.ahead += 24 * 60 * 60_000
    expect((await ask(short.secret)).status).toBe(401)
    bench.clock.ahead = 0
  })

  test('makes no other token, and reads no recovery sheet', async () => {
    const { secret } = await make('curious')
    const headers = bearer(secret)
    expect((await bench.ask('POST', '/api/tokens', { headers, body: { name: 'more', days: null } })).status).toBe(422)
    expect((await bench.ask('GET', '/api/recovery', { headers })).status).toBe(422)
  })

  test('ends with the rights of its maker', async () => {
    const clara = { username: 'clara', password: 'clara-has-keys-too' }
    await bench.open.parts.accounts.create({ ...clara, isAdmin: true })
    const theirs = await bench.signIn(clara)
    const { json } = await bench.ask<{ secret: string }>('POST', '/api/tokens', {
      cookie: theirs,
      body: { name: 'hers', days: null },
    })
    expect((await bench.ask('GET', '/api/people', { headers: bearer(json.secret) })).status).toBe(200)
    await bench.ask('PATCH', '/api/people/clara', { cookie, body: { admin: false } })
    expect((await bench.ask('GET', '/api/people', { headers: bearer(json.secret) })).status).toBe(401)
  })

  test('has a name of its own', async () => {
    await make('twice')
    const { status, json } = await bench.ask('POST', '/api/tokens', { cookie, body: { name: 'twice', days: null } })
    expect([status, json.error.code, json.error.field]).toEqual([409, 'exists-already', 'name'])
  })
})

describe('the token of this PC', () => {
  test('opens everything from this PC and nothing from elsewhere', async () => {
    const headers = bearer(bench.admin.runToken)
    expect((await bench.ask('GET', '/api/people', { headers })).status).toBe(200)
    bench.origin.address = '192.0.2.50'
    bench.origin.isLocal = false
    expect((await bench.ask('GET', '/api/people', { headers })).status).toBe(401)
    bench.origin.address = '127.0.0.1'
    bench.origin.isLocal = true
  })
})

describe('a link', () => {
  const tokenOf = (url: string): string => url.split('#token=')[1] ?? ''
  const use = (token: string) => bench.ask<{ session?: Session }>('POST', '/api/session/token', { body: { token } })

  test('made by the tray signs in as the first administrator, once', async () => {
    const headers = bearer(bench.admin.runToken)
    const { json } = await bench.ask<{ url: string }>('POST', '/api/session/link', {
      headers,
      isOwnPage: false,
      body: {},
    })
    const first = await use(tokenOf(json.url))
    expect(first.json.session?.username).toBe('anna')
    expect((await bench.ask('GET', '/api/people', { cookie: first.cookie })).status).toBe(200)
    expect((await use(tokenOf(json.url))).status).toBe(401)
  })

  test('is too old after a minute', async () => {
    const link = bench.admin.makeLink()
    bench.clock.ahead += 60_000
    expect((await use(tokenOf(link))).status).toBe(401)
    bench.clock.ahead = 0
  })

  test('cannot be guessed: five wrong ones and the address must wait', async () => {
    bench.origin.address = '192.0.2.77'
    const answers = []
    for (let guess = 0; guess < 7; guess++) answers.push((await use(`guess-${guess}`)).status)
    expect(answers).toEqual([401, 401, 401, 401, 401, 429, 429])
    bench.origin.address = '127.0.0.1'
  })
})
