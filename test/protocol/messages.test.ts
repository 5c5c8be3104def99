/** RFC 6121 §8.5: Table 1 case by case, and what stands around it. */
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest'
import { breaking, failure, type Person, Stage, test } from '../support/script.ts'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.open()
})
afterEach(() => stage.clear())
afterAll(() => stage[Symbol.asyncDispose]())

const unavailable = failure('cancel', 'service-unavailable')

/** E = comes back with an error, S = silence, O = waits; else the devices that get it. */
type Outcome = 'E' | 'S' | 'O' | string[]
type Row = [to: string, normal: Outcome, chat: Outcome, groupchat: Outcome, headline: Outcome]

interface Condition {
  readonly name: string
  /** Juliet's devices and their priorities; undefined = there is no such account. */
  readonly devices: Record<string, number> | undefined
  readonly rows: readonly Row[]
}

/** Where the RFC leaves a choice: we bounce rather than be silent, store rather than bounce, and give to the highest priority. */
const table: readonly Condition[] = [
  {
    name: 'the account does not exist',
    devices: undefined,
    rows: [
      ['bare', 'E', 'E', 'E', 'S'],
      ['no match', 'E', 'E', 'E', 'S'],
    ],
  },
  {
    name: 'nobody is online',
    devices: {},
    rows: [
      ['bare', 'O', 'O', 'E', 'S'],
      ['no match', 'E', 'O', 'E', 'S'],
    ],
  },
  {
    name: 'only devices of negative priority are online',
    devices: { low: -1, lower: -5 },
    rows: [
      ['bare', 'O', 'O', 'E', 'S'],
      ['low', ['low'], ['low'], ['low'], ['low']],
      ['no match', 'E', 'O', 'E', 'S'],
    ],
  },
  {
    name: 'one device is online',
    devices: { pc: 0 },
    rows: [
      ['bare', ['pc'], ['pc'], 'E', ['pc']],
      ['pc', ['pc'], ['pc'], ['pc'], ['pc']],
      ['no match', 'E', ['pc'], 'E', 'S'],
    ],
  },
  {
    name: 'several devices are online',
    devices: { pc: 5, laptop: 5, phone: 1, watch: -1 },
    rows: [
      ['bare', ['pc', 'laptop'], ['pc', 'laptop'], 'E', ['pc', 'laptop', 'phone']],
      ['phone', ['phone'], ['phone'], ['phone'], ['phone']],
      ['watch', ['watch'], ['watch'], ['watch'], ['watch']],
      ['no match', 'E', ['pc', 'laptop'], 'E', 'S'],
    ],
  },
]

const types = ['normal', 'chat', 'groupchat', 'headline'] as const

/** Juliet with the devices of a condition, and Romeo. */
const set = async (priorities: Record<string, number> | undefined) => {
  const { romeo, juliet } = await stage.people('romeo', 'juliet')
  await juliet.leaves()
  const bare = priorities ? juliet.bare : 'nobody@office.test'
  const devices: Record<string, Person> = {}
  for (const [name, priority] of Object.entries(priorities ?? {})) {
    devices[name] = await stage.device(juliet.username, name)
    await devices[name].comesOnline(`<presence><priority>${priority}</priority></presence>`)
  }
  for (const device of Object.values(devices)) await device.forgets()
  const come = () => stage.device(juliet.username, 'late')
  return { romeo, bare, devices, come }
}

describe.each(table)('RFC 6121 §8.5.4, Table 1: $name', ({ devices: priorities, rows }) => {
  const cases = rows.flatMap(([to, ...outcomes]) =>
    types.map((type, index) => ({ to, type, outcome: outcomes[index] as Outcome })),
  )

  test.each(cases)('$type to $to: $outcome', async ({ to, type, outcome }) => {
    const { romeo, bare, devices, come } = await set(priorities)
    const address = to === 'bare' ? bare : `${bare}/${to === 'no match' ? 'elsewhere' : to}`
    romeo.sends(`<message to='${address}' type='${type}' id='m'><body>Art thou there</body></message>`)
    if (outcome === 'E')
      await romeo.receives(`<message type='error' id='m' from='${address}' to='${romeo.jid}'>${unavailable}</message>`)
    const delivered = `<message type='${type}' id='m' from='${romeo.jid}' to='${address}'><body>Art thou there</body></message>`
    for (const name of Array.isArray(outcome) ? outcome : []) await devices[name]!.receives(delivered)
    await romeo.receivesNothing()
    for (const device of Object.values(devices)) await device.receivesNothing()
    if (priorities === undefined) return
    const late = await come()
    late.sends('<presence/>')
    await late.settles()
    const isMessage = (stanza: { name: string }) => stanza.name === 'message'
    if (outcome === 'O') await late.client.receives(isMessage)
    await late.settles()
    expect((await late.client.leftovers()).filter(isMessage)).toEqual([])
  })
})

