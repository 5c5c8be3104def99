// The whole protocol is played in test/protocol/csi.test.ts.
import { describe, expect, test } from 'vitest'
import { Stanza } from '../xmpp/stanza.ts'
import { Held, keyOf } from './csi.ts'

const all = { presence: true, chatStates: true }
const key = (xml: string, hold = all) => keyOf(Stanza.fromBytes(Buffer.from(xml)), hold)
const typing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
const forwarded = (content: string, type = 'chat') =>
  `<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='a@b/1' to='c@d' type='${type}'>${content}</message></forwarded>`

describe('what can wait has a key, and one of the same key takes its place', () => {
  test.each([
    ["<presence from='a@b/1'/>", "<presence from='a@b/1' type='unavailable'/>"],
    [
      `<message from='a@b/1' type='chat'>${typing}</message>`,
      `<message from='a@b/1'><paused xmlns='http://jabber.org/protocol/chatstates'/><thread>t</thread></message>`,
    ],
    [
      `<message type='chat'><sent xmlns='urn:xmpp:carbons:2'>${forwarded(typing)}</sent></message>`,
      `<message type='chat'><sent xmlns='urn:xmpp:carbons:2'>${forwarded(`${typing}<no-store xmlns='urn:xmpp:hints'/>`)}</sent></message>`,
    ],
  ])('%s', (one, other) => {
    expect(key(one)).toBeDefined()
    expect(key(other)).toBe(key(one))
  })

  test('others have others', () => {
    expect(key("<presence from='a@b/1'/>")).not.toBe(key("<presence from='a@b/2'/>"))
    expect(key("<presence from='a@b/1'/>")).not.toBe(key(`<message from='a@b/1'>${typing}</message>`))
  })
})

describe('what matters has none', () => {
  test.each([
    "<presence from='a@b' type='subscribe'/>",
    "<presence from='a@b' type='error'/>",
    "<presence from='room@r/me'><x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x></presence>",
    `<message from='a@b/1'>${typing}<body>x</body></message>`,
    "<message from='a@b/1'><thread>t</thread></message>",
    "<message from='a@b/1'/>",
    `<message from='a@b/1' type='error'>${typing}</message>`,
    `<message><sent xmlns='urn:xmpp:carbons:2'>${forwarded('<body>x</body>')}</sent></message>`,
    `<message><sent xmlns='urn:xmpp:carbons:2'>${forwarded(typing, 'error')}</sent></message>`,
    "<message><sent xmlns='urn:xmpp:carbons:2'/></message>",
    "<iq type='get' id='1'/>",
  ])('%s', xml => {
    expect(key(xml)).toBeUndefined()
  })

  test('nor has anything that is not to be held back', () => {
    expect(key("<presence from='a@b/1'/>", { ...all, presence: false })).toBeUndefined()
    expect(key(`<message from='a@b/1'>${typing}</message>`, { ...all, chatStates: false })).toBeUndefined()
  })
})

describe('what is held', () => {
  const stanza = (content: string) => Stanza.fromBytes(Buffer.from(`<presence><status>${content}</status></presence>`))

  test('comes out once, the latest of each key, in the order it came', () => {
    const held = new Held()
    const [one, two, three] = [stanza('1'), stanza('2'), stanza('3')]
    held.put('a', one)
    held.put('b', two)
    held.put('a', three)
    expect(held.takeAll()).toEqual([two, three])
    expect(held.takeAll()).toEqual([])
  })

  test('is bounded in number and in bytes', () => {
    const held = new Held()
    for (let count = 0; count < 999; count++) held.put(String(count), stanza(''))
    expect(held.isFull).toBe(false)
    held.put('last', stanza(''))
    expect(held.isFull).toBe(true)
    held.takeAll()
    const long = stanza('x'.repeat(200 * 1024))
    for (let count = 0; count < 5; count++) held.put('same', long)
    expect(held.isFull).toBe(false)
    held.put('other', long)
    expect(held.isFull).toBe(true)
  })
})
