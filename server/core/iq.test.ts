import { expect, test } from 'vitest'
import { buildStanza } from '../xmpp/stanza.ts'
import { IqTable } from './iq.ts'

const query = (...children: string[]) => buildStanza('iq', { type: 'get', id: '1' }, ...children)
const ping = "<ping xmlns='urn:xmpp:ping'/>"

test('a payload is answered by whoever asked for it, for this target and type only', () => {
  const table = new IqTable()
  const handler = () => undefined
  const remove = table.add('host', 'get', 'urn:xmpp:ping', 'ping', handler)
  expect(table.find('host', query(ping)).handler).toBe(handler)
  expect(() => table.find('account', query(ping))).toThrow('service-unavailable')
  remove()
  expect(() => table.find('host', query(ping))).toThrow('service-unavailable')
})

test('a request has exactly one payload (RFC 6120 §8.2.3)', () => {
  const table = new IqTable()
  expect(() => table.find('host', query())).toThrow('exactly one payload')
  expect(() => table.find('host', query(ping, ping))).toThrow('exactly one payload')
})

test('two features cannot answer the same payload', () => {
  const table = new IqTable()
  table.add('host', 'get', 'urn:xmpp:ping', 'ping', () => undefined)
  expect(() => table.add('host', 'get', 'urn:xmpp:ping', 'ping', () => undefined)).toThrow('Two features answer')
})
