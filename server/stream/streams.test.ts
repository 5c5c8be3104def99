import { expect, test } from 'vitest'
import { Office } from '../../test/support/office.ts'
import { Alarms } from './alarms.ts'
import { joined, WriteBatch } from './outlet.ts'

test('a graceful stop tells everybody why, and waits until they are gone', async () => {
  const office = await Office.start()
  const romeo = await office.client('romeo')
  const managed = await office.client('juliet')
  await managed.manage()
  const stranger = await office.connect('tls')
  await stranger.open()
  const stopped = office[Symbol.asyncDispose]()
  await romeo.fails('system-shutdown')
  await managed.fails('system-shutdown')
  await stranger.fails('system-shutdown')
  await stopped
  expect(office.streams.size).toBe(0)
  await expect(office.connect()).rejects.toThrow()
})

test('everything that is gathered in one turn of the event loop is written once', async () => {
  const batch = new WriteBatch()
  const writes: string[] = []
  const writer = (name: string) => ({ flush: () => void writes.push(name) })
  batch.add(writer('one'))
  batch.add(writer('two'))
  expect(writes).toEqual([])
  await new Promise(resolve => setImmediate(resolve))
  expect(writes).toEqual(['one', 'two'])
})

test('small parts are joined, one part is taken as it is, large ones are not copied', () => {
  const part = Buffer.from('abc')
  expect(joined([part])).toBe(part)
  expect(joined([part, part])?.toString()).toBe('abcabc')
  expect(joined([Buffer.alloc(60_000), Buffer.alloc(60_000)])).toBeUndefined()
})

test('alarms ring once, when their time has come, and not after they were taken back', () => {
  let now = 0
  const alarms = new Alarms(() => now)
  const rung: string[] = []
  const [one, two] = [() => void rung.push('one'), () => void rung.push('two')]
  alarms.set(one, 100)
  alarms.set(two, 200)
  now = 150
  alarms.ring()
  alarms.ring()
  expect(rung).toEqual(['one'])
  alarms.clear(two)
  now = 300
  alarms.ring()
  expect(rung).toEqual(['one'])
  expect(alarms.size).toBe(0)
})
