import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Desktop } from '../server/admin/contract/desktop.ts'
import { removeRunFile, writeRunFile } from '../server/cli/run-file.ts'
import { desktop } from '../test/support/desktop.ts'
import { withTimeout } from '../test/support/timeout.ts'
import { type LinkState, ServerLink } from './server-link.ts'

/** What an admin server says, over real HTTP: only its answers are made up. */
class Server {
  readonly #http = http.createServer((request, response) => this.#answer(request, response))
  readonly #streams = new Set<http.ServerResponse>()
  readonly token = randomUUID()
  answer: Desktop | { code: string } = desktop()
  areEventsRefused = false
  questions = 0

  async open(): Promise<string> {
    await new Promise<void>(resolve => this.#http.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}/`
  }

  stir(): void {
    for (const stream of this.#streams) stream.write('event: desktop\ndata: {}\n\n')
  }

  close(): void {
    this.#http.closeAllConnections()
    this.#http.close()
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    if (request.url === '/api/events') {
      if (this.areEventsRefused) return void response.writeHead(429).end()
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(':\n\n')
      this.#streams.add(response)
      return
    }
    this.questions++
    const isRefused = 'code' in this.answer
    response.writeHead(isRefused ? 409 : 200)
    response.end(JSON.stringify(isRefused ? { error: { ...this.answer, sentence: 'Not now.' } } : this.answer))
  }
}

describe('the link to the server of this PC', () => {
  let folder: string
  let link: ServerLink
  let seen: LinkState[]
  let told: () => void
  const servers: Server[] = []

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-link-'))
    seen = []
    told = () => undefined
    const onChange = (state: LinkState) => {
      seen.push(state)
      told()
    }
    link = new ServerLink({ folders: [path.join(folder, 'service'), folder], onChange })
  })
  afterEach(async () => {
    link.close()
    for (const server of servers.splice(0)) server.close()
    await rm(folder, { recursive: true })
  })

  async function start(): Promise<Server> {
    const server = new Server()
    servers.push(server)
    await writeRunFile(folder, { pid: process.pid, adminUrl: await server.open(), token: server.token })
    return server
  }

  /** Waits until the state fits; changes are told within a second. */
  async function until(fits: (state: LinkState) => boolean, limitMs = 1_000): Promise<void> {
    const changed = new Promise<void>(resolve => {
      told = () => {
        if (fits(link.state)) resolve()
      }
      told()
    })
    await withTimeout(changed, limitMs, () => `it stays ${JSON.stringify(link.state)}`)
  }

  const isUp = (state: LinkState) => state.at === 'up'

  test('a server is found when it starts, and stopped is what it is before and after', async () => {
    link.look()
    await until(state => state.at === 'stopped')
    const server = await start()
    await until(isUp, 2_000)
    await removeRunFile(folder)
    server.close()
    await until(state => state.at === 'stopped')
  })

  test('what changes there is told within a second, and a burst of events is one question or two', async () => {
    const server = await start()
    link.look()
    await until(isUp)
    const before = server.questions
    server.answer = desktop({ peopleOnline: 24 })
    for (let count = 0; count < 50; count++) server.stir()
    await until(state => state.at === 'up' && state.desktop.peopleOnline === 24)
    expect(server.questions - before).toBeLessThanOrEqual(2)
  })

  test('where events are refused the server is asked now and then', async () => {
    const server = await start()
    server.areEventsRefused = true
    link.look()
    await until(isUp)
    server.answer = desktop({ peopleOnline: 24 })
    await until(state => state.at === 'up' && state.desktop.peopleOnline === 24, 4_000)
    expect(server.questions).toBeLessThan(5)
  })

  test('a server that dies is lost, and the next one is found with its own token', async () => {
    const server = await start()
    link.look()
    await until(isUp)
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    await writeRunFile(folder, { pid: child.pid ?? 0, adminUrl: 'http://127.0.0.1:1/', token: server.token })
    server.close()
    await until(state => state.at === 'lost')
    const next = await start()
    await until(state => state.at === 'up' && state.run.token === next.token, 2_000)
  })

  test('a server that we have stopped is not lost, even when it died of it', async () => {
    const server = await start()
    link.look()
    await until(isUp)
    link.expectStop()
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    await writeRunFile(folder, { pid: child.pid ?? 0, adminUrl: 'http://127.0.0.1:1/', token: server.token })
    server.close()
    await until(state => state.at === 'stopped')
  })

  test('a process that does not answer is starting, or stopping', async () => {
    await writeRunFile(folder, { pid: process.pid, adminUrl: 'http://127.0.0.1:1/', token: 't' })
    link.look()
    await until(state => state.at === 'starting' && state.run !== undefined)
  })

  test('a server without an office waits for its wizard, one that is not ready starts', async () => {
    const server = await start()
    server.answer = { code: 'not-ready' }
    link.look()
    await until(state => state.at === 'starting' && state.run !== undefined)
    server.answer = { code: 'not-set-up' }
    await until(state => state.at === 'fresh', 2_000)
    server.answer = desktop()
    await until(isUp, 2_000)
  })
})
