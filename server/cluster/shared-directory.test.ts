import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { quietLog } from '../../test/support/database.ts'
import { MemoryNet } from '../../test/support/memory-bus.ts'
import type { FarChange, Route } from './directory.ts'
import { type SharedDirectory, sharedDirectory } from './shared-directory.ts'
import type { SharedMap } from './shared-map.ts'

let net: MemoryNet
let opened: SharedDirectory[]
beforeEach(() => {
  net = new MemoryNet()
  opened = []
})
afterEach(() => {
  for (const one of opened) one.close()
})

function open(node: string, number?: number, epoch?: number): SharedDirectory {
  const directory = sharedDirectory({ node, bus: net.bus(node, number, epoch), log: quietLog })
  opened.push(directory)
  return directory
}

function route(node: string, resource: string, change: Partial<Route> = {}): Route {
  const bare = 'juliet@office.test'
  const common = { jid: `${bare}/${resource}`, bare, resource, node, session: `${node}-${resource}`, boundAt: 1 }
  return { ...common, priority: undefined, presence: undefined, flags: {}, ...change }
}

const online = (node: string, resource: string, change: Partial<Route> = {}) =>
  route(node, resource, { priority: 0, presence: Buffer.from(`<presence from='${resource}' é='é'/>`), ...change })

/** What a directory says of Juliet. */
const seen = (directory: SharedDirectory) =>
  directory.routes('juliet@office.test').map(({ node, resource, priority }) => `${resource} on ${node}: ${priority}`)

function changes(directory: SharedDirectory): string[] {
  const told: string[] = []
  const names = (routes: readonly Route[]) => routes.map(one => one.resource).sort()
  directory.onFar(({ node, came, went }: FarChange) => {
    if (came.length > 0) told.push(`${node} +${names(came)}`)
    if (went.length > 0) told.push(`${node} -${names(went)}`)
  })
  return told
}

test('what one node puts, changes and removes is on the others, with nothing told as far news', async () => {
  const a = open('a')
  const b = open('b')
  await net.settle()
  expect(b.synced()).toBe(true)
  const told = changes(b)
  a.put(online('a', 'balcony', { flags: { carbons: true } }))
  a.put(online('a', 'balcony', { priority: 5, flags: { carbons: true } }))
  b.put(route('b', 'chamber'))
  await net.settle()
  expect(seen(b)).toEqual(['chamber on b: undefined', 'balcony on a: 5'])
  expect(seen(a)).toEqual(['balcony on a: 5', 'chamber on b: undefined'])
  const mirrored = b.bySession('a-balcony')
  expect(mirrored?.flags.carbons).toBe(true)
  expect(mirrored?.presence?.toString()).toContain('é')
  a.remove('juliet@office.test', 'balcony', 'another-session')
  a.remove('juliet@office.test', 'balcony', 'a-balcony')
  await net.settle()
  expect(seen(b)).toEqual(['chamber on b: undefined'])
  expect(b.bySession('a-balcony')).toBeUndefined()
  expect([a.size, b.size]).toEqual([1, 1])
  expect(told).toEqual([])
})

test('a node that comes later is told everything, however much, and knows when it has it', async () => {
  const a = open('a')
  for (let index = 0; index < 950; index++) a.put(online('a', `r${index}`))
  const b = open('b')
  expect(b.synced()).toBe(false)
  a.put(online('a', 'r3', { priority: 7 }))
  a.remove('juliet@office.test', 'r5', 'a-r5')
  await net.settle()
  expect(b.synced()).toBe(true)
  expect(b.size).toBe(949)
  expect(b.route('juliet@office.test', 'r3')?.priority).toBe(7)
  expect(b.route('juliet@office.test', 'r5')).toBeUndefined()
})

test.each([
  ['a part of the list', (body: string) => body.includes('"part":4')],
  ['a change between two parts', (body: string) => body.includes('"put"') && body.includes('"priority":7')],
  ['the first part', (body: string) => body.includes('"part":0')],
  ['the last part', (body: string) => body.includes('"isLast":true')],
])('a list of which %s was lost on a full link is not taken for whole, and asked for again', async (_, isLost) => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  try {
    const a = open('a')
    for (let index = 0; index < 950; index++) a.put(online('a', `r${index}`))
    const b = open('b')
    let lost = 0
    net.loses = (topic, body) => {
      if (topic !== 'routes' || !body.includes('juliet')) return false
      // Behind this part a route of the first one, the latest, changes.
      if (body.includes('"part":2')) queueMicrotask(() => a.put(online('a', 'r949', { priority: 7 })))
      return lost === 0 && isLost(body) && ++lost > 0
    }
    await net.settle()
    expect(lost).toBe(1)
    expect(b.synced()).toBe(false)
    vi.advanceTimersByTime(6_000)
    await net.settle()
    expect(b.synced()).toBe(true)
    expect(b.size).toBe(950)
    expect(b.route('juliet@office.test', 'r949')?.priority).toBe(7)
  } finally {
    vi.useRealTimers()
  }
})

