/** RFC 6120 §8.2.3 and RFC 6121 §8.5: requests and answers, as a script. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { failure, Stage } from '../support/script.ts'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.open()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

const unavailable = failure('cancel', 'service-unavailable')
const strange = "<query xmlns='urn:example:strange'/>"

describe('the form of a request (RFC 6120 §8.2.3)', () => {
  test.each([
    ['no id', "<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>", undefined],
    ['no type', "<iq id='x'><ping xmlns='urn:xmpp:ping'/></iq>", 'x'],
    ['a type that is none', "<iq type='ask' id='x'><ping xmlns='urn:xmpp:ping'/></iq>", 'x'],
    ['no payload', "<iq type='get' id='x'/>", 'x'],
    ['two payloads', "<iq type='get' id='x'><ping xmlns='urn:xmpp:ping'/><ping xmlns='urn:xmpp:ping'/></iq>", 'x'],
  ])('a request with %s is bad', async (_, iq, id) => {
    const { romeo } = await stage.people('romeo')
    romeo.sends(iq)
    const answer = await romeo.receives(`<iq type='error'>${failure('modify', 'bad-request')}</iq>`)
    expect(answer.attrs.id).toBe(id)
  })

  test('answers are never answered', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    for (const to of [
      '',
      " to='office.test'",
      ` to='${romeo.bare}'`,
      ` to='${juliet.bare}'`,
      ` to='${juliet.bare}/elsewhere'`,
      " to='nobody@office.test'",
    ]) {
      romeo.sends(`<iq type='result' id='r'${to}/>`)
      romeo.sends(`<iq type='error' id='e'${to}>${unavailable}</iq>`)
    }
    await romeo.receivesNothing()
    await juliet.receivesNothing()
  })
})

describe('requests to the server and to accounts', () => {
  test('the answer comes from whom it was asked of', async () => {
    const { romeo } = await stage.people('romeo')
    const ping = "<ping xmlns='urn:xmpp:ping'/>"
    await romeo.gets(
      `<iq type='get' to='office.test'>${ping}</iq>`,
      `<iq type='result' from='office.test' to='${romeo.jid}'/>`,
    )
    await romeo.gets(`<iq type='get' to='${romeo.bare}'>${ping}</iq>`, `<iq type='result' from='${romeo.bare}'/>`)
    expect((await romeo.asks(`<iq type='get'>${ping}</iq>`)).attrs.from).toBeUndefined()
  })

  test('what nobody understands is not served', async () => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    for (const to of [
      '',
      " to='office.test'",
      ` to='${romeo.bare}'`,
      ` to='${juliet.bare}'`,
      " to='nobody@office.test'",
    ]) {
      for (const type of ['get', 'set'])
        await romeo.gets(`<iq type='${type}'${to}>${strange}</iq>`, `<iq type='error'>${unavailable}</iq>`)
    }
    await juliet.receivesNothing()
  })

  test('a question that can only be asked is not a change', async () => {
    const { romeo } = await stage.people('romeo')
    await romeo.gets(
      "<iq type='set' to='office.test'><ping xmlns='urn:xmpp:ping'/></iq>",
      `<iq type='error'>${unavailable}</iq>`,
    )
  })

  test('another office cannot be reached', async () => {
    const { romeo } = await stage.people('romeo')
    const answer = await romeo.asks(`<iq type='get' to='juliet@elsewhere.invalid'>${strange}</iq>`)
    expect(String(answer)).toContain('remote-server-not-found')
  })
})

describe('requests to devices (RFC 6121 §8.5.3)', () => {
  const ask = (to: string, id = 'q') => `<iq type='get' id='${id}' to='${to}'>${strange}</iq>`

  test('a device asks a device of somebody who shares presence with it, and the answer comes back', async () => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    romeo.sends(ask(juliet.jid))
    await juliet.receives(`<iq type='get' id='q' from='${romeo.jid}' to='${juliet.jid}'>${strange}</iq>`)
    juliet.sends(`<iq type='result' id='q' to='${romeo.jid}'><answer xmlns='urn:example:strange'/></iq>`)
    await romeo.receives(`<iq type='result' id='q' from='${juliet.jid}'><answer xmlns='urn:example:strange'/></iq>`)
  })

  test('a stranger reaches no device, whether it is there or not', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    for (const to of [juliet.jid, `${juliet.bare}/elsewhere`, 'nobody@office.test/pc']) {
      await romeo.gets(`<iq type='get' to='${to}'>${strange}</iq>`, `<iq type='error' from='${to}'>${unavailable}</iq>`)
    }
    await juliet.receivesNothing()
  })

  test('presence sent directly opens the door, and its end closes it', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    juliet.sends(`<presence to='${romeo.jid}'/>`)
    await romeo.receives(`<presence from='${juliet.jid}'/>`)
    romeo.sends(ask(juliet.jid))
    await juliet.receives(`<iq type='get' id='q' from='${romeo.jid}'>${strange}</iq>`)
    juliet.sends(`<presence to='${romeo.jid}' type='unavailable'/>`)
    await romeo.receives(`<presence from='${juliet.jid}' type='unavailable'/>`)
    await romeo.gets(`<iq type='get' to='${juliet.jid}'>${strange}</iq>`, `<iq type='error'>${unavailable}</iq>`)
  })

  test('a subscription works in one direction', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    juliet.sends(`<presence to='${romeo.bare}' type='subscribed'/>`)
    await juliet.settles()
    romeo.sends(`<presence to='${juliet.bare}' type='subscribe'/>`)
    await stage.settle()
    await romeo.forgets()
    await juliet.forgets()
    romeo.sends(ask(juliet.jid))
    await juliet.receives(`<iq type='get' id='q' from='${romeo.jid}'>${strange}</iq>`)
    await juliet.gets(`<iq type='get' to='${romeo.jid}'>${strange}</iq>`, `<iq type='error'>${unavailable}</iq>`)
    await romeo.receivesNothing()
  })

  test('the own devices reach each other', async () => {
    const { romeo } = await stage.people('romeo')
    const phone = await romeo.device('phone')
    await romeo.forgets()
    romeo.sends(ask(phone.jid))
    await phone.receives(`<iq type='get' id='q' from='${romeo.jid}'>${strange}</iq>`)
    await romeo.gets(
      `<iq type='get' to='${romeo.bare}/elsewhere'>${strange}</iq>`,
      `<iq type='error'>${unavailable}</iq>`,
    )
  })

  test('answers reach a device also from a stranger', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    romeo.sends(`<iq type='result' id='r' to='${juliet.jid}'/>`)
    await juliet.receives(`<iq type='result' id='r' from='${romeo.jid}'/>`)
    romeo.sends(`<iq type='error' id='e' to='${juliet.jid}'>${unavailable}</iq>`)
    await juliet.receives(`<iq type='error' id='e' from='${romeo.jid}'>${unavailable}</iq>`)
  })

  test('a request whose device leaves without an answer is answered for it', async () => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    await juliet.client.manage("resume='false'")
    romeo.sends(ask(juliet.jid))
    await juliet.receives(`<iq type='get' id='q'>${strange}</iq>`)
    juliet.client.cut()
    await juliet.client.closed()
    await romeo.client.receives(`<iq type='error' id='q' from='${juliet.jid}'/>`)
  })
})
