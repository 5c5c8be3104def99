import { expect, test } from 'vitest'
import { localBus } from './bus.ts'

test('on a lone node the bus reaches nobody', async () => {
  expect(await localBus().send('pc-2', ['a', 'b'], Buffer.from('<message/>'))).toEqual(['gone', 'gone'])
})
