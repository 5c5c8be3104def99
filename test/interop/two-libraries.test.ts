import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Appliance, people, startAppliance } from '../support/appliance.ts'
import { logIn, pythonWithSlixmpp, ways } from '../support/clients.ts'
import { chat, presence } from './stanzas.ts'

let appliance: Appliance

beforeAll(async () => {
  appliance = await startAppliance()
})

afterAll(async () => {
  await appliance?.cleanup()
})

const pairs = ways.flatMap((one, index) =>
  ways
    .slice(index + 1)
    .filter(other => other.library !== one.library)
    .map(other => ({ one, other })),
)

describe.each(pairs)('$one.library over $one.transport and $other.library over $other.transport', ({ one, other }) => {
  const isLeftOut = [one, other].some(({ library }) => library === 'slixmpp') && !pythonWithSlixmpp()

  test.skipIf(isLeftOut)('chat with each other', async () => {
    await using romeo = await logIn(appliance, one, people.romeo)
    await using juliet = await logIn(appliance, other, people.juliet)

    await romeo.message(juliet.bareJid, 'But soft, what light?')
    const asked = await juliet.next(chat('But soft, what light?'))
    expect(asked.attrs).toMatchObject({ from: romeo.jid, type: 'chat' })

    await juliet.message(asked.attrs.from, 'O Romeo, Romeo!')
    expect((await romeo.next(chat('O Romeo, Romeo!'))).attrs).toMatchObject({ from: juliet.jid, type: 'chat' })

    await romeo.sendPresence({ to: juliet.jid, status: 'here' })
    expect((await juliet.next(presence(romeo.bareJid))).getChildText('status')).toBe('here')
  })
})
