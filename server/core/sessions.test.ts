import { beforeEach, describe, expect, test } from 'vitest'
import { localBus } from '../cluster/bus.ts'
import { localDirectory } from '../cluster/directory.ts'
import { buildStanza } from '../xmpp/stanza.ts'
import { Everywhere } from './everywhere.ts'
import { HookTable } from './hooks.ts'
import type { Outlet } from './session.ts'
import { Session } from './session.ts'
import { type SessionLimits, Sessions } from './sessions.ts'

interface TestOutlet extends Outlet {
  ended: string | undefined
}

function outlet(): TestOutlet {
  const made: TestOutlet = {
    ended: undefined,
    transport: 'tcp',
    address: '127.0.0.1',
    isSecure: true,
    receivedAt: 0,
    send: () => undefined,
    sendRaw: () => undefined,
    end: error => {
      made.ended = error?.condition ?? 'closed'
    },
  }
  return made
}

let limits: SessionLimits
let hooks: HookTable
let sessions: Sessions
let events: string[]
let now: number
const directory = () => localDirectory('pc-1')
let routes: ReturnType<typeof directory>

beforeEach(() => {
  limits = { perAccount: 3, conflict: 'end-old' }
  hooks = new HookTable()
  routes = directory()
  events = []
  now = 0
  let ids = 0
  sessions = new Sessions({
    everywhere: new Everywhere({ directory: routes, bus: localBus() }),
    directory: routes,
    hooks,
    domain: 'office.test',
    limits: () => limits,
    randomId: () => `id-${++ids}`,
    now: () => now,
  })
  for (const name of ['session:bound', 'session:unavailable', 'session:closed'] as const) {
    hooks.on(name, 'watch', ({ session }) => void events.push(`${name} ${session.resource}`))
  }
})

async function bind(resource?: string, out = outlet()): Promise<Session> {
  const session = await sessions.bind({ username: 'juliet', resource, outlet: out })
  if (!(session instanceof Session)) throw new Error(session)
  return session
}

describe('sessions', () => {
  test('are found by address, id and account, and announced to the directory', async () => {
    const session = await bind('balcony')
    expect(sessions.get('juliet@office.test/balcony')).toBe(session)
    expect(sessions.byId(session.id)).toBe(session)
    expect([...sessions.of('juliet')]).toEqual([session])
    expect(routes.route('juliet@office.test', 'balcony')).toMatchObject({ node: 'pc-1', session: session.id })
    await sessions.end(session, 'left')
    expect(sessions.size + routes.size).toBe(0)
    expect(sessions.has('juliet')).toBe(false)
    expect(events).toEqual(['session:bound balcony', 'session:closed balcony'])
  })

  test('get a resource of the server if the client names none', async () => {
    expect((await bind()).resource).not.toBe('')
  })

  test('by default the newer connection takes a resource over', async () => {
    const out = outlet()
    const old = await bind('balcony', out)
    const newer = await bind('balcony')
    expect(out.ended).toBe('conflict')
    expect(old.isClosed).toBe(true)
    expect(sessions.get('juliet@office.test/balcony')).toBe(newer)
    expect(routes.size).toBe(1)
  })

  test('the other two policies refuse the newer one, or give it another name', async () => {
    await bind('balcony')
    limits = { ...limits, conflict: 'refuse-new' }
    expect(await sessions.bind({ username: 'juliet', resource: 'balcony', outlet: outlet() })).toBe('conflict')
    limits = { ...limits, conflict: 'new-resource' }
    expect((await bind('balcony')).resource).toMatch(/^balcony\/./)
    expect(sessions.size).toBe(2)
  })

  test('per person there is a limit; one that rests gives way first', async () => {
    const [first] = [await bind('1'), await bind('2'), await bind('3')]
    expect(await sessions.bind({ username: 'juliet', resource: '4', outlet: outlet() })).toBe('too-many')
    first.resumableMs = 1_000
    first.rest(now)
    expect((await bind('4')).resource).toBe('4')
    expect(first.isClosed).toBe(true)
  })

  test('rest when their stream breaks, until their time is over', async () => {
    const out = outlet()
    const session = await bind('balcony', out)
    session.resumableMs = 1_000
    sessions.lost(session, out)
    expect(session.restingSince).toBe(0)
    now = 999
    sessions.sweep()
    expect(session.isClosed).toBe(false)
    now = 1_000
    sessions.sweep()
    expect(session.isClosed).toBe(true)
  })

  test('a stream that was replaced cannot end the session any more', async () => {
    const old = outlet()
    const session = await bind('balcony', old)
    session.resume(outlet())
    sessions.lost(session, old)
    expect(session.isClosed).toBe(false)
  })

  test('that were available say that they are not any more', async () => {
    const session = await bind('balcony')
    session.presence = buildStanza('presence', {})
    await sessions.end(session, 'kicked')
    expect(events.slice(1)).toEqual(['session:unavailable balcony', 'session:closed balcony'])
  })

  test('what they never got across is handed to message delivery', async () => {
    const session = await bind('balcony')
    session.enableManagement({ resumableMs: 1_000, limits: { stanzas: 10, bytes: 10_000 } })
    session.send(buildStanza('message', { id: 'lost' }, '<body>x</body>'))
    const undelivered: (string | undefined)[] = []
    sessions.onUndelivered = (_session, rest) => void undelivered.push(...rest.map(({ stanza }) => stanza.id))
    await sessions.end(session, 'timeout')
    expect(undelivered).toEqual(['lost'])
  })

  test('when a feature cannot load what it needs, nothing is left of the session', async () => {
    hooks.on('session:bound', 'store', () => {
      throw new Error('database away')
    })
    await expect(bind('balcony')).rejects.toThrow('database away')
    expect(sessions.size + routes.size).toBe(0)
  })
})
