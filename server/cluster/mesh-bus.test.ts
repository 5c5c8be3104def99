import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { quietLog } from '../../test/support/database.ts'
import { type Pair, pair, reached } from '../../test/support/mesh.ts'
import type { Bus, DeliveredRow, Delivery } from './bus.ts'
import { CallFault } from './mesh.ts'
import { meshBus } from './mesh-bus.ts'
import { deliverHeader, readDelivery } from './mesh-bus-frames.ts'

const row: DeliveredRow = {
  id: '01900000-0000-7000-8000-000000000001',
  from: 'romeo@office.test/büro',
  to: 'juliet@office.test',
  sender: 'romeo',
  receiver: 'juliet',
  pending: true,
  inSender: false,
  inReceiver: true,
  stream: 'stream-r',
  count: 4_294_967_295,
}

test('a delivery is read as it was written, with or without a row and an asker', () => {
  const bytes = Buffer.from("<message to='juliet@office.test'><body>ü\nx</body></message>")
  const outside = { ...row, sender: undefined, stream: undefined, count: undefined, pending: false, inSender: true }
  const deliveries: Delivery[] = [
    { targets: ['juliet@office.test/a'], bytes },
    { targets: ['juliet@office.test/a', 'juliet@office.test/ü b'], bytes, row },
    { targets: ['juliet@office.test/a'], bytes, row: outside },
    { targets: ['juliet@office.test/a'], bytes, asker: 'romeo@office.test/x' },
  ]
  for (const [number, delivery] of deliveries.entries()) {
    expect(readDelivery(Buffer.concat([deliverHeader(number, delivery), bytes]))).toEqual({ number, delivery })
  }
  for (const wrong of ['', 'abc', '\xff\xff\xff\xff', '\0\0\0\u0001x']) {
    expect(readDelivery(Buffer.from(wrong, 'latin1'))).toBeUndefined()
  }
})

describe('between two nodes', () => {
  let office: Pair
  let one: Bus
  let two: Bus
  let arrived: Delivery[]
  let missing: string[]

  beforeAll(async () => {
    office = await pair()
    one = meshBus(office.one, quietLog)
    two = meshBus(office.two, quietLog)
    two.onDeliver((delivery, from) => {
      expect(from.name).toBe('pc-1')
      arrived.push(delivery)
      return delivery.targets.filter(target => missing.includes(target))
    })
  })
  beforeEach(() => {
    arrived = []
    missing = []
  })
  afterAll(() => office[Symbol.asyncDispose]())

  const delivery = (text: string, ...targets: string[]): Delivery => ({ targets, bytes: Buffer.from(text), row })

  /** Resolves when all that was said before has been heard, and answered. */
  async function passed(): Promise<void> {
    await one.ask('pc-2', 'echo', {}, 5_000)
    await new Promise(resolve => setImmediate(resolve))
  }

  test('deliveries and words arrive in the order in which they were said', async () => {
    const heard: string[] = []
    const forget = two.onTell('word', (body: { n: number }) => heard.push(`word ${body.n}`))
    const unbind = two.onAsk('echo', () => {
      heard.push(...arrived.map(({ bytes }) => bytes.toString()))
      return null
    })
    expect(one.deliver('pc-2', delivery('a', 'x'), () => undefined)).toBe('sent')
    one.tell('pc-2', 'word', { n: 1 })
    one.tell(undefined, 'word', { n: 2 })
    one.tell(undefined, 'nobody listens', {})
    await passed()
    expect(heard).toEqual(['word 1', 'word 2', 'a'])
    expect(arrived).toEqual([delivery('a', 'x')])
    forget()
    unbind()
  })

  test('whoever is not there is told, once; whoever has it is not', async () => {
    const unbind = two.onAsk('echo', () => null)
    missing = ['y']
    const unreached: string[][] = []
    for (const names of [['x', 'y'], ['x'], ['y']]) {
      one.deliver('pc-2', delivery('a', ...names), targets => unreached.push([...targets]))
    }
    await passed()
    expect(unreached).toEqual([['y'], ['y']])
    unbind()
  })

  test('a question is answered, or refused with a sentence', async () => {
    const unbind = two.onAsk('double', ({ n }: { n: number }, from) => {
      if (n > 9) throw new Error(`${n} is too much for ${from.name}.`)
      return n * 2
    })
    expect(await one.ask('pc-2', 'double', { n: 4 }, 1_000)).toBe(8)
    await expect(one.ask('pc-2', 'double', { n: 10 }, 1_000)).rejects.toThrow('10 is too much for pc-1.')
    unbind()
    await expect(one.ask('pc-2', 'double', { n: 4 }, 1_000)).rejects.toThrow(CallFault)
  })

  test('who writes to a crowded session of another node waits until it is one no more, or a quarter of a second', async () => {
    const unbind = two.onAsk('echo', () => null)
    two.tellCrowded('x', true)
    await two.ask('pc-1', 'echo', {}, 1_000).catch(() => undefined)
    expect([one.isCrowded('pc-2', 'x'), one.isCrowded('pc-2', 'y')]).toEqual([true, false])
    const startedAt = performance.now()
    await one.room('pc-2', 'x')
    expect(performance.now() - startedAt).toBeGreaterThan(200)
    const room = one.room('pc-2', 'x')
    two.tellCrowded('x', false)
    await room
    expect(one.isCrowded('pc-2', 'x')).toBe(false)
    unbind()
  })

  test('of a node that dies before it has answered nobody has it, nobody waits for it, and nothing more is sent there', async () => {
    const { door } = office
    two.tellCrowded('x', true)
    await two.ask('pc-1', 'echo', {}, 1_000).catch(() => undefined)
    expect(one.isCrowded('pc-2', 'x')).toBe(true)
    door.freeze()
    const unreached = Promise.withResolvers<readonly string[]>()
    expect(one.deliver('pc-2', delivery('late', 'x', 'y'), unreached.resolve)).toBe('sent')
    await reached(office.one, 'pc-2', 'suspected')
    expect(one.isCrowded('pc-2', 'x')).toBe(false)
    expect(one.node('pc-2')?.state).toBe('suspected')
    expect(await unreached.promise).toEqual(['x', 'y'])
    expect(one.node('pc-2')?.state).toBe('gone')
    expect(one.deliver('pc-2', delivery('later', 'x'), () => undefined)).toBe('gone')
    expect(one.nodes.map(({ name, state }) => [name, state])).toEqual([['pc-2', 'gone']])
  })
})
