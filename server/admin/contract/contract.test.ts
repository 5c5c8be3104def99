import { expect, test } from 'vitest'
import { endpoints } from './all.ts'
import { statusOf } from './errors.ts'

const all = Object.entries(endpoints)

test('no two endpoints share a method and path', () => {
  const seen = all.map(([, e]) => `${e.method} ${e.path}`)
  expect(new Set(seen).size).toBe(seen.length)
})

test('the places in a path are exactly its params', () => {
  for (const [name, e] of all) {
    const places = [...e.path.matchAll(/:(\w+)/g)].map(match => match[1])
    expect(Object.keys(e.params.properties), name).toEqual(places)
  }
})

test('GET takes no body, and only reading is a GET', () => {
  for (const [name, e] of all) {
    if (e.method === 'GET') expect(Object.keys((e.body as { properties?: object }).properties ?? {}), name).toEqual([])
  }
})

test('only set-up, sign-in and the public certificate answer without an administrator', () => {
  const without = all.filter(([, { access }]) => access === 'open' || access === 'setup').map(([name]) => name)
  expect(without.sort()).toEqual(
    [
      'checkDatabase',
      'checkDomain',
      'createOffice',
      'downloadAuthority',
      'getJoining',
      'getSetup',
      'openLink',
      'signIn',
      'signOut',
      'startJoining',
      'stopJoining',
    ].sort(),
  )
})

test('what needs no office is left to this PC itself: opening its pages, and stopping', () => {
  expect(all.filter(([, { access }]) => access === 'pc').map(([name]) => name)).toEqual(['createLink', 'stopHere'])
})

test('every schema is plain JSON', () => {
  for (const [name, e] of all) {
    for (const part of [e.params, e.query, e.body, e.reply]) {
      expect(JSON.parse(JSON.stringify(part)), name).toMatchObject({ type: 'object' })
    }
  }
})

test('every error code goes with a status of 4xx or 5xx', () => {
  for (const status of Object.values(statusOf)) expect(status).toSatisfy((s: number) => s >= 400 && s < 600)
})
