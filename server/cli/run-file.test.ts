import { mkdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../test/support/database.ts'
import { findRun } from './client.ts'
import { readRunFile, removeRunFile, systemRunFolder, writeRunFile } from './run-file.ts'

const mine = { pid: process.pid, adminUrl: 'http://127.0.0.1:1/', token: 'mine' }
/** This process did not make it: it stands for another server. */
const theirs = { ...mine, pid: process.ppid, token: 'theirs' }

test('the run folder of the system has one place on each kind of it, or the one that is named', () => {
  expect(systemRunFolder({}, 'linux')).toBe('/run/lanthorn')
  expect(systemRunFolder({}, 'darwin')).toBe('/Library/Application Support/Lanthorn/run')
  expect(systemRunFolder({ ProgramData: 'D:\\Data' }, 'win32')).toBe('D:\\Data\\Lanthorn\\run')
  expect(systemRunFolder({ LANTHORN_RUN_FOLDER: '/somewhere' }, 'linux')).toBe('/somewhere')
})

test('a server that stops leaves the file of another one', async () => {
  const folder = await temporaryFolder()
  await writeRunFile(folder, theirs)
  await removeRunFile(folder)
  expect(await readRunFile(folder)).toEqual(theirs)
  await writeRunFile(folder, mine)
  await removeRunFile(folder)
  expect(await readRunFile(folder)).toBeUndefined()
  await removeRunFile(folder)
})

test('a command finds the server of its data folder first, then that of the system', async () => {
  const root = await temporaryFolder()
  const [data, run] = [path.join(root, 'data'), path.join(root, 'run')]
  for (const folder of [data, run]) await mkdir(folder)
  expect(await findRun(data, run)).toBeUndefined()
  await writeRunFile(run, theirs, { isShared: true })
  expect(await findRun(data, run)).toEqual(theirs)
  expect(await findRun(data)).toBeUndefined()
  await writeRunFile(data, mine)
  expect(await findRun(data, run)).toEqual(mine)
})

test.skipIf(process.platform === 'win32')(
  'the shared one is for the group too, the other for its owner alone',
  async () => {
    const folder = await temporaryFolder()
    const modeOf = async (): Promise<number> => (await stat(path.join(folder, 'run.json'))).mode & 0o777
    await writeRunFile(folder, mine)
    expect(await modeOf()).toBe(0o600)
    await writeRunFile(folder, mine, { isShared: true })
    expect(await modeOf()).toBe(0o640)
  },
)
