import { expect, test } from 'vitest'
import { PerAccount } from './per-account.ts'

function counting(capacity = 100, pinned: string[] = []) {
  const loaded: string[] = []
  const values = new PerAccount({
    capacity,
    isPinned: username => pinned.includes(username),
    load: async username => {
      loaded.push(username)
      return `${username} ${loaded.length}`
    },
  })
  return { values, loaded }
}

test('a value is loaded once, then answered at once', async () => {
  const { values, loaded } = counting()
  const [a, b] = await Promise.all([values.get('romeo'), values.get('romeo')])
  expect([a, b]).toEqual(['romeo 1', 'romeo 1'])
  expect(values.get('romeo')).toBe('romeo 1')
  expect(loaded).toEqual(['romeo'])
})

test('a change while it is being loaded wins over what the load brings', async () => {
  const { values } = counting()
  const loading = values.get('romeo')
  values.set('romeo', 'newer')
  expect(await loading).toBe('romeo 1')
  expect(values.get('romeo')).toBe('newer')
})

test('a value dropped while it is being loaded is loaded again', async () => {
  const { values, loaded } = counting()
  const loading = values.get('romeo')
  values.drop('romeo')
  await loading
  expect(values.peek('romeo')).toBeUndefined()
  await values.get('romeo')
  expect(loaded).toEqual(['romeo', 'romeo'])
})

test('a failure is passed on and not remembered', async () => {
  let isAway = true
  const values = new PerAccount({
    isPinned: () => false,
    load: async () => {
      if (isAway) throw new Error('away')
      return 'here'
    },
  })
  await expect(values.get('romeo')).rejects.toThrow('away')
  isAway = false
  expect(await values.get('romeo')).toBe('here')
})

test('above its capacity the oldest goes, but never one with a session', async () => {
  const { values } = counting(3, ['pinned'])
  for (const username of ['pinned', 'a', 'b', 'c', 'd']) await values.get(username)
  expect(['pinned', 'a', 'b', 'c', 'd'].filter(username => values.peek(username))).toEqual(['pinned', 'c', 'd'])
})

test('whoever cannot wait is told so, and what is loading is there the next time', async () => {
  const database = Promise.withResolvers<string>()
  const values = new PerAccount({ load: () => database.promise, isPinned: () => false, patienceMs: 1 })
  await expect(values.get('romeo')).rejects.toMatchObject({ type: 'wait', condition: 'internal-server-error' })
  const patient = values.load('romeo')
  database.resolve('at last')
  expect(await patient).toBe('at last')
  expect(values.get('romeo')).toBe('at last')
})

test('what is doubted is asked for again by the next who wants it', async () => {
  const { values, loaded } = counting()
  await values.get('romeo')
  values.doubt('romeo')
  expect(values.peek('romeo')).toBe('romeo 1')
  expect(await values.get('romeo')).toBe('romeo 2')
  expect(values.get('romeo')).toBe('romeo 2')
  values.doubt('juliet')
  expect(loaded).toEqual(['romeo', 'romeo'])
})

test('while the database cannot be asked, what is doubted is the best that is known', async () => {
  let isAway = false
  const values = new PerAccount({
    isPinned: () => false,
    load: async () => {
      if (isAway) throw new Error('away')
      return isAway
    },
  })
  await values.get('romeo')
  values.doubt('romeo')
  isAway = true
  expect(await values.get('romeo')).toBe(false)
  expect(values.isDoubtful('romeo')).toBe(true)
  // The next message does not wait to find out the same.
  expect(values.get('romeo')).toBe(false)
})

test('a load that began before the doubt does not end it', async () => {
  const answers: ((value: string) => void)[] = []
  const values = new PerAccount<string>({
    isPinned: () => false,
    load: () => new Promise(resolve => answers.push(resolve)),
  })
  values.set('romeo', 'told')
  values.doubt('romeo')
  const first = values.get('romeo')
  values.doubt('romeo')
  const second = values.get('romeo')
  answers[0]?.('old')
  expect(await first).toBe('old')
  expect(values.isDoubtful('romeo')).toBe(true)
  answers[1]?.('true')
  expect(await second).toBe('true')
  expect(values.get('romeo')).toBe('true')
})

test('after a promotion everything is doubted, and pinned accounts are asked for at once', async () => {
  const { values, loaded } = counting(100, ['romeo'])
  await values.get('romeo')
  await values.get('juliet')
  values.doubtAll()
  expect(loaded).toEqual(['romeo', 'juliet', 'romeo'])
  expect(await values.get('romeo')).toBe('romeo 3')
  expect(await values.get('juliet')).toBe('juliet 4')
})
