/** What the interop tests look for in stanzas, and the accounts that they use. */
import type { Element } from 'ltx'
import { ways } from '../support/clients.ts'
import type { Matcher } from '../support/received.ts'

const carbons = 'urn:xmpp:carbons:2'

/** Two people who are used by nobody else, so that each test starts with empty contact lists and archives. */
export interface Couple {
  romeo: { username: string; password: string }
  juliet: { username: string; password: string }
}

export const couples: Couple[] = ways.map((_way, index) => ({
  romeo: { username: `romeo${index + 1}`, password: `wherefore-art-thou-${index + 1}` },
  juliet: { username: `juliet${index + 1}`, password: `what-is-in-a-name-${index + 1}` },
}))

/** The accounts that the appliance has to know. */
export const everyone = couples.flatMap(({ romeo, juliet }) => [romeo, juliet])

/** A message with this text, to us and not a copy of one. */
export function chat(body: string): Matcher {
  return stanza => stanza.name === 'message' && stanza.getChildText('body') === body
}

/** A carbon copy (XEP-0280) of a message with this text that another of our devices has sent or received. */
export function carbon(kind: 'sent' | 'received', body: string): Matcher {
  return stanza => copied(stanza, kind)?.getChildText('body') === body
}

function copied(stanza: Element, kind: 'sent' | 'received'): Element | undefined {
  return stanza.getChild(kind, carbons)?.getChild('forwarded')?.getChild('message')
}

/** A presence of this type (undefined: available) from any device of `bareJid`. */
export function presence(bareJid: string, type?: string): Matcher {
  return ({ name, attrs }) => name === 'presence' && String(attrs.from).startsWith(bareJid) && attrs.type === type
}
