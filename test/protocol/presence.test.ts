/** RFC 6121 §4: presence, as a script. */
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest'
import { breaking, failure, type Person, Stage, test } from '../support/script.ts'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.open()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

const seen = (from: Person | string, content = '') =>
  `<presence from='${typeof from === 'string' ? from : from.jid}'>${content}</presence>`
const gone = (from: Person | string, content = '') =>
  `<presence type='unavailable' from='${typeof from === 'string' ? from : from.jid}'>${content}</presence>`

describe('coming online (§4.2, §4.3)', () => {
  breaking('contacts see it, and one sees who is there', async () => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    await stage.breaks()
    await juliet.leaves()
    await romeo.receives(gone(juliet))
    const again = await stage.device(juliet.username, 'again')
    again.sends(
      "<presence><show>chat</show><status>Here</status><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/></presence>",
    )
    const content =
      "<show>chat</show><status>Here</status><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/>"
    const told = await romeo.receives(seen(again, content))
    expect(told.attrs.to).toBe(romeo.bare)
    await again.receivesInAnyOrder(seen(again, content), seen(romeo))
    await romeo.receivesNothing()
    await again.receivesNothing()
  })

  test('strangers see nothing, in either direction', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    juliet.sends('<presence><show>away</show></presence>')
    await juliet.receives(seen(juliet, '<show>away</show>'))
    await romeo.receivesNothing()
    await juliet.receivesNothing()
  })

  test('the own devices see each other', async () => {
    const { romeo } = await stage.people('romeo')
    const phone = await stage.device(romeo.username, 'phone')
    phone.sends('<presence><priority>3</priority></presence>')
    await phone.receivesInAnyOrder(seen(phone, '<priority>3</priority>'), seen(romeo))
    await romeo.receives(seen(phone, '<priority>3</priority>'))
    await phone.leaves()
    await romeo.receives(gone(phone))
  })

  test('who has sent no presence is told nothing', async () => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    const silent = await stage.device(juliet.username, 'silent')
    romeo.sends('<presence><show>away</show></presence>')
    await romeo.receives(seen(romeo, '<show>away</show>'))
    await silent.receivesNothing()
    await juliet.receives(seen(romeo, '<show>away</show>'))
  })

  test('all devices of a contact are told, and all of them are shown', async () => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    const phone = await juliet.device('phone')
    await romeo.receives(seen(phone))
    await juliet.forgets()
    const laptop = await stage.device(romeo.username, 'laptop')
    laptop.sends('<presence/>')
    await laptop.receivesInAnyOrder(seen(laptop), seen(romeo), seen(juliet), seen(phone))
    await juliet.receives(seen(laptop))
    await phone.receives(seen(laptop))
  })
})

describe('changing and leaving (§4.4, §4.5)', () => {
  test('a change is told as it is', async () => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    juliet.sends("<presence id='c' xml:lang='it'><show>dnd</show><status>Al balcone</status></presence>")
    await romeo.receives(
      `<presence id='c' xml:lang='it' from='${juliet.jid}'><show>dnd</show><status>Al balcone</status></presence>`,
    )
  })

  test('leaving with words is told with them, and the device gets nothing more', async () => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    juliet.sends("<presence type='unavailable'><status>Good night</status></presence>")
    await romeo.receives(gone(juliet, '<status>Good night</status>'))
    romeo.sends('<presence><show>xa</show></presence>')
    await romeo.receives(seen(romeo, '<show>xa</show>'))
    await juliet.receivesNothing()
    juliet.sends("<presence type='unavailable'/>")
    await romeo.receivesNothing()
  })

  test('coming back is like coming online', async () => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    juliet.sends("<presence type='unavailable'/>")
    await romeo.receives(gone(juliet))
    await juliet.forgets()
    juliet.sends('<presence/>')
    await juliet.receivesInAnyOrder(seen(juliet), seen(romeo))
    await romeo.receives(seen(juliet))
  })

  breaking('nobody is shown who is not there any more', async () => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    await stage.breaks([juliet])
    juliet.client.cut()
    await romeo.receives(gone(juliet))
    const again = await juliet.device('again')
    await romeo.receives(seen(again))
    await romeo.receivesNothing()
  })

  test('an end of the stream, a broken connection and a removal by force are told as well', async () => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    await juliet.leaves()
    await romeo.receives(gone(juliet))
    const second = await juliet.device('second')
    await romeo.receives(seen(second))
    second.client.cut()
    await romeo.receives(gone(second))
    const third = await juliet.device('third')
    await romeo.receives(seen(third))
    await stage.house.ends(third.jid)
    await romeo.receives(gone(third))
  })
})

