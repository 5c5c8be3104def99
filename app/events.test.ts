import http from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { withTimeout } from '../test/support/timeout.ts'
import { EventNames, followEvents } from './events.ts'

const stream =
  'retry: 2000\n\nevent: desktop\ndata: {}\n\n:\n\nevent: join-request\ndata: {"event: fake":1}\n\nevent: desktop\n\n'

test('names are found however the stream is cut into pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length), { maxLength: 20 }), cuts => {
      const found: string[] = []
      const names = new EventNames(name => found.push(name))
      const edges = [0, ...cuts.sort((a, b) => a - b), stream.length]
      for (const [index, edge] of edges.slice(1).entries()) names.read(stream.slice(edges[index], edge))
      expect(found).toEqual(['desktop', 'join-request', 'desktop'])
    }),
  )
})

test('a line of any length is read without being kept', () => {
  const found: string[] = []
  const names = new EventNames(name => found.push(name))
  for (let count = 0; count < 100; count++) names.read('data: '.repeat(10_000))
  names.read('\nevent: desktop\n')
  expect(found).toEqual(['desktop'])
})

test('a stream tells when it opens, what comes, and that it has ended', async () => {
  let authorization: string | undefined
  const server = http.createServer((request, response) => {
    authorization = request.headers.authorization
    response.write('event: desktop\ndata: {}\n\n')
    response.end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const adminUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const told: string[] = []
  const ended = new Promise<void>(resolve => {
    followEvents(
      { pid: 1, adminUrl, token: 't' },
      { open: () => told.push('open'), event: name => told.push(name), end: resolve },
    )
  })
  await withTimeout(ended, 5_000, () => 'the end of the stream was not told')
  expect(told).toEqual(['open', 'desktop'])
  expect(authorization).toBe('Bearer t')
})

test('a stream that is refused has ended; one that was closed says nothing', async () => {
  const server = http.createServer((_, response) => response.writeHead(409).end())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const run = { pid: 1, adminUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, token: 't' }
  const told: string[] = []
  const follow = (end: () => void) =>
    followEvents(run, { open: () => told.push('open'), event: name => told.push(name), end })
  follow(() => told.push('an end after close')).close()
  await withTimeout(new Promise<void>(resolve => follow(resolve)), 5_000, () => 'the end was not told')
  expect(told).toEqual([])
})
