import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Appliance, startAppliance } from '../support/appliance.ts'
import { type ChatClient, logIn, pythonWithSlixmpp, ways } from '../support/clients.ts'
import { carbon, chat, couples, everyone, presence } from './stanzas.ts'

let appliance: Appliance

beforeAll(async () => {
  appliance = await startAppliance({ config: { people: everyone, settings: { 'passwords.iterations': 4096 } } })
})

afterAll(async () => {
  await appliance?.cleanup()
})

describe.each(ways.map((way, index) => ({ ...way, index })))('$library over $transport', ({ index, ...way }) => {
  const couple = couples[index]!
  const asRomeo = (resource?: string): Promise<ChatClient> => logIn(appliance, way, couple.romeo, resource)
  const asJuliet = (resource?: string): Promise<ChatClient> => logIn(appliance, way, couple.juliet, resource)
  const isLeftOut = way.library === 'slixmpp' && !pythonWithSlixmpp()
  // What a library makes of stanzas does not hang on how they came: that is tried over its first transport alone.
  const isRepeated = isLeftOut || ways.findIndex(({ library }) => library === way.library) !== index

  test.skipIf(isLeftOut)('logs in with SCRAM, without its password ever leaving it', async () => {
    await using romeo = await asRomeo('balcony')
    expect(romeo.jid).toBe(`${couple.romeo.username}@office.test/balcony`)
    expect(romeo.mechanism).toMatch(/^SCRAM-SHA-/)
  })

  test.skipIf(isLeftOut)('is turned away with a wrong password', async () => {
    const stranger = { ...couple.romeo, password: 'a-guess' }
    await expect(logIn(appliance, way, stranger)).rejects.toThrow(/not-authorized|authentication failed/)
  })

  test.skipIf(isRepeated)('keeps a contact list', async () => {
    await using romeo = await asRomeo()
    await romeo.rosterSet('benvolio@office.test', 'Benvolio')
    expect(await romeo.rosterGet()).toContainEqual({
      jid: 'benvolio@office.test',
      name: 'Benvolio',
      subscription: 'none',
    })
  })

  test.skipIf(isRepeated)('sees when a contact comes, says something about itself, and goes', async () => {
    await using romeo = await asRomeo()
    await using juliet = await asJuliet()
    await romeo.sendPresence({ to: juliet.bareJid, type: 'subscribe' })
    await juliet.next(presence(romeo.bareJid, 'subscribe'))
    await juliet.sendPresence({ to: romeo.bareJid, type: 'subscribed' })
    await romeo.next(presence(juliet.bareJid, 'subscribed'))
    await romeo.next(presence(juliet.bareJid))

    await juliet.sendPresence({ status: 'on the balcony' })
    const seen = await romeo.next(stanza => stanza.getChildText('status') === 'on the balcony')
    expect(seen.attrs.from).toBe(juliet.jid)

    await juliet.sendPresence({ type: 'unavailable' })
    await romeo.next(presence(juliet.bareJid, 'unavailable'))
  })

  test.skipIf(isLeftOut)('chats in both directions, whatever the letters', async () => {
    await using romeo = await asRomeo()
    await using juliet = await asJuliet()
    await romeo.message(juliet.bareJid, 'Ist’s “Julia” & <die Sonne>? 🌞')
    const heard = await juliet.next(chat('Ist’s “Julia” & <die Sonne>? 🌞'))
    expect(heard.attrs.from).toBe(romeo.jid)

    await juliet.message(romeo.jid, 'Ay me!')
    expect((await romeo.next(chat('Ay me!'))).attrs.from).toBe(juliet.jid)
  })

  test.skipIf(isRepeated)('shows a conversation on all devices of both', async () => {
    await using desk = await asRomeo('desk')
    await using phone = await asRomeo('phone')
    await using juliet = await asJuliet()
    await phone.enableCarbons()

    await desk.message(juliet.bareJid, 'I take thee at thy word.')
    await phone.next(carbon('sent', 'I take thee at thy word.'))

    await juliet.message(desk.jid, 'What man art thou?')
    await desk.next(chat('What man art thou?'))
    await phone.next(carbon('received', 'What man art thou?'))
  })

  test.skipIf(isRepeated)('finds a conversation in the archive, in order', async () => {
    await using romeo = await asRomeo()
    await using juliet = await asJuliet()
    const lines = ['My ears have not yet drunk', 'a hundred words', 'of thy tongue’s uttering.']
    for (const line of lines) await romeo.message(juliet.bareJid, line)
    for (const line of lines) await juliet.next(chat(line))

    const archived = await juliet.queryArchive(romeo.bareJid)
    expect(archived.slice(-3)).toEqual(lines.map(body => ({ id: expect.any(String), from: romeo.jid, body })))
    expect(new Set(archived.map(({ id }) => id)).size).toBe(archived.length)
  })

  test.skipIf(isLeftOut)('goes on with its stream after the network was cut, and misses nothing', async () => {
    await using romeo = await asRomeo()
    await using juliet = await asJuliet()
    const before = juliet.jid
    await romeo.message(juliet.jid, 'before the cut')
    await juliet.next(chat('before the cut'))

    juliet.cutSocket()
    await romeo.message(juliet.jid, 'during the cut')
    expect(await juliet.resume()).toBe('resumed')

    await juliet.next(chat('during the cut'))
    await juliet.message(romeo.bareJid, 'after the cut')
    await romeo.next(chat('after the cut'))
    expect(juliet.jid).toBe(before)
    expect(juliet.received(chat('during the cut'))).toEqual([])
  })
})
