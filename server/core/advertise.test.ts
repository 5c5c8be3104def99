import { expect, test } from 'vitest'
import { AdvertisementTable } from './advertise.ts'

test('features are sorted and named once, per target, and go away with who added them', () => {
  const table = new AdvertisementTable()
  table.add('host', { features: ['b', 'a'], identities: [{ category: 'server', type: 'im' }] })
  const remove = table.add('host', { features: ['a', 'c'] })
  table.add('account', { features: ['x'] })
  expect(table.of('host').features).toEqual(['a', 'b', 'c'])
  expect(table.of('host').identities).toEqual([{ category: 'server', type: 'im' }])
  expect(table.of('account').features).toEqual(['x'])
  remove()
  expect(table.of('host').features).toEqual(['a', 'b'])
})
