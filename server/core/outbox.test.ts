import { describe, expect, test } from 'vitest'
import { buildStanza, type Stanza } from '../xmpp/stanza.ts'
import { Outbox } from './outbox.ts'

const stanza = (id: number): Stanza => buildStanza('message', { id: String(id) }, '<body>x</body>')

function filled(count: number, limits = { stanzas: 10_000, bytes: 10_000_000 }): Outbox {
  const outbox = new Outbox(limits)
  for (let id = 1; id <= count; id++) outbox.push(stanza(id), undefined)
  return outbox
}

const ids = (stanzas: readonly Stanza[]): number[] => stanzas.map(one => Number(one.id))

describe('stanzas sent and not acknowledged (XEP-0198 §4)', () => {
  test('an acknowledgement takes the oldest away', () => {
    const outbox = filled(5)
    expect(outbox.ack(3)).toEqual([])
    expect(ids(outbox.unackedStanzas())).toEqual([4, 5])
    expect(outbox.ack(3)).toEqual([])
    expect(outbox.unacked).toBe(2)
    outbox.ack(5)
    expect(outbox.bytes).toBe(0)
  })

  test('more than was sent cannot be acknowledged', () => {
    expect(filled(2).ack(3)).toBe('too-many')
  })

  test('a number from the past is refused and changes nothing', () => {
    const outbox = filled(5)
    outbox.ack(4)
    expect(outbox.ack(2)).toBe('too-many')
    expect(ids(outbox.unackedStanzas())).toEqual([5])
  })

  test('what was sent again after many acknowledgements is still complete and in order', () => {
    const outbox = new Outbox({ stanzas: 10_000, bytes: 10_000_000 })
    for (let id = 1; id <= 5_000; id++) {
      outbox.push(stanza(id), undefined)
      if (id % 7 === 0) outbox.ack(id - 3)
    }
    expect(ids(outbox.unackedStanzas())).toEqual([4_996, 4_997, 4_998, 4_999, 5_000])
  })

  test('it is full by count and by bytes', () => {
    expect(filled(3, { stanzas: 3, bytes: 1_000_000 }).isFull).toBe(true)
    expect(filled(2, { stanzas: 3, bytes: 1_000_000 }).isFull).toBe(false)
    expect(filled(2, { stanzas: 3, bytes: 10 }).isFull).toBe(true)
  })

  test('a session that ends gets everything back once', () => {
    const outbox = filled(3)
    outbox.ack(1)
    expect(ids(outbox.drain().map(sent => sent.stanza))).toEqual([2, 3])
    expect(outbox.drain()).toEqual([])
  })
})
