import { describe, expect, test } from 'vitest'
import {
  inbound,
  initialState,
  outbound,
  type SubscriptionStanza,
  type SubscriptionState,
} from './subscription-states.ts'

/** The nine states of RFC 6121 Appendix A.1 by their names there. */
const states: Record<string, SubscriptionState> = {
  None: initialState,
  'None+Out': { ...initialState, isAsking: true },
  'None+In': { ...initialState, isAsked: true },
  'None+Out+In': { ...initialState, isAsking: true, isAsked: true },
  To: { ...initialState, subscription: 'to' },
  'To+In': { ...initialState, subscription: 'to', isAsked: true },
  From: { ...initialState, subscription: 'from' },
  'From+Out': { ...initialState, subscription: 'from', isAsking: true },
  Both: { ...initialState, subscription: 'both' },
}

const names = Object.keys(states)

/** One table of the appendix: per state of `names`, "passed? next state". */
type Table = [SubscriptionStanza, string[]]

const outboundTables: Table[] = [
  [
    'subscribe',
    [
      'yes None+Out',
      'yes None+Out',
      'yes None+Out+In',
      'yes None+Out+In',
      'yes To',
      'yes To+In',
      'yes From+Out',
      'yes From+Out',
      'yes Both',
    ],
  ],
  [
    'unsubscribe',
    [
      'yes None',
      'yes None',
      'yes None+In',
      'yes None+In',
      'yes None',
      'yes None+In',
      'yes From',
      'yes From',
      'yes From',
    ],
  ],
  [
    'subscribed',
    [
      'no None+approved',
      'no None+Out+approved',
      'yes From',
      'yes From+Out',
      'no To+approved',
      'yes Both',
      'no From',
      'no From+Out',
      'no Both',
    ],
  ],
  [
    'unsubscribed',
    ['no None', 'no None+Out', 'yes None', 'yes None+Out', 'no To', 'yes To', 'yes None', 'yes None+Out', 'yes To'],
  ],
]

const inboundTables: Table[] = [
  [
    'subscribe',
    [
      'yes None+In',
      'yes None+Out+In',
      'no None+In',
      'no None+Out+In',
      'yes To+In',
      'no To+In',
      'no From',
      'no From+Out',
      'no Both',
    ],
  ],
  [
    'unsubscribe',
    ['no None', 'no None+Out', 'yes None', 'yes None+Out', 'no To', 'yes To', 'yes None', 'yes None+Out', 'yes To'],
  ],
  [
    'subscribed',
    ['no None', 'yes To', 'no None+In', 'yes To+In', 'no To', 'no To+In', 'no From', 'yes Both', 'no Both'],
  ],
  [
    'unsubscribed',
    ['no None', 'yes None', 'no None+In', 'yes None+In', 'yes None', 'yes None+In', 'no From', 'yes From', 'yes From'],
  ],
]

function nameOf(state: SubscriptionState): string {
  const { isApproved, ...rest } = state
  const known = names.find(
    name => JSON.stringify({ ...states[name], isApproved }) === JSON.stringify({ ...rest, isApproved }),
  )
  return `${known}${isApproved ? '+approved' : ''}`
}

for (const [title, tables, step] of [
  ['Appendix A.2, outbound', outboundTables, outbound],
  ['Appendix A.3, inbound', inboundTables, inbound],
] as const) {
  describe(title, () => {
    for (const [stanza, rows] of tables) {
      for (const [index, row] of rows.entries()) {
        const name = names[index]!
        test(`${stanza} in state ${name}: ${row}`, () => {
          const { pass, next } = step(states[name]!, stanza)
          expect(`${pass ? 'yes' : 'no'} ${nameOf(next)}`).toBe(row)
        })
      }
    }
  })
}

test('whoever is subscribed already, or was approved before, is answered at once', () => {
  for (const name of ['From', 'From+Out', 'Both']) expect(inbound(states[name]!, 'subscribe').reply).toBe('subscribed')
  const approved = inbound({ ...initialState, isApproved: true }, 'subscribe')
  expect(approved).toMatchObject({
    pass: false,
    reply: 'subscribed',
    next: { subscription: 'from', isApproved: false },
  })
})

test('the end of a subscription is confirmed to the one who ended it', () => {
  for (const name of ['From', 'Both', 'None+In'])
    expect(inbound(states[name]!, 'unsubscribe').reply).toBe('unsubscribed')
  expect(inbound(states.To!, 'unsubscribe').reply).toBeUndefined()
})
