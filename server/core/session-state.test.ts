import { expect, test } from 'vitest'
import { createJid, parseJid } from '../xmpp/jid.ts'
import { buildStanza } from '../xmpp/stanza.ts'
import { inputOf, KeptRow, type RowCounter, type RowKeeper } from './kept-row.ts'
import { Session } from './session.ts'
import { type MovedStanza, movedStanza, type SessionState, sessionFrom, stateOf } from './session-state.ts'

const nothing = (): void => undefined
const keeper: RowKeeper = {
  holder: '1.1',
  markTaken: nothing,
  markGiven: nothing,
  markSent: nothing,
  remember: nothing,
  forgetIfDone: nothing,
}
const limits = { stanzas: 100, bytes: 100_000 }

function rowOf(id: string, text: string, count?: number): KeptRow {
  const stanza = buildStanza('message', { from: 'juliet@o.test/a', to: 'romeo@o.test' }, `<body>${text}</body>`)
  const keep = { pending: true, inSender: true, inReceiver: true }
  const [from, to] = [parseJid('juliet@o.test/a'), parseJid('romeo@o.test')]
  return new KeptRow(keeper, id, { stanza, from, to, sender: 'juliet', receiver: 'romeo', keep }, count)
}

/** The way to another node: as JSON. */
function moved(session: Session) {
  const sent = JSON.stringify({
    state: stateOf(session),
    unacked: session.outbox?.unackedSince(session.outbox.acked).map(movedStanza),
  })
  const { state, unacked } = JSON.parse(sent) as { state: SessionState; unacked: MovedStanza[] }
  const adopted: { row: KeptRow; isCommitted: boolean; counter: RowCounter | undefined; text: string }[] = []
  const there = sessionFrom(state, {
    unacked,
    limits,
    now: 5_000,
    adopt: (record, stanza, { isCommitted, counter }) => {
      const row = new KeptRow({ ...keeper, holder: '2.1' }, record.id, inputOf(record, stanza), record.count)
      if (isCommitted) row.state = 'committed'
      adopted.push({ row, isCommitted, counter, text: stanza.toString() })
      return row
    },
  })
  return { there, adopted, unacked }
}

function bound(): Session {
  const session = new Session({
    jid: createJid('romeo', 'o.test', 'desk'),
    id: 's1',
    username: 'romeo',
    boundAt: 1_000,
    outlet: undefined,
  })
  session.enableManagement({ resumableMs: 600_000, limits })
  return session
}

test('a session is the same on another node: what others see of it, and its counters', () => {
  const session = bound()
  session.presence = buildStanza('presence', { from: session.jid.full }, '<show>away</show>')
  session.priority = -1
  session.isInterested = true
  session.flags = { carbons: true }
  session.directed.add('room@o.test')
  session.client = 'Dino'
  for (let count = 0; count < 3; count++) session.inbox?.count()
  for (const id of ['a', 'b', 'c']) session.send(buildStanza('iq', { id, type: 'result', to: session.jid.full }))
  session.acknowledged(1)
  const { there } = moved(session)
  const { jid, id, username, resumableMs, priority, isInterested, flags, client } = session
  expect(there).toMatchObject({ id, username, resumableMs, priority, isInterested, flags, client, restingSince: 5_000 })
  expect(there.jid.full).toBe(jid.full)
  expect(there.presence?.toString()).toBe(session.presence.toString())
  expect([...there.directed]).toEqual(['room@o.test'])
  // Of two routes of one full JID the later one counts.
  expect(there.boundAt).toBe(1_001)
  expect([there.inbox?.handled, there.inbox?.safe, there.outbox?.acked, there.outbox?.sent]).toEqual([3, 3, 1, 3])
  expect(there.outbox?.unackedStanzas().map(stanza => stanza.id)).toEqual(['b', 'c'])
})

test('counters that have wrapped go on as they were', () => {
  const session = bound()
  const { there } = moved(session)
  const state = { ...stateOf(there), handled: 2 ** 32 - 1, acked: 2 ** 32 - 1 }
  const wrapped = sessionFrom(state, {
    unacked: [{ stanza: "<iq id='x' type='result'/>" }],
    limits,
    now: 0,
    adopt: () => rowOf('x', 'x'),
  })
  wrapped.inbox?.count()
  expect([wrapped.inbox?.handled, wrapped.outbox?.sent, wrapped.outbox?.unacked]).toEqual([0, 0, 1])
  expect(wrapped.acknowledged(0)).toBe(true)
})

test('rows go along and are held by it there; a row in the database is not sent twice, one that is not comes whole', () => {
  const session = bound()
  const [committed, queued, done] = [rowOf('r1', 'one'), rowOf('r2', 'two'), rowOf('r3', 'three')]
  committed.state = 'committed'
  for (const row of [committed, queued, done]) session.send(row.input.stanza.append(`<stanza-id id='${row.id}'/>`), row)
  done.done()
  const { there, adopted, unacked } = moved(session)
  expect(unacked.map(({ row }) => row?.stanza !== undefined)).toEqual([false, true, false])
  expect(
    adopted.map(({ row, isCommitted }) => [row.id, isCommitted, row.holders, row.outStream, row.outCount]),
  ).toEqual([
    ['r1', true, 1, 's1', 1],
    ['r2', false, 1, 's1', 2],
  ])
  expect(adopted[1]?.text).not.toContain('stanza-id')
  there.acknowledged(3)
  expect(adopted.map(({ row }) => row.isPending)).toEqual([false, false])
})

test('what its client sent and is not safe yet is not acknowledged there before it is', () => {
  const session = bound()
  session.inbox?.count()
  const row = rowOf('r4', 'unsafe', 2)
  session.inbox?.hold(row)
  session.inbox?.count()
  session.inbox?.count()
  const { there, adopted } = moved(session)
  expect([there.inbox?.handled, there.inbox?.safe]).toEqual([3, 1])
  expect(adopted).toMatchObject([{ isCommitted: false, counter: there.inbox }])
  const [first] = adopted
  if (first) first.row.state = 'committed'
  first?.counter?.settle()
  expect(there.inbox?.safe).toBe(3)
})
