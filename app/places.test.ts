import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { systemRunFolder } from '../server/cli/run-file.ts'
import { defaultDataFolder } from '../server/node.ts'
import { ownDataFolder, programAt, serviceRunFolder } from './places.ts'

async function folderWith(...names: string[]): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-places-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  for (const name of names) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true })
    await writeFile(path.join(folder, name), name.endsWith('service.json') ? '{"kind":"systemd"}' : '')
  }
  return folder
}

test('an installation with a service is told from one without', async () => {
  const installed = await folderWith('runtime/server/main.js', 'service.json')
  const runtime = path.join(installed, 'runtime')
  expect(await programAt(runtime, 'linux')).toEqual({
    node: path.join(runtime, 'node', 'bin', 'node'),
    main: path.join(runtime, 'server', 'main.js'),
    service: 'systemd',
  })
  const unpacked = path.join(await folderWith('runtime/server/main.js'), 'runtime')
  expect(await programAt(unpacked, 'win32')).toMatchObject({
    node: path.join(unpacked, 'node', 'node.exe'),
    service: undefined,
  })
})

test('a checkout runs its sources with the Node that npm installed', async () => {
  const checkout = await folderWith('server/main.ts')
  expect(await programAt(checkout, 'linux')).toEqual({
    node: path.join(checkout, 'node_modules', 'node', 'bin', 'node'),
    main: path.join(checkout, 'server', 'main.ts'),
    service: undefined,
  })
})

test('a folder without a server is none', async () => {
  expect(await programAt(await folderWith('readme.txt'))).toBeUndefined()
})

test.each(['linux', 'darwin', 'win32'] as const)(
  'the own data folder is the one the server takes by itself (%s)',
  platform => {
    const environment = { LOCALAPPDATA: 'C:\\Users\\anna\\AppData\\Local', XDG_DATA_HOME: '/home/anna/data' }
    for (const one of [environment, {}]) expect(ownDataFolder(one, platform)).toBe(defaultDataFolder(one, platform))
  },
)

test('the run folder of the service is where the server writes it, and can be named', () => {
  for (const platform of ['linux', 'darwin', 'win32'] as const) {
    expect(serviceRunFolder({}, platform)).toBe(systemRunFolder({}, platform))
  }
  expect(serviceRunFolder({}, 'linux')).toBe('/run/lanthorn')
  expect(serviceRunFolder({ ProgramData: 'D:\\Data' }, 'win32')).toBe('D:\\Data\\Lanthorn\\run')
  expect(serviceRunFolder({ LANTHORN_RUN_FOLDER: '/tmp/run' }, 'linux')).toBe('/tmp/run')
})