describe('probes (§4.3.2)', () => {
  test('a contact may ask, and is told what was last broadcast', async () => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    juliet.sends('<presence><show>away</show></presence>')
    await romeo.receives(seen(juliet, '<show>away</show>'))
    romeo.sends(`<presence to='${juliet.bare}' type='probe'/>`)
    await romeo.receives(seen(juliet, '<show>away</show>'))
    await juliet.receives(seen(juliet, '<show>away</show>'))
    await juliet.receivesNothing()
  })

  test.each([
    ['a stranger', (bare: string) => bare],
    ['nobody', () => 'nobody@office.test'],
  ])('a probe of %s is answered the same: not subscribed', async (_, target) => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    const bare = target(juliet.bare)
    romeo.sends(`<presence to='${bare}' type='probe'/>`)
    const answer = await romeo.receives(`<presence type='unsubscribed' from='${bare}'/>`)
    expect(answer.attrs.from).toBe(bare)
    await juliet.receivesNothing()
  })
})

describe('presence to one address (§4.6)', () => {
  test('is seen by that one alone, and so is its end', async () => {
    const { romeo, juliet, mercutio } = await stage.people('romeo', 'juliet', 'mercutio')
    romeo.sends(`<presence to='${juliet.jid}'><status>psst</status></presence>`)
    const told = await juliet.receives(seen(romeo, '<status>psst</status>'))
    expect(told.attrs.to).toBe(juliet.jid)
    romeo.sends('<presence><show>away</show></presence>')
    await romeo.receives(seen(romeo, '<show>away</show>'))
    await juliet.receivesNothing()
    await romeo.leaves()
    await juliet.receives(gone(romeo))
    await mercutio.receivesNothing()
  })

  test('its end is not told twice', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    romeo.sends(`<presence to='${juliet.jid}'/>`)
    await juliet.receives(seen(romeo))
    romeo.sends(`<presence to='${juliet.jid}' type='unavailable'/>`)
    await juliet.receives(gone(romeo))
    await romeo.leaves()
    await juliet.receivesNothing()
  })

  test('to a contact its end is told once', async () => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    romeo.sends(`<presence to='${juliet.bare}'><status>psst</status></presence>`)
    await juliet.receives(seen(romeo, '<status>psst</status>'))
    await romeo.leaves()
    await juliet.receives(gone(romeo))
    await juliet.receivesNothing()
  })

  test('nothing comes of presence to nobody', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    for (const to of ['nobody@office.test', `${juliet.bare}/elsewhere`]) {
      romeo.sends(`<presence to='${to}'/>`)
      romeo.sends(`<presence to='${to}' type='unavailable'/>`)
    }
    await romeo.receivesNothing()
    await juliet.receivesNothing()
  })
})

describe('what is no presence', () => {
  test.each(['128', '-129', 'high', '1.5', '', '1 1'])('a priority of “%s” is refused', async priority => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    romeo.sends(`<presence id='p'><priority>${priority}</priority></presence>`)
    await romeo.receives(`<presence type='error' id='p'>${failure('modify', 'bad-request')}</presence>`)
    await juliet.receivesNothing()
  })

  test.each(['127', '-128', '0', '+1'])('a priority of %s is one', async priority => {
    const { romeo } = await stage.people('romeo')
    romeo.sends(`<presence><priority>${priority}</priority></presence>`)
    await romeo.receives(seen(romeo, `<priority>${priority}</priority>`))
  })

  test('a type that is none is refused', async () => {
    const { romeo, juliet } = await stage.friends('romeo', 'juliet')
    romeo.sends("<presence type='available' id='p'/>")
    await romeo.receives(`<presence type='error' id='p'>${failure('modify', 'bad-request')}</presence>`)
    await juliet.receivesNothing()
  })
})
