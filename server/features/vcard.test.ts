import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { failure, Stage } from '../../test/support/script.ts'

let stage: Awaited<ReturnType<typeof Stage.openOffice>>
beforeAll(async () => {
  stage = await Stage.openOffice()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

const card =
  "<vCard xmlns='vcard-temp'><FN>Romeo Montague</FN><PHOTO><TYPE>image/png</TYPE><BINVAL>AAAA</BINVAL></PHOTO></vCard>"
const get = (to = '') => `<iq type='get'${to}><vCard xmlns='vcard-temp'/></iq>`

test('a card that was set is seen by its owner and by others', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  await romeo.gets(get(), `<iq type='error'>${failure('cancel', 'item-not-found')}</iq>`)
  await romeo.gets(`<iq type='set'>${card}</iq>`, "<iq type='result'/>")
  await romeo.gets(get(), `<iq type='result'>${card}</iq>`)
  await juliet.gets(get(` to='${romeo.bare}'`), `<iq type='result' from='${romeo.bare}'>${card}</iq>`)
})

test('no card and no such person look the same to others', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  for (const to of [juliet.bare, 'nobody@office.test']) {
    await romeo.gets(
      get(` to='${to}'`),
      `<iq type='error' from='${to}'>${failure('cancel', 'service-unavailable')}</iq>`,
    )
  }
})

test('nobody changes the card of somebody else, and a card has a largest size', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  await juliet.gets(
    `<iq type='set' to='${romeo.bare}'>${card}</iq>`,
    `<iq type='error'>${failure('auth', 'forbidden')}</iq>`,
  )
  const huge = `<vCard xmlns='vcard-temp'><DESC>${'x'.repeat(129 * 1024)}</DESC></vCard>`
  await romeo.gets(`<iq type='set'>${huge}</iq>`, `<iq type='error'>${failure('wait', 'resource-constraint')}</iq>`)
})

test('the card goes with its account', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  await romeo.gets(`<iq type='set'>${card}</iq>`, "<iq type='result'/>")
  await stage.house.removes(romeo.username)
  await juliet.gets(get(` to='${romeo.bare}'`), `<iq type='error'>${failure('cancel', 'service-unavailable')}</iq>`)
  expect(
    await stage.house.office.chat.parts.db.query('SELECT 1 FROM vcard WHERE username = $1', [romeo.username]),
  ).toEqual([])
})
