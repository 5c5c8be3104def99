import { expect, test } from 'vitest'
import { placeOf } from './place.ts'

test('an address is a path and a query', () => {
  const place = placeOf('#/people?find=anna%20b')
  expect(place.path).toBe('/people')
  expect(place.query.get('find')).toBe('anna b')
})

test('anything odd is the start page', () => {
  for (const odd of ['', '#', '#people', '#token=abc']) expect(placeOf(odd).path).toBe('/')
})
