import { Compile } from 'typebox/compile'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type AdminBench, anna, openAdmin } from '../../test/support/admin.ts'
import { endpoints } from './contract/all.ts'
import type { Endpoint } from './contract/endpoint.ts'
import { Failure } from './contract/errors.ts'

const all = Object.entries(endpoints) as [keyof typeof endpoints, Endpoint][]
const guarded = all.filter(([, { access }]) => access === 'admin')
const changing = all.filter(([, { method }]) => method !== 'GET')
const isFailure = Compile(Failure)

let bench: AdminBench
let cookie: string
beforeAll(async () => {
  bench = await openAdmin()
  cookie = await bench.signIn()
})
afterAll(async () => bench[Symbol.asyncDispose]())
let tests = 0
beforeEach(() => {
  // All of them together are more than one neighbour may ask at once.
  tests++
  bench.origin.address = `127.0.${tests >> 8}.${tests & 255}`
})

/** A path with something at its places that exists nowhere. */
const pathOf = ({ path }: Endpoint): string => path.replace(/:(\w+)/g, 'nobody-at-all')

describe('every endpoint of the contract', () => {
  test.each(all)('%s is served', async (_name, endpoint) => {
    expect(bench.admin.app.hasRoute({ method: endpoint.method, url: endpoint.path })).toBe(true)
  })

  test.each(guarded)('%s refuses who is not signed in, before it reads what was sent', async (_name, endpoint) => {
    const { status, json } = await bench.ask(endpoint.method, pathOf(endpoint), {
      body: endpoint.method === 'GET' ? undefined : { nonsense: 1 },
    })
    expect(status).toBe(401)
    expect(isFailure.Check(json)).toBe(true)
    expect(json.error.code).toBe('not-signed-in')
  })

  test.each(changing)('%s does nothing for a page of somebody else', async (_name, endpoint) => {
    const setup = endpoint.access === 'setup'
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: 'https://127.0.0.1:9999' },
      { 'sec-fetch-site': 'cross-site', origin: 'https://127.0.0.1:9091' },
      {},
    ] as Record<string, string>[]) {
      const { status, json } = await bench.ask(endpoint.method, pathOf(endpoint), {
        cookie,
        body: {},
        headers,
        isOwnPage: false,
      })
      expect(status, JSON.stringify(headers)).toBe(setup ? 409 : 403)
      expect(isFailure.Check(json)).toBe(true)
    }
  })

  test.each(guarded.filter(([, { method }]) => method !== 'GET'))(
    '%s answers what does not exist with a sentence',
    async (_name, endpoint) => {
      const { status, json } = await bench.ask(endpoint.method, pathOf(endpoint), { cookie, body: { nonsense: 1 } })
      if (status === 200) return
      expect([400, 404, 422]).toContain(status)
      expect(isFailure.Check(json)).toBe(true)
      expect(json.error.sentence).toMatch(/\.$/)
    },
  )

  const readable = all.filter(
    ([, { method, path, produces }]) => method === 'GET' && produces === 'application/json' && !path.includes(':'),
  )
  test.each(readable)('%s answers in the shape of the contract', async (_name, endpoint) => {
    const { status, json, text } = await bench.ask('GET', endpoint.path, { cookie })
    expect(status, text).toBe(200)
    const reply = Compile(endpoint.reply)
    expect([...reply.Errors(json)], text).toEqual([])
  })
})

test('OpenAPI is printed from the contract', async () => {
  const { status, json } = await bench.ask('GET', '/api/openapi.json')
  expect(status).toBe(200)
  const document = json as unknown as {
    openapi: string
    paths: Record<string, Record<string, { operationId: string }>>
  }
  expect(document.openapi).toBe('3.1.0')
  const operations = Object.values(document.paths).flatMap(path =>
    Object.values(path).map(({ operationId }) => operationId),
  )
  expect(operations.sort()).toEqual(all.map(([name]) => name).sort())
  expect(document.paths['/api/people/{username}']).toHaveProperty('patch')
})

test('what does not fit is refused with a sentence that names the part', async () => {
  const cases: [unknown, string, string][] = [
    [{ username: 'kim' }, 'name', '“name” is missing.'],
    [{ username: 'kim', name: 'Kim', age: 7 }, 'age', '“age” is not known here.'],
    [{ username: 'kim', name: 'Kim', password: 'short' }, 'password', '“password” must have at least 8 characters.'],
    [{ username: 7, name: 'Kim' }, 'username', '“username” must be text.'],
    [{ username: '', name: 'Kim' }, 'username', '“username” must not be empty.'],
    [{ username: 'kim', name: 'Kim', admin: 'true' }, 'admin', '“admin” must be true or false.'],
  ]
  for (const [body, field, sentence] of cases) {
    const { status, json } = await bench.ask('POST', '/api/people', { cookie, body })
    expect(status).toBe(400)
    expect(json).toEqual({ error: { code: 'not-valid', field, sentence } })
  }
})

test('text behind the question mark becomes a number where the contract has one', async () => {
  const good = await bench.ask<{ people: { username: string }[] }>('GET', '/api/people?limit=1&search=an', { cookie })
  expect(good.json.people.map(person => person.username)).toEqual(['anna'])
  const bad = await bench.ask('GET', '/api/people?limit=many', { cookie })
  expect(bad.json).toEqual({
    error: { code: 'not-valid', field: 'limit', sentence: '“limit” must be a whole number.' },
  })
})

test('a body that is not JSON, or too large, is refused with a sentence', async () => {
  const broken = await bench.admin.app.inject({
    method: 'POST',
    url: '/api/session',
    headers: { host: '127.0.0.1:9091', origin: 'https://127.0.0.1:9091', 'content-type': 'application/json' },
    payload: '{"username":',
  })
  expect(broken.statusCode).toBe(400)
  const large = await bench.ask('POST', '/api/session', { body: { username: 'a'.repeat(20_000), password: 'x' } })
  expect(large.json).toEqual({ error: { code: 'not-valid', sentence: 'The request is too large: send less at once.' } })
  const form = await bench.admin.app.inject({
    method: 'POST',
    url: '/api/session',
    headers: {
      host: '127.0.0.1:9091',
      origin: 'https://127.0.0.1:9091',
      'content-type': 'application/x-www-form-urlencoded',
    },
    payload: `username=${anna.username}`,
  })
  expect(form.statusCode).toBe(400)
})

test('every answer forbids foreign code, frames, sniffing and referrers', async () => {
  for (const url of ['/', '/api/setup', '/api/people', '/nothing.js']) {
    const { headers } = await bench.ask('GET', url)
    expect(headers['content-security-policy']).toMatch(/default-src 'none'.*frame-ancestors 'none'/)
    expect(headers['content-security-policy']).not.toMatch(/unsafe/)
    expect(headers['x-content-type-options']).toBe('nosniff')
    expect(headers['referrer-policy']).toBe('no-referrer')
    expect(headers).not.toHaveProperty('strict-transport-security')
  }
})
