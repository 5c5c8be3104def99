import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { Stage } from '../../test/support/script.ts'

let stage: Awaited<ReturnType<typeof Stage.openOffice>>
beforeAll(async () => {
  stage = await Stage.openOffice()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

const question = "<iq type='get' to='office.test'><query xmlns='jabber:iq:version'/></iq>"
const answer = (version: string) => `<iq type='result' from='office.test'><query xmlns='jabber:iq:version'>
  <name>Lanthorn</name><version>${version}</version></query></iq>`

test('the server tells its name and version', async () => {
  const { romeo } = await stage.people('romeo')
  await romeo.gets(question, answer(stage.house.office.chat.parts.version))
})

test('the version can be hidden', async () => {
  const { romeo } = await stage.people('romeo')
  await stage.sets('version.shown', false)
  await romeo.gets(question, answer('hidden'))
  await stage.sets('version.shown', true)
})
