import { describe, expect, test } from 'vitest'
import { areNeighbours, isNewer } from './versions.ts'

describe('versions', () => {
  test('are compared number by number, not letter by letter', () => {
    expect(isNewer('0.10.0', '0.9.9')).toBe(true)
    expect(isNewer('1.2.10', '1.2.9')).toBe(true)
    expect(isNewer('2.0.0', '1.99.99')).toBe(true)
    expect(isNewer('1.2.3', '1.2.3')).toBe(false)
    expect(isNewer('1.2', '1.2.0')).toBe(false)
    expect(isNewer('1.2.2', '1.10.0')).toBe(false)
  })

  test('that are none are neither newer nor older', () => {
    for (const odd of ['', 'newest', '1', '1.x.0', '-1.0.0', '99999999.0.0']) {
      expect(isNewer(odd, '1.0.0')).toBe(false)
      expect(isNewer('1.0.0', odd)).toBe(false)
      expect(areNeighbours('1.0.0', odd)).toBe(false)
    }
  })

  test('work side by side while the first number is the same and the second at most one apart', () => {
    expect(areNeighbours('1.2.0', '1.3.9')).toBe(true)
    expect(areNeighbours('1.3.0', '1.2.0-test')).toBe(true)
    expect(areNeighbours('1.2.0', '1.4.0')).toBe(false)
    expect(areNeighbours('1.9.0', '2.0.0')).toBe(false)
  })
})
