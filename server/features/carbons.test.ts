// The whole protocol is played in test/protocol/carbons.test.ts.
import { expect, test } from 'vitest'
import { Stanza } from '../xmpp/stanza.ts'
import { isConversation } from './carbons.ts'

const muc = (content = '') => `<x xmlns='http://jabber.org/protocol/muc#user'>${content}</x>`

test.each<[string, string, sent: boolean, received: boolean]>([
  ["type='chat'", '', true, true],
  ["type='chat'", '<body>x</body>', true, true],
  ['', '<body>x</body>', true, true],
  ["type='normal'", '<body>x</body>', true, true],
  ['', '', false, false],
  ['', '<subject>x</subject>', false, false],
  ['', "<body xmlns='http://www.w3.org/1999/xhtml'>x</body>", false, false],
  ['', "<request xmlns='urn:xmpp:receipts'/>", true, true],
  ["type='headline'", '<body>x</body>', false, false],
  ["type='groupchat'", '<body>x</body>', false, false],
  ["type='error'", '<body>x</body>', false, false],
  ["type='chat'", "<body>x</body><private xmlns='urn:xmpp:carbons:2'/>", false, false],
  ["type='chat'", "<body>x</body><no-copy xmlns='urn:xmpp:hints'/>", false, false],
  ["type='chat'", "<body>x</body><private xmlns='urn:example'/>", true, true],
  ["type='chat'", `<body>x</body>${muc()}`, true, false],
  ['', muc("<invite from='romeo@office.test'/>"), true, true],
])('a message with %s and %s: sent %s, received %s', (attributes, content, sent, received) => {
  const stanza = Stanza.fromBytes(Buffer.from(`<message ${attributes}>${content}</message>`))
  expect([isConversation(stanza, false), isConversation(stanza, true)]).toEqual([sent, received])
})
