import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure, Stage } from '../../test/support/script.ts'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.open()
})
afterAll(() => stage[Symbol.asyncDispose]())

test('the server and the own account answer a ping, the account of somebody else does not', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  const ping = (to: string) => `<iq type='get'${to}><ping xmlns='urn:xmpp:ping'/></iq>`
  await romeo.gets(ping(" to='office.test'"), "<iq type='result' from='office.test'/>")
  await romeo.gets(ping(''), "<iq type='result'/>")
  await romeo.gets(ping(` to='${romeo.bare}'`), `<iq type='result' from='${romeo.bare}'/>`)
  await romeo.gets(ping(` to='${juliet.bare}'`), `<iq type='error'>${failure('cancel', 'service-unavailable')}</iq>`)
  expect((await romeo.asks(ping(" to='office.test'"))).children).toHaveLength(0)
})
