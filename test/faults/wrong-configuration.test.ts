import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startEmbedded } from '../../server/db/embedded/embedded.ts'
import { createAuthority, issue } from '../../server/net/ca.ts'
import { type Appliance, startAppliance } from '../support/appliance.ts'
import { quietLog } from '../support/database.ts'
import { GoodClient } from './good-client.ts'
import { goodConfig, launch, type Outcome, serverMain, wasReady } from './launch.ts'
import { canRun } from './processes.ts'
import { chance, some } from './random.ts'

const run = promisify(execFile)
const canMount = canRun('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'])
const limitMs = 90_000

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** What a start that must fail said: one sentence and nothing else, and code 2. */
function sentenceOf({ code, stdout, stderr }: Outcome): string {
  // A computer so busy that a start takes five seconds shows what it is doing meanwhile.
  const lines = stderr.trimEnd().split('\n')
  const [sentence = '', ...others] = lines.filter(line => !line.startsWith('{"level":30,'))
  expect({ code, stdout, others }).toEqual({ code: 2, stdout: '', others: [] })
  expect(sentence).toMatch(/^\S.*[.?]$/)
  expect(stderr).not.toMatch(/\bat .*:\d+:\d+|node:internal|\bundefined\b|\[object|Error:/)
  return sentence
}

async function expectToStart(folder: string, config: unknown, dataDir?: string): Promise<void> {
  const outcome = await launch(folder, config, dataDir)
  expect(wasReady(outcome), outcome.stderr).toBe(true)
  expect(outcome.code, outcome.stderr).toBe(0)
}

/** A port that somebody else has for the time of the test. */
async function takenPort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise<void>(resolve => server.close(() => resolve())))
  return (server.address() as net.AddressInfo).port
}

const listenWith = (changes: Record<string, unknown>) => ({ listen: { ...goodConfig().listen, ...changes } })

describe('a fault in the autosetup file is told in one sentence, and the mended file works in the same folder', () => {
  const database = (url: string) => goodConfig({ database: { url } })
  const faults: [what: string, config: unknown, sentence: RegExp][] = [
    ['a key that is not known', goodConfig({ domian: 'office.test' }), /domian is not known; did you mean "domain"\?$/],
    [
      'a key of a part that is not known',
      goodConfig(listenWith({ c2stls: 0 })),
      /listen\.c2stls .*did you mean "c2sTls"\?$/,
    ],
    [
      'a setting that is not known',
      goodConfig({ settings: { 'c2s.loginDeadline': 9 } }),
      /settings\["c2s\.loginDeadline"\].*did you mean c2s\.loginDeadlineSeconds\?$/,
    ],
    ['a setting out of its bounds', goodConfig({ settings: { 'c2s.depth': 5 } }), /settings\["c2s\.depth"\].*16/],
    ['what is not JSON', '{\n  "domain": "office.test"\n  "node": "desk"\n}', /config\.json, line 3, column 3: /],
    ['an empty file', '', /config\.json, line 1, column 1: /],
    [
      'a database URL of another kind',
      database('mysql://me:hidden@db/chat'),
      /config\.json: database\.url.*postgresql:\/\//,
    ],
    ['a database that is not there', database('postgresql://me:hidden@127.0.0.1:1/chat'), /127\.0\.0\.1:1/],
    ['a port out of range', goodConfig(listenWith({ c2s: 70_000 })), /listen\.c2s .*65535.*70000/],
    [
      'a certificate that is not there',
      goodConfig({ tls: { certificate: 'no.pem', key: 'no.key' } }),
      /no\.pem.*no such file/,
    ],
  ]

  // How each file is read is tested beside the reader; here it is what a whole start makes of it, a second of a processor each.
  const luck = chance()
  const tried = some(faults, 4, luck)
  test(`${tried.length} of ${faults.length} by chance (FAULT_SEED=${luck.seed})`, { timeout: limitMs }, async () => {
    const folder = await newFolder()
    for (const [what, config, sentence] of tried) {
      const said = sentenceOf(await launch(folder, config))
      expect(said, what).toMatch(sentence)
      expect(said, what).not.toContain('hidden')
    }
    await expectToStart(folder, goodConfig())
  })

  test('a file that is not there', async () => {
    const folder = await newFolder()
    const missing = path.join(folder, 'missing', 'config.json')
    const { stderr } = await run(process.execPath, [
      serverMain,
      'run',
      '--no-open',
      ...['--data', path.join(folder, 'data'), '--config', missing],
    ]).catch(error => error)
    expect(stderr).toBe(`The configuration file ${missing} cannot be read: there is no such file.\n`)
  })

  test('a port that another program has', { timeout: limitMs }, async () => {
    const folder = await newFolder()
    const port = await takenPort()
    const said = sentenceOf(await launch(folder, goodConfig(listenWith({ web: port }))))
    expect(said).toContain(`port ${port}`)
    expect(said).toContain('listen.web')
    // Nobody has finished this set-up: the mended file is read.
    await expectToStart(folder, goodConfig())
  })

  test('a certificate that is none, one of another key, and one that fits', { timeout: limitMs }, async () => {
    const folder = await newFolder()
    const authority = await createAuthority('ACME')
    const subject = { name: 'office.test', dnsNames: ['office.test'], addresses: [] }
    const [one, other] = [await issue(authority, subject), await issue(authority, subject)]
    const put = (name: string, content: string) => writeFile(path.join(folder, name), content)
    await put('chat.pem', 'this is no certificate')
    await put('chat.key', one.key)
    const config = goodConfig({ tls: { certificate: 'chat.pem', key: 'chat.key' } })
    expect(sentenceOf(await launch(folder, config))).toContain('chat.pem')
    await put('chat.pem', other.certificate)
    expect(sentenceOf(await launch(folder, config))).toMatch(/chat\.key.*chat\.pem|chat\.pem.*chat\.key/)
    await put('chat.pem', one.certificate)
    await expectToStart(folder, config)
  })
})

