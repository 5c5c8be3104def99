/** XEP-0352, as a script. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Person, Stage } from '../support/script.ts'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.open()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

const inactive = "<inactive xmlns='urn:xmpp:csi:0'/>"
const active = "<active xmlns='urn:xmpp:csi:0'/>"
const typing = (to: Person, state = 'composing') =>
  `<message to='${to.jid}' type='chat'><${state} xmlns='http://jabber.org/protocol/chatstates'/></message>`
const chat = (to: Person, body: string) => `<message to='${to.jid}' type='chat'><body>${body}</body></message>`

/** Sends without a round trip on the receiving side: an answer to a question would let everything go. */
const sendsAll = async (one: Person, ...stanzas: string[]) => {
  for (const stanza of stanzas) one.sends(stanza)
  await one.settles()
}

test('the server offers it after login', async () => {
  const { romeo } = await stage.strangers('romeo')
  expect(romeo.client.offers('csi', 'urn:xmpp:csi:0')).toBe(true)
})

test('a sleeping device gets the latest presence and chat state of each when it wakes up, in the order they came', async () => {
  const { romeo, juliet } = await stage.friends('romeo', 'juliet')
  juliet.sends(inactive)
  await juliet.settles()
  await sendsAll(
    romeo,
    '<presence><show>away</show></presence>',
    typing(juliet),
    '<presence><show>dnd</show></presence>',
  )
  await sendsAll(romeo, typing(juliet, 'paused'))
  juliet.sends(active)
  await juliet.receives(`<presence from='${romeo.jid}'><show>dnd</show></presence>`)
  await juliet.receives(
    `<message from='${romeo.jid}' type='chat'><paused xmlns='http://jabber.org/protocol/chatstates'/></message>`,
  )
  await juliet.receivesNothing()
  await sendsAll(romeo, '<presence/>')
  await juliet.receives(`<presence from='${romeo.jid}'/>`)
})

test('a message wakes a device up, and what was held back comes before it', async () => {
  const { romeo, juliet } = await stage.friends('romeo', 'juliet')
  juliet.sends(inactive)
  await juliet.settles()
  await sendsAll(romeo, '<presence><show>away</show></presence>', chat(juliet, 'Awake?'), typing(juliet))
  await juliet.receives(`<presence from='${romeo.jid}'><show>away</show></presence>`)
  await juliet.receives(`<message from='${romeo.jid}' type='chat'><body>Awake?</body></message>`)
  await romeo.settles()
  juliet.sends("<iq type='get' id='last'><ping xmlns='urn:xmpp:ping'/></iq>")
  await juliet.receives(`<message type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`)
  await juliet.receives("<iq type='result' id='last'/>")
})

test('active and what follows it are done in order: everything held back stands before the answer', async () => {
  const { romeo, juliet } = await stage.friends('romeo', 'juliet')
  juliet.sends(inactive)
  await juliet.settles()
  await sendsAll(romeo, '<presence><show>away</show></presence>')
  juliet.sends(`${active}<iq type='get' id='after'><ping xmlns='urn:xmpp:ping'/></iq>`)
  await juliet.receives(`<presence from='${romeo.jid}'><show>away</show></presence>`)
  await juliet.receives("<iq type='result' id='after'/>")
})

test('subscriptions and errors are not held back, nor is the own arrival in a room', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  juliet.sends(inactive)
  await juliet.settles()
  romeo.sends(`<presence to='${juliet.bare}' type='subscribe'/>`)
  await juliet.receives(`<presence type='subscribe' from='${romeo.bare}'/>`)
  const arrival = "<x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x>"
  romeo.sends(`<presence to='${juliet.jid}'>${arrival}</presence>`)
  await juliet.receives(`<presence from='${romeo.jid}'>${arrival}</presence>`)
})

test('copies of chat states are held back as well', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  const phone = await juliet.device('phone')
  await phone.gets("<iq type='set'><enable xmlns='urn:xmpp:carbons:2'/></iq>", "<iq type='result'/>")
  await phone.forgets()
  phone.sends(inactive)
  await phone.settles()
  await sendsAll(romeo, typing(juliet), typing(juliet, 'active'), chat(juliet, 'Hi'))
  const first = await phone.receives(
    `<message from='${juliet.bare}' type='chat'><received xmlns='urn:xmpp:carbons:2'/></message>`,
  )
  expect(String(first)).toContain('<active')
  expect(
    String(await phone.receives(`<message type='chat'><received xmlns='urn:xmpp:carbons:2'/></message>`)),
  ).toContain('Hi')
  await phone.receivesNothing()
})

test('an administrator can have nothing held back', async () => {
  await stage.sets('csi.presence', false)
  await stage.sets('csi.chatStates', false)
  const { romeo, juliet } = await stage.friends('romeo', 'juliet')
  juliet.sends(inactive)
  await juliet.settles()
  await sendsAll(romeo, '<presence><show>away</show></presence>', typing(juliet))
  await juliet.receives(`<presence from='${romeo.jid}'><show>away</show></presence>`)
  await juliet.receives(`<message type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`)
})

test('a resumed stream is active, and nothing that was held back is lost', async () => {
  const { romeo, juliet } = await stage.friends('romeo', 'juliet')
  const enabled = await juliet.client.manage()
  juliet.sends(inactive)
  await juliet.settles()
  juliet.client.cut()
  await juliet.client.closed()
  await sendsAll(romeo, '<presence><show>away</show></presence>', '<presence><show>xa</show></presence>')
  const client = await stage.connect(juliet.username)
  client.send(`<resume xmlns='urn:xmpp:sm:3' h='0' previd='${enabled.attrs.id}'/>`)
  await client.receives("<resumed xmlns='urn:xmpp:sm:3'/>")
  await client.receives('<presence><show>xa</show></presence>')
  romeo.sends('<presence/>')
  await client.receives(element => element.is('presence') && element.children.length === 0)
  await client[Symbol.asyncDispose]()
})
