/** XEP-0313, as a script. */
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import type { Element } from '../../server/xmpp/element.ts'
import { breaking, failure, type Person, Stage, test } from '../support/script.ts'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.open()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

const NS = 'urn:xmpp:mam:2'
const form = (fields: Record<string, string | string[]>) =>
  `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>${NS}</value></field>${Object.entries(
    fields,
  )
    .map(
      ([name, value]) =>
        `<field var='${name}'>${[value]
          .flat()
          .map(text => `<value>${text}</value>`)
          .join('')}</field>`,
    )
    .join('')}</x>`
const page = (content: string) => `<set xmlns='http://jabber.org/protocol/rsm'>${content}</set>`
const question = (content = '', to = '') =>
  `<iq type='set'${to}><query xmlns='${NS}' queryid='q'>${content}</query></iq>`
const error = (type: string, condition: string) => `<iq type='error'>${failure(type, condition)}</iq>`

interface Found {
  readonly bodies: string[]
  readonly ids: string[]
  readonly results: Element[]
  readonly fin: Element
  readonly isComplete: boolean
}

/** Asks for messages and gathers them. */
const search = async (one: Person, content = ''): Promise<Found> => {
  const fin = (await one.gets(question(content), `<iq type='result'><fin xmlns='${NS}'/></iq>`)).getChild('fin')!
  const messages = (await one.client.leftovers()).filter(stanza => stanza.getChild('result', NS))
  await one.forgets()
  const results = messages.map(message => message.getChild('result', NS)!)
  return {
    results,
    ids: results.map(result => result.attrs.id),
    bodies: results.map(result => inner(result)?.getChildText('body') ?? ''),
    fin,
    isComplete: fin.attrs.complete === 'true',
  }
}

const inner = (result: Element) =>
  result.getChild('forwarded', 'urn:xmpp:forward:0')?.getChild('message', 'jabber:client')

/** Romeo has said these things to Juliet. */
const said = async (...bodies: string[]) => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  for (const body of bodies)
    romeo.sends(`<message to='${juliet.bare}' type='chat' id='${body}'><body>${body}</body></message>`)
  await romeo.settles()
  await juliet.settles()
  await juliet.forgets()
  return { romeo, juliet }
}
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => String(from + index))

breaking('both sides find what was said, whole, with its time, in order', async () => {
  const before = Date.now()
  const { romeo, juliet } = await said('one')
  juliet.sends(`<message to='${romeo.jid}' type='chat'><body>two</body><x xmlns='urn:example:extra'/></message>`)
  await juliet.settles()
  await romeo.forgets()
  await stage.breaks()
  for (const person of [romeo, juliet]) {
    const { bodies, results, isComplete, fin, ids } = await search(person)
    expect(bodies).toEqual(['one', 'two'])
    expect(isComplete).toBe(true)
    expect(inner(results[0]!)?.attrs).toMatchObject({ from: romeo.jid, to: juliet.bare, type: 'chat', id: 'one' })
    expect(inner(results[1]!)?.getChild('x', 'urn:example:extra')).toBeDefined()
    expect(results.map(result => result.attrs.queryid)).toEqual(['q', 'q'])
    const stamp = Date.parse(results[0]!.getChild('forwarded')!.getChild('delay', 'urn:xmpp:delay')!.attrs.stamp)
    expect(stamp).toBeGreaterThanOrEqual(before)
    expect(stamp).toBeLessThanOrEqual(Date.now())
    const set = fin.getChild('set')
    expect([set?.getChildText('first'), set?.getChildText('last')]).toEqual(ids)
  }
})

test('the id of a result is the stanza-id under which the message arrived', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  romeo.sends(`<message to='${juliet.bare}' type='chat'><body>Which</body></message>`)
  const arrived = await juliet.receives(`<message type='chat'><body>Which</body></message>`)
  const { attrs } = arrived.getChild('stanza-id', 'urn:xmpp:sid:0')!
  expect(attrs.by).toBe(juliet.bare)
  expect((await search(juliet)).ids).toEqual([attrs.id])
})

test('an empty archive is complete', async () => {
  const { romeo } = await stage.people('romeo')
  const { bodies, isComplete, fin } = await search(romeo)
  expect([bodies, isComplete]).toEqual([[], true])
  expect(fin.getChild('set', 'http://jabber.org/protocol/rsm')?.children).toEqual([])
})

