import { expect, test } from 'vitest'
import { openDatabase } from '../../test/support/database.ts'
import type { Database } from '../db/pool.ts'
import type { KnownNode } from './node.ts'
import {
  listNodes,
  listRemoved,
  type Newcomer,
  putBackNodes,
  registerNode,
  registerStart,
  registryMigrations,
  removeNode,
  withdrawNode,
} from './registry.ts'

const newcomer = (name: string, key = `key of ${name}`): Newcomer => ({
  ...{ id: `id of ${name}`, name, key, addresses: [`${name}:5275`], version: '1.0.0', hazelcast: undefined },
})

async function office(): Promise<Database> {
  const db = await openDatabase()
  for (const sql of registryMigrations) await db.query(sql)
  return db
}

/** Registers one that must be let in, and its first start. */
async function join(db: Database, name: string, key?: string): Promise<KnownNode> {
  const node = await registerNode(db, newcomer(name, key))
  if (typeof node === 'string') throw new Error(`${name} is ${node}`)
  const { number, id } = node
  await registerStart(db, { number, id, name, epoch: 1, version: '1.0.0', hazelcast: undefined }, node.addresses)
  return node
}

test('a removed node is refused by its key, and comes back with a new one, under a number and a name of its own', async () => {
  await using db = await office()
  await join(db, 'one')
  const two = await join(db, 'two')
  expect(await registerNode(db, newcomer('two'))).toMatchObject(two)
  await removeNode(db, two.number)
  expect(await registerNode(db, newcomer('two'))).toBe('removed')
  expect(await registerNode(db, { ...newcomer('two'), id: 'another folder' })).toBe('removed')
  const fresh = { ...newcomer('two', 'new key'), id: 'another folder' }
  expect(await registerNode(db, fresh)).toMatchObject({ number: 3, name: 'two-2' })
  expect(await listRemoved(db)).toMatchObject([{ number: 2, key: 'key of two', removedAt: expect.any(Number) }])
})

test('the token lets in until the first node is removed; who never came does not count', async () => {
  await using db = await office()
  await join(db, 'one')
  const late = await registerNode(db, newcomer('late'), { byToken: true })
  await withdrawNode(db, (late as KnownNode).number)
  const two = await registerNode(db, newcomer('late'), { byToken: true })
  expect(two).toMatchObject({ name: 'late' })
  await removeNode(db, (two as KnownNode).number)
  expect(await registerNode(db, newcomer('three'), { byToken: true })).toBe('token-over')
  expect(await registerNode(db, newcomer('three'))).toMatchObject({ name: 'three' })
})

test('who makes the office finds nobody there', async () => {
  await using db = await office()
  expect(await registerNode(db, newcomer('one'), { mustBeFirst: true })).toMatchObject({ number: 1 })
  expect(await registerNode(db, newcomer('two'), { mustBeFirst: true })).toBe('occupied')
})

test('a backup that is put back brings no removed node back, even one that it does not know', async () => {
  await using db = await office()
  const one = await join(db, 'one')
  const two = await join(db, 'two')
  const three = await join(db, 'three')
  await removeNode(db, two.number)
  await removeNode(db, three.number)
  const [nodes, removed] = [await listNodes(db), await listRemoved(db)]
  // The backup is of the time before the third came and the second went.
  await db.query('DELETE FROM node WHERE number = 3')
  await db.query('UPDATE node SET removed_at = NULL')
  await putBackNodes(db, nodes, removed)
  expect((await listNodes(db)).map(({ number }) => number)).toEqual([one.number])
  for (const name of ['two', 'three']) expect(await registerNode(db, newcomer(name))).toBe('removed')
  expect(await listRemoved(db)).toEqual(removed)
  expect(await registerNode(db, newcomer('four'))).toMatchObject({ number: 4 })
})
