import path from 'node:path'
import { expect, test } from 'vitest'
import { openDatabase, quietLog, temporaryFolder } from '../../test/support/database.ts'
import { type Bus, type FarNode, localBus } from '../cluster/bus.ts'
import { KnownNodes } from '../cluster/known-nodes.ts'
import type { KnownNode } from '../cluster/node.ts'
import { registerNode, registryMigrations } from '../cluster/registry.ts'
import { Membership, type MembershipOptions } from './membership.ts'

const names = ['one', 'two', 'three'] as const

/** Node one of three, and what it does, in order. */
async function membershipOfThree() {
  const db = await openDatabase()
  for (const sql of registryMigrations) await db.query(sql)
  const nodes: KnownNode[] = []
  for (const name of names) {
    const who = { id: `id of ${name}`, name, key: `key of ${name}`, addresses: [`${name}:5275`], version: '1.0.0' }
    nodes.push((await registerNode(db, { ...who, hazelcast: undefined })) as KnownNode)
  }
  const [self, two] = nodes as [KnownNode, KnownNode]
  const known = new KnownNodes(path.join(await temporaryFolder(), 'office-nodes.json'), undefined)
  await known.save({ format: 1, self: self.number, nodes, database: { generation: 1, kind: 'embedded', node: 1 } })
  const done: string[] = []
  const far = nodes.slice(1).map(({ name, number }): FarNode => ({ name, number, epoch: 1, state: 'up' }))
  const answers = new Map<string, () => unknown>()
  const bus: Bus = {
    ...localBus(),
    nodes: far,
    onAsk: (topic, answer) => {
      answers.set(topic, answer as () => unknown)
      return () => answers.delete(topic)
    },
    tell: (node, topic, body) => {
      const { removed } = body as { removed?: number }
      if (removed !== undefined) done.push(`told ${node} in ${topic} that ${removed} is removed`)
    },
    ask: async (node, topic) => {
      done.push(`asked ${node}: ${topic}`)
      throw new Error('It hangs.')
    },
  }
  const mesh = {
    setNodes: (list: readonly KnownNode[]) => void done.push(`linked with ${list.map(({ name }) => name).join(', ')}`),
  }
  const membership = new Membership({
    ...{ known, bus, mesh, log: quietLog, office: 'ACME', domain: 'acme.test' },
    self: { ...self, epoch: 1, version: '1.0.0', hazelcast: undefined },
    addresses: () => ['one:5275'],
    handOver: async () => done.push('people handed over'),
    onRemoved: () => done.push('removed'),
    onChange: () => undefined,
  } as unknown as MembershipOptions)
  await membership.start(db)
  done.length = 0
  return {
    ...{ membership, known, two, done, asked: (topic: string) => answers.get(topic)?.() },
    async [Symbol.asyncDispose]() {
      membership.stop()
      await db.close()
    },
  }
}

test('of a removal all others learn before the removed node is asked anything, whether it answers or not', async () => {
  await using parts = await membershipOfThree()
  const { membership, known, two, done } = parts
  await membership.remove(two)
  expect(done.slice(0, 3)).toEqual([
    'told three in nodes that 2 is removed',
    'asked two: removed',
    'linked with one, three',
  ])
  expect(known.content?.removed).toMatchObject([{ number: 2, key: 'key of two' }])
  expect(membership.removed).toHaveLength(1)
})

test('a node that is removed hands its people over while the link to whoever says so is open, then ends', async () => {
  await using parts = await membershipOfThree()
  const { done, known, asked } = parts
  expect(await asked('removed')).toBe(true)
  expect(done).toEqual(['people handed over'])
  await expect.poll(() => done).toEqual(['people handed over', 'removed'])
  expect(known.content?.isRemoved).toBe(true)
})
