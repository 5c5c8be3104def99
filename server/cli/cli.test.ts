import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Appliance, startAppliance } from '../../test/support/appliance.ts'
import { readRunFile, writeRunFile } from './run-file.ts'

const main = fileURLToPath(new URL('../main.ts', import.meta.url))
let appliance: Appliance
let folder: string
beforeAll(async () => {
  appliance = await startAppliance()
  folder = await mkdtemp(path.join(os.tmpdir(), 'lanthorn-cli-'))
})
afterAll(async () => {
  await appliance.cleanup()
  await rm(folder, { recursive: true, force: true })
})

/** Runs the program as a person at a terminal would; `input` is piped into it. */
function lanthorn(args: string[], input?: string): Promise<{ code: number; out: string; err: string }> {
  return new Promise(resolve => {
    const child = spawn(process.execPath, [main, ...args], {
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    let out = ''
    let err = ''
    child.stdout?.setEncoding('utf8').on('data', text => {
      out += text
    })
    child.stderr?.setEncoding('utf8').on('data', text => {
      err += text
    })
    child.stdin?.end(input)
    child.on('close', code => resolve({ code: code ?? 1, out: out.trim(), err: err.trim() }))
  })
}
const here = (...args: string[]) => [...args, '--data', appliance.dataDir]

describe('commands to a running appliance', () => {
  test('status says how it is, for people and for programs', async () => {
    const plain = await lanthorn(here('status'))
    expect(plain).toMatchObject({ code: 0, err: '' })
    expect(plain.out).toMatch(
      /^✓ Everything works\. One PC carries the office\.\n {2}ACME \(office\.test\) on front-desk, version /,
    )
    expect(plain.out).toMatch(/0 of 4 people online/)
    const json = JSON.parse((await lanthorn(here('status', '--json'))).out)
    expect(json).toMatchObject({ office: 'ACME', state: 'ok', figures: { people: 4 } })
  })

  test('update says that nobody looks for any, and why none could be trusted', async () => {
    expect(await lanthorn(here('update'))).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^✓ .+\n✓ front-desk: Has version /),
    })
    const { code, err } = await lanthorn(here('update', 'install'))
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/came without the key of its makers|where updates come from/),
    ])
  })

  test('doctor lists every check', async () => {
    const { code, out } = await lanthorn(here('doctor'))
    expect(code).toBe(0)
    expect(out).toMatch(/✓ The built-in database answers at once\./)
  })

  test('user adds with a made up or a piped password, changes, lists and removes', async () => {
    const made = await lanthorn(here('user', 'add', 'kim', '--name', 'Kim Ode'))
    expect(made).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^kim@office\.test was added\. The password is [\w-]{23}$/),
    })
    const piped = await lanthorn(here('user', 'add', 'leo', '--admin', '--json'), 'leo has a long password\n')
    expect(JSON.parse(piped.out)).toMatchObject({ person: { username: 'leo', name: 'leo', admin: true } })
    expect(piped.out).not.toContain('long password')
    expect((await lanthorn(here('user', 'password', 'leo'), 'another long password')).out).toBe(
      'leo has a new password.',
    )
    expect((await lanthorn(here('user', 'list'))).out).toMatch(
      /kim@office\.test {2}Kim Ode\nleo@office\.test {2}leo {2}\(administrator\)/,
    )
    expect((await lanthorn(here('user', 'remove', 'kim'))).out).toBe('kim was removed.')
  })

  test('db status says where the data is', async () => {
    const { code, out } = await lanthorn(here('db', 'status'))
    expect(code).toBe(0)
    expect(out).toMatch(/^✓ The built-in database answers at once\.\n {2}embedded, PostgreSQL 18\.\S+, [\d.]+ MB/)
    expect(JSON.parse((await lanthorn(here('db', 'status', '--json'))).out)).toMatchObject({ kind: 'embedded' })
  })

  test('db trust asks for the server to be stopped', async () => {
    const { code, out } = await lanthorn(here('db', 'trust'))
    expect(code).toBe(1)
    expect(out).toMatch(/^✕ The server runs on .*: stop it first/)
  })

  test('db move refuses where the data is already, with the sentence of the server', async () => {
    const { code, out, err } = await lanthorn(here('db', 'move', 'embedded'))
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(/\.$/)
    expect((await lanthorn(here('db', 'move', '--resume'))).code).toBe(1)
  })

  test('what the server refuses is its sentence and exit code 1', async () => {
    expect(await lanthorn(here('user', 'remove', 'nobody'))).toEqual({
      code: 1,
      out: '',
      err: 'There is nobody called nobody any more.',
    })
    const short = await lanthorn(here('user', 'add', 'max', '--json'), 'short\n')
    expect(short.code).toBe(1)
    expect(JSON.parse(short.out)).toMatchObject({ error: { code: 'not-valid', field: 'password' } })
    expect((await lanthorn(here('user', 'add', 'max'), 'x'.repeat(5_000))).err).toMatch(
      /Too much came through the pipe/,
    )
  })

  test('run.json is for its owner alone, and gone after the stop', async () => {
    const file = path.join(appliance.dataDir, 'run.json')
    expect((await stat(file)).mode & 0o777).toBe(process.platform === 'win32' ? 0o666 : 0o600)
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ pid: appliance.pid, adminUrl: appliance.adminUrl })
  })
})

