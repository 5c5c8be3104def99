import { describe, expect, test } from 'vitest'
import { openAdmin } from '../../test/support/admin.ts'
import { buildStanza } from '../xmpp/stanza.ts'
import { Durations } from './activity.ts'
import type { Figures } from './contract/office.ts'

describe('how long messages took', () => {
  test('is known to a quarter, and forgotten after an hour', () => {
    let now = Date.parse('2026-11-22T10:00:00Z')
    const durations = new Durations(() => now)
    expect(durations.percentile(0.99)).toBeNull()
    for (let message = 0; message < 990; message++) durations.add(0.2)
    for (let message = 0; message < 10; message++) durations.add(40)
    expect(durations.percentile(0.5)).toBeGreaterThanOrEqual(0.2)
    expect(durations.percentile(0.5)).toBeLessThan(0.26)
    expect(durations.percentile(1)).toBeGreaterThanOrEqual(40)
    expect(durations.percentile(1)).toBeLessThan(51)
    now += 50 * 60_000
    durations.add(1)
    expect(durations.percentile(0.5)).toBeLessThan(0.26)
    now += 20 * 60_000
    expect(durations.percentile(1)).toBeLessThan(1.3)
    now += 3 * 60 * 60_000
    expect(durations.percentile(0.5)).toBeNull()
  })

  test('never leaves the buckets, whatever is measured', () => {
    const durations = new Durations(() => 0)
    for (const odd of [0, -1, 1e12, Number.MIN_VALUE]) durations.add(odd)
    expect(durations.percentile(1)).toBeGreaterThan(60_000)
  })
})

test('messages of today are counted where they are delivered', async () => {
  await using bench = await openAdmin()
  const cookie = await bench.signIn()
  const figures = async () => (await bench.ask<{ figures: Figures }>('GET', '/api/home', { cookie })).json.figures
  const { sessions, router } = bench.open.parts
  const outlet = {
    transport: 'tcp',
    address: '',
    isSecure: true,
    receivedAt: 0,
    send: () => undefined,
    sendRaw: () => undefined,
    end: () => undefined,
  } as const
  const anna = await sessions.bind({ username: 'anna', resource: 'desk', outlet })
  const ben = await sessions.bind({ username: 'ben', resource: 'desk', outlet })
  if (typeof anna === 'string' || typeof ben === 'string') throw new Error('not bound')
  expect(await figures()).toMatchObject({ peopleOnline: 2, people: 2, messagesToday: 0, slowestMs: null })
  const header = { from: 'anna@acme.test/desk', to: 'ben@acme.test/desk', type: 'chat' }
  const text = (body: string) => buildStanza('message', header, `<body>${body}</body>`)
  for (const body of ['one', 'two', 'three']) await router.receive(anna, text(body))
  expect(await figures()).toMatchObject({ messagesToday: 3, slowestMs: expect.any(Number) })
  bench.clock.ahead += 24 * 60 * 60_000
  const later = await bench.signIn()
  const { json } = await bench.ask<{ figures: Figures }>('GET', '/api/home', { cookie: later })
  expect(json.figures.messagesToday).toBe(0)
})