describe('errors (§8.5.2.1.1, §8.5.3)', () => {
  test('an error is delivered to the device it is for and never answered', async () => {
    const { romeo, bare, devices } = await set({ pc: 0 })
    const error = (to: string) => `<message to='${to}' type='error' id='e'>${unavailable}</message>`
    romeo.sends(error(`${bare}/pc`))
    await devices.pc!.receives(`<message from='${romeo.jid}' type='error' id='e'>${unavailable}</message>`)
    for (const to of [bare, `${bare}/elsewhere`, 'nobody@office.test', 'office.test', 'elsewhere.test'])
      romeo.sends(error(to))
    await romeo.receivesNothing()
    await devices.pc!.receivesNothing()
  })
})

describe('addresses', () => {
  test('a message without an address is for the own account', async () => {
    const { romeo } = await stage.people('romeo')
    const phone = await romeo.device('phone')
    await romeo.forgets()
    romeo.sends("<message type='chat'><body>To me</body></message>")
    for (const device of [romeo, phone]) {
      await device.receives(`<message from='${romeo.jid}' to='${romeo.bare}' type='chat'><body>To me</body></message>`)
    }
  })

  test('a message to the server, or to another office, comes back', async () => {
    const { romeo } = await stage.people('romeo')
    romeo.sends("<message to='office.test' id='1'><body>Server?</body></message>")
    await romeo.receives(`<message type='error' id='1' from='office.test'>${unavailable}</message>`)
    romeo.sends("<message to='juliet@elsewhere.invalid' id='2'><body>Far</body></message>")
    const answer = await romeo.client.receives("<message type='error' id='2'/>")
    expect(String(answer)).toContain('remote-server-not-found')
  })

  test('an address that is none comes back', async () => {
    const { romeo } = await stage.people('romeo')
    romeo.sends("<message to='@office.test' id='1'><body>x</body></message>")
    await romeo.receives(`<message type='error' id='1'>${failure('modify', 'jid-malformed')}</message>`)
  })

  test('addresses are the same however they are written', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    romeo.sends(`<message to='${juliet.bare.toUpperCase()}/juliet' type='chat'><body>JULIET</body></message>`)
    await juliet.receives("<message type='chat'><body>JULIET</body></message>")
  })

  test('the sender is who is signed in', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    romeo.sends(`<message from='${romeo.bare}' to='${juliet.jid}' type='chat'><body>1</body></message>`)
    await juliet.receives(`<message from='${romeo.jid}' type='chat'><body>1</body></message>`)
  })
})

describe('content', () => {
  test('everything in a message arrives as it was sent', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    const content =
      "<subject xml:lang='en'>A &amp; B</subject><body>One &lt;two&gt;\u{1f339}</body><thread parent='p'>t</thread><x xmlns='urn:x' a='1'><y><![CDATA[<raw>]]></y></x>"
    romeo.sends(`<message to='${juliet.jid}' id='i' xml:lang='de'>${content}</message>`)
    const message = await juliet.receives(
      `<message id='i' xml:lang='de'>${content.replace('<![CDATA[<raw>]]>', '&lt;raw&gt;')}</message>`,
    )
    expect(message.getChildText('body')).toBe('One <two>\u{1f339}')
  })

  test('a type that nobody knows is delivered as what it says', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    romeo.sends(`<message to='${juliet.bare}' type='song'><body>la</body></message>`)
    await juliet.receives("<message type='song'><body>la</body></message>")
  })

  test('messages of one device to another keep their order', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    const numbers = Array.from({ length: 300 }, (_, index) => String(index))
    romeo.sends(
      numbers.map(number => `<message to='${juliet.jid}' type='chat'><body>${number}</body></message>`).join(''),
    )
    for (const number of numbers) await juliet.receives(`<message type='chat'><body>${number}</body></message>`)
  })

  breaking('nothing of a conversation is lost, and it keeps its order', async () => {
    const { romeo, juliet } = await stage.people('romeo', 'juliet')
    await juliet.client.manage("resume='false'")
    const say = (from: number, to: number) => {
      for (let number = from; number <= to; number++) {
        romeo.sends(`<message to='${juliet.bare}' type='chat'><body>${number}</body></message>`)
      }
    }
    /** How many of each number have come, as they come: at once, or out of the archive. */
    const heard: { readonly number: number; readonly isLate: boolean }[] = []
    const hears = async (count: number): Promise<void> => {
      while (new Set(heard.map(({ number }) => number)).size < count) {
        const message = await juliet.client.receives(one => one.is('message'))
        heard.push({ number: Number(message.getChildText('body')), isLate: message.getChild('delay') !== undefined })
      }
    }
    say(1, 20)
    await hears(10)
    await stage.breaks()
    say(21, 30)
    await hears(30)
    // What she has not acknowledged comes again, as soon as it is sure that nobody else has it.
    await juliet.settles()
    expect((await juliet.client.leftovers()).filter(one => one.is('message'))).toEqual([])
    for (const isLate of [false, true]) {
      const numbers = heard.flatMap(one => (one.isLate === isLate ? [one.number] : []))
      expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
    }
  })
})
