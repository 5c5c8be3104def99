/** XEP-0160 and XEP-0203, as a script. */
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { breaking, failure, type Person, Stage, test } from '../support/script.ts'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.open()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

const chat = (to: string, body: string, more = '') =>
  `<message to='${to}' type='chat'><body>${body}</body>${more}</message>`
const late = (from: Person, body: string) =>
  `<message from='${from.jid}' type='chat'><body>${body}</body><delay xmlns='urn:xmpp:delay' from='office.test' stamp='*'/></message>`
const unavailable = failure('cancel', 'service-unavailable')

/** Romeo online, Juliet gone home; `back` brings her again. */
const apart = async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  await juliet.leaves()
  const back = (resource = 'again') => stage.device(juliet.username, resource)
  return { romeo, bare: juliet.bare, full: juliet.jid, back }
}

breaking('messages wait for somebody who is away and come in order with their time and id', async () => {
  const { romeo, bare, full, back } = await apart()
  const before = Date.now()
  romeo.sends(chat(bare, 'One'))
  romeo.sends(chat(full, 'Two'))
  romeo.sends(`<message to='${bare}'><body>Three</body></message>`)
  await romeo.receivesNothing()
  await stage.breaks()
  const juliet = await back()
  juliet.sends('<presence/>')
  await juliet.receives(`<presence from='${juliet.jid}'/>`)
  const one = await juliet.receives(late(romeo, 'One'))
  await juliet.receives(late(romeo, 'Two'))
  await juliet.receives(`<message from='${romeo.jid}'><body>Three</body></message>`)
  const stamp = Date.parse(one.getChild('delay')?.attrs.stamp)
  expect(stamp).toBeGreaterThanOrEqual(before)
  expect(stamp).toBeLessThanOrEqual(Date.now())
  expect(one.getChild('stanza-id', 'urn:xmpp:sid:0')?.attrs.by).toBe(bare)
})

test('what was delivered does not wait any longer', async () => {
  const { romeo, bare, back } = await apart()
  romeo.sends(chat(bare, 'Once'))
  await romeo.settles()
  const juliet = await back()
  juliet.sends('<presence/>')
  await juliet.client.receives(`<message><body>Once</body></message>`)
  await juliet.leaves()
  const later = await back('later')
  later.sends('<presence/>')
  await later.receives(`<presence from='${later.jid}'/>`)
  await later.receivesNothing()
})

test('a device of negative priority gets nothing until it raises its priority', async () => {
  const { romeo, bare, back } = await apart()
  romeo.sends(chat(bare, 'Higher'))
  await romeo.settles()
  const juliet = await back()
  juliet.sends('<presence><priority>-1</priority></presence>')
  await juliet.receives(`<presence from='${juliet.jid}'/>`)
  romeo.sends(chat(bare, 'Still too low'))
  await juliet.receivesNothing()
  juliet.sends('<presence><priority>1</priority></presence>')
  await juliet.receives(`<presence from='${juliet.jid}'/>`)
  await juliet.receives(late(romeo, 'Higher'))
  await juliet.receives(late(romeo, 'Still too low'))
  await juliet.receivesNothing()
})

test('messages also wait while somebody is connected but has sent no presence', async () => {
  const { romeo } = await stage.people('romeo')
  const { juliet } = await stage.strangers('juliet')
  romeo.sends(chat(juliet.bare, 'Are you there'))
  await juliet.receivesNothing()
  juliet.sends('<presence/>')
  await juliet.receives(`<presence from='${juliet.jid}'/>`)
  await juliet.receives(late(romeo, 'Are you there'))
})

test.each([
  ['a headline', "type='headline'", '<body>News</body>'],
  ['a chat state alone', "type='chat'", "<composing xmlns='http://jabber.org/protocol/chatstates'/>"],
  ['an error', "type='error'", unavailable],
])('%s does not wait, and nobody is told', async (_, type, content) => {
  const { romeo, bare, back } = await apart()
  romeo.sends(`<message to='${bare}' ${type}>${content}</message>`)
  await romeo.receivesNothing()
  const juliet = await back()
  juliet.sends('<presence/>')
  await juliet.receives(`<presence from='${juliet.jid}'/>`)
  await juliet.receivesNothing()
})

test.each([
  ['a message to a room', "type='groupchat'", '<body>Hi all</body>'],
  ['a message that is not to be stored', "type='chat'", "<body>Now or never</body><no-store xmlns='urn:xmpp:hints'/>"],
])('%s comes back', async (_, type, content) => {
  const { romeo, bare } = await apart()
  romeo.sends(`<message to='${bare}' ${type}>${content}</message>`)
  await romeo.receives(`<message from='${bare}' type='error'>${unavailable}</message>`)
})

test('a message that asks not to be archived waits without an id of the archive', async () => {
  const { romeo, bare, back } = await apart()
  romeo.sends(chat(bare, 'Between us', "<no-permanent-store xmlns='urn:xmpp:hints'/>"))
  await romeo.settles()
  const juliet = await back()
  juliet.sends('<presence/>')
  const message = await juliet.client.receives('<message><body>Between us</body></message>')
  expect(message.getChild('stanza-id', 'urn:xmpp:sid:0')).toBeUndefined()
})

test('when too many wait, the sender is told', async () => {
  await stage.sets('offline.waitingMax', 2)
  const { romeo, bare, back } = await apart()
  for (const body of ['One', 'Two', 'Three']) romeo.sends(chat(bare, body))
  await romeo.receives(`<message from='${bare}' type='error'>${unavailable}</message>`)
  const juliet = await back()
  juliet.sends('<presence/>')
  await juliet.receives(`<presence from='${juliet.jid}'/>`)
  await juliet.receives(late(romeo, 'One'))
  await juliet.receives(late(romeo, 'Two'))
  await juliet.receivesNothing()
})

test('many waiting messages come all and in order, with new ones behind them', async () => {
  const { romeo, bare, back } = await apart()
  for (let number = 1; number <= 350; number++) romeo.sends(chat(bare, String(number)))
  await romeo.settles()
  const juliet = await back()
  juliet.sends('<presence/>')
  await juliet.receives(`<presence from='${juliet.jid}'/>`)
  romeo.sends(chat(bare, '351'))
  for (let number = 1; number <= 350; number++) await juliet.receives(late(romeo, String(number)))
  await juliet.receives(`<message from='${romeo.jid}' type='chat'><body>351</body></message>`)
})

breaking('what a client with stream management has not acknowledged waits for the next one', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  await juliet.client.manage("resume='false'")
  romeo.sends(chat(juliet.bare, 'Lost on the way'))
  await juliet.client.receives('<message><body>Lost on the way</body></message>')
  await stage.breaks([juliet])
  juliet.client.cut()
  await juliet.client.closed()
  await romeo.settles()
  const again = await stage.device(juliet.username, 'again')
  again.sends('<presence/>')
  await again.client.receives('<message><body>Lost on the way</body></message>')
})

test('two devices that come online at once get a waiting message between them exactly once', async () => {
  const { romeo, bare, back } = await apart()
  romeo.sends(chat(bare, 'For one of you'))
  await romeo.settles()
  const [pc, phone] = [await back('pc'), await back('phone')]
  pc.sends('<presence/>')
  phone.sends('<presence/>')
  const copies = async () => {
    const all = [...(await pc.client.leftovers()), ...(await phone.client.leftovers())]
    return all.filter(stanza => stanza.is('message')).length
  }
  await expect.poll(copies).toBe(1)
  await stage.settle()
  expect(await copies()).toBe(1)
})
