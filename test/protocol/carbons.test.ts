/** XEP-0280, as a script. */
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { breaking, failure, type Person, Stage, test } from '../support/script.ts'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.open()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

const enable = "<iq type='set'><enable xmlns='urn:xmpp:carbons:2'/></iq>"
const disable = "<iq type='set'><disable xmlns='urn:xmpp:carbons:2'/></iq>"
const done = "<iq type='result'/>"

const carbon = (kind: 'sent' | 'received', to: Person, message: string) =>
  `<message from='${to.bare}' to='${to.jid}'${/ type='\w+'/.exec(message)?.[0] ?? ''}><${kind} xmlns='urn:xmpp:carbons:2'>
     <forwarded xmlns='urn:xmpp:forward:0'>${message.replace('<message', "<message xmlns='jabber:client'")}</forwarded></${kind}></message>`

/** Romeo with a PC and a phone that both want copies, Juliet with one device. */
const withPhone = async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  const phone = await romeo.device('phone')
  await romeo.gets(enable, done)
  await phone.gets(enable, done)
  await romeo.forgets()
  return { romeo, phone, juliet }
}

breaking('what arrives at one device is copied to the others, with its id in the archive', async () => {
  const { romeo, phone, juliet } = await withPhone()
  await stage.breaks()
  const said = `<message from='${juliet.jid}' to='${romeo.jid}' type='chat'><body>What man art thou</body><thread>t1</thread></message>`
  juliet.sends(said.replace(/ from='[^']*'/, ''))
  const direct = await romeo.receives(said)
  const copy = await phone.receives(carbon('received', phone, said))
  const forwarded = copy.getChild('received')?.getChild('forwarded')?.getChild('message')
  const id = direct.getChild('stanza-id', 'urn:xmpp:sid:0')?.attrs
  expect(id?.by).toBe(romeo.bare)
  expect(forwarded?.getChild('stanza-id', 'urn:xmpp:sid:0')?.attrs).toMatchObject({ id: id?.id, by: romeo.bare })
  await romeo.receivesNothing()
  await phone.receivesNothing()
  await juliet.receivesNothing()
})

test('what one device sends is copied to the others, with the id in the own archive', async () => {
  const { romeo, phone, juliet } = await withPhone()
  romeo.sends(`<message to='${juliet.bare}' type='chat' id='s1'><body>Neither, fair saint</body></message>`)
  const said = `<message from='${romeo.jid}' to='${juliet.bare}' type='chat' id='s1'><body>Neither, fair saint</body></message>`
  await juliet.receives(said)
  const copy = await phone.receives(carbon('sent', phone, said))
  const forwarded = copy.getChild('sent')?.getChild('forwarded')?.getChild('message')
  expect(forwarded?.getChild('stanza-id', 'urn:xmpp:sid:0')?.attrs.by).toBe(romeo.bare)
  await romeo.receivesNothing()
  await juliet.receivesNothing()
})

test('a device gets copies of what others send whether or not those want copies, and none after it said so', async () => {
  const { romeo, phone, juliet } = await withPhone()
  await romeo.gets(disable, done)
  await romeo.gets(disable, done)
  romeo.sends(`<message to='${juliet.bare}' type='chat'><body>One</body></message>`)
  await phone.receives(carbon('sent', phone, `<message type='chat'><body>One</body></message>`))
  phone.sends(`<message to='${juliet.bare}' type='chat'><body>Two</body></message>`)
  await romeo.receivesNothing()
  await romeo.gets(enable, done)
  await romeo.gets(enable, done)
  phone.sends(`<message to='${juliet.bare}' type='chat'><body>Three</body></message>`)
  await romeo.receives(carbon('sent', romeo, `<message type='chat'><body>Three</body></message>`))
})

test('a message to all devices is copied to none of those that have it', async () => {
  const { romeo, phone, juliet } = await withPhone()
  juliet.sends(`<message to='${romeo.bare}' type='chat'><body>Both</body></message>`)
  await romeo.receives(`<message from='${juliet.jid}' type='chat'><body>Both</body></message>`)
  await phone.receives(`<message from='${juliet.jid}' type='chat'><body>Both</body></message>`)
  await romeo.receivesNothing()
  await phone.receivesNothing()
})

test('a device of lower or negative priority gets a copy', async () => {
  const { romeo, phone, juliet } = await withPhone()
  phone.sends('<presence><priority>-1</priority></presence>')
  await phone.settles()
  await phone.forgets()
  await romeo.forgets()
  juliet.sends(`<message to='${romeo.bare}' type='chat'><body>Higher</body></message>`)
  await romeo.receives(`<message from='${juliet.jid}' type='chat'><body>Higher</body></message>`)
  await phone.receives(carbon('received', phone, `<message type='chat'><body>Higher</body></message>`))
})

test('what somebody sends to the own account is there once on each device', async () => {
  const { romeo, phone } = await withPhone()
  romeo.sends(`<message to='${romeo.bare}' type='chat'><body>Note</body></message>`)
  await phone.receives(`<message from='${romeo.jid}' type='chat'><body>Note</body></message>`)
  await romeo.receives(`<message from='${romeo.jid}' type='chat'><body>Note</body></message>`)
  await phone.receivesNothing()
  romeo.sends(`<message to='${phone.jid}' type='chat'><body>Only you</body></message>`)
  await phone.receives(`<message from='${romeo.jid}' type='chat'><body>Only you</body></message>`)
  await romeo.receivesNothing()
  await phone.receivesNothing()
})

test.each([
  ['a chat state', "type='chat'", "<composing xmlns='http://jabber.org/protocol/chatstates'/>"],
  ['a receipt', '', "<received xmlns='urn:xmpp:receipts' id='x'/>"],
  ['a displayed marker', '', "<displayed xmlns='urn:xmpp:chat-markers:0' id='x'/>"],
  ['a normal message with words', '', '<body>Words</body>'],
  ['a direct invitation', '', "<x xmlns='jabber:x:conference' jid='room@rooms.office.test'/>"],
  ['an invitation by the room', '', "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@b.c'/></x>"],
])('%s is copied', async (_, type, payload) => {
  const { romeo, phone, juliet } = await withPhone()
  juliet.sends(`<message to='${romeo.jid}' ${type}>${payload}</message>`)
  await romeo.receives(`<message ${type}>${payload}</message>`)
  await phone.receives(carbon('received', phone, `<message ${type}>${payload}</message>`))
})

test.each([
  ['a private message', "type='chat'", "<body>x</body><private xmlns='urn:xmpp:carbons:2'/>"],
  ['a message that is not to be copied', "type='chat'", "<body>x</body><no-copy xmlns='urn:xmpp:hints'/>"],
  ['a message of a room', "type='groupchat'", '<body>x</body>'],
  ['a headline', "type='headline'", '<body>x</body>'],
  ['a normal message without words', '', "<event xmlns='urn:example'/>"],
  ['a private message out of a room', "type='chat'", "<body>x</body><x xmlns='http://jabber.org/protocol/muc#user'/>"],
])('%s is delivered as it is and not copied', async (_, type, payload) => {
  const { romeo, phone, juliet } = await withPhone()
  juliet.sends(`<message to='${romeo.jid}' ${type}>${payload}</message>`)
  await romeo.receives(`<message ${type}>${payload}</message>`)
  await phone.receivesNothing()
})

test('a private message is copied to no other device of its sender either', async () => {
  const { romeo, phone, juliet } = await withPhone()
  const secret = `<body>x</body><private xmlns='urn:xmpp:carbons:2'/><no-copy xmlns='urn:xmpp:hints'/>`
  romeo.sends(`<message to='${juliet.jid}' type='chat'>${secret}</message>`)
  await juliet.receives(`<message type='chat' from='${romeo.jid}'>${secret}</message>`)
  await phone.receivesNothing()
})

test('a private message to somebody in a room is copied to the sender’s other devices', async () => {
  const { romeo, phone, juliet } = await withPhone()
  const content = "<body>psst</body><x xmlns='http://jabber.org/protocol/muc#user'/>"
  romeo.sends(`<message to='${juliet.jid}' type='chat'>${content}</message>`)
  await phone.receives(carbon('sent', phone, `<message to='${juliet.jid}' type='chat'>${content}</message>`))
})

test('an error that answers a copied message is copied, one that answers nothing is not', async () => {
  const { romeo, phone, juliet } = await withPhone()
  romeo.sends(`<message to='${juliet.jid}' type='chat' id='e1'><body>Hello</body></message>`)
  await phone.receives(carbon('sent', phone, `<message type='chat'><body>Hello</body></message>`))
  await juliet.receives(`<message type='chat'><body>Hello</body></message>`)
  const error = failure('cancel', 'service-unavailable')
  juliet.sends(`<message to='${romeo.jid}' type='error' id='e1'>${error}</message>`)
  await romeo.receives(`<message type='error' id='e1'>${error}</message>`)
  await phone.receives(carbon('received', phone, `<message type='error' id='e1'>${error}</message>`))
  juliet.sends(`<message to='${romeo.jid}' type='error' id='e2'>${error}</message>`)
  await romeo.receives(`<message type='error' id='e2'>${error}</message>`)
  await phone.receivesNothing()
})

test('copies cannot be asked for in the name of somebody else', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  await juliet.gets(
    enable.replace('<iq ', `<iq to='${romeo.bare}' `),
    `<iq type='error'>${failure('cancel', 'not-allowed')}</iq>`,
  )
})

test('a copy whose device refuses it makes no noise', async () => {
  const { romeo, phone, juliet } = await withPhone()
  juliet.sends(`<message to='${romeo.jid}' type='chat' id='b1'><body>Hello</body></message>`)
  await phone.receives(carbon('received', phone, `<message type='chat'><body>Hello</body></message>`))
  await romeo.receives(`<message type='chat'><body>Hello</body></message>`)
  phone.sends(`<message to='${romeo.bare}' type='error' id='b1'>${failure('cancel', 'service-unavailable')}</message>`)
  await juliet.receivesNothing()
  await romeo.receivesNothing()
})