describe('without a running server', () => {
  test('a sentence says what to do, with exit code 2', async () => {
    const { code, err } = await lanthorn(['status', '--data', folder])
    expect(code).toBe(2)
    expect(err).toBe(
      `No server runs on the data folder ${folder}: start it with “lanthorn run”, or name another folder with --data.`,
    )
  })

  test('db test looks at servers all the same; the URL may come through a pipe', async () => {
    const piped = await lanthorn(['db', 'test', '-'], 'postgresql://anna:hidden-here@127.0.0.1:9/x\n')
    expect(piped.code).toBe(1)
    expect(piped.out).toMatch(/^✕ The database at 127\.0\.0\.1:9 refuses connections: is PostgreSQL running there\?\n/)
    expect(piped.out).toMatch(/ {2}✕ 127\.0\.0\.1:9 {2}The database/)
    const json = await lanthorn(['db', 'test', 'postgresql://x@h:y/z', '--json'])
    expect(json.code).toBe(1)
    expect(JSON.parse(json.out)).toMatchObject({ state: 'bad', hosts: [] })
    expect((await lanthorn(['db', 'test', '-'])).err).toMatch(/^No URL came through standard input/)
  })

  test('db trust forgets which servers were seen', async () => {
    const file = path.join(folder, 'database-known.json')
    await writeFile(file, '{"systemId":"1","timeline":2,"place":"h:5432"}')
    expect(await lanthorn(['db', 'trust', '--data', folder])).toMatchObject({ code: 0 })
    await expect(stat(file)).rejects.toThrow(/ENOENT/)
    expect(await readdir(folder)).not.toContain('lock')
  })

  test('a file that a crash left behind counts as not running', async () => {
    await writeRunFile(folder, { pid: 2 ** 22 + 1, adminUrl: 'http://127.0.0.1:1/', token: 'x' })
    expect(await readRunFile(folder)).toBeUndefined()
    await writeFile(path.join(folder, 'run.json'), '{"pid":')
    expect(await readRunFile(folder)).toBeUndefined()
    await writeRunFile(folder, { pid: process.pid, adminUrl: 'http://127.0.0.1:1/', token: 'x' })
    expect((await lanthorn(['status', '--data', folder])).err).toMatch(
      /^The server at http:\/\/127\.0\.0\.1:1 cannot be reached: /,
    )
  })

  test('what is not understood is one sentence with exit code 2', async () => {
    expect(await lanthorn(['stauts'])).toEqual({
      code: 2,
      out: '',
      err: 'There is no command stauts; the nearest is status.',
    })
  })
})
