/** XEP-0359, as a script. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Element } from '../../server/xmpp/element.ts'
import { Stage } from '../support/script.ts'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.open()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

const idsOf = (message: Element) => message.getChildren('stanza-id', 'urn:xmpp:sid:0').map(({ attrs }) => attrs)

test('a message carries the id it has in the archive of its receiver, and no forged one', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  const id = (by: string) => `<stanza-id xmlns='urn:xmpp:sid:0' id='forged' by='${by}'/>`
  const origin = "<origin-id xmlns='urn:xmpp:sid:0' id='mine'/>"
  romeo.sends(
    `<message to='${juliet.jid}' type='chat'><body>x</body>${id(juliet.bare)}${id(juliet.bare.toUpperCase())}${id(romeo.bare)}${id('room@rooms.test')}${origin}</message>`,
  )
  const message = await juliet.client.receives("<message type='chat'><body>x</body></message>")
  const [foreign, own, ...others] = idsOf(message)
  expect(foreign).toMatchObject({ id: 'forged', by: 'room@rooms.test' })
  expect(own?.by).toBe(juliet.bare)
  expect(own?.id).not.toBe('forged')
  expect(others).toEqual([])
  expect(message.getChild('origin-id', 'urn:xmpp:sid:0')?.attrs.id).toBe('mine')
})

test('a message that is not kept carries no id, nor a forged one', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  romeo.sends(
    `<message to='${juliet.jid}' type='headline'><body>x</body><stanza-id xmlns='urn:xmpp:sid:0' id='forged' by='${juliet.bare}'/></message>`,
  )
  expect(idsOf(await juliet.receives("<message type='headline'><body>x</body></message>"))).toEqual([])
})

test('each message has an id of its own, and later ones sort behind', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  for (let count = 0; count < 20; count++)
    romeo.sends(`<message to='${juliet.jid}' type='chat'><body>x</body></message>`)
  const ids: string[] = []
  for (let count = 0; count < 20; count++)
    ids.push(idsOf(await juliet.receives("<message type='chat'><body>x</body></message>"))[0]?.id)
  expect(new Set(ids).size).toBe(20)
  expect(ids).toEqual(ids.toSorted())
})
