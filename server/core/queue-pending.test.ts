import { afterEach, beforeEach, expect, test } from 'vitest'
import { openDatabase, quietLog } from '../../test/support/database.ts'
import { MemoryNet } from '../../test/support/memory-bus.ts'
import type { Bus } from '../cluster/bus.ts'
import { migrate } from '../db/migrate.ts'
import type { Database } from '../db/pool.ts'
import { createIds } from '../xmpp/id.ts'
import { parseJid } from '../xmpp/jid.ts'
import { buildStanza } from '../xmpp/stanza.ts'
import type { KeptRow } from './kept-row.ts'
import { ArchiveQueue } from './queue.ts'

let db: Database
let one: ArchiveQueue
let two: ArchiveQueue

function queueOf(bus: Bus): ArchiveQueue {
  // Messages of a minute ago.
  const ids = createIds({ now: () => Date.now() - 60_000, random: bytes => Buffer.alloc(bytes, 7) })
  return new ArchiveQueue({ db, log: quietLog, nextId: () => ids.next(), bus })
}

function add(queue: ArchiveQueue): KeptRow {
  const row = queue.add({
    stanza: buildStanza('message', { from: 'romeo@office.test/a', to: 'juliet@office.test' }, '<body>x</body>'),
    from: parseJid('romeo@office.test/a'),
    to: parseJid('juliet@office.test'),
    sender: 'romeo',
    receiver: 'juliet',
    keep: { pending: true, inSender: true, inReceiver: true },
  })
  if (row === 'full') throw new Error('the queue is full')
  return row
}

const holderOf = async ({ id }: KeptRow): Promise<unknown> =>
  (await db.one<{ holder: string | null }>('SELECT holder FROM archive WHERE id = $1', [id]))?.holder

beforeEach(async () => {
  db = await openDatabase()
  await migrate(
    db,
    ArchiveQueue.migrations.map((sql, index) => ({ feature: 'messages', number: index + 1, sql })),
  )
  const net = new MemoryNet()
  const buses = [net.bus('pc-1'), net.bus('pc-2')] as const
  one = queueOf(buses[0])
  two = queueOf(buses[1])
})
afterEach(async () => {
  await Promise.all([one.close(1_000), two.close(1_000)])
  await db.close()
})

test('what went along with a session to a node that died before it wrote that down waits for everybody again', async () => {
  const [held, moved, taken] = [add(one), add(one), add(one)]
  for (const [index, row] of [held, moved, taken].entries()) row.heldBy('stream', index + 1)
  await expect.poll(() => one.isIdle).toBe(true)
  moved.departed()
  expect([await holderOf(held), await holderOf(moved)]).toEqual(['1.1', '1.1'])
  expect(await two.pendingOf('juliet')).toEqual([])
  // Nobody is connected to this node: it looks all the same.
  taken.taken()
  expect(await one.waitingAmong([])).toEqual([])
  // What a client has, though that is not written yet, is not given to anybody.
  expect([await holderOf(held), await holderOf(moved), await holderOf(taken)]).toEqual(['1.1', null, '1.1'])
  expect((await two.pendingOf('juliet')).map(({ id }) => id)).toEqual([moved.id])
})
