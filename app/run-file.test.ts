import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { writeRunFile } from '../server/cli/run-file.ts'
import { isOnThisPc, readRunFile } from './run-file.ts'

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-run-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return folder
}

test('what the server writes is what the shell reads', async () => {
  const folder = await emptyFolder()
  expect(await readRunFile(folder)).toBe('none')
  const run = { pid: process.pid, adminUrl: 'http://127.0.0.1:9090/', token: 'secret' }
  await writeRunFile(folder, run)
  expect(await readRunFile(folder)).toEqual(run)
})

test('a server that is gone without stopping has left its file behind', async () => {
  const folder = await emptyFolder()
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  await writeRunFile(folder, { pid: child.pid ?? 0, adminUrl: 'http://127.0.0.1:9090/', token: 'secret' })
  expect(await readRunFile(folder)).toBe('dead')
})

test.each([
  '',
  '{"pid":1',
  '{"pid":1,"adminUrl":"http://127.0.0.1/"}',
  '{"pid":1,"adminUrl":"http://192.0.2.1/","token":"t"}',
])('a file that is not whole, or sends the token away from this PC, is none: %s', async text => {
  const folder = await emptyFolder()
  await writeFile(path.join(folder, 'run.json'), text)
  expect(await readRunFile(folder)).toBe('none')
})

test('only addresses of this PC are taken, and only those without TLS need no certificate', () => {
  const own = { eth0: [{ address: '192.0.2.7' }] } as unknown as NodeJS.Dict<import('node:os').NetworkInterfaceInfo[]>
  for (const url of [
    'http://127.0.0.1:9090/',
    'http://127.3.2.1/',
    'http://[::1]:9090/',
    'http://localhost/',
    'http://192.0.2.7/',
  ]) {
    expect(isOnThisPc(url, own), url).toBe(true)
  }
  for (const url of [
    'https://127.0.0.1/',
    'http://192.0.2.8/',
    'http://127.0.0.1.example/',
    'file:///etc',
    'nonsense',
  ]) {
    expect(isOnThisPc(url, own), url).toBe(false)
  }
})

test('a file that this person may not read is told from none', async () => {
  const folder = await emptyFolder()
  await writeFile(path.join(folder, 'run.json'), '{}', { mode: 0 })
  const isRoot = process.getuid?.() === 0
  if (isRoot) await chmod(folder, 0o755)
  if (isRoot) process.seteuid?.(65_534)
  try {
    expect(await readRunFile(folder)).toBe('locked')
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
})
