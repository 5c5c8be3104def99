import { randomUUID } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { goodConfig } from '../faults/launch.ts'
import { anyFreePort } from '../support/appliance.ts'
import { eventually } from '../support/postgres-server.ts'
import { withoutJava } from '../support/small-office.ts'
import { aSecond, chatWorks, DesktopSession, hasDesktop } from './session.ts'
import { BundledShell, electronProgram, type Shell } from './shell.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const pictures = path.join(root, 'test', 'results')
const startMs = 45_000

describe.skipIf(electronProgram() === undefined || !hasDesktop())('the shell where no service is installed', () => {
  let session: DesktopSession
  let bundle: BundledShell
  beforeAll(async () => {
    ;[session, bundle] = await Promise.all([DesktopSession.start(), BundledShell.make()])
  })
  afterAll(async () => {
    await bundle?.[Symbol.asyncDispose]()
    await session?.[Symbol.asyncDispose]()
  })

  /** A data folder nobody has used, with ports of its own. */
  async function emptyData(): Promise<string> {
    const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-own-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
    await chmod(folder, 0o755) // PostgreSQL runs as another user when the tests run as root
    const data = path.join(folder, 'data')
    await mkdir(data, { mode: 0o755 })
    const listen = { host: '127.0.0.1', ...anyFreePort }
    const state = { format: 1, nodeId: randomUUID(), nodeName: 'front-desk', epoch: 0, listen }
    await writeFile(path.join(data, 'node.json'), JSON.stringify(state), { mode: 0o600 })
    return data
  }

  function start(
    data: string,
    options: { profile?: string; args?: string[]; env?: Record<string, string> } = {},
  ): Shell {
    const { profile = bundle.profile(), args = [], env = {} } = options
    const all = ['--program', root, '--data', data, ...args]
    return bundle.start(session, { profile, args: all, env: { ...withoutJava, ...env } })
  }

  /** The process id of its server; undefined when none runs. */
  async function serverOf(data: string): Promise<number | undefined> {
    const text = await readFile(path.join(data, 'run.json'), 'utf8').catch(() => undefined)
    return text === undefined ? undefined : (JSON.parse(text) as { pid: number }).pid
  }

  const isAlive = (pid: number): boolean => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false // gone
    }
  }

  test('the first start shows the wizard; SIGTERM stops the server in order', async () => {
    const data = await emptyData()
    await using shell = start(data)
    await shell.untilText('Start a new office')
    await mkdir(pictures, { recursive: true })
    for (const look of ['light', 'dark'] as const)
      await shell.picture(look, path.join(pictures, `desktop-wizard-${look}.png`))
    const tray = session.tray
    // Before there is an office nothing tells of changes: the shell looks again and again.
    await session.untilColour(tray, 'amber', 10_000)
    expect(await tray.labels()).toEqual([
      'Lanthorn — ready to be set up',
      '—',
      'Set up chat…',
      '—',
      'Start with the computer',
      'About',
      'Quit…',
    ])
    const pid = (await serverOf(data)) ?? 0
    shell.signal('SIGTERM')
    expect(await shell.exitCode()).toBe(0)
    expect(isAlive(pid)).toBe(false)
    expect(await serverOf(data)).toBeUndefined()
  }, 90_000)

  test('a server that dies is started again; one that is left goes on, is found again, and stopped from the menu', async () => {
    const data = await emptyData()
    const profile = bundle.profile()
    const autosetup = path.join(path.dirname(data), 'autosetup.json')
    await writeFile(autosetup, JSON.stringify(goodConfig({ settings: { 'passwords.iterations': 4096 } })))
    const options = { profile, args: ['--hidden'], env: { LANTHORN_AUTOSETUP: autosetup } }
    await using first = start(data, options)
    const tray = await session.untilTray(() => first.stderr)
    await session.untilColour(tray, chatWorks, startMs)
    const pid = (await serverOf(data)) ?? 0
    process.kill(pid, 'SIGKILL')
    await session.untilColour(tray, 'red', aSecond())
    await session.untilColour(tray, chatWorks, startMs)
    const next = (await serverOf(data)) ?? 0
    expect(next).not.toBe(pid)

    await tray.click('Quit…')
    await session.press('Quit Lanthorn', ['Return'])
    expect(await first.exitCode()).toBe(0)
    expect(isAlive(next)).toBe(true)

    await using second = start(data, options)
    const found = await session.untilTray(() => second.stderr)
    await session.untilColour(found, chatWorks, startMs)
    expect(await serverOf(data)).toBe(next)
    await found.click('Quit…')
    await session.press('Quit Lanthorn', ['Tab', 'Return'])
    expect(await second.exitCode()).toBe(0)
    await eventually('the server to be gone', () => !isAlive(next), 5_000)
  }, 120_000)
})
