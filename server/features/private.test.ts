import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { failure, Stage } from '../../test/support/script.ts'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.open()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

const wrap = (type: string, content: string, to = '') =>
  `<iq type='${type}'${to}><query xmlns='jabber:iq:private'>${content}</query></iq>`

test('what was kept comes back, and something that was not kept comes back empty', async () => {
  const { romeo } = await stage.people('romeo')
  const prefs = "<exodus xmlns='exodus:prefs'><defaultnick>Hamlet</defaultnick></exodus>"
  await romeo.gets(wrap('get', "<exodus xmlns='exodus:prefs'/>"), wrap('result', "<exodus xmlns='exodus:prefs'/>"))
  await romeo.gets(wrap('set', prefs), "<iq type='result'/>")
  await romeo.gets(wrap('get', "<exodus xmlns='exodus:prefs'/>"), wrap('result', prefs))
  const answer = await romeo.asks(wrap('get', "<other xmlns='exodus:prefs'/>"))
  expect(answer.getChild('query')?.getChild('other', 'exodus:prefs')?.children).toEqual([])
})

test('prefixes that were declared around an entry are kept with it', async () => {
  const { romeo } = await stage.people('romeo')
  const set =
    "<iq type='set'><query xmlns='jabber:iq:private' xmlns:p='urn:p'><e xmlns='urn:e'><p:deep/></e></query></iq>"
  await romeo.gets(set, "<iq type='result'/>")
  await romeo.gets(wrap('get', "<e xmlns='urn:e'/>"), wrap('result', "<e xmlns='urn:e'><deep xmlns='urn:p'/></e>"))
})

test('requests that make no sense are refused', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  const refuses = (iq: string, type: string, condition: string) =>
    romeo.gets(iq, `<iq type='error'>${failure(type, condition)}</iq>`)
  await refuses(wrap('get', ''), 'modify', 'bad-request')
  await refuses(wrap('set', ''), 'modify', 'not-acceptable')
  await refuses(wrap('set', '<bare/>'), 'modify', 'not-acceptable')
  await refuses(wrap('get', "<a xmlns='urn:a'/><b xmlns='urn:b'/>"), 'modify', 'not-acceptable')
  await refuses(wrap('get', "<a xmlns='urn:a'/>", ` to='${juliet.bare}'`), 'auth', 'forbidden')
})

test('there is a limit to size and number of entries', async () => {
  const { romeo } = await stage.people('romeo')
  const full = `<iq type='error'>${failure('wait', 'resource-constraint')}</iq>`
  await romeo.gets(wrap('set', `<big xmlns='urn:big'>${'x'.repeat(65 * 1024)}</big>`), full)
  await stage.sets('private.entriesMax', 2)
  await romeo.gets(wrap('set', "<a xmlns='urn:a'/><b xmlns='urn:b'/>"), "<iq type='result'/>")
  await romeo.gets(wrap('set', "<c xmlns='urn:c'/>"), full)
  await romeo.gets(wrap('set', "<a xmlns='urn:a'>again</a>"), "<iq type='result'/>")
})
