import { describe, expect, test, vi } from 'vitest'
import { parseJid } from '../xmpp/jid.ts'
import { buildStanza, type Stanza } from '../xmpp/stanza.ts'
import type { KeptRow } from './kept-row.ts'
import { type Outlet, Session } from './session.ts'

/** An outlet that remembers what was sent. */
function outlet(): Outlet & { sent: Stanza[] } {
  const sent: Stanza[] = []
  return {
    sent,
    transport: 'tcp',
    address: '127.0.0.1',
    isSecure: true,
    receivedAt: 0,
    send: stanza => void sent.push(stanza),
    sendRaw: () => undefined,
    end: () => undefined,
  }
}

/** A row that counts what happens to it. */
function row() {
  const events: string[] = []
  const one = {
    events,
    held: () => void events.push('held'),
    unheld: () => void events.push('unheld'),
    heldBy: (stream: string, count: number) => void events.push(`heldBy ${stream} ${count}`),
    taken: () => void events.push('taken'),
  }
  return one as typeof one & KeptRow
}

const message = (id: string): Stanza => buildStanza('message', { id }, '<body>x</body>')

function session(out = outlet()): { session: Session; out: ReturnType<typeof outlet> } {
  const jid = parseJid('juliet@office.test/balcony')
  return { out, session: new Session({ jid, id: 'stream-j', username: 'juliet', boundAt: 0, outlet: out }) }
}

const limits = { stanzas: 100, bytes: 100_000 }

describe('a session', () => {
  test('without stream management has a message once it is written', () => {
    const { session: juliet, out } = session()
    const one = row()
    expect(juliet.send(message('1'), one)).toBe('taken')
    expect(out.sent).toHaveLength(1)
    expect(one.events).toEqual(['taken'])
  })

  test('with stream management has a message once its client says so', () => {
    const { session: juliet } = session()
    juliet.enableManagement({ resumableMs: 1_000, limits })
    const one = row()
    juliet.send(message('1'), one)
    expect(one.events).toEqual(['heldBy stream-j 1'])
    expect(juliet.acknowledged(1)).toBe(true)
    expect(one.events).toEqual(['heldBy stream-j 1', 'taken'])
    expect(juliet.acknowledged(2)).toBe(false)
  })

  test('keeps what it is sent while it rests, and hands out what it never got across when it ends', () => {
    const { session: juliet, out } = session()
    juliet.enableManagement({ resumableMs: 1_000, limits })
    juliet.rest(5)
    expect(juliet.send(message('1'))).toBe('taken')
    expect(out.sent).toHaveLength(0)
    expect(juliet.close().map(({ stanza }) => stanza.id)).toEqual(['1'])
    expect(juliet.send(message('2'))).toBe('gone')
  })

  test('sends older messages before those that came meanwhile', () => {
    const { session: juliet, out } = session()
    juliet.holdBack()
    const late = row()
    juliet.send(message('late'), late)
    juliet.send(buildStanza('presence', { id: 'presence' }))
    juliet.write(message('old'))
    juliet.letGo()
    expect(out.sent.map(stanza => stanza.id)).toEqual(['presence', 'old', 'late'])
    expect(late.events).toEqual(['held', 'unheld', 'taken'])
  })

  test('does not hold back for ever: at its bound messages go on', () => {
    const { session: juliet, out } = session()
    juliet.holdBack()
    for (let id = 0; id < 1_001; id++) juliet.send(message(String(id)))
    expect(out.sent).toHaveLength(1_001)
  })

  test('asks its gate first, and the gate can still write', () => {
    const { session: juliet, out } = session()
    const kept: Stanza[] = []
    juliet.gate = stanza => {
      kept.push(stanza)
      return true
    }
    expect(juliet.send(message('1'))).toBe('taken')
    expect(out.sent).toHaveLength(0)
    for (const stanza of kept) juliet.write(stanza)
    expect(out.sent).toHaveLength(1)
  })

  test('is crowded when its client is far behind, until it has caught up', async () => {
    const { session: juliet } = session()
    juliet.enableManagement({ resumableMs: 1_000, limits: { stanzas: 10_000, bytes: 10_000_000 } })
    for (let id = 1; id < 1_000; id++) juliet.send(message(String(id)))
    expect(juliet.isCrowded).toBe(false)
    juliet.send(message('1000'))
    expect(juliet.isCrowded).toBe(true)
    const room = juliet.room()
    expect(juliet.room()).toBe(room)
    juliet.acknowledged(600)
    await room
    expect(juliet.isCrowded).toBe(false)
  })

  test('lets nobody wait for a client that hangs, and is not crowded while it rests', async () => {
    vi.useFakeTimers()
    try {
      const { session: juliet } = session()
      juliet.enableManagement({ resumableMs: 1_000, limits: { stanzas: 10_000, bytes: 10_000_000 } })
      for (let id = 1; id <= 1_000; id++) juliet.send(message(String(id)))
      const room = juliet.room()
      await vi.advanceTimersByTimeAsync(250)
      await room
      juliet.rest(0)
      expect(juliet.isCrowded).toBe(false)
    } finally {
      vi.useRealTimers()
    }
  })

  test('tells when too much is unacknowledged', () => {
    const { session: juliet } = session()
    juliet.enableManagement({ resumableMs: 1_000, limits: { stanzas: 2, bytes: 100_000 } })
    let isOverflowing = false
    juliet.onOverflow = () => {
      isOverflowing = true
    }
    juliet.send(message('1'))
    expect(isOverflowing).toBe(false)
    juliet.send(message('2'))
    expect(isOverflowing).toBe(true)
  })
})
