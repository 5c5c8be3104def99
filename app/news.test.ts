import { expect, test } from 'vitest'
import { desktop, request } from '../test/support/desktop.ts'
import { newsOf, nothingTold } from './news.ts'
import type { Situation } from './tray-state.ts'

const run = { pid: 1, adminUrl: 'http://127.0.0.1:9090/', token: 't' }
const up = (changes: Parameters<typeof desktop>[0] = {}): Situation => ({ at: 'up', run, desktop: desktop(changes) })

/** The titles told as one situation follows the other. */
function titles(situations: readonly Situation[], version?: string): string[][] {
  let told = nothingTold(version)
  return situations.map(situation => {
    const result = newsOf(situation, told)
    told = result.told
    return result.news.map(({ title }) => title)
  })
}

test('an ordinary day has no news', () => {
  const day = [
    { at: 'starting' },
    up(),
    up({ peopleOnline: 25 }),
    up({ state: 'warn', headline: 'BACK-OFFICE is off', pcsOn: 2 }),
    up({ state: 'paused' }),
    up(),
    { at: 'stopped' },
    up({ backupFailures: 1 }),
  ] as const
  expect(titles(day).flat()).toEqual([])
})

test('red is told once, and so is that it is over; what lies between is neither', () => {
  const lost = { at: 'lost', office: 'ACME' } as const
  const day = [
    up(),
    lost,
    lost,
    { at: 'starting' },
    lost,
    { at: 'starting' },
    up({ state: 'warn' }),
    up(),
    lost,
  ] as const
  expect(titles(day)).toEqual([
    [],
    ['ACME — chat is off'],
    [],
    [],
    [],
    [],
    ['ACME — everything works'],
    [],
    ['ACME — chat is off'],
  ])
})

test('each PC that wants to join is told once, with its code', () => {
  const both = up({ requests: [request, { ...request, id: 'r2', name: 'ATTIC' }] })
  expect(titles([up(), up({ requests: [request] }), both, both, up(), up({ requests: [request] })])).toEqual([
    [],
    ['BACK-OFFICE wants to join ACME'],
    ['ATTIC wants to join ACME'],
    [],
    [],
    ['BACK-OFFICE wants to join ACME'],
  ])
  expect(newsOf(up({ requests: [request] }), nothingTold(undefined)).news[0]).toEqual({
    title: 'BACK-OFFICE wants to join ACME',
    body: 'Code 4827 · blue otter. It is at 192.168.1.31 and runs Windows 11.',
    page: '/pcs',
  })
})

test('an update is told when it is done, also by a shell that was updated with it', () => {
  expect(titles([up(), { at: 'starting' }, up({ version: '1.3.0' }), up({ version: '1.3.0' })])).toEqual([
    [],
    [],
    ['ACME is updated'],
    [],
  ])
  expect(titles([up({ version: '1.3.0' })], '1.2.0')).toEqual([['ACME is updated']])
  expect(titles([up({ version: '1.3.0' })], undefined)).toEqual([[]])
})

test('backups that fail are told from the second one on, once', () => {
  const day = [1, 2, 3, 0, 2].map(backupFailures => up({ backupFailures }))
  expect(titles(day)).toEqual([[], ['ACME: no backup'], [], [], ['ACME: no backup']])
})
