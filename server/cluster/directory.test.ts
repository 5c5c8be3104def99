import { expect, test } from 'vitest'
import { localDirectory, type Route } from './directory.ts'

const route = (resource: string, more: Partial<Route> = {}): Route => ({
  jid: `juliet@office.test/${resource}`,
  bare: 'juliet@office.test',
  resource,
  node: 'pc-1',
  session: resource,
  boundAt: 0,
  priority: 0,
  presence: undefined,
  flags: {},
  ...more,
})

test('routes are found by bare and by full address, in the order they were bound', () => {
  const directory = localDirectory('pc-1')
  directory.put(route('balcony'))
  directory.put(route('chamber'))
  expect(directory.routes('juliet@office.test').map(one => one.resource)).toEqual(['balcony', 'chamber'])
  expect(directory.route('juliet@office.test', 'chamber')?.resource).toBe('chamber')
  expect(directory.routes('romeo@office.test')).toEqual([])
  expect(directory.size).toBe(2)
})

test('a change replaces a route and does not disturb who is walking the old list', () => {
  const directory = localDirectory('pc-1')
  directory.put(route('balcony'))
  const seen = directory.routes('juliet@office.test')
  directory.put(route('balcony', { priority: 5 }))
  directory.put(route('chamber'))
  expect(seen).toHaveLength(1)
  expect(seen[0]?.priority).toBe(0)
  expect(directory.route('juliet@office.test', 'balcony')?.priority).toBe(5)
  expect(directory.size).toBe(2)
})

test('a session cannot take away the route of the one that replaced it', () => {
  const directory = localDirectory('pc-1')
  directory.put(route('balcony', { session: 'new' }))
  directory.remove('juliet@office.test', 'balcony', 'old')
  expect(directory.size).toBe(1)
  directory.remove('juliet@office.test', 'balcony', 'new')
  expect(directory.size).toBe(0)
  expect([...directory.bareJids()]).toEqual([])
})
