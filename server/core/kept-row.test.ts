import { expect, test } from 'vitest'
import { parseJid } from '../xmpp/jid.ts'
import { buildStanza } from '../xmpp/stanza.ts'
import { KeptRow, type RowKeeper } from './kept-row.ts'

function row(): { row: KeptRow; told: string[] } {
  const told: string[] = []
  const keeper: RowKeeper = {
    holder: '1.1',
    markSent: () => void told.push('sent'),
    markTaken: () => void told.push('taken'),
    markGiven: () => void told.push('given'),
    remember: () => void told.push('remember'),
    forgetIfDone: () => void told.push('forget'),
  }
  const input = {
    stanza: buildStanza('message', {}, '<body>x</body>'),
    from: parseJid('romeo@office.test'),
    to: parseJid('juliet@office.test'),
    sender: 'romeo',
    receiver: 'juliet',
    keep: { pending: true, inSender: true, inReceiver: true },
  }
  return { row: new KeptRow(keeper, 'id', input, undefined), told }
}

test('a row is pending until the first client has it; later ones change nothing', () => {
  const { row: one, told } = row()
  one.taken()
  one.taken()
  expect(one.isPending).toBe(false)
  expect(told).toEqual(['taken', 'forget'])
})

test('before it is committed the first stream that holds it is noted, for the table', () => {
  const { row: one, told } = row()
  one.heldBy('a', 3)
  one.heldBy('b', 9)
  expect([one.outStream, one.outCount, one.holders]).toEqual(['a', 3, 2])
  expect(told).toEqual(['remember', 'remember'])
})

test('once committed, the stream that is given it is written down', () => {
  const { row: one, told } = row()
  one.state = 'committed'
  one.heldBy('b', 9)
  expect([one.outStream, one.outCount]).toEqual(['b', 9])
  expect(told).toEqual(['remember', 'given'])
})

test('a session that ends without an acknowledgement leaves it pending', () => {
  const { row: one } = row()
  one.heldBy('a', 1)
  one.released()
  expect([one.isPending, one.holders]).toEqual([true, 0])
})

test('who has it is nobody again when the last session here ends, and that is written down once it is committed', () => {
  const { row: one, told } = row()
  one.heldBy('a', 1)
  one.heldBy('b', 1)
  one.released()
  expect(one.holder).toBe('1.1')
  one.state = 'committed'
  one.released()
  expect([one.holder, one.heldBefore]).toEqual([undefined, '1.1'])
  expect(told).toEqual(['remember', 'remember', 'forget', 'given', 'forget'])
})

test('what another node was sent is that life of the other node, until it says that nobody is there', () => {
  const { row: one, told } = row()
  one.sent('pc-2', '2.5')
  expect([one.holder, one.sentTo]).toEqual(['2.5', ['pc-2']])
  one.heldAt('pc-2', 'j', 4)
  one.heldAt('pc-3', 'k', 9)
  one.written = { isPending: true, outStream: 'j', holder: '2.5' }
  expect([one.writtenAs('pc-2'), one.writtenAs('pc-3')]).toEqual(['yours', 'other'])
  one.missed('pc-2', '2.5')
  expect([one.holder, one.sentTo]).toEqual([undefined, []])
  expect(told).toEqual(['sent', 'forget'])
})
