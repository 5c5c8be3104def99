import { describe, expect, test } from 'vitest'
import { domainFor, initialsOf, strengthOf, usernameFor } from './words.ts'

describe('the strength of a password', () => {
  test('is nothing while it is too short', () => expect(strengthOf('aB3!xyz', 8)).toBe(0))
  test('is weak for well-known words and runs', () => {
    for (const known of ['password', 'password1234', 'aaaaaaaaaaaa', '12345678901', 'qwertz1234']) {
      expect(strengthOf(known, 8), known).toBe(1)
    }
  })
  test('gets nothing from the own name or the office', () => {
    expect(strengthOf('annaacme', 8, ['anna', 'ACME'])).toBe(1)
  })
  test('is good or better for some words in a row, and for long mixtures', () => {
    expect(strengthOf('river lamp stone 77', 8)).toBe(4)
    expect(strengthOf('xK9#mPq2vL', 8)).toBeGreaterThanOrEqual(2)
  })
})

test('a domain is made from the name of the office', () => {
  expect(domainFor('ACME')).toBe('acme.lan')
  expect(domainFor('Müller & Söhne GmbH')).toBe('muller-sohne-gmbh.lan')
  expect(domainFor('  Straße 9 ')).toBe('strasse-9.lan')
  expect(domainFor('株式会社')).toBe('')
})

test('a user name is made from the first word of a name', () => {
  expect(usernameFor('Anna Berg')).toBe('anna')
  expect(usernameFor("Zoë O'Neill")).toBe('zoe')
  expect(usernameFor('')).toBe('')
})

test('a person is one or two letters', () => {
  expect(initialsOf('Anna Maria Berg')).toBe('AB')
  expect(initialsOf('reception')).toBe('R')
  expect(initialsOf('')).toBe('?')
})
