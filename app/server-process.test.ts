import { existsSync, readFileSync, watch } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { withTimeout } from '../test/support/timeout.ts'
import { OwnServer, type OwnState } from './server-process.ts'

/** A real process that behaves as its data folder's name says, for what a server does at its worst. */
const script = `
  import { appendFileSync } from 'node:fs'
  const data = process.argv.at(-1)
  appendFileSync(data + '.starts', process.pid + ' ' + process.argv.slice(2, -1).join(' ') + '\\n')
  if (data.endsWith('refuses')) { console.error('Port 9090 is in use by another program.'); process.exit(2) }
  if (data.endsWith('crashes')) process.exit(70)
  process.on('SIGTERM', () => { appendFileSync(data + '.stopped', ''); process.exit(0) })
  setInterval(() => undefined, 1000)
`

async function ownServer(name: string, node = process.execPath) {
  const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-own-'))
  const main = path.join(folder, 'main.mjs')
  await writeFile(main, script)
  const seen: OwnState[] = []
  let told = (): void => undefined
  const server = new OwnServer({
    program: { node, main },
    data: path.join(folder, name),
    outputFile: path.join(folder, 'profile', 'output.txt'),
    restartFirstMs: 10,
    onChange: state => {
      seen.push(state)
      told()
    },
  })
  onTestFinished(async () => {
    await server.end()
    await rm(folder, { recursive: true })
  })
  const until = async (fits: () => boolean) => {
    const changed = new Promise<void>(resolve => {
      told = () => void (fits() && resolve())
      told()
    })
    await withTimeout(changed, 10_000, () => `it stays ${JSON.stringify(server.state)}`)
  }
  const note = path.join(folder, `${name}.starts`)
  const starts = () => readFileSync(note, 'utf8').trim().split('\n')
  const watcher = watch(folder, () => told())
  onTestFinished(() => watcher.close())
  const hasStarted = () => until(() => existsSync(note) && readFileSync(note, 'utf8').endsWith('\n'))
  return { server, seen, until, starts, hasStarted, stopped: path.join(folder, `${name}.stopped`) }
}

test('it is started as the service is, and stopped in order', async () => {
  const { server, starts, hasStarted, stopped } = await ownServer('works')
  server.start()
  server.start()
  await hasStarted()
  expect(starts()).toEqual([expect.stringMatching(/^\d+ run --no-open --data$/)])
  await server.end()
  expect(server.state).toEqual({ at: 'off' })
  expect(existsSync(stopped)).toBe(true)
})

test('one that dies is started again, after a pause', async () => {
  const { server, seen, until, starts } = await ownServer('crashes')
  server.start()
  await until(() => seen.filter(state => state.at === 'running').length >= 3)
  expect(seen.slice(0, 3).map(state => state.at)).toEqual(['running', 'waiting', 'running'])
  await server.end()
  const before = starts().length
  expect(before).toBeGreaterThanOrEqual(2)
  expect(server.state.at).toBe('off')
})

test('one that says why it cannot start is not started again, and its sentence is told', async () => {
  const { server, until, starts } = await ownServer('refuses')
  server.start()
  await until(() => server.state.at === 'failed')
  expect(server.state).toEqual({ at: 'failed', sentence: 'Port 9090 is in use by another program.' })
  expect(starts()).toHaveLength(1)
})

test('one that the shell leaves goes on', async () => {
  const { server, until, starts, hasStarted } = await ownServer('works')
  server.start()
  await hasStarted()
  server.leave()
  const pid = Number(starts()[0]?.split(' ')[0])
  await server.end()
  // Throws when there is no such process.
  process.kill(pid, 'SIGTERM')
  await until(() => server.state.at === 'off')
})

test('a program that is not there is told in a sentence', async () => {
  const { server, until } = await ownServer('works', '/nowhere/node')
  server.start()
  await until(() => server.state.at === 'failed')
  expect(server.state).toMatchObject({ sentence: expect.stringContaining('Chat cannot be started') })
})
