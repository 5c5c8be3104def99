import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { failure, Stage } from '../../test/support/script.ts'

let stage: Awaited<ReturnType<typeof Stage.openOffice>>
beforeAll(async () => {
  stage = await Stage.openOffice()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

const question = (to: string) => `<iq type='get' to='${to}'><query xmlns='jabber:iq:last'/></iq>`
const forbidden = `<iq type='error'>${failure('auth', 'forbidden')}</iq>`

test('the server tells how long it runs', async () => {
  const { romeo } = await stage.people('romeo')
  await romeo.gets(question('office.test'), "<iq type='result'><query xmlns='jabber:iq:last' seconds='*'/></iq>")
})

test('a contact is told when somebody left and with what words; somebody who is there is there', async () => {
  const { romeo, juliet } = await stage.friends('romeo', 'juliet')
  const online = "<iq type='result'><query xmlns='jabber:iq:last' seconds='0'/></iq>"
  const answer = await romeo.gets(question(juliet.bare), online)
  expect(answer.getChild('query')?.getText()).toBe('')
  juliet.sends("<presence type='unavailable'><status>Heading home</status></presence>")
  await juliet.leaves()
  await romeo.gets(
    question(juliet.bare),
    "<iq type='result'><query xmlns='jabber:iq:last' seconds='*'>Heading home</query></iq>",
  )
})

test('strangers learn nothing, neither of an account, nor of a device, nor of nobody', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  await romeo.gets(question(juliet.bare), forbidden)
  await romeo.gets(question(juliet.jid), forbidden)
  await romeo.gets(question('nobody@office.test'), forbidden)
  await juliet.receivesNothing()
})

test('the device of a contact is asked itself', async () => {
  const { romeo, juliet } = await stage.friends('romeo', 'juliet')
  romeo.sends(question(juliet.jid).replace('<iq ', "<iq id='idle' "))
  await juliet.receives(`<iq type='get' id='idle' from='${romeo.jid}'><query xmlns='jabber:iq:last'/></iq>`)
})

test('the time of leaving outlives the memory of the server', async () => {
  const { romeo, juliet } = await stage.friends('romeo', 'juliet')
  await juliet.leaves()
  await expect
    .poll(() =>
      stage.house.office.chat.parts.db.one('SELECT status FROM last_activity WHERE username = $1', [juliet.username]),
    )
    .toEqual({ status: null })
  await romeo.gets(question(juliet.bare), "<iq type='result'><query xmlns='jabber:iq:last' seconds='*'/></iq>")
})
