// Stands in for the server in tests of the installing program: says its version and whether people can log in, and writes run.json as the real one does.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

const parts = new URL('..', import.meta.url)
const { version } = JSON.parse(readFileSync(new URL('package.json', parts), 'utf8'))
const isBroken = existsSync(new URL('broken', parts))
const data = process.argv[process.argv.indexOf('--data') + 1]
const runFile = join(data, 'run.json')

const server = createServer((request, response) => {
  if (request.url === '/api/session') response.end(JSON.stringify({ version }))
  else {
    response.statusCode = isBroken ? 503 : 200
    response.end(isBroken ? 'The database is away.\n' : 'ready\n')
  }
})
server.listen(0, '127.0.0.1', () => {
  const adminUrl = `http://127.0.0.1:${server.address().port}/`
  writeFileSync(runFile, JSON.stringify({ pid: process.pid, adminUrl, token: 'secret' }))
})
process.on('SIGTERM', () => {
  rmSync(runFile, { force: true })
  process.exit(0)
})
