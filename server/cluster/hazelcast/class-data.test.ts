import { chmod, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { classDataFlags, makeClassData } from './class-data.ts'
import { hazelcastDefaults } from './settings.ts'

/** What the real one does in ten seconds: says that it is a member, and writes the archive when it is told to end. */
const makes = `
  const file = process.argv.find(one => one.startsWith('-XX:ArchiveClassesAtExit=')).split('=')[1]
  process.on('SIGTERM', () => { require('node:fs').writeFileSync(file, 'classes'); process.exit(143) })
  setInterval(() => undefined, 1000)
  console.log('INFO: [127.0.0.1]:5711 is STARTED')`
const hasNoneOfItsOwn = `
  console.log('Error occurred during initialization of VM')
  console.error('DynamicDumpSharedSpaces is unsupported when base CDS archive is not loaded')
  process.exitCode = 1`

let folder: string
let log: string[]

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'class-data-'))
  log = []
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** A Java that does this, and notes each time that it is called. */
async function javaThat(does: string): Promise<Parameters<typeof makeClassData>[0]> {
  const [program, jar, calls] = ['java', 'hazelcast.jar', 'calls'].map(name => path.join(folder, name)) as [
    string,
    string,
    string,
  ]
  await writeFile(
    program,
    `#!${process.execPath}\nrequire('node:fs').appendFileSync(${JSON.stringify(calls)}, 'x')\n${does}\n`,
  )
  await chmod(program, 0o755)
  await writeFile(jar, '')
  return {
    folder,
    java: { program, major: 21 },
    jar: { file: jar, version: '5.7.0' },
    settings: hazelcastDefaults,
    log: pino({ level: 'info' }, { write: line => void log.push(JSON.parse(line).msg) }),
  }
}

const calls = async (): Promise<number> => (await readFile(path.join(folder, 'calls'), 'utf8').catch(() => '')).length
const made = async (): Promise<string[]> => (await readdir(folder)).filter(name => name.startsWith('classes-'))
const never = new AbortController().signal

describe.skipIf(process.platform === 'win32')('class data of the member', () => {
  test('are made once, used from then on, and made anew for another Java, whose former ones go', async () => {
    await writeFile(path.join(folder, 'classes-of-another.jsa'), '')
    const parts = await javaThat(makes)
    expect(await classDataFlags(parts)).toEqual([])
    expect(await makeClassData(parts, never)).toBe(true)
    const [name, ...others] = await made()
    expect(others).toEqual([])
    expect(await classDataFlags(parts)).toContain(`-XX:SharedArchiveFile=${path.join(folder, name ?? '')}`)
    expect(await makeClassData(parts, never)).toBe(false)
    expect(await calls()).toBe(1)
    expect(log).toEqual(['class data of the Hazelcast member made: its next start is faster'])

    const other = { ...parts, settings: { ...parts.settings, memberFlags: '-XX:+UseG1GC' } }
    expect(await classDataFlags(other)).toEqual([])
    expect(await makeClassData(other, never)).toBe(true)
    expect(await made()).toHaveLength(1)
  })

  test('that cannot be made are not tried again at each start; the log says why and what to do', async () => {
    const parts = await javaThat(hasNoneOfItsOwn)
    expect(await makeClassData(parts, never)).toBe(false)
    const { program } = parts.java
    expect(log).toEqual([
      `The Hazelcast member starts more slowly than it could, because its class data could not be made: the Java at ${program} has none of its own. Who may write there makes them with “${program} -Xshare:dump”.`,
    ])
    expect(await classDataFlags(parts)).toEqual([])
    expect(await makeClassData(parts, never)).toBe(false)
    expect([await calls(), log.length]).toEqual([1, 1])

    const [failure = ''] = await made()
    const longAgo = new Date(Date.now() - 8 * 24 * 3_600_000)
    await utimes(path.join(folder, failure), longAgo, longAgo)
    expect(await makeClassData(parts, never)).toBe(false)
    expect(await calls()).toBe(2)
  })

  test('that are called off, as the member ends, are made another time', async () => {
    const stop = new AbortController()
    const parts = await javaThat('setInterval(() => undefined, 1000)')
    const making = makeClassData(parts, stop.signal)
    await expect.poll(calls, { timeout: 10_000 }).toBe(1)
    stop.abort()
    expect(await making).toBe(false)
    expect([await made(), log]).toEqual([[], []])
  })
})
