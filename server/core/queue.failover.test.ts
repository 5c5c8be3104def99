import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { quietLog } from '../../test/support/database.ts'
import { LosingDatabase } from '../../test/support/promotion.ts'
import { migrate } from '../db/migrate.ts'
import { DatabaseAway } from '../db/pool.ts'
import { createIds } from '../xmpp/id.ts'
import { parseJid } from '../xmpp/jid.ts'
import { buildStanza } from '../xmpp/stanza.ts'
import { Inbox } from './inbox.ts'
import type { KeptRow } from './kept-row.ts'
import { ArchiveQueue } from './queue.ts'

let db: LosingDatabase
let queue: ArchiveQueue

function newQueue(recent = {}): ArchiveQueue {
  const ids = createIds({ now: Date.now, random: bytes => Buffer.alloc(bytes, 7) })
  return new ArchiveQueue({ db: db.asDatabase, log: quietLog, nextId: () => ids.next(), recent })
}

function add(text: string, inbox?: Inbox): KeptRow {
  const row = queue.add({
    stanza: buildStanza('message', { from: 'romeo@office.test/a', to: 'juliet@office.test' }, `<body>${text}</body>`),
    from: parseJid('romeo@office.test/a'),
    to: parseJid('juliet@office.test'),
    sender: 'romeo',
    receiver: 'juliet',
    keep: { pending: true, inSender: true, inReceiver: true },
    stream: inbox && { id: 'stream-r', inbox },
  })
  if (row === 'full') throw new Error('the queue is full')
  inbox?.count()
  return row
}

interface Stored {
  body: string
  pending: boolean
  out: string | null
}

/** What is in the real database of now, oldest first. */
async function stored(): Promise<Stored[]> {
  const rows = await db.real.query<{ stanza: string; pending: boolean; out: string | null }>(
    `SELECT stanza, pending, out_stream || ' ' || out_count AS out FROM archive ORDER BY id`,
  )
  return rows.map(({ stanza, pending, out }) => ({
    body: /<body>(.*)<\/body>/.exec(stanza)?.[1] ?? '',
    pending,
    out,
  }))
}

const bodies = async (): Promise<string[]> => (await stored()).map(({ body }) => body)

/** Everything that was to be written is, marks too. */
async function settled(): Promise<void> {
  expect(await queue.flushed()).toBe(true)
  await expect.poll(() => queue.isIdle).toBe(true)
}

beforeEach(async () => {
  db = await LosingDatabase.open(real =>
    migrate(
      real,
      ArchiveQueue.migrations.map((sql, index) => ({ feature: 'messages', number: index + 1, sql })),
    ),
  )
  queue = newQueue()
})

afterEach(async () => {
  db.before = undefined
  await queue.close(1_000)
  await db.close()
})

