/** RFC 6121 §3: who may see whose presence, as a script. The tables of Appendix A stand beside core/subscription-states.ts. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { failure, type Person, Stage } from '../support/script.ts'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.open()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

const NS = 'jabber:iq:roster'

const presence = (type: string, to: Person | string, id = 'p') =>
  `<presence type='${type}' to='${typeof to === 'string' ? to : to.bare}' id='${id}'/>`
const push = (item: string) => `<iq type='set'><query xmlns='${NS}' ver='*'>${item}</query></iq>`
const item = (of: Person, subscription: string, more = "ask='!' approved='!'") =>
  `<item jid='${of.bare}' subscription='${subscription}' ${more}/>`
const asking = "ask='subscribe' approved='!'"
const approved = "ask='!' approved='true'"

/** Asks for the contact list, so that changes of it are pushed here. */
const isInterested = async (...persons: Person[]) => {
  for (const one of persons) await one.asks(`<iq type='get'><query xmlns='${NS}'/></iq>`)
}

/** The contact list of somebody, as pairs of address and state. */
const contacts = async (one: Person) => {
  const query = (await one.asks(`<iq type='get'><query xmlns='${NS}'/></iq>`)).getChild('query')
  return (query?.getChildren('item') ?? []).map(({ attrs }) =>
    [attrs.jid, attrs.subscription, attrs.ask, attrs.approved].filter(Boolean),
  )
}

/** Romeo sees Juliet, and both have their lists open. */
const romeoSeesJuliet = async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  juliet.sends(presence('subscribed', romeo))
  await juliet.settles()
  romeo.sends(presence('subscribe', juliet))
  await stage.settle()
  await isInterested(romeo, juliet)
  await romeo.forgets()
  await juliet.forgets()
  return { romeo, juliet }
}

