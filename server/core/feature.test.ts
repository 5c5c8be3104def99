import { expect, test } from 'vitest'
import { type Feature, startOrder } from './feature.ts'

const named = (name: string, after: string[] = []): Feature => ({
  name,
  title: name,
  standards: [],
  after,
  start: () => undefined,
})
const names = (features: Feature[]): string[] => startOrder(features).map(one => one.name)

test('each feature starts after those it names; the rest by name', () => {
  expect(names([named('c', ['a']), named('b', ['c']), named('a'), named('d')])).toEqual(['a', 'c', 'b', 'd'])
})

test('features that wait for each other, or for one that is not there, are told by name', () => {
  expect(() => names([named('a', ['b']), named('b', ['a'])])).toThrow('a, b wait for each other')
  expect(() => names([named('a', ['x'])])).toThrow('Feature a wants to start after x')
})
