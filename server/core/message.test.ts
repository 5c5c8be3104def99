import { describe, expect, test } from 'vitest'
import type { Route } from '../cluster/directory.ts'
import { parseJid } from '../xmpp/jid.ts'
import { buildStanza } from '../xmpp/stanza.ts'
import { decide, keepOf } from './message-rules.ts'

const juliet = 'juliet@office.test'

/** Routes by resource name and priority; undefined = connected, not available. */
function routes(resources: Record<string, number | undefined>): Route[] {
  return Object.entries(resources).map(([resource, priority]) => ({
    jid: `${juliet}/${resource}`,
    bare: juliet,
    resource,
    node: 'front-desk',
    session: resource,
    boundAt: 0,
    priority,
    presence: undefined,
    flags: {},
  }))
}

/** 'balcony' = delivered there, otherwise the word of the decision. */
function decided(to: string, type: string | undefined, resources: Record<string, number | undefined>): string {
  const decision = decide(parseJid(to), type, routes(resources))
  return typeof decision === 'string' ? decision : decision.targets.map(route => route.resource).join('+')
}

describe('RFC 6121 §8.5.4, Table 1', () => {
  const cases: [string, Record<string, number | undefined>, string, Record<string, string>][] = [
    ['no resource', {}, juliet, { normal: 'store', chat: 'store', groupchat: 'bounce', headline: 'ignore' }],
    ['no resource', {}, `${juliet}/x`, { normal: 'bounce', chat: 'store', groupchat: 'bounce', headline: 'ignore' }],
    ['connected only', { a: undefined }, juliet, { normal: 'store', chat: 'store', headline: 'ignore' }],
    ['one negative', { a: -1 }, juliet, { normal: 'store', chat: 'store', groupchat: 'bounce', headline: 'ignore' }],
    ['one negative', { a: -1 }, `${juliet}/a`, { normal: 'a', chat: 'a', groupchat: 'a', headline: 'a', error: 'a' }],
    ['one negative', { a: -1 }, `${juliet}/x`, { normal: 'bounce', chat: 'store', groupchat: 'bounce' }],
    ['one', { a: 0 }, juliet, { normal: 'a', chat: 'a', groupchat: 'bounce', headline: 'a', error: 'ignore' }],
    ['one', { a: 0 }, `${juliet}/a`, { normal: 'a', chat: 'a', groupchat: 'a', headline: 'a' }],
    ['one', { a: 0 }, `${juliet}/x`, { normal: 'bounce', chat: 'a', groupchat: 'bounce', error: 'ignore' }],
    ['several', { a: 1, b: 5, c: 5, d: -1 }, juliet, { normal: 'b+c', chat: 'b+c', headline: 'a+b+c' }],
    ['several', { a: 1, b: 5 }, `${juliet}/a`, { normal: 'a', chat: 'a', headline: 'a' }],
    ['several', { a: 1, b: 5 }, `${juliet}/x`, { normal: 'bounce', chat: 'b', headline: 'ignore' }],
  ]
  for (const [name, resources, to, expected] of cases) {
    for (const [type, outcome] of Object.entries(expected)) {
      test(`${type} to ${to.includes('/') ? 'a full' : 'the bare'} JID (${to}), ${name}: ${outcome}`, () => {
        expect(decided(to, type === 'normal' ? undefined : type, resources)).toBe(outcome)
      })
    }
  }
})

describe('what is kept', () => {
  const body = '<body>hello</body>'
  const keep = (type: string | undefined, ...children: string[]) =>
    keepOf(buildStanza('message', { type }, ...children))

  test('chat and normal messages that say something are kept and wait', () => {
    expect(keep('chat', body)).toEqual({ pending: true, inSender: true, inReceiver: true })
    expect(keep(undefined, body)).toEqual({ pending: true, inSender: true, inReceiver: true })
  })

  test('a receipt is kept, a lone chat state is not', () => {
    expect(keep('chat', "<received xmlns='urn:xmpp:receipts' id='1'/>")).toBeDefined()
    expect(keep('chat', "<composing xmlns='http://jabber.org/protocol/chatstates'/>")).toBeUndefined()
    expect(keep('chat', "<active xmlns='http://jabber.org/protocol/chatstates'/>", body)).toBeDefined()
  })

  test('headlines, errors and room messages are not kept', () => {
    for (const type of ['headline', 'error', 'groupchat']) expect(keep(type, body)).toBeUndefined()
  })

  test('hints are obeyed (XEP-0334)', () => {
    expect(keep('chat', body, "<no-store xmlns='urn:xmpp:hints'/>")).toBeUndefined()
    expect(keep('chat', body, "<no-permanent-store xmlns='urn:xmpp:hints'/>")).toEqual({
      pending: true,
      inSender: false,
      inReceiver: false,
    })
    expect(keep('chat', "<store xmlns='urn:xmpp:hints'/>")).toBeDefined()
  })
})
