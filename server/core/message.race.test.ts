import { expect, test } from 'vitest'
import { Office } from '../../test/support/office.ts'
import { feature } from './feature.ts'

test('a message that was about to wait for somebody reaches them when they come online meanwhile', async () => {
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<void>()
  const slow = feature({
    name: 'slow',
    title: 'Slow',
    standards: [],
    start(server) {
      server.on('message:offline', 'filter', async () => {
        asked.resolve()
        await answer.promise
      })
    },
  })
  await using office = await Office.start({ people: ['romeo', 'juliet'], features: [slow] })
  await using romeo = await office.client('romeo')
  romeo.send("<message to='juliet@office.test' type='chat' id='m1'><body>Are you there?</body></message>")
  await asked.promise
  await using juliet = await office.client('juliet')
  juliet.send("<presence id='here'/>")
  await juliet.receives("<presence id='here'/>")
  answer.resolve()
  await juliet.receives("<message id='m1'><body>Are you there?</body></message>")
  expect(await office.chat.parts.queue.pendingOf('juliet')).toEqual([])
})
