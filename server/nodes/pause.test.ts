import pino from 'pino'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../test/support/database.ts'
import { openDataFolder } from '../node.ts'
import { Pause } from './pause.ts'

const minute = 60_000
const start = Date.parse('2026-11-22T10:00:00Z')

/** A PC whose server can be started again; `clock` is its time. */
async function aPc() {
  const dir = await temporaryFolder()
  const clock = { now: start }
  const happened: string[] = []
  const startServer = async () => {
    const folder = await openDataFolder(dir)
    const stop = new AbortController()
    const pause = new Pause({
      folder,
      log: pino({ level: 'silent' }),
      signal: stop.signal,
      now: () => clock.now,
      sendAway: async () => {
        happened.push('sent away')
        return { moved: 2, left: 1 }
      },
      takeBack: () => void happened.push('taken back'),
      note: async sentence => void happened.push(sentence),
    })
    const close = async (): Promise<void> => {
      stop.abort()
      await folder.close()
    }
    return { pause, close, name: folder.state.nodeName, [Symbol.asyncDispose]: close }
  }
  return { clock, happened, startServer }
}

test('a pause ends by itself, and that stands in the history', async () => {
  const { clock, happened, startServer } = await aPc()
  await using server = await startServer()
  const { pause, name } = server
  expect(await pause.begin(30)).toEqual({ moved: 2, left: 1 })
  expect(pause.until).toBe('2026-11-22T10:30:00.000Z')
  clock.now += 30 * minute - 1
  await pause.look()
  expect(happened).toEqual(['sent away'])
  clock.now += 1
  await pause.look()
  await pause.look()
  expect(happened).toEqual(['sent away', 'taken back', `The pause of ${name} is over: people can log in there again.`])
  expect(pause.until).toBeUndefined()
})

test('its end can be changed, or left to somebody, who ends it without a word of ours', async () => {
  const { clock, happened, startServer } = await aPc()
  await using server = await startServer()
  const { pause } = server
  await pause.begin(30)
  await pause.begin(undefined)
  clock.now += 1_000 * minute
  await pause.look()
  expect(pause.until).toBeNull()
  await pause.end()
  expect(happened).toEqual(['sent away', 'sent away', 'taken back'])
})

test('a restart changes neither the pause nor its end', async () => {
  const { clock, happened, startServer } = await aPc()
  const first = await startServer()
  await first.pause.begin(30)
  await first.close()
  clock.now += 10 * minute
  await using second = await startServer()
  expect(second.pause.until).toBe('2026-11-22T10:30:00.000Z')
  second.pause.goOn()
  expect(happened).toEqual(['sent away', 'sent away'])
  clock.now += 20 * minute
  await second.pause.look()
  expect(happened.slice(2, 3)).toEqual(['taken back'])
})

test('a pause whose time passed while the server was off is over', async () => {
  const { clock, happened, startServer } = await aPc()
  const first = await startServer()
  await first.pause.begin(30)
  await first.close()
  clock.now += 31 * minute
  await using second = await startServer()
  second.pause.goOn()
  expect([second.pause.until, happened]).toEqual([undefined, ['sent away']])
})
