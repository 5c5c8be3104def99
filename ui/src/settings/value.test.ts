import { expect, test } from 'vitest'
import { en } from '../messages/en.ts'
import { read, same, shown, typed } from './value.ts'

test('what was typed becomes a value of the schema', () => {
  expect(read({ type: 'integer' }, ' 42 ')).toBe(42)
  expect(read({ type: 'number' }, '1,5')).toBe(1.5)
  expect(read({ type: 'string' }, ' a ')).toBe('a')
  expect(read({ type: 'string', format: 'multiline' }, 'a\n')).toBe('a\n')
  expect(read({ type: 'array' }, 'a\n\n b ')).toEqual(['a', 'b'])
  expect(read({ type: 'boolean' }, 'true')).toBe(true)
})

test('what is no number is no value', () => {
  expect(read({ type: 'integer' }, '')).toBeUndefined()
  expect(read({ type: 'integer' }, 'many')).toBeUndefined()
})

test('a value is shown as people say it', () => {
  const show = (schema: Parameters<typeof shown>[0], value: Parameters<typeof shown>[1]) =>
    shown(schema, value, en, 'en')
  expect(show({ type: 'boolean' }, true)).toBe('On')
  expect(show({ type: 'integer', unit: 'bytes' }, 104_857_600)).toBe('105 MB')
  expect(show({ type: 'integer', unit: 'days' }, 1000)).toBe('1,000 days')
  expect(show({ type: 'integer', choices: { 365: '1 year' } }, 365)).toBe('1 year')
  expect(show({ type: 'array' }, ['a', 'b'])).toBe('a, b')
  expect(show({ type: 'string' }, '')).toBe('empty')
})

test('lists are typed one a line and compared by what is in them', () => {
  expect(typed(['a', 'b'])).toBe('a\nb')
  expect(same(['a'], ['a'])).toBe(true)
  expect(same(1, 2)).toBe(false)
})
