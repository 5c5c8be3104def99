import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../../test/support/database.ts'
import { MEMORY_FILE, MemoryFault, openMemory } from './memory.ts'

const known = { systemId: '7100000000000000001', timeline: 3, place: 'db1:5432' }

test('what is known of a database outlives the process', async () => {
  const file = path.join(await temporaryFolder(), MEMORY_FILE)
  const memory = openMemory(file)
  expect(memory.read()).toBeUndefined()
  await memory.write(known)
  expect(memory.read()).toEqual(known)
  expect(openMemory(file).read()).toEqual(known)
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(known)
})

test('it can be forgotten', async () => {
  const file = path.join(await temporaryFolder(), MEMORY_FILE)
  const memory = openMemory(file)
  await memory.write(known)
  await memory.forget()
  await memory.forget()
  expect(memory.read()).toBeUndefined()
  expect(openMemory(file).read()).toBeUndefined()
})

test.each([
  '',
  '{',
  '[]',
  'null',
  '{"systemId":71,"timeline":3,"place":"a"}',
  '{"systemId":"71","timeline":"x","place":"a"}',
])('a damaged file (%j) is told, not guessed at', async content => {
  const file = path.join(await temporaryFolder(), MEMORY_FILE)
  await writeFile(file, content)
  expect(() => openMemory(file)).toThrow(MemoryFault)
  expect(() => openMemory(file)).toThrow('lanthorn db trust')
})
