import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { failure, Stage } from '../../test/support/script.ts'

let stage: Awaited<ReturnType<typeof Stage.openOffice>>
beforeAll(async () => {
  stage = await Stage.openOffice()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

const register = (content: string, type = 'set') =>
  `<iq type='${type}'><query xmlns='jabber:iq:register'>${content}</query></iq>`
const error = (type: string, condition: string) => `<iq type='error'>${failure(type, condition)}</iq>`

test('somebody who is signed in is told that there is an account', async () => {
  const { romeo } = await stage.people('romeo')
  await romeo.gets(
    register('', 'get'),
    register(`<registered/><instructions/><username>${romeo.username}</username><password/>`, 'result'),
  )
})

test('the password can be changed, and the new one is asked for from then on', async () => {
  const { romeo } = await stage.people('romeo')
  await romeo.gets(
    register(`<username>${romeo.username}</username><password>a new password</password>`),
    "<iq type='result'/>",
  )
  const old = stage.house.office.client(romeo.username, { over: 'plain' })
  await expect(old).rejects.toThrow('login failed')
  await using again = await stage.house.office.client(romeo.username, { over: 'plain', password: 'a new password' })
  expect(again.jid).toContain(romeo.username)
})

test('a password is not changed without a name, for somebody else, to a short one, or against the settings', async () => {
  const { romeo } = await stage.people('romeo')
  const name = `<username>${romeo.username}</username>`
  await romeo.gets(register(`${name}<password/>`), error('modify', 'bad-request'))
  await romeo.gets(register('<password>long enough</password>'), error('modify', 'bad-request'))
  await romeo.gets(
    register('<username>bill</username><password>long enough</password>'),
    error('cancel', 'not-allowed'),
  )
  await romeo.gets(register(`${name}<password>short</password>`), error('modify', 'not-acceptable'))
  await stage.sets('registration.passwordChange', false)
  await romeo.gets(register(`${name}<password>long enough</password>`), error('cancel', 'not-allowed'))
})

test('an account is removed by its owner only where that is allowed', async () => {
  const { romeo, juliet } = await stage.friends('romeo', 'juliet')
  await romeo.gets(register('<remove/>'), error('cancel', 'not-allowed'))
  const { accounts } = stage.house.office.chat.parts
  await stage.sets('registration.removal', true)
  await romeo.gets(register('<remove/><username/>'), error('modify', 'bad-request'))
  await romeo.gets(register('<remove/>'), "<iq type='result'/>")
  await romeo.client.fails('not-authorized')
  expect(await accounts.get(romeo.username)).toBeUndefined()
  const contacts = await juliet.asks("<iq type='get'><query xmlns='jabber:iq:roster'/></iq>")
  expect(contacts.getChild('query')?.getChildren('item')).toEqual([])
})
