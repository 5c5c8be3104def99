// The whole protocol is played in test/protocol/blocking.test.ts.
import { expect, test } from 'vitest'
import { parseJid } from '../xmpp/jid.ts'
import { isBlocked } from './blocking.ts'

test.each([
  [
    'romeo@montague.lit/orchard',
    ['romeo@montague.lit/orchard'],
    ['romeo@montague.lit', 'romeo@montague.lit/home', 'montague.lit'],
  ],
  ['romeo@montague.lit', ['romeo@montague.lit', 'romeo@montague.lit/home'], ['montague.lit', 'benvolio@montague.lit']],
  ['montague.lit/rooms', ['montague.lit/rooms'], ['montague.lit', 'montague.lit/other', 'romeo@montague.lit/rooms']],
  [
    'montague.lit',
    ['montague.lit', 'montague.lit/rooms', 'romeo@montague.lit', 'romeo@montague.lit/home'],
    ['capulet.lit', 'rooms.montague.lit', 'romeo@rooms.montague.lit'],
  ],
])('%s in the list means what XEP-0191 §6 says', (entry, blocked, free) => {
  const list = new Set([entry])
  expect(blocked.filter(jid => !isBlocked(list, parseJid(jid)))).toEqual([])
  expect(free.filter(jid => isBlocked(list, parseJid(jid)))).toEqual([])
})

test('an empty list blocks nobody', () => {
  expect(isBlocked(new Set(), parseJid('romeo@montague.lit/orchard'))).toBe(false)
})
