import { expect, test } from 'vitest'
import { Office } from '../../test/support/office.ts'
import type { Feature } from '../core/feature.ts'
import roster from './roster.ts'

const features = [roster as Feature]

test('somebody who is removed from the office disappears from the contact lists of the others, and their devices are told', async () => {
  await using office = await Office.start({ people: ['romeo', 'juliet', 'mercutio'], features })
  await using romeo = await office.client('romeo')
  await using juliet = await office.client('juliet')
  for (const client of [romeo, juliet]) {
    client.send("<iq type='get' id='list'><query xmlns='jabber:iq:roster'/></iq><presence/>")
    await client.receives("<iq type='result' id='list'/>")
  }
  romeo.send("<presence type='subscribe' to='juliet@office.test'/>")
  await juliet.receives("<presence type='subscribe' from='romeo@office.test'/>")
  juliet.send("<presence type='subscribed' to='romeo@office.test'/>")
  await juliet.receives("<iq type='set'><query><item jid='romeo@office.test' subscription='from'/></query></iq>")

  await office.chat.parts.accounts.remove('romeo')

  await juliet.receives("<iq type='set'><query><item jid='romeo@office.test' subscription='remove'/></query></iq>")
  expect(await office.chat.parts.rosters.ownersOf('romeo@office.test')).toEqual([])
})