test('pages follow each other forwards', async () => {
  const { juliet } = await said(...numbers(1, 7))
  const first = await search(juliet, page('<max>3</max>'))
  expect([first.bodies, first.isComplete]).toEqual([['1', '2', '3'], false])
  const second = await search(juliet, page(`<max>3</max><after>${first.ids.at(-1)}</after>`))
  expect([second.bodies, second.isComplete]).toEqual([['4', '5', '6'], false])
  const third = await search(juliet, page(`<max>3</max><after>${second.ids.at(-1)}</after>`))
  expect([third.bodies, third.isComplete]).toEqual([['7'], true])
})

test('pages follow each other backwards, each in its order', async () => {
  const { juliet } = await said(...numbers(1, 7))
  const last = await search(juliet, page('<max>3</max><before/>'))
  expect([last.bodies, last.isComplete]).toEqual([['5', '6', '7'], false])
  const middle = await search(juliet, page(`<max>3</max><before>${last.ids[0]}</before>`))
  expect([middle.bodies, middle.isComplete]).toEqual([['2', '3', '4'], false])
  const first = await search(juliet, page(`<max>3</max><before>${middle.ids[0]}</before>`))
  expect([first.bodies, first.isComplete]).toEqual([['1'], true])
})

test('a page that holds exactly the rest is complete', async () => {
  const { juliet } = await said('1', '2', '3')
  expect((await search(juliet, page('<max>3</max>'))).isComplete).toBe(true)
  expect((await search(juliet, page('<max>3</max><before/>'))).isComplete).toBe(true)
})

test('a flipped page is the same page from its end', async () => {
  const { juliet } = await said(...numbers(1, 5))
  const { bodies, ids, fin } = await search(juliet, `${page('<max>3</max><before/>')}<flip-page/>`)
  expect(bodies).toEqual(['5', '4', '3'])
  expect(fin.getChild('set')?.getChildText('first')).toBe(ids[2])
  expect(fin.getChild('set')?.getChildText('last')).toBe(ids[0])
})

test('a page has 50 messages when no number is asked for, and 250 at most', async () => {
  const { juliet } = await said(...numbers(1, 260))
  expect((await search(juliet)).bodies).toHaveLength(50)
  const most = await search(juliet, page('<max>1000</max>'))
  expect([most.bodies.length, most.isComplete]).toEqual([250, false])
})

test('a page has no more than fits through a slow connection, and the next one goes on from there', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  const long = 'x'.repeat(100_000)
  for (const number of numbers(1, 5)) {
    romeo.sends(
      `<message to='${juliet.bare}' type='chat'><body>${number}</body><long xmlns='urn:example'>${long}</long></message>`,
    )
    await juliet.client.receives(`<message><body>${number}</body></message>`)
  }
  const first = await search(juliet)
  expect([first.bodies, first.isComplete]).toEqual([numbers(1, 2), false])
  const second = await search(juliet, page(`<after>${first.ids.at(-1)}</after>`))
  expect([second.bodies, second.isComplete]).toEqual([numbers(3, 4), false])
  const third = await search(juliet, page(`<after>${second.ids.at(-1)}</after>`))
  expect([third.bodies, third.isComplete]).toEqual([numbers(5, 5), true])
  const last = await search(juliet, page('<before/>'))
  expect([last.bodies, last.isComplete]).toEqual([numbers(4, 5), false])
  expect((await search(juliet, page(`<before>${last.ids[0]}</before>`))).bodies).toEqual(numbers(2, 3))
})

test('no messages but their number can be asked for', async () => {
  const { juliet } = await said(...numbers(1, 5))
  const { bodies, fin } = await search(juliet, page('<max>0</max>'))
  expect([bodies, fin.getChild('set')?.getChildText('count')]).toEqual([[], '5'])
})

test('a search by address finds what was said to or by that address', async () => {
  const { romeo, juliet } = await said('by romeo')
  const { mercutio } = await stage.people('mercutio')
  const phone = await romeo.device('phone')
  await romeo.forgets()
  mercutio.sends(`<message to='${juliet.jid}' type='chat'><body>by mercutio</body></message>`)
  await mercutio.settles()
  juliet.sends(`<message to='${phone.jid}' type='chat'><body>to the phone</body></message>`)
  await juliet.settles()
  await juliet.forgets()
  const bodiesWith = async (jid: string) => (await search(juliet, form({ with: jid }))).bodies
  expect(await bodiesWith(romeo.bare)).toEqual(['by romeo', 'to the phone'])
  expect(await bodiesWith(phone.jid)).toEqual(['to the phone'])
  expect(await bodiesWith(mercutio.bare)).toEqual(['by mercutio'])
  expect(await bodiesWith('nobody@office.test')).toEqual([])
  // A name that begins like another one is another one.
  expect(await bodiesWith(romeo.bare.slice(0, -1))).toEqual([])
})