describe('a data folder that was set up', () => {
  let appliance: Appliance
  /** What the folder must still hold afterwards. */
  let state: string

  beforeAll(async () => {
    appliance = await startAppliance()
    state = await readFile(path.join(appliance.dataDir, 'node.json'), 'utf8')
  })
  afterAll(async () => {
    await appliance?.cleanup()
  })

  const stable = (json: string): unknown => ({ ...JSON.parse(json), epoch: 0 })
  const nodeFile = (): string => path.join(appliance.dataDir, 'node.json')

  test('in use by another Lanthorn is left alone', async () => {
    const said = sentenceOf(await launch(await newFolder(), goodConfig(), appliance.dataDir))
    expect(said).toContain(appliance.dataDir)
    expect(said).toContain(`${appliance.pid}`)
    await using romeo = new GoodClient('romeo')
    await romeo.connect(appliance)
    expect(romeo.isOnline).toBe(true)
  })

  test('of a newer version is left alone', { timeout: limitMs }, async () => {
    await appliance.stop()
    const before = await readFile(nodeFile(), 'utf8')
    await writeFile(nodeFile(), JSON.stringify({ ...JSON.parse(before), format: 99 }))
    const files = await readdir(appliance.dataDir)
    const said = sentenceOf(await launch(await newFolder(), goodConfig(), appliance.dataDir))
    expect(said).toMatch(/newer version.*format 99/)
    expect(await readdir(appliance.dataDir)).toEqual(files)
    await writeFile(nodeFile(), before)
    await appliance.start()
    expect(stable(await readFile(nodeFile(), 'utf8'))).toEqual(stable(state))
  })

  test('with a damaged file says which', { timeout: limitMs }, async () => {
    await appliance.stop()
    const before = await readFile(nodeFile(), 'utf8')
    await writeFile(nodeFile(), before.slice(0, 40))
    expect(sentenceOf(await launch(await newFolder(), goodConfig(), appliance.dataDir))).toContain('node.json')
    await writeFile(nodeFile(), before)
    await appliance.start()
  })

  test('with a database of a newer Lanthorn is left alone', { timeout: limitMs }, async () => {
    await appliance.stop()
    await onDatabase(appliance.dataDir, "INSERT INTO migration (feature, number) VALUES ('messages', 9999)")
    const said = sentenceOf(await launch(await newFolder(), goodConfig(), appliance.dataDir))
    expect(said).toMatch(/newer version of Lanthorn.*messages 9999/)
    await onDatabase(appliance.dataDir, "DELETE FROM migration WHERE feature = 'messages' AND number = 9999")
    await appliance.start()
  })

  test('is not started while another program has one of its ports', { timeout: limitMs }, async () => {
    await appliance.stop()
    const before = JSON.parse(await readFile(nodeFile(), 'utf8'))
    const port = await takenPort()
    await writeFile(nodeFile(), JSON.stringify({ ...before, listen: { ...before.listen, c2s: port } }))
    const said = sentenceOf(await launch(await newFolder(), goodConfig(), appliance.dataDir))
    expect(said).toContain(`port ${port}`)
    expect(said).toContain('listen.c2s')
    await writeFile(nodeFile(), JSON.stringify(before))
    await appliance.start()
  })
})

describe('a disk that is full', () => {
  test.skipIf(!canMount)(
    'is told at the start, and with room it works (needs root: a small disk is mounted)',
    { timeout: limitMs },
    async () => {
      const folder = await newFolder()
      await run('mount', ['-t', 'tmpfs', '-o', 'size=20m,mode=755', 'tmpfs', folder])
      try {
        const dataDir = path.join(folder, 'data')
        expect(sentenceOf(await launch(folder, goodConfig(), dataDir))).toMatch(/disk .* is full .*MB free/)
        await run('mount', ['-o', 'remount,size=600m', folder])
        await expectToStart(folder, goodConfig(), dataDir)
      } finally {
        await run('umount', ['-l', folder])
      }
    },
  )
})

/** Runs one statement on the database of an appliance that does not run. */
async function onDatabase(dataDir: string, statement: string): Promise<void> {
  await using embedded = await startEmbedded({ dataDir, log: quietLog })
  const client = new pg.Client({ ...embedded.connection, ssl: false })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
