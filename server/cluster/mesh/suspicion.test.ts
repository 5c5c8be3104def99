import { expect, test } from 'vitest'
import { Suspicion } from './suspicion.ts'

test('a peer that Hazelcast has dropped is gone at once when nothing listens there, else only when it has been suspected for long', () => {
  const died = new Suspicion(2_000)
  died.begin(100)
  died.absent()
  expect(died.isProved(600)).toBe(false)
  died.refused()
  expect(died.isProved(600)).toBe(true)

  const cut = new Suspicion(2_000)
  cut.begin(100)
  cut.absent()
  expect(cut.isProved(2_099)).toBe(false)
  expect(cut.isProved(2_100)).toBe(true)
})

test('what was said before a peer was suspected, or of an earlier suspicion, proves nothing', () => {
  const suspicion = new Suspicion(2_000)
  suspicion.absent()
  suspicion.refused()
  suspicion.begin(0)
  expect(suspicion.isProved(5_000)).toBe(false)
  suspicion.absent()
  suspicion.refused()
  suspicion.end()
  expect(suspicion.isProved(5_000)).toBe(false)
  suspicion.begin(6_000)
  expect(suspicion.isProved(9_000)).toBe(false)
})
