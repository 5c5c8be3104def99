// The protocol is played in test/protocol/offline.test.ts; here is what needs a look at the server's side of a connection.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Stage } from '../../test/support/script.ts'

let stage: Awaited<ReturnType<typeof Stage.openOffice>>
beforeAll(async () => {
  stage = await Stage.openOffice()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

test('somebody with a slow connection gets long messages as fast as it takes them, and all of them in order', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  await juliet.leaves()
  const long = `<long xmlns='urn:example'>${'x'.repeat(200_000)}</long>`
  const numbers = Array.from({ length: 120 }, (_, index) => String(index))
  for (const number of numbers)
    romeo.sends(`<message to='${juliet.bare}' type='chat'><body>${number}</body>${long}</message>`)
  await romeo.settles()
  const again = await stage.device(juliet.username, 'again')
  const outlet = stage.house.office.chat.parts.sessions.get(again.jid)?.outlet
  again.sends('<presence/>')
  await again.receives(`<presence from='${again.jid}'/>`)
  again.client.pause()
  // The connection is full now; for half a second nothing of it is read.
  await expect.poll(() => outlet?.waitingBytes, { timeout: 20_000 }).toBeGreaterThan(0)
  const end = performance.now() + 500
  while (performance.now() < end) await romeo.settles()
  romeo.sends(`<message to='${juliet.bare}' type='chat'><body>last</body></message>`)
  await romeo.settles()
  again.client.resume()
  const bodies: unknown[] = []
  while (bodies.length <= numbers.length) {
    bodies.push((await again.client.receives(element => element.is('message'))).getChildText('body'))
  }
  expect(bodies).toEqual([...numbers, 'last'])
})
