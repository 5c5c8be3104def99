/** XEP-0191, as a script. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { failure, type Person, Stage } from '../support/script.ts'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.open()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

const command = (name: 'block' | 'unblock', ...jids: string[]) =>
  `<iq type='set'><${name} xmlns='urn:xmpp:blocking'>${jids.map(jid => `<item jid='${jid}'/>`).join('')}</${name}></iq>`
const list = (...jids: string[]) =>
  `<iq type='result'><blocklist xmlns='urn:xmpp:blocking'>${jids.map(jid => `<item jid='${jid}'/>`).join('')}</blocklist></iq>`
const askList = "<iq type='get'><blocklist xmlns='urn:xmpp:blocking'/></iq>"
const done = "<iq type='result'/>"
const unavailable = failure('cancel', 'service-unavailable')
const refused = failure('cancel', 'not-acceptable', "<blocked xmlns='urn:xmpp:blocking:errors'/>")
const chat = (to: string, id = 'm1') => `<message to='${to}' type='chat' id='${id}'><body>Hello</body></message>`

const block = async (one: Person, ...jids: string[]) => {
  await one.gets(command('block', ...jids), done)
}

test('the list is empty at first, and what was blocked stands in it until it is unblocked', async () => {
  const { juliet } = await stage.people('juliet')
  const empty = await juliet.gets(askList, list())
  expect(empty.getChild('blocklist')?.children).toEqual([])
  await block(juliet, 'romeo@montague.net', 'iago@shakespeare.lit/ship', 'verona.lit')
  await juliet.client.receives("<iq type='set'/>")
  await juliet.gets(askList, list('romeo@montague.net', 'iago@shakespeare.lit/ship', 'verona.lit'))
  await juliet.gets(command('unblock', 'iago@shakespeare.lit/ship'), done)
  await juliet.client.receives("<iq type='set'/>")
  await juliet.gets(askList, list('romeo@montague.net', 'verona.lit'))
  await juliet.gets(command('unblock'), done)
  await juliet.client.receives("<iq type='set'/>")
  expect((await juliet.gets(askList, list())).getChild('blocklist')?.children).toEqual([])
})

test('every device that asked for the list is told of changes, others are not', async () => {
  const { juliet } = await stage.people('juliet')
  const phone = await juliet.device('phone')
  await juliet.forgets()
  await phone.gets(askList, list())
  await block(juliet, 'romeo@montague.net')
  await phone.receives("<iq type='set'><block xmlns='urn:xmpp:blocking'><item jid='romeo@montague.net'/></block></iq>")
  await juliet.gets(command('unblock'), done)
  const push = await phone.receives("<iq type='set'><unblock xmlns='urn:xmpp:blocking'/></iq>")
  expect(push.getChild('unblock')?.children).toEqual([])
  await juliet.receivesNothing()
  await phone.receivesNothing()
})

test('a message from somebody blocked comes back as if nobody was there', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  await block(juliet, romeo.bare)
  romeo.sends(chat(juliet.bare))
  await romeo.receives(`<message type='error' id='m1' from='${juliet.bare}'>${unavailable}</message>`)
  romeo.sends(chat(juliet.jid, 'm2'))
  await romeo.receives(`<message type='error' id='m2' from='${juliet.jid}'>${unavailable}</message>`)
  romeo.sends(`<message to='${juliet.jid}' type='error' id='m3'>${unavailable}</message>`)
  romeo.sends(`<message to='${juliet.jid}' type='groupchat' id='m4'><body>Hi all</body></message>`)
  await romeo.receivesNothing()
  await juliet.receivesNothing()
})

test('a blocked message is not stored, neither for later nor in the archive', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  await block(juliet, romeo.bare)
  await juliet.leaves()
  romeo.sends(chat(juliet.bare))
  await romeo.receives(`<message type='error' id='m1' from='${juliet.bare}'>${unavailable}</message>`)
  const again = await juliet.device('again')
  const answer = await again.gets(
    "<iq type='set'><query xmlns='urn:xmpp:mam:2'/></iq>",
    "<iq type='result'><fin xmlns='urn:xmpp:mam:2' complete='true'/></iq>",
  )
  expect(answer.getChild('fin')?.getChild('set')?.children).toEqual([])
  await again.receivesNothing()
})

test('presence from somebody blocked vanishes without an answer', async () => {
  const { romeo, juliet } = await stage.friends('romeo', 'juliet')
  await block(juliet, romeo.bare)
  await romeo.forgets()
  romeo.sends('<presence><show>away</show></presence>')
  romeo.sends(`<presence to='${juliet.jid}'/>`)
  romeo.sends(`<presence to='${juliet.bare}' type='probe'/>`)
  romeo.sends(`<presence to='${juliet.bare}' type='subscribe'/>`)
  await romeo.receives(`<presence from='${romeo.jid}'><show>away</show></presence>`)
  await romeo.receivesNothing()
  await juliet.receivesNothing()
})

test('an IQ from somebody blocked is answered as if nobody was there; answers vanish', async () => {
  const { romeo, juliet } = await stage.friends('romeo', 'juliet')
  await block(juliet, romeo.bare)
  await romeo.forgets()
  for (const to of [juliet.jid, juliet.bare]) {
    await romeo.gets(
      `<iq type='get' to='${to}'><query xmlns='jabber:iq:version'/></iq>`,
      `<iq type='error' from='${to}'>${unavailable}</iq>`,
    )
  }
  romeo.sends(`<iq type='result' id='r1' to='${juliet.jid}'/>`)
  romeo.sends(`<iq type='error' id='r2' to='${juliet.jid}'>${unavailable}</iq>`)
  await romeo.receivesNothing()
  await juliet.receivesNothing()
})

test('nothing can be sent to somebody blocked; the error says why', async () => {
  const { romeo, juliet } = await stage.friends('romeo', 'juliet')
  await block(juliet, romeo.bare)
  await romeo.forgets()
  juliet.sends(chat(romeo.bare))
  await juliet.receives(`<message type='error' id='m1' from='${romeo.bare}'>${refused}</message>`)
  juliet.sends(`<presence to='${romeo.jid}' id='p1'/>`)
  await juliet.receives(`<presence type='error' id='p1' from='${romeo.jid}'>${refused}</presence>`)
  await juliet.gets(
    `<iq type='get' to='${romeo.jid}'><query xmlns='jabber:iq:version'/></iq>`,
    `<iq type='error' from='${romeo.jid}'>${refused}</iq>`,
  )
  await romeo.receivesNothing()
})

test('who is blocked sees the other one leave, and come back when unblocked', async () => {
  const { romeo, juliet } = await stage.friends('romeo', 'juliet')
  await block(juliet, romeo.bare)
  await romeo.receives(`<presence type='unavailable' from='${juliet.jid}' to='${romeo.bare}'/>`)
  juliet.sends('<presence><show>dnd</show></presence>')
  await juliet.receives(`<presence from='${juliet.jid}'/>`)
  romeo.sends('<presence><show>xa</show></presence>')
  await romeo.receives(`<presence from='${romeo.jid}'/>`)
  await juliet.gets(command('unblock', romeo.bare), done)
  await romeo.receives(`<presence from='${juliet.jid}'><show>dnd</show></presence>`)
  await juliet.receives(`<presence from='${romeo.jid}'><show>xa</show></presence>`)
  await romeo.receivesNothing()
  await juliet.receivesNothing()
})

test('somebody who is no contact is sent no presence when blocked or unblocked', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  await block(juliet, romeo.bare)
  await juliet.gets(command('unblock'), done)
  await romeo.receivesNothing()
  romeo.sends(chat(juliet.bare))
  await juliet.receives(`<message type='chat' from='${romeo.jid}'><body>Hello</body></message>`)
})

test('who was told of presence directly is told that it ended', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  juliet.sends(`<presence to='${romeo.jid}'/>`)
  await romeo.receives(`<presence from='${juliet.jid}'/>`)
  await block(juliet, romeo.bare)
  await romeo.receives(`<presence type='unavailable' from='${juliet.jid}'/>`)
})

test('one device of somebody can be blocked, or a whole domain', async () => {
  const { romeo, juliet, mercutio } = await stage.people('romeo', 'juliet', 'mercutio')
  const phone = await romeo.device('phone')
  await block(juliet, phone.jid)
  phone.sends(chat(juliet.bare))
  await phone.client.receives(`<message type='error' id='m1'/>`)
  romeo.sends(chat(juliet.bare))
  await juliet.receives(`<message type='chat' from='${romeo.jid}'><body>Hello</body></message>`)
  await block(juliet, 'office.test')
  mercutio.sends(chat(juliet.bare))
  await mercutio.receives(`<message type='error' id='m1'>${unavailable}</message>`)
})

test('nobody blocks the own devices', async () => {
  const { juliet } = await stage.people('juliet')
  const phone = await juliet.device('phone')
  await juliet.forgets()
  await block(juliet, juliet.bare)
  phone.sends(chat(juliet.jid))
  await juliet.receives(`<message type='chat' from='${phone.jid}'><body>Hello</body></message>`)
})

test('requests that make no sense are refused', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  const error = (type: string, condition: string) => `<iq type='error'>${failure(type, condition)}</iq>`
  await juliet.gets(command('block'), error('modify', 'bad-request'))
  await juliet.gets(
    "<iq type='set'><block xmlns='urn:xmpp:blocking'><item/></block></iq>",
    error('modify', 'bad-request'),
  )
  await juliet.gets(command('block', 'not@an@address'), error('modify', 'jid-malformed'))
  await juliet.gets(askList.replace('<iq ', `<iq to='${romeo.bare}' `), error('auth', 'forbidden'))
  await juliet.gets(command('block', 'a.lit').replace('<iq ', `<iq to='${romeo.bare}' `), error('auth', 'forbidden'))
})

test('there is a longest list', async () => {
  const { juliet } = await stage.people('juliet')
  await stage.sets('blocking.entriesMax', 2)
  await block(juliet, 'a.lit', 'b.lit')
  await juliet.gets(command('block', 'c.lit'), `<iq type='error'>${failure('wait', 'resource-constraint')}</iq>`)
  await block(juliet, 'a.lit')
})

test('a block outlives the session', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  await block(juliet, romeo.bare)
  await juliet.leaves()
  const again = await juliet.device('again')
  romeo.sends(chat(again.bare))
  await romeo.receives(`<message type='error' id='m1'>${unavailable}</message>`)
  await again.receivesNothing()
})
