import { expect, test } from 'vitest'
import { desktop, request } from '../test/support/desktop.ts'
import type { LinkState } from './server-link.ts'
import { lookOf, situationOf } from './tray-state.ts'

const run = { pid: 1, adminUrl: 'http://127.0.0.1:9090/', token: 't' }
const up = (changes = {}): LinkState => ({ at: 'up', run, desktop: desktop(changes) })

test('an office in good order has a green check and says so', () => {
  expect(lookOf(up())).toEqual({
    icon: 'ok',
    isAwaited: false,
    headline: 'ACME — everything works',
    tooltip: 'ACME: Three PCs carry the office.',
  })
})

test('a PC that is off is amber, and the hover text says which and since when', () => {
  const sentence = 'BACK-OFFICE is off since 10:04.'
  expect(lookOf(up({ state: 'warn', headline: 'BACK-OFFICE is off', sentence }))).toMatchObject({
    icon: 'warn',
    tooltip: `ACME: ${sentence}`,
  })
})

test('a PC that waits for Accept is a blue dot, whatever else is', () => {
  expect(lookOf(up({ state: 'bad', requests: [request] }))).toMatchObject({ icon: 'bad', isAwaited: true })
})

test('a paused PC is grey', () => {
  expect(lookOf(up({ state: 'paused', headline: 'paused' })).icon).toBe('off')
})

test.each([
  ['starting', 'off'],
  ['fresh', 'warn'],
  ['lost', 'bad'],
  ['stopped', 'off'],
  ['locked', 'off'],
] as const)('without an answer: %s is %s', (at, icon) => {
  const look = lookOf(at === 'fresh' ? { at, run } : { at })
  expect(look.icon).toBe(icon)
  expect(look.headline).toMatch(/^Lanthorn — /)
  expect(look.tooltip).toMatch(/\.$/)
})

test('an office that is known keeps its name while it is off', () => {
  expect(lookOf({ at: 'lost', office: 'ACME' }).headline).toBe('ACME — chat is off')
})

test('a server of ours that cannot start is red and says why', () => {
  const sentence = 'Port 9090 is in use by another program.'
  const situation = situationOf({ at: 'stopped' }, { at: 'failed', sentence })
  expect(lookOf(situation)).toMatchObject({ icon: 'bad', tooltip: sentence })
})

test('a server that answers is up even if the one that we tried to start beside it failed', () => {
  expect(situationOf(up(), { at: 'failed', sentence: 'The data folder is in use.' }).at).toBe('up')
})

test('our own server is starting before it can be found; one that crashed is lost until it answers again', () => {
  expect(situationOf({ at: 'stopped' }, { at: 'running' }).at).toBe('starting')
  expect(situationOf({ at: 'lost' }, { at: 'waiting' }).at).toBe('lost')
  expect(situationOf({ at: 'stopped' }, { at: 'off' }).at).toBe('stopped')
})
