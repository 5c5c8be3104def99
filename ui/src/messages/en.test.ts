import { expect, test } from 'vitest'
import { en } from './en.ts'

/** All sentences: functions are called with stand-ins, so that their words count too. */
function sentences(part: unknown, name = ''): [string, string][] {
  if (typeof part === 'string') return [[name, part]]
  if (typeof part === 'function') return [[name, String(part(3, 3, 3))]]
  if (part && typeof part === 'object') {
    return Object.entries(part).flatMap(([key, inner]) => sentences(inner, `${name}.${key}`))
  }
  return []
}

test('no sentence has a word that only we understand', () => {
  const never = /\b(node|cluster|FQDN|JDBC|split-brain|quorum|failover|JID|stanza|an error occurred|users?(?! name))\b/i
  for (const [name, sentence] of sentences(en)) expect(sentence, name).not.toMatch(never)
})

test('no sentence is empty or has loose ends', () => {
  for (const [name, sentence] of sentences(en)) {
    expect(sentence.trim(), name).toBe(sentence)
    expect(sentence, name).not.toBe('')
    expect(sentence, name).not.toMatch(/undefined|\[object/)
  }
})

test('one is not many', () => {
  expect(en.many.people(1)).toBe('1 person')
  expect(en.many.devices(2)).toBe('2 devices')
  expect(en.home.todo(1)).toBe('One more thing')
})