describe('after another database server was promoted', () => {
  test('messages that it never heard of come back, once each and in order', async () => {
    const texts = Array.from({ length: 1_300 }, (_, index) => `message ${index}`)
    for (const text of texts.slice(0, 300)) add(text)
    await settled()
    await db.copy()
    for (const text of texts.slice(300)) add(text)
    await settled()
    db.promote()
    expect(await bodies()).toHaveLength(300)
    db.tell({ isNewTimeline: true })
    await settled()
    expect(await bodies()).toEqual(texts)
    expect(queue.committed).toBe(1_300)
  })

  test('what a client had already, or was given, is known again, also of messages that were not lost', async () => {
    const old = [add('old, taken later'), add('old, given later'), add('old, waits')]
    await settled()
    await db.copy()
    const fresh = [add('taken'), add('given'), add('waits'), add('given and taken')]
    await settled()
    old[0]?.taken()
    old[1]?.heldBy('stream-j', 1)
    fresh[0]?.taken()
    fresh[1]?.heldBy('stream-j', 2)
    fresh[3]?.heldBy('stream-j', 3)
    await settled()
    fresh[3]?.taken()
    await settled()
    const before = await stored()
    db.promote()
    expect(await stored()).toEqual([
      { body: 'old, taken later', pending: true, out: null },
      { body: 'old, given later', pending: true, out: null },
      { body: 'old, waits', pending: true, out: null },
    ])
    db.tell({ isNewTimeline: true })
    await settled()
    // Where a row that nobody waits for any more was given to is of no use to anybody.
    const known = (rows: Stored[]) => rows.map(row => (row.pending ? row : { ...row, out: null }))
    expect(known(await stored())).toEqual(known(before))
    expect(before.filter(row => row.pending).map(row => [row.body, row.out])).toEqual([
      ['old, given later', 'stream-j 1'],
      ['old, waits', null],
      ['given', 'stream-j 2'],
      ['waits', null],
    ])
  })

  test('a client that came back on a lost stream is not sent again what it said it has', async () => {
    for (const [index, text] of ['one', 'two', 'three'].entries()) add(text).heldBy('stream-j', index + 1)
    await settled()
    await db.copy()
    await queue.recover({ streamId: 'stream-j', username: 'juliet', h: 2 })
    db.lose()
    await settled()
    expect((await stored()).map(({ pending }) => pending)).toEqual([false, false, true])
  })

  test('what waits for the database and what was lost are both there before anybody reads', async () => {
    add('before the copy')
    await settled()
    await db.copy()
    add('lost')
    await settled()
    db.before = () => {
      throw new DatabaseAway('timeout', 'frozen', { mayHaveRun: true })
    }
    const inbox = new Inbox()
    add('waits', inbox)
    expect(await queue.flushed(100)).toBe(false)
    expect(inbox.safe).toBe(0)
    db.before = undefined
    db.lose()
    const rows = await queue.pendingOf('juliet')
    expect(rows.map(row => row.input.stanza.child('body', 'jabber:client')?.getText())).toEqual([
      'before the copy',
      'lost',
      'waits',
    ])
    expect(inbox.safe).toBe(1)
  })

  test('an answer of the former server that comes after the promotion counts for nothing', async () => {
    await db.copy()
    const inbox = new Inbox()
    let settledAt = 0
    inbox.onSettled = () => {
      settledAt++
    }
    const answer = Promise.withResolvers<void>()
    const real = db.real
    const late = db.asDatabase.exec.bind(db)
    let isFirst = true
    db.exec = async (...call) => {
      if (!isFirst) return late(...call)
      isFirst = false
      const count = await real.exec(...call)
      answer.resolve()
      await new Promise(resolve => setImmediate(resolve))
      db.tell({ isNewTimeline: true })
      return count
    }
    add('one', inbox)
    await answer.promise
    await settled()
    expect(settledAt).toBe(1)
    db.lose()
    await settled()
    expect(await bodies()).toEqual(['one'])
    expect(settledAt).toBe(1)
  })

  test('a second promotion in the middle of it loses nothing', async () => {
    const texts = Array.from({ length: 2_200 }, (_, index) => `message ${index}`)
    await db.copy()
    for (const text of texts) add(text)
    await settled()
    db.promote()
    await db.copy()
    const first = db.real
    let statements = 0
    db.before = () => {
      if (++statements === 3) db.lose()
    }
    db.tell({ isNewTimeline: true })
    await settled()
    expect(db.real).not.toBe(first)
    expect(await bodies()).toEqual(texts)
  })

  test('a move of the same timeline writes nothing again', async () => {
    add('one')
    await settled()
    let statements = 0
    db.before = () => {
      statements++
    }
    db.tell({ isNewTimeline: false })
    await settled()
    expect(statements).toBe(0)
  })

  test('at its bound in bytes the oldest are forgotten first, and it says how many', async () => {
    await queue.close()
    queue = newQueue({ bytes: 20_000 })
    await db.copy()
    for (let index = 0; index < 10; index++) {
      for (let part = 0; part < 10; part++) add(`message ${index}.${part}`)
      await settled()
    }
    const { cutRows, bytes } = queue.kept
    expect(bytes).toBeLessThanOrEqual(20_000)
    expect(cutRows).toBeGreaterThan(0)
    db.lose()
    await settled()
    expect(await bodies()).toHaveLength(100 - cutRows)
    expect((await bodies()).at(-1)).toBe('message 9.9')
  })

  test('who waits for the database goes on at once when it is back', async () => {
    db.before = () => {
      throw new DatabaseAway('refused', 'away')
    }
    add('one')
    // After some tries the wait for the next one is a second.
    expect(await queue.flushed(1_200)).toBe(false)
    db.before = undefined
    const since = performance.now()
    db.tellState('up')
    expect(await queue.flushed()).toBe(true)
    expect(performance.now() - since).toBeLessThan(300)
  })
})