describe('asking (§3.1)', () => {
  test('a request reaches all devices of the other one, an approval all of the asking one, then presence', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    const phone = await juliet.device('phone')
    await juliet.forgets()
    await isInterested(romeo, juliet)
    romeo.sends(presence('subscribe', juliet, 'ask'))
    await romeo.receives(push(item(juliet, 'none', asking)))
    const request = `<presence type='subscribe' id='ask' from='${romeo.bare}' to='${juliet.bare}'/>`
    await juliet.receives(request)
    await phone.receives(request)
    expect(await contacts(juliet)).toEqual([])
    juliet.sends(presence('subscribed', romeo, 'yes'))
    await juliet.receives(push(item(romeo, 'from')))
    await romeo.receives(`<presence type='subscribed' id='yes' from='${juliet.bare}' to='${romeo.bare}'/>`)
    await romeo.receives(push(item(juliet, 'to')))
    await romeo.receivesInAnyOrder(
      `<presence from='${juliet.jid}' to='${romeo.bare}'/>`,
      `<presence from='${phone.jid}'/>`,
    )
    await romeo.receivesNothing()
    await juliet.receivesNothing()
  })

  test('a request to a device is one to its person', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    romeo.sends(presence('subscribe', juliet.jid))
    await juliet.receives(`<presence type='subscribe' from='${romeo.bare}' to='${juliet.bare}'/>`)
    expect(await contacts(romeo)).toEqual([[juliet.bare, 'none', 'subscribe']])
  })

  test('a request waits for somebody who is away, whole, and comes at each login until it is answered', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    await juliet.leaves()
    const words = "<status>Let me see you</status><nick xmlns='http://jabber.org/protocol/nick'>Romeo</nick>"
    for (let count = 0; count < 3; count++)
      romeo.sends(`<presence type='subscribe' to='${juliet.bare}'>${words}</presence>`)
    await romeo.settles()
    for (const resource of ['one', 'two']) {
      const device = await stage.device(juliet.username, resource)
      await device.receivesNothing()
      device.sends('<presence/>')
      await device.receives(`<presence from='${device.jid}'/>`)
      await device.receives(`<presence type='subscribe' from='${romeo.bare}'>${words}</presence>`)
      await device.receivesNothing()
      await device.leaves()
    }
    const last = await juliet.device('three')
    last.sends(presence('unsubscribed', romeo))
    await last.settles()
    await last.leaves()
    const after = await stage.device(juliet.username, 'four')
    after.sends('<presence/>')
    await after.receives(`<presence from='${after.jid}'/>`)
    await after.receivesNothing()
  })

  test('a second request is not shown again while the first one waits', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    romeo.sends(presence('subscribe', juliet))
    await juliet.receives(`<presence type='subscribe' from='${romeo.bare}'/>`)
    romeo.sends(presence('subscribe', juliet))
    await juliet.receivesNothing()
  })

  test('who asks again for what there is gets a yes at once', async () => {
    const { romeo, juliet } = await romeoSeesJuliet()
    romeo.sends(presence('subscribe', juliet, 'again'))
    await juliet.receivesNothing()
    expect(await contacts(romeo)).toEqual([[juliet.bare, 'to']])
    expect(await contacts(juliet)).toEqual([[romeo.bare, 'from']])
  })

  test('a denial ends the request and nothing else', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    await isInterested(romeo, juliet)
    romeo.sends(presence('subscribe', juliet))
    await juliet.receives(`<presence type='subscribe' from='${romeo.bare}'/>`)
    await romeo.receives(push(item(juliet, 'none', asking)))
    juliet.sends(presence('unsubscribed', romeo, 'no'))
    await romeo.receives(`<presence type='unsubscribed' id='no' from='${juliet.bare}' to='${romeo.bare}'/>`)
    await romeo.receives(push(item(juliet, 'none')))
    await romeo.receivesNothing()
    await juliet.receivesNothing()
  })

  test('requests in both directions end in both seeing each other', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    romeo.sends(presence('subscribe', juliet))
    juliet.sends(presence('subscribe', romeo))
    await stage.settle()
    expect(await contacts(romeo)).toEqual([[juliet.bare, 'none', 'subscribe']])
    expect(await contacts(juliet)).toEqual([[romeo.bare, 'none', 'subscribe']])
    romeo.sends(presence('subscribed', juliet))
    await stage.settle()
    expect(await contacts(romeo)).toEqual([[juliet.bare, 'from', 'subscribe']])
    expect(await contacts(juliet)).toEqual([[romeo.bare, 'to']])
    juliet.sends(presence('subscribed', romeo))
    await stage.settle()
    expect(await contacts(romeo)).toEqual([[juliet.bare, 'both']])
    expect(await contacts(juliet)).toEqual([[romeo.bare, 'both']])
  })

  test('nobody subscribes to oneself, and nothing comes of asking nobody', async () => {
    const { romeo } = await stage.people('romeo')
    romeo.sends(presence('subscribe', romeo))
    await romeo.receives(`<presence type='error' from='${romeo.bare}'>${failure('cancel', 'not-allowed')}</presence>`)
    romeo.sends(presence('subscribe', 'nobody@office.test'))
    await romeo.receivesNothing()
    romeo.sends("<presence type='subscribe'/>")
    await romeo.receives(`<presence type='error'>${failure('modify', 'bad-request')}</presence>`)
  })
})

describe('cancelling (§3.2)', () => {
  test('the other one is told unavailable presence first, then that it is over', async () => {
    const { romeo, juliet } = await romeoSeesJuliet()
    juliet.sends(presence('unsubscribed', romeo, 'over'))
    await romeo.receives(`<presence type='unavailable' from='${juliet.jid}' to='${romeo.bare}'/>`)
    await romeo.receives(`<presence type='unsubscribed' id='over' from='${juliet.bare}'/>`)
    await romeo.receives(push(item(juliet, 'none')))
    await juliet.receives(push(item(romeo, 'none')))
    juliet.sends('<presence><show>away</show></presence>')
    await romeo.receivesNothing()
  })

  test('of a mutual subscription the other half stays', async () => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    juliet.sends(presence('unsubscribed', romeo))
    await stage.settle()
    expect(await contacts(romeo)).toEqual([[juliet.bare, 'from']])
    expect(await contacts(juliet)).toEqual([[romeo.bare, 'to']])
  })

  test('where there is nothing to cancel, nothing happens', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    juliet.sends(presence('unsubscribed', romeo))
    await romeo.receivesNothing()
    await juliet.receivesNothing()
    expect(await contacts(juliet)).toEqual([])
  })
})

