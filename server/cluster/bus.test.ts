import { expect, test } from 'vitest'
import { localBus } from './bus.ts'

test('on a lone node the bus reaches nobody', () => {
  const delivery = { targets: ['a', 'b'], bytes: Buffer.from('<message/>') }
  expect(localBus().deliver('pc-2', delivery, () => undefined)).toBe('gone')
})
