import { expect, test } from 'vitest'
import { HookTable } from './hooks.ts'

const event = { username: 'romeo' }

test('handlers run in the order filter, change, store, watch, whatever the order they were added in', () => {
  const hooks = new HookTable()
  const ran: string[] = []
  for (const order of ['watch', 'store', 'change', 'filter'] as const) {
    hooks.on('account:created', order, () => void ran.push(order))
  }
  expect(hooks.run('account:created', event)).toBe(true)
  expect(ran).toEqual(['filter', 'change', 'store', 'watch'])
})

test('a chain without a waiting handler answers at once, without a promise', () => {
  const hooks = new HookTable()
  hooks.on('account:created', 'watch', () => undefined)
  expect(hooks.run('account:created', event)).toBe(true)
  expect(hooks.run('account:removed', event)).toBe(true)
})

test('a handler that answers stop ends the chain', () => {
  const hooks = new HookTable()
  let reached = false
  hooks.on('account:created', 'filter', () => 'stop')
  hooks.on('account:created', 'watch', () => {
    reached = true
  })
  expect(hooks.run('account:created', event)).toBe(false)
  expect(reached).toBe(false)
})

test('a handler that waits makes the rest wait, and may stop it too', async () => {
  const hooks = new HookTable()
  const ran: string[] = []
  hooks.on('account:created', 'filter', async () => void ran.push('first'))
  hooks.on('account:created', 'change', async () => {
    ran.push('second')
    return 'stop' as const
  })
  hooks.on('account:created', 'watch', () => void ran.push('never'))
  const answer = hooks.run('account:created', event)
  expect(answer).toBeInstanceOf(Promise)
  expect(await answer).toBe(false)
  expect(ran).toEqual(['first', 'second'])
})

test('what was taken away runs no more; a fault reaches the caller', () => {
  const hooks = new HookTable()
  const remove = hooks.on('account:created', 'filter', () => {
    throw new Error('refused')
  })
  expect(() => hooks.run('account:created', event)).toThrow('refused')
  remove()
  expect(hooks.run('account:created', event)).toBe(true)
})