describe('unsubscribing (§3.3)', () => {
  test('the other one is told, and presence ends', async () => {
    const { romeo, juliet } = await romeoSeesJuliet()
    romeo.sends(presence('unsubscribe', juliet, 'bye'))
    await romeo.receives(push(item(juliet, 'none')))
    await juliet.receives(`<presence type='unsubscribe' id='bye' from='${romeo.bare}' to='${juliet.bare}'/>`)
    await juliet.receives(push(item(romeo, 'none')))
    await romeo.receives(`<presence type='unavailable' from='${juliet.jid}'/>`)
    juliet.sends('<presence><show>away</show></presence>')
    await romeo.receivesNothing()
  })

  test('a request can be taken back', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    romeo.sends(presence('subscribe', juliet))
    await juliet.receives(`<presence type='subscribe' from='${romeo.bare}'/>`)
    romeo.sends(presence('unsubscribe', juliet))
    await stage.settle()
    expect(await contacts(romeo)).toEqual([[juliet.bare, 'none']])
    juliet.sends(presence('subscribed', romeo))
    await stage.settle()
    expect(await contacts(romeo)).toEqual([[juliet.bare, 'none']])
  })
})

describe('approving in advance (§3.4)', () => {
  test('a request is then granted without a question', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    await isInterested(romeo, juliet)
    juliet.sends(presence('subscribed', romeo))
    await juliet.receives(push(item(romeo, 'none', approved)))
    await romeo.receivesNothing()
    romeo.sends(presence('subscribe', juliet))
    await romeo.receives(push(item(juliet, 'none', asking)))
    await romeo.receives(`<presence type='subscribed' from='${juliet.bare}' to='${romeo.bare}'/>`)
    await romeo.receives(push(item(juliet, 'to')))
    await romeo.receives(`<presence from='${juliet.jid}'/>`)
    await juliet.receives(push(`<item jid='${romeo.bare}' subscription='from'/>`))
    await juliet.receivesNothing()
  })

  test('it can be taken back, silently', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    juliet.sends(presence('subscribed', romeo))
    await juliet.settles()
    expect(await contacts(juliet)).toEqual([[romeo.bare, 'none', 'true']])
    juliet.sends(presence('unsubscribed', romeo))
    await juliet.settles()
    expect(await contacts(juliet)).toEqual([[romeo.bare, 'none']])
    await romeo.receivesNothing()
    romeo.sends(presence('subscribe', juliet))
    await juliet.client.receives(`<presence type='subscribe' from='${romeo.bare}'/>`)
  })
})

describe('removing a contact (§2.5.2)', () => {
  test('both directions end, and the other one is told', async () => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    await isInterested(romeo, juliet)
    juliet.sends(
      `<iq type='set' id='rm'><query xmlns='${NS}'><item jid='${romeo.bare}' subscription='remove'/></query></iq>`,
    )
    await stage.settle()
    const types = (await romeo.client.leftovers())
      .filter(stanza => stanza.is('presence'))
      .map(stanza => stanza.attrs.type)
    expect(types).toEqual(expect.arrayContaining(['unavailable', 'unsubscribe', 'unsubscribed']))
    await romeo.forgets()
    expect(await contacts(juliet)).toEqual([])
    expect(await contacts(romeo)).toEqual([[juliet.bare, 'none']])
    const unavailable = (await juliet.client.leftovers()).filter(stanza => stanza.is('presence'))
    expect(unavailable.map(({ attrs }) => [attrs.type, attrs.from])).toEqual([['unavailable', romeo.jid]])
    await juliet.forgets()
    juliet.sends('<presence/>')
    await juliet.receives(`<presence from='${juliet.jid}'/>`)
    await romeo.receivesNothing()
  })
})
