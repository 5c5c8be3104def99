import { expect, test } from 'vitest'
import type { Node } from '../../../server/admin/contract/nodes.ts'
import { linesOf, ringOf } from './layout.ts'

type Linked = Pick<Node, 'name' | 'state' | 'links'>
const link = (to: string) => ({ to, state: 'good' as const, roundTripMs: 0.4 })

test('one to nine PCs never touch each other, and stay inside, on a phone and on a wide screen', () => {
  for (const width of [260, 330, 520, 640, 900]) {
    for (let count = 1; count <= 9; count++) {
      const { spots, card, height } = ringOf(count, width)
      const where = `${count} PCs in ${width} px`
      expect(spots, where).toHaveLength(count)
      for (const [at, one] of spots.entries()) {
        expect(one.x - card.width / 2, where).toBeGreaterThanOrEqual(-0.1)
        expect(one.x + card.width / 2, where).toBeLessThanOrEqual(width + 0.1)
        expect(one.y - card.height / 2, where).toBeGreaterThanOrEqual(-0.1)
        expect(one.y + card.height / 2, where).toBeLessThanOrEqual(height + 0.1)
        for (const other of spots.slice(at + 1)) {
          const isApart = Math.abs(one.x - other.x) >= card.width || Math.abs(one.y - other.y) >= card.height
          expect(isApart, where).toBe(true)
        }
      }
    }
  }
})

test('a line is as bad as the worse of its two ends, and none leads to a PC that is off', () => {
  const a: Linked = { name: 'a', state: 'on', links: [link('b'), link('c')] }
  const b: Linked = {
    name: 'b',
    state: 'on',
    links: [{ ...link('a'), state: 'cut', trouble: 'No answer.' }, link('c')],
  }
  const c: Linked = { name: 'c', state: 'off', links: [] }
  expect(linesOf([a, b, c])).toEqual([{ one: 'a', other: 'b', state: 'cut', roundTripMs: 0.4, trouble: 'No answer.' }])
})
