import { expect, test } from 'vitest'
import { JoinProgress } from './join-progress.ts'

const never = new AbortController().signal

test('being together with the other PCs is ticked off when it is so, not with the database; nobody is told outside of joining', async () => {
  const progress = new JoinProgress()
  const told: string[] = []
  const { promise: linked, resolve: link } = Promise.withResolvers<void>()
  const others = {
    untilLinked: async (onWait: (sentence: string) => void) => {
      onWait('Waiting for front-desk.')
      await linked
    },
  }
  const waits: string[] = []
  const meet = () => progress.meet(others, sentence => void waits.push(sentence), never)
  const joining = progress.during((id, state, detail) => void told.push([id, state, detail].join(' ').trim()), meet)
  expect(told).toEqual(['database done', 'cluster doing', 'cluster doing Waiting for front-desk.'])
  link()
  await joining
  expect(told.slice(3)).toEqual(['cluster done', 'open doing'])
  await meet()
  expect(told).toHaveLength(5)
  expect(waits).toEqual(['Waiting for front-desk.', 'Waiting for front-desk.'])
})

test('what goes wrong while joining is thrown, and ends the telling', async () => {
  const progress = new JoinProgress()
  const told: string[] = []
  const join = async (): Promise<void> => {
    throw new Error('away')
  }
  await expect(progress.during((id, state) => void told.push(`${id} ${state}`), join)).rejects.toThrow('away')
  await progress.meet({ untilLinked: async () => undefined }, () => undefined, never)
  expect(told).toEqual([])
})
