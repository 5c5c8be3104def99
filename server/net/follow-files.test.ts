import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { followFiles } from './follow-files.ts'

let folder: string
let stop: () => void
let changes: number

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-test-'))
  changes = 0
  for (const name of ['chat.pem', 'chat.key']) await writeFile(path.join(folder, name), 'old')
  stop = followFiles([path.join(folder, 'chat.pem'), path.join(folder, 'chat.key')], () => changes++, 50)
})

afterEach(async () => {
  stop()
  await rm(folder, { recursive: true })
})

/** As careful programs write: beside its place, then moved there. */
function replace(name: string): void {
  writeFileSync(path.join(folder, 'next'), `new ${Math.random()}`)
  renameSync(path.join(folder, 'next'), path.join(folder, name))
}

test('a certificate and its key that are replaced one after the other are one change', async () => {
  replace('chat.pem')
  replace('chat.key')
  await expect.poll(() => changes).toBe(1)
})

test('each later change is noticed too, also that a file went away and came back', async () => {
  replace('chat.pem')
  await expect.poll(() => changes).toBe(1)
  rmSync(path.join(folder, 'chat.pem'))
  await expect.poll(() => changes).toBe(2)
  replace('chat.pem')
  await expect.poll(() => changes).toBe(3)
})