test('the routes of a node that is gone go; when it is back all is exact again, and each side hears what changed', async () => {
  const a = open('a')
  const b = open('b')
  await net.settle()
  a.put(online('a', 'stays'))
  a.put(online('a', 'leaves'))
  b.put(online('b', 'own'))
  await net.settle()
  const told = [changes(a), changes(b)]
  net.cut('a', 'b')
  await net.settle()
  expect([seen(a), seen(b)]).toEqual([['stays on a: 0', 'leaves on a: 0'], ['own on b: 0']])
  a.remove('juliet@office.test', 'leaves', 'a-leaves')
  a.put(online('a', 'new'))
  net.heal('a', 'b')
  await net.settle()
  expect(seen(b).sort()).toEqual(['new on a: 0', 'own on b: 0', 'stays on a: 0'])
  expect(told).toEqual([
    ['b -own', 'b +own'],
    ['a -leaves,stays', 'a +new,stays'],
  ])
})

test('a new life of a node counts, what the former one had goes', async () => {
  const a = open('a')
  const b = open('b')
  await net.settle()
  b.put(online('b', 'balcony'))
  await net.settle()
  const told = changes(a)
  b.close()
  const again = open('b', 2, 2)
  await net.settle()
  expect(seen(a)).toEqual([])
  again.put(online('b', 'balcony', { session: 'second-life' }))
  await net.settle()
  expect(seen(a)).toEqual(['balcony on b: 0'])
  expect(told).toEqual(['b -balcony'])
})

test('of one full JID on two nodes the one bound later stays, and the owner of the other hears of it', async () => {
  const a = open('a')
  const b = open('b')
  await net.settle()
  const outdated: string[] = []
  a.onOutdated(one => outdated.push(one.session))
  b.onOutdated(one => outdated.push(one.session))
  a.put(online('a', 'balcony', { boundAt: 5 }))
  b.put(online('b', 'balcony', { boundAt: 5 }))
  await net.settle()
  expect(outdated).toEqual(['a-balcony'])
  expect([seen(a), seen(b)]).toEqual([['balcony on b: 0'], ['balcony on b: 0']])
  a.remove('juliet@office.test', 'balcony', 'a-balcony')
  await net.settle()
  expect([a.size, b.size, seen(a).length, seen(b).length]).toEqual([1, 1, 1, 1])
})

test('a session that moves to another node is the same one there, in whatever order that is heard', async () => {
  const [a, b, c] = [open('a'), open('b'), open('c')]
  await net.settle()
  const outdated: string[] = []
  for (const one of [a, b, c]) one.onOutdated(({ node }) => outdated.push(node))
  c.put(online('c', 'balcony', { session: 's' }))
  await net.settle()
  c.remove('juliet@office.test', 'balcony', 's')
  a.put(online('a', 'balcony', { session: 's' }))
  await net.settle()
  expect([a, b, c].map(seen)).toEqual(Array(3).fill(['balcony on a: 0']))
  expect(b.bySession('s')?.node).toBe('a')
  expect(outdated).toEqual([])
})

test('the map tells of nodes that have not told themselves yet, and is swept of what is left in it', async () => {
  const entries = new Map([
    ['b|1|juliet@office.test/old-life', '{}'],
    ['a|1|juliet@office.test/not-mine', '{}'],
    ['nobody|1|juliet@office.test/x', '{}'],
    ['b|2|juliet@office.test/broken', 'no JSON'],
  ])
  const followers = new Set<Parameters<SharedMap['follow']>[0]>()
  const map: SharedMap = {
    put: (key, value) => void entries.set(key, value),
    remove: key => void entries.delete(key),
    follow(follower) {
      followers.add(follower)
      follower.all(new Map(entries))
      return () => followers.delete(follower)
    },
  }
  const a = open('a', 1, 1)
  const b = open('b', 2, 2)
  b.put(online('b', 'balcony'))
  b.attach(map)
  a.put(online('a', 'own'))
  // Nothing has crossed the link yet.
  a.attach(map)
  expect(seen(a)).toEqual(['own on a: 0', 'balcony on b: 0'])
  expect([...entries.keys()].sort()).toEqual(['a|1|juliet@office.test/own', 'b|2|juliet@office.test/balcony'])
  await net.settle()
  b.remove('juliet@office.test', 'balcony', 'b-balcony')
  await net.settle()
  for (const follower of followers) follower.put('b|2|juliet@office.test/balcony', '{"a late":"word"}')
  expect(seen(a)).toEqual(['own on a: 0'])
})
