/** The server as a service: under an account of its own, set up by the file that its environment names, found through its run folder, stopped by the tray. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startFresh } from '../test/e2e/fresh.ts'
import { targetOf } from '../test/faults/good-client.ts'
import { goodConfig, launch, serverMain } from '../test/faults/launch.ts'
import { canRun } from '../test/faults/processes.ts'
import { type Appliance, people, startAppliance } from '../test/support/appliance.ts'
import { eventually } from '../test/support/postgres-server.ts'
import { RawClient } from '../test/support/raw.ts'
import { withoutJava } from '../test/support/small-office.ts'
import { withTimeout } from '../test/support/timeout.ts'
import { getDesktop, pauseHere, resumeHere, stopHere } from './admin/contract/desktop.ts'
import { setCluster } from './admin/contract/nodes.ts'
import { createLink } from './admin/contract/session.ts'
import { type Client, connect } from './cli/client.ts'

/** An account that may do nothing, and its group. */
const nobody = 65_534
const as = (uid: number, group: number): string[] => [
  'setpriv',
  ...[`--reuid=${uid}`, `--regid=${uid}`, `--groups=${group}`],
]
const serviceUser = as(nobody, nobody)
/** Only root can become somebody else, who must be let to where node and this program are. */
const [program = '', ...rest] = serviceUser
const canBeService = canRun(program, [
  ...rest,
  process.execPath,
  '-e',
  `require('fs').readFileSync(${JSON.stringify(serverMain)})`,
])

let root: string
let runFolder: string
let autosetup: string
let appliance: Appliance
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'lanthorn-service-'))
  runFolder = path.join(root, 'run')
  autosetup = path.join(root, 'autosetup.json')
  const dataDir = path.join(root, 'data')
  await chmod(root, 0o755)
  await writeFile(autosetup, JSON.stringify(goodConfig()), { mode: 0o640 })
  if (canBeService) {
    await chown(autosetup, 0, nobody)
    for (const folder of [dataDir, runFolder]) {
      await mkdir(folder, { mode: 0o750 })
      await chown(folder, nobody, nobody)
    }
  }
  appliance = await startAppliance({
    dataDir,
    isUnattended: false,
    env: { ...withoutJava, LANTHORN_AUTOSETUP: autosetup, LANTHORN_RUN_FOLDER: runFolder },
    ...(canBeService && { through: serviceUser }),
  })
})
afterAll(async () => {
  await appliance?.cleanup()
  await rm(root, { recursive: true, force: true, maxRetries: 5 })
})

const server = (): Promise<Client> => connect(runFolder)
const shown = async () => (await server())(getDesktop)
const logIn = async () => RawClient.logIn(await targetOf(appliance), people.romeo)

/** Nobody can log in. */
async function isClosed(): Promise<void> {
  await using client = await RawClient.connect(await targetOf(appliance))
  client.sendHeader()
  await client.fails('system-shutdown')
}

/** Runs the program as the user of a terminal, who says nothing of a data folder. */
async function lanthorn(
  through: readonly string[],
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const [command = '', ...more] = [...through, process.execPath, serverMain, ...args]
  const child = spawn(command, more, {
    env: { PATH: process.env.PATH, HOME: root, XDG_DATA_HOME: path.join(root, 'home'), LANTHORN_RUN_FOLDER: runFolder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { code: -1, out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', text => {
    said.out += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    said.err += text
  })
  const [code] = await withTimeout(once(child, 'close'), 20_000, () => `${args.join(' ')} did not end`)
  return { ...said, code: Number(code) }
}

describe('a service', () => {
  test('is found through its run folder by the members of its group, and by nobody else', async () => {
    expect(JSON.parse(await readFile(path.join(runFolder, 'run.json'), 'utf8'))).toEqual(
      JSON.parse(await readFile(path.join(appliance.dataDir, 'run.json'), 'utf8')),
    )
    if (!canBeService) return
    const { mode, gid } = await stat(path.join(runFolder, 'run.json'))
    expect([mode & 0o777, gid]).toEqual([0o640, nobody])
    expect(await lanthorn(as(1, nobody), 'status')).toMatchObject({
      code: 0,
      out: expect.stringContaining('ACME (office.test) on front-desk'),
    })
    expect(await lanthorn(as(1, 1), 'status')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^The server of this computer is not open to this user/),
    })
  })

  test('that carries the office alone can be paused: people are told, and nobody logs in until it is over', async () => {
    for (const enabled of [true, false]) {
      const call = await server()
      // The office may be opened anew before that is answered.
      await call(setCluster, { body: { enabled } }).catch(() => undefined)
      await eventually(
        'the office to be open again',
        async () => (await shown().catch(() => undefined))?.canJoin === enabled,
      )
      await using romeo = await logIn()
      expect(await call(pauseHere, { body: { minutes: 30 } })).toEqual({ moved: 0, left: 1 })
      expect((await romeo.fails('system-shutdown')).getChildText('text')).toMatch(/^Nobody can connect/)
      await isClosed()
      expect(await shown()).toMatchObject({ state: 'paused', peopleHere: 0, peopleOnline: 0, pcsOn: 0 })
      await call(resumeHere)
      await (await logIn())[Symbol.asyncDispose]()
      expect(await shown()).toMatchObject({ pcsOn: 1 })
    }
  }, 60_000)

  test('that is paused is so after a restart, which reads no autosetup file any more', async () => {
    await (await server())(pauseHere, { body: { minutes: 30 } })
    const { pausedUntil } = await shown()
    await writeFile(autosetup, 'not to be read')
    await appliance.restart()
    expect(await shown()).toMatchObject({ state: 'paused', pausedUntil })
    await isClosed()
    await (await server())(resumeHere)
    await (await logIn())[Symbol.asyncDispose]()
  }, 60_000)

  test('that the tray stops ends as one that is told by a signal, and leaves no file behind', async () => {
    await (await server())(stopHere)
    expect(await withTimeout(appliance.ended(), 20_000, () => 'the server goes on')).toBe(0)
    for (const folder of [runFolder, appliance.dataDir])
      await expect(stat(path.join(folder, 'run.json'))).rejects.toThrow('ENOENT')
    await appliance.start()
  }, 60_000)
})

describe('a service that is not set up', () => {
  test('does not start with a faulty autosetup file', async () => {
    const folder = path.join(root, 'faulty')
    await mkdir(folder)
    const file = path.join(folder, 'autosetup.json')
    await writeFile(file, JSON.stringify(goodConfig({ domian: 'office.test' })))
    expect(await launch(folder, undefined, undefined, { LANTHORN_AUTOSETUP: file })).toEqual({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/autosetup\.json.*did you mean "domain"\?\n$/),
    })
  })

  test('waits for its wizard where there is no such file, gives the tray a link to it, and lets it stop the server', async () => {
    const run = path.join(root, 'made', 'run')
    const env = { ...withoutJava, LANTHORN_AUTOSETUP: path.join(root, 'none.json'), LANTHORN_RUN_FOLDER: run }
    await using fresh = await startFresh({ env })
    const call = await connect(run)
    await expect(call(getDesktop)).rejects.toThrow('There is no office here yet')
    expect((await call(createLink)).url.split('#')[0]).toBe(fresh.adminUrl)
    await call(stopHere)
    expect(await withTimeout(fresh.ended, 20_000, () => 'the server goes on')).toBe(0)
  })
})