test('with the own address only what one said to oneself is found', async () => {
  const { romeo, juliet } = await said('to juliet')
  romeo.sends(`<message to='${romeo.bare}' type='chat'><body>note</body></message>`)
  await romeo.settles()
  await romeo.forgets()
  expect((await search(romeo, form({ with: romeo.bare }))).bodies).toEqual(['note'])
  expect((await search(romeo)).bodies).toEqual(['to juliet', 'note'])
  expect((await search(juliet, form({ with: juliet.bare }))).bodies).toEqual([])
})

test('a search by time counts both ends in', async () => {
  const { juliet } = await said('1', '2', '3')
  const { results } = await search(juliet)
  const stamps = results.map(result => result.getChild('forwarded')!.getChild('delay')!.attrs.stamp as string)
  const [first, , last] = stamps as [string, string, string]
  expect((await search(juliet, form({ start: first, end: last }))).bodies).toEqual(['1', '2', '3'])
  const past = new Date(Date.parse(first) - 1).toISOString()
  const future = new Date(Date.parse(last) + 1).toISOString()
  expect((await search(juliet, form({ end: past }))).bodies).toEqual([])
  expect((await search(juliet, form({ start: future }))).bodies).toEqual([])
  expect((await search(juliet, form({ start: '2010-08-07T00:00:00Z' }))).bodies).toEqual(['1', '2', '3'])
})

test('a search by ids finds what lies before, after, between, or those', async () => {
  const { juliet } = await said(...numbers(1, 5))
  const { ids } = await search(juliet)
  const [one, two, , four] = ids as [string, string, string, string]
  expect((await search(juliet, form({ 'after-id': two }))).bodies).toEqual(['3', '4', '5'])
  expect((await search(juliet, form({ 'before-id': two }))).bodies).toEqual(['1'])
  expect((await search(juliet, form({ 'after-id': one, 'before-id': four }))).bodies).toEqual(['2', '3'])
  expect((await search(juliet, form({ ids: [four, one] }))).bodies).toEqual(['1', '4'])
})

test('an id that is not in the own archive is not found, wherever it stands', async () => {
  const { juliet } = await said('1')
  const { romeo } = await said('of somebody else')
  const [foreign] = (await search(romeo)).ids
  const notFound = error('cancel', 'item-not-found')
  for (const id of [foreign!, '00000000-0000-7000-8000-000000000000', '09af3-cc343-b409f']) {
    for (const content of [
      form({ 'after-id': id }),
      form({ 'before-id': id }),
      form({ ids: id }),
      page(`<after>${id}</after>`),
      page(`<before>${id}</before>`),
    ]) {
      await juliet.gets(question(content), notFound)
    }
  }
})

test('the form tells which fields there are', async () => {
  const { romeo } = await stage.people('romeo')
  const answer = await romeo.gets(
    `<iq type='get'><query xmlns='${NS}'/></iq>`,
    `<iq type='result'><query xmlns='${NS}'/></iq>`,
  )
  const fields = answer.getChild('query')!.getChild('x', 'jabber:x:data')!.getChildren('field')
  expect(fields.map(field => `${field.attrs.var} ${field.attrs.type}`)).toEqual([
    'FORM_TYPE hidden',
    'with jid-single',
    'start text-single',
    'end text-single',
    'before-id text-single',
    'after-id text-single',
    'ids list-multi',
    'include-groupchat boolean',
  ])
  expect(
    fields
      .find(field => field.attrs.var === 'ids')
      ?.getChild('validate')
      ?.getChild('open'),
  ).toBeDefined()
})

test('questions that make no sense are refused', async () => {
  const { romeo } = await stage.people('romeo')
  await romeo.gets(question(form({ 'free-text': 'x' })), error('cancel', 'feature-not-implemented'))
  await romeo.gets(question(form({ start: 'yesterday' })), error('modify', 'bad-request'))
  await romeo.gets(question(form({ with: '@' })), error('modify', 'jid-malformed'))
  await romeo.gets(question(page('<max>many</max>')), error('modify', 'bad-request'))
  await romeo.gets(question(page('<index>3</index>')), error('cancel', 'feature-not-implemented'))
  await romeo.gets(question("<x xmlns='jabber:x:data' type='submit'/>"), error('modify', 'bad-request'))
})

test('the archive of somebody else is closed', async () => {
  const { romeo, juliet } = await said('secret')
  const forbidden = error('auth', 'forbidden')
  const to = ` to='${juliet.bare}'`
  await romeo.gets(question('', to), forbidden)
  for (const payload of ['query', 'metadata', 'prefs']) {
    await romeo.gets(`<iq type='get'${to}><${payload} xmlns='${NS}'/></iq>`, forbidden)
  }
  await romeo.receivesNothing()
})

