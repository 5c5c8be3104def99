import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { endpoints } from '../server/admin/contract/all.ts'
import { AskFault, ask, lines } from './api.ts'
import type { RunFile } from './run-file.ts'

async function serve(answer: http.RequestListener): Promise<RunFile> {
  const server = http.createServer(answer)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { pid: process.pid, adminUrl: `http://127.0.0.1:${port}/`, token: 'run-token' }
}

test('every line the shell asks by stands in the contract', () => {
  for (const [name, { method, path }] of Object.entries(lines)) {
    expect(endpoints[name as keyof typeof endpoints], name).toMatchObject({ method, path })
  }
})

test('a question carries the token, its parameters and its body', async () => {
  const asked: unknown[] = []
  const run = await serve((request, response) => {
    request.on('data', body => asked.push(request.method, request.url, request.headers.authorization, String(body)))
    request.on('end', () => response.end('{}'))
  })
  await ask(run, lines.answerJoin, { params: { id: 'a/b' }, body: { accept: true } })
  expect(asked).toEqual(['POST', '/api/nodes/requests/a%2Fb', 'Bearer run-token', '{"accept":true}'])
})

test('what the server refuses comes with its sentence and its code', async () => {
  const problem = { code: 'not-set-up', sentence: 'There is no office here yet: make one first.' }
  const run = await serve((_, response) => response.writeHead(409).end(JSON.stringify({ error: problem })))
  const fault = await ask(run, lines.getDesktop).catch(error => error)
  expect(fault).toBeInstanceOf(AskFault)
  expect(fault).toMatchObject({ message: problem.sentence, problem })
})

test('no server, half an answer and a page of somebody else are faults without a problem', async () => {
  const half = await serve((_, response) => {
    response.writeHead(200, { 'content-length': 100 })
    response.write('{"half":', () => response.destroy())
  })
  const page = await serve((_, response) => response.end('<html>'))
  const nobody = { ...page, adminUrl: 'http://127.0.0.1:1/' }
  for (const run of [half, page, nobody]) {
    const fault = await ask(run, lines.getDesktop).catch(error => error)
    expect(fault).toBeInstanceOf(AskFault)
    expect(fault.problem).toBeUndefined()
  }
})

test('an answer without end is cut off', async () => {
  const run = await serve((_, response) => {
    const more = (): void => void (response.destroyed || response.write('x'.repeat(65_536), more))
    more()
  })
  await expect(ask(run, lines.getDesktop)).rejects.toThrow('it answered too much')
})
