import { expect, test } from 'vitest'
import { type Bus, type FarNode, localBus } from '../cluster/bus.ts'
import { localDirectory } from '../cluster/directory.ts'
import type { Connection } from './contract/connections.ts'
import type { HistoryEntry } from './contract/logs.ts'
import { FarAdmin } from './far.ts'

const device = (jid: string, pc: string): Connection => ({
  jid,
  username: jid.split('@')[0] ?? '',
  name: jid,
  client: null,
  address: '192.0.2.1',
  transport: 'tls',
  encrypted: true,
  since: '2026-11-22T10:00:00.000Z',
  presence: 'available',
  streamManagement: 'on',
  resting: false,
  idleSeconds: 0,
  pc,
})

type Listener = (body: never, from: FarNode) => unknown

/** Two ends of one line; what is said crosses as JSON, in a later turn. */
function line(): { a: Bus; b: Bus; cut: () => void } {
  let state: FarNode['state'] = 'up'
  const listeners = { a: new Map<string, Listener>(), b: new Map<string, Listener>() }
  const node = (name: 'a' | 'b'): FarNode => ({ name, number: name === 'a' ? 1 : 2, epoch: 1, state })
  const end = (own: 'a' | 'b', other: 'a' | 'b'): Bus => {
    const say = async (topic: string, body: unknown): Promise<unknown> => {
      const text = JSON.stringify(body)
      await Promise.resolve()
      const heard = listeners[other].get(topic)
      if (state !== 'up' || !heard) throw new Error('Nobody answers.')
      return heard(JSON.parse(text) as never, node(own))
    }
    const listen = (topic: string, listener: Listener) => {
      listeners[own].set(topic, listener)
      return () => listeners[own].delete(topic)
    }
    return {
      ...localBus(),
      get nodes() {
        return [node(other)]
      },
      tell: (_node, topic, body) => void say(topic, body),
      ask: (_node, topic, body) => say(topic, body),
      onTell: listen,
      onAsk: listen,
    }
  }
  const cut = (): void => {
    state = 'gone'
  }
  return { a: end('a', 'b'), b: end('b', 'a'), cut }
}

/** The admin sides of two PCs; `ended` is what each ended, `deeds` what each heard of. */
function twoPcs() {
  const both = line()
  const ended: string[] = []
  const deeds: string[] = []
  const make = (name: 'a' | 'b', aheadMs: number) => {
    const jid = `ben@acme.test/${name}`
    const directory = localDirectory(name)
    for (const node of ['a', 'b']) {
      const [bare, full] = ['ben@acme.test', `ben@acme.test/${node}`]
      const route = {
        jid: full,
        bare,
        resource: node,
        node,
        session: full,
        boundAt: 1,
        priority: 0,
        presence: undefined,
        flags: {},
      }
      directory.put(route)
    }
    return new FarAdmin({
      bus: both[name],
      directory,
      now: () => Date.now() + aheadMs,
      maker: () => `maker of ${name}`,
      connections: () => [device(jid, name)],
      endOne: async (wanted, reason) => {
        if (wanted === jid) ended.push(`${name}: ${wanted} ${reason}`)
        return wanted === jid
      },
      endAll: async (username, reason) => void ended.push(`${name}: all of ${username} ${reason}`),
      onDeed: ({ sentence }) => deeds.push(`${name}: ${sentence}`),
    })
  }
  return { cut: both.cut, a: make('a', 0), b: make('b', 4_000), ended, deeds }
}

test('each PC sees and ends the devices of the other, and hears what was done there', async () => {
  const { a, b, ended, deeds } = twoPcs()
  expect((await a.connections()).map(({ jid, pc }) => `${jid} ${pc}`)).toEqual(['ben@acme.test/b b'])
  expect(await b.end('ben@acme.test/a', 'kicked')).toBe(true)
  expect(await b.end('ben@acme.test/nowhere', 'kicked')).toBe(false)
  a.endAll('ben', 'removed')
  a.tellDeed({ id: '1', at: '', by: 'Anna', kind: 'person', sentence: 'Blocked Ben.' } satisfies HistoryEntry)
  b.tellFigures({ messagesToday: 7, slowestMs: 3 })
  await expect.poll(() => a.figures).toEqual([{ messagesToday: 7, slowestMs: 3 }])
  expect(ended).toEqual(['a: ben@acme.test/a kicked', 'b: all of ben removed'])
  expect(deeds).toEqual(['b: Blocked Ben.'])
  const [clock] = await a.clocks()
  expect(clock?.name).toBe('b')
  expect(Math.round((clock?.aheadMs ?? 0) / 1000)).toBe(4)
  expect(await b.makers()).toEqual([{ name: 'a', maker: 'maker of a' }])
})

test('a PC that is gone is left out at once', async () => {
  const { cut, a } = twoPcs()
  cut()
  expect(await a.connections()).toEqual([])
  expect(await a.end('ben@acme.test/b', 'kicked')).toBe(false)
  expect(await a.clocks()).toEqual([])
})