test('metadata tell the first and the last message', async () => {
  const { juliet } = await said('1', '2', '3')
  const { ids } = await search(juliet)
  const ask = `<iq type='get'><metadata xmlns='${NS}'/></iq>`
  const [first, , last] = ids
  await juliet.gets(
    ask,
    `<iq type='result'><metadata xmlns='${NS}'><start id='${first}' timestamp='*'/><end id='${last}' timestamp='*'/></metadata></iq>`,
  )
  const { romeo } = await stage.people('romeo')
  expect((await romeo.asks(ask)).getChild('metadata', NS)?.children).toEqual([])
})

test('what says nothing, asks not to be kept or belongs to a room is not in the archive', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  const send = (type: string, content: string) =>
    romeo.sends(`<message to='${juliet.jid}' type='${type}'>${content}</message>`)
  send('chat', "<composing xmlns='http://jabber.org/protocol/chatstates'/>")
  send('chat', "<body>x</body><no-store xmlns='urn:xmpp:hints'/>")
  send('chat', "<body>x</body><no-permanent-store xmlns='urn:xmpp:hints'/>")
  send('headline', '<body>x</body>')
  send('groupchat', '<body>x</body>')
  send('error', failure('cancel', 'service-unavailable'))
  send('chat', "<received xmlns='urn:xmpp:receipts' id='y'/>")
  await romeo.settles()
  await juliet.settles()
  await juliet.forgets()
  const { results } = await search(juliet)
  expect(results.map(result => inner(result)?.getChildElements()[0]?.name)).toEqual(['received'])
})

test('copies for several devices are in the archive once', async () => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  const phone = await juliet.device('phone')
  await phone.asks("<iq type='set'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
  romeo.sends(`<message to='${juliet.bare}' type='chat'><body>once</body></message>`)
  romeo.sends(`<message to='${juliet.jid}' type='chat'><body>copied</body></message>`)
  await romeo.settles()
  await juliet.settles()
  await juliet.forgets()
  expect((await search(juliet)).bodies).toEqual(['once', 'copied'])
})

test('wishes about the archive are kept and followed', async () => {
  const { romeo, juliet } = await said('before')
  const ask = `<iq type='get'><prefs xmlns='${NS}'/></iq>`
  const lists = (always: string[], never: string[]) =>
    `<always>${always.map(jid => `<jid>${jid}</jid>`).join('')}</always><never>${never.map(jid => `<jid>${jid}</jid>`).join('')}</never>`
  await juliet.gets(ask, `<iq type='result'><prefs xmlns='${NS}' default='always'><always/><never/></prefs></iq>`)
  const wish = async (otherwise: string, always: string[], never: string[]) => {
    const prefs = `<prefs xmlns='${NS}' default='${otherwise}'>${lists(always, never)}</prefs>`
    await juliet.gets(`<iq type='set'>${prefs}</iq>`, `<iq type='result'>${prefs}</iq>`)
    await juliet.gets(ask, `<iq type='result'>${prefs}</iq>`)
  }
  const say = async (body: string) => {
    romeo.sends(`<message to='${juliet.bare}' type='chat'><body>${body}</body></message>`)
    await romeo.settles()
    await juliet.settles()
    const message = (await juliet.client.leftovers()).at(-1)
    await juliet.forgets()
    return message?.getChild('stanza-id', 'urn:xmpp:sid:0') !== undefined
  }
  await wish('always', [], [romeo.bare])
  expect(await say('never')).toBe(false)
  await wish('never', [romeo.jid], [])
  expect(await say('listed')).toBe(true)
  await wish('roster', [], [])
  expect(await say('no contact')).toBe(false)
  await juliet.asks(`<iq type='set'><query xmlns='jabber:iq:roster'><item jid='${romeo.bare}'/></query></iq>`)
  expect(await say('contact')).toBe(true)
  expect((await search(juliet)).bodies).toEqual(['before', 'listed', 'contact'])
  // What the other side keeps is its own affair.
  expect((await search(romeo)).bodies).toEqual(['before', 'never', 'listed', 'no contact', 'contact'])
  await juliet.gets(`<iq type='set'><prefs xmlns='${NS}' default='perhaps'/></iq>`, error('modify', 'bad-request'))
})

test('the messages of an account that is gone are gone for it and stay for the others', async () => {
  const { romeo, juliet } = await said('stays')
  await juliet.leaves()
  await stage.house.removes(juliet.username)
  expect((await search(romeo)).bodies).toEqual(['stays'])
  await stage.house.adds(juliet.username)
  const newcomer = await stage.device(juliet.username, 'new')
  expect((await search(newcomer)).bodies).toEqual([])
})
