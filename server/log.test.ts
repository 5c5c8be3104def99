import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLog, type LogEntry, RecentEntries } from './log.ts'
import { LogFile } from './log-file.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-test-'))
})
afterAll(() => rm(folder, { recursive: true }))

function terminal(isTTY: boolean) {
  const lines: string[] = []
  return { isTTY, lines, write: (text: string) => lines.push(text) }
}

describe('the log', () => {
  test('is one line a human can read on a terminal', () => {
    const screen = terminal(true)
    const { logger } = createLog({ terminal: screen })
    logger.warn({ node: 'pc-2', err: new Error('no\nroute') }, 'neighbour is away')
    expect(screen.lines).toHaveLength(1)
    expect(screen.lines[0]).toMatch(/^\d\d:\d\d:\d\d warn {2}neighbour is away {2}node=pc-2 err="no\\nroute"\n$/)
  })

  test('is JSON for programs and in its file', async () => {
    const screen = terminal(false)
    const log = createLog({ terminal: screen, folder: path.join(folder, 'logs') })
    log.logger.info({ jid: 'romeo@office.test' }, 'session bound')
    await log.close()
    const written = readFileSync(path.join(folder, 'logs/lanthorn.log'), 'utf8')
    expect(JSON.parse(written)).toMatchObject({ level: 30, msg: 'session bound', jid: 'romeo@office.test' })
    expect(screen.lines.join('')).toBe(written)
    expect(statSync(path.join(folder, 'logs/lanthorn.log')).mode & 0o777).toBe(0o600)
  })

  test('never shows a password or a message', () => {
    const screen = terminal(false)
    const { logger, recent } = createLog({ terminal: screen })
    logger.info({ password: 'hidden-1', account: { password: 'hidden-2' }, body: 'hidden-3' }, 'account made')
    expect(screen.lines.join('')).not.toContain('hidden-')
    expect(JSON.stringify(recent.list())).not.toContain('hidden-')
  })

  test('keeps the newest entries and tells its listeners', () => {
    const recent = new RecentEntries(3)
    const heard: string[] = []
    const end = recent.subscribe(entry => heard.push(entry.message))
    const entry = (message: string): LogEntry => ({ time: 0, level: 'info', message, fields: {} })
    for (const message of ['a', 'b', 'c', 'd']) recent.add(entry(message))
    end()
    recent.add(entry('e'))
    expect(recent.list().map(({ message }) => message)).toEqual(['c', 'd', 'e'])
    expect(heard).toEqual(['a', 'b', 'c', 'd'])
  })

  test('moves a full file aside and never keeps more than its limit', async () => {
    const file = path.join(folder, 'small/lanthorn.log')
    const log = new LogFile(file, { fileBytesMax: 100, olderFilesMax: 2 })
    for (let index = 0; index < 50; index++) {
      log.append(`line ${index} of some length that matters\n`)
      log.flushNow()
    }
    await log.close()
    const files = readdirSync(path.dirname(file)).sort()
    expect(files).toEqual(['lanthorn.1.log', 'lanthorn.2.log', 'lanthorn.log'])
    for (const name of files) expect(statSync(path.join(path.dirname(file), name)).size).toBeLessThanOrEqual(100)
    expect(readFileSync(file, 'utf8')).toContain('line 49 ')
  })

  test('counts what a slow disk could not take', async () => {
    const file = path.join(folder, 'slow/lanthorn.log')
    const log = new LogFile(file, { waitingBytesMax: 30 })
    for (let index = 0; index < 5; index++) log.append(`line ${index} of 20 bytes\n`)
    await log.close()
    expect(existsSync(file)).toBe(true)
    const lines = readFileSync(file, 'utf8').trim().split('\n')
    expect(lines[0]).toBe('line 0 of 20 bytes')
    expect(JSON.parse(lines[1]!)).toMatchObject({ entries: 4 })
  })
})
