import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDatabase, quietLog } from '../../test/support/database.ts'
import { migrate } from '../db/migrate.ts'
import { type Database, DatabaseAway } from '../db/pool.ts'
import { createIds } from '../xmpp/id.ts'
import { parseJid } from '../xmpp/jid.ts'
import { buildStanza } from '../xmpp/stanza.ts'
import { Inbox } from './inbox.ts'
import type { KeptRow, RowInput } from './kept-row.ts'
import { ArchiveQueue } from './queue.ts'

let db: Database
let queue: ArchiveQueue

function newQueue(limits = {}, database = db): ArchiveQueue {
  const ids = createIds({ now: Date.now, random: bytes => Buffer.alloc(bytes, 7) })
  return new ArchiveQueue({ db: database, log: quietLog, nextId: () => ids.next(), limits })
}

function message(text: string, stream?: RowInput['stream']): RowInput {
  return {
    stanza: buildStanza('message', { from: 'romeo@office.test/a', to: 'juliet@office.test' }, `<body>${text}</body>`),
    from: parseJid('romeo@office.test/a'),
    to: parseJid('juliet@office.test'),
    sender: 'romeo',
    receiver: 'juliet',
    keep: { pending: true, inSender: true, inReceiver: true },
    stream,
  }
}

function add(text: string, stream?: { id: string; inbox: Inbox }): KeptRow {
  const row = queue.add(message(text, stream))
  if (row === 'full') throw new Error('the queue is full')
  stream?.inbox.count()
  return row
}

const bodies = (rows: readonly KeptRow[]): (string | undefined)[] =>
  rows.map(row => row.input.stanza.child('body', 'jabber:client')?.getText())

beforeEach(async () => {
  db = await openDatabase()
  await migrate(
    db,
    ArchiveQueue.migrations.map((sql, index) => ({ feature: 'messages', number: index + 1, sql })),
  )
  queue = newQueue()
})

afterEach(async () => {
  await queue.close(1_000)
  await db.close()
})

describe('the archive queue', () => {
  test('messages wait for their receiver in the order they were sent', async () => {
    for (let index = 0; index < 1_200; index++) add(`message ${index}`)
    const waiting = await queue.pendingOf('juliet')
    expect(bodies(waiting)).toEqual(Array.from({ length: 1_200 }, (_, index) => `message ${index}`))
  })

  test('what a client without stream management was sent waits no more', async () => {
    const [first, second] = [add('one'), add('two')]
    first.taken()
    expect(bodies(await queue.pendingOf('juliet'))).toEqual(['two'])
    second.taken()
    expect(await queue.pendingOf('juliet')).toEqual([])
    await queue.close()
    queue = newQueue()
    expect(await queue.pendingOf('juliet')).toEqual([])
  })

  test('what a session holds unacknowledged is not given to another one until that session ends', async () => {
    const row = add('one')
    row.heldBy('stream-1', 1)
    expect(await queue.pendingOf('juliet')).toEqual([])
    row.released()
    expect(bodies(await queue.pendingOf('juliet'))).toEqual(['one'])
  })

  test('an ack names only stanzas whose rows are committed', async () => {
    const inbox = new Inbox()
    const stream = { id: 'stream-r', inbox }
    inbox.count()
    add('two', stream)
    add('three', stream)
    expect(inbox.handled).toBe(3)
    expect(inbox.safe).toBe(1)
    expect(await queue.flushed()).toBe(true)
    expect(inbox.safe).toBe(3)
  })

  test('after a crash the count of a stream and what its client has are known', async () => {
    const inbox = new Inbox()
    const stream = { id: 'stream-r', inbox }
    for (const [index, text] of ['one', 'two', 'three'].entries()) add(text, stream).heldBy('stream-j', index + 1)
    await queue.flushed()
    queue = newQueue()
    expect(await queue.recover({ streamId: 'stream-r', username: 'romeo', h: 0 })).toBe(3)
    expect(await queue.recover({ streamId: 'stream-j', username: 'juliet', h: 2 })).toBeUndefined()
    expect(bodies(await queue.pendingOf('juliet'))).toEqual(['three'])
  })

  test('after a crash is known what of the waiting messages a client was given', async () => {
    for (const text of ['one', 'two', 'three']) add(text)
    for (const [index, row] of (await queue.pendingOf('juliet')).entries()) row.heldBy('stream-j', index + 1)
    await queue.close()
    queue = newQueue()
    await queue.recover({ streamId: 'stream-j', username: 'juliet', h: 2 })
    expect(bodies(await queue.pendingOf('juliet'))).toEqual(['three'])
  })

  test('what was taken while the database only seemed not to have written it does not come again', async () => {
    let tries = 0
    const forgetful = {
      query: db.query.bind(db),
      onState: db.onState.bind(db),
      onMove: db.onMove.bind(db),
      exec: async (...call: Parameters<Database['exec']>) => {
        const count = await db.exec(...call)
        tries++
        if (tries > 1) return count
        row.taken()
        throw new DatabaseAway('timeout', 'The answer came too late.', { mayHaveRun: true })
      },
    } as unknown as Database
    queue = newQueue({}, forgetful)
    const row = add('one')
    await queue.flushed()
    await queue.close()
    queue = newQueue()
    expect(tries).toBeGreaterThan(1)
    expect(await queue.pendingOf('juliet')).toEqual([])
  })

  test('a stream of somebody else tells nothing and changes nothing', async () => {
    const stream = { id: 'stream-r', inbox: new Inbox() }
    add('one', stream).heldBy('stream-j', 1)
    await queue.flushed()
    queue = newQueue()
    expect(await queue.recover({ streamId: 'stream-r', username: 'mercutio', h: 5 })).toBeUndefined()
    await queue.recover({ streamId: 'stream-j', username: 'mercutio', h: 5 })
    expect(bodies(await queue.pendingOf('juliet'))).toEqual(['one'])
  })

  test('at its bound it takes no more and says so', async () => {
    queue = newQueue({ bytes: 500 })
    const answers = Array.from({ length: 10 }, (_, index) => queue.add(message(`message ${index}`)))
    expect(answers.at(-1)).toBe('full')
    await queue.flushed()
    expect(queue.waitingBytes).toBe(0)
    expect(queue.add(message('again'))).not.toBe('full')
  })

  test('a row the database refuses for its own sake does not hold up the others', async () => {
    const inbox = new Inbox()
    const bad = queue.add({ ...message('x', { id: 's', inbox }), receiver: 'with a nul \0' })
    inbox.count()
    const good = add('good', { id: 's', inbox })
    await queue.flushed()
    expect(bad).toMatchObject({ state: 'refused' })
    expect(good.state).toBe('committed')
    expect(inbox.safe).toBe(2)
  })

  test('while the database refuses connections messages wait, and nothing is lost when it is back', async () => {
    await db.exec('ALTER TABLE archive RENAME TO archive_away')
    const inbox = new Inbox()
    add('one', { id: 's', inbox })
    expect(await queue.flushed(200)).toBe(false)
    expect(inbox.safe).toBe(0)
    await db.exec('ALTER TABLE archive_away RENAME TO archive')
    expect(await queue.flushed()).toBe(true)
    expect(inbox.safe).toBe(1)
  })
})
