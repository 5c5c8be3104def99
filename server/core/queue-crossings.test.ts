import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { MemoryNet } from '../../test/support/memory-bus.ts'
import type { Bus, WrittenAs } from '../cluster/bus.ts'
import { parseJid } from '../xmpp/jid.ts'
import { buildStanza } from '../xmpp/stanza.ts'
import { KeptRow, type RowKeeper } from './kept-row.ts'
import { Crossings } from './queue-crossings.ts'

const keeper: RowKeeper = {
  holder: '1.1',
  markTaken: () => undefined,
  markGiven: () => undefined,
  markSent: () => undefined,
  remember: () => undefined,
  forgetIfDone: () => undefined,
}

function row(id: string, maker?: string): KeptRow {
  const input = {
    stanza: buildStanza('message', {}, '<body>x</body>'),
    from: parseJid('romeo@office.test/a'),
    to: parseJid('juliet@office.test'),
    sender: 'romeo',
    receiver: 'juliet',
    keep: { pending: true, inSender: true, inReceiver: true },
  }
  return new KeptRow(keeper, id, input, undefined, maker)
}

class Node {
  readonly crossings: Crossings
  readonly rows = new Map<string, KeptRow>()
  readonly committed: [string, WrittenAs][] = []
  readonly orphans: string[] = []

  constructor(bus: Bus) {
    this.crossings = new Crossings({
      bus,
      find: id => this.rows.get(id),
      onCommitted: ({ id }, as) => void this.committed.push([id, as]),
      onOrphans: rows => void this.orphans.push(...rows.map(({ id }) => id)),
      flushed: async () => true,
      onHad: () => undefined,
    })
  }
}

describe('rows that cross', () => {
  let net: MemoryNet
  let maker: Node
  let other: Node
  let otherBus: Bus

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    net = new MemoryNet()
    maker = new Node(net.bus('pc-1'))
    otherBus = net.bus('pc-2')
    other = new Node(otherBus)
  })
  afterEach(() => {
    for (const { crossings } of [maker, other]) crossings.close()
    vi.useRealTimers()
  })

  function adopt(id: string): { made: KeptRow; adopted: KeptRow } {
    const made = row(id)
    const adopted = row(id, 'pc-1')
    maker.rows.set(id, made)
    const from = otherBus.node('pc-1')
    if (!from) throw new Error('pc-1 is not known')
    other.crossings.adopt(adopted, from)
    return { made, adopted }
  }

  test('what became of them there is known to their maker before it writes them, and what it wrote is known there', async () => {
    const [one, two] = [adopt('one'), adopt('two')]
    one.adopted.heldBy('stream-j', 7)
    other.crossings.sayHeld(one.adopted)
    other.crossings.sayTaken(two.adopted)
    await net.settle()
    expect([one.made.outStream, one.made.outCount, two.made.isPending]).toEqual(['stream-j', 7, false])
    for (const { made } of [one, two]) {
      made.written = { isPending: made.isPending, outStream: made.outStream, holder: made.holder }
      maker.crossings.sayCommitted(made, ['pc-2'])
    }
    await net.settle()
    expect(other.committed).toEqual([
      ['one', 'yours'],
      ['two', 'done'],
    ])
    vi.advanceTimersByTime(20_000)
    expect(other.orphans).toEqual([])
  })

  test('after five seconds without a word they are written where they are', () => {
    adopt('one')
    vi.advanceTimersByTime(4_000)
    adopt('two')
    expect(other.orphans).toEqual([])
    vi.advanceTimersByTime(4_000)
    expect(other.orphans).toEqual(['one'])
    vi.advanceTimersByTime(4_000)
    expect(other.orphans).toEqual(['one', 'two'])
  })

  test('when their maker is seen no more they are written where they are, at once', () => {
    adopt('one')
    net.cut('pc-1', 'pc-2')
    expect(other.orphans).toEqual(['one'])
    net.heal('pc-1', 'pc-2')
    adopt('two')
    // pc-1 begins a new life: what its former one sent it knows nothing of.
    new Node(net.bus('pc-1', 1, 2)).crossings.close()
    expect(other.orphans).toEqual(['one', 'two'])
  })

  test('one row is handed to one session once, and not at all when it came out of the archive', () => {
    const { crossings } = other
    expect([crossings.hand('a', 'x'), crossings.hand('a', 'y'), crossings.hand('a', 'x')]).toEqual([true, true, false])
    crossings.readOut('b')
    expect(crossings.hand('b', 'x')).toBe(false)
    // Only the last ones are remembered.
    for (let index = 0; index < 20_000; index++) crossings.hand(`later ${index}`, 'x')
    expect(crossings.hand('a', 'x')).toBe(true)
    expect(crossings.hand('later 19999', 'x')).toBe(false)
  })
})
