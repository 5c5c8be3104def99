import { expect, test } from 'vitest'
import { Inbox } from './inbox.ts'
import type { KeptRow } from './kept-row.ts'

/** All an inbox looks at. */
const row = (): { isSettled: boolean } & KeptRow => ({ isSettled: false }) as { isSettled: boolean } & KeptRow

test('without rows everything handled is safe', () => {
  const inbox = new Inbox()
  inbox.count()
  inbox.count()
  expect(inbox.safe).toBe(2)
})

test('the oldest row that is not settled bounds what is safe, also when later ones are', () => {
  const inbox = new Inbox()
  const [first, second] = [row(), row()]
  inbox.count()
  inbox.hold(first)
  inbox.count()
  inbox.hold(second)
  inbox.count()
  inbox.count()
  second.isSettled = true
  inbox.settle()
  expect(inbox.safe).toBe(1)
  first.isSettled = true
  inbox.settle()
  expect(inbox.safe).toBe(4)
})

test('it tells when more has become safe, and only then', () => {
  const inbox = new Inbox()
  let told = 0
  inbox.onSettled = () => told++
  const one = row()
  inbox.hold(one)
  inbox.count()
  inbox.settle()
  expect(told).toBe(0)
  one.isSettled = true
  inbox.settle()
  inbox.settle()
  expect(told).toBe(1)
})
