/** One node of an office with several, in whatever process. Nothing of the test runner is needed here. */
import pino from 'pino'
import { loadFeatures } from '../../server/chat.ts'
import type { Bus } from '../../server/cluster/bus.ts'
import type { MeshOptions, OpenMesh } from '../../server/cluster/mesh/mesh.ts'
import { meshBus } from '../../server/cluster/mesh-bus.ts'
import { type SharedDirectory, sharedDirectory } from '../../server/cluster/shared-directory.ts'
import type { Feature } from '../../server/core/feature.ts'
import type { Connection } from '../../server/db/address.ts'
import { Database } from '../../server/db/pool.ts'
import type { CertifiedKey } from '../../server/net/ca.ts'
import * as meshes from './mesh.ts'
import { Office } from './office.ts'

const log = pino({ level: 'silent' })
/** What startChat has by itself; loadFeatures gives these as well. */
const included = new Set(['settings', 'passwords', 'sessions', 'rosters', 'messages', 'c2s', 'stream-management'])

/** Every feature but those that startChat has by itself. */
export async function furtherFeatures(): Promise<Feature[]> {
  return (await loadFeatures()).filter(one => !included.has(one.name))
}

/** One node of an office, in this process. */
export interface ClusterNode {
  readonly name: string
  readonly mesh: OpenMesh
  readonly bus: Bus
  readonly directory: SharedDirectory
  readonly office: Office
  close(): Promise<void>
}

/** What a node is made of; nothing but JSON. */
export interface NodePlan {
  readonly papers: meshes.Papers
  readonly authority: CertifiedKey
  readonly connection: Connection
  readonly epoch: number
  readonly timings: NonNullable<MeshOptions['timings']>
}

/** Starts a node on the database of the office. Nobody is known to its mesh yet. */
export async function openNode({ papers, authority, connection, epoch, timings }: NodePlan): Promise<ClusterNode> {
  const mesh = await meshes.open(papers, authority, { epoch, timings })
  const bus = meshBus(mesh, log)
  const { name } = papers.node
  const directory = sharedDirectory({ node: name, bus, log })
  bus.onAsk('test-settles', () => 'settled')
  const office = await Office.start({
    node: name,
    features: await furtherFeatures(),
    people: [],
    db: new Database({ connection, log }),
    cluster: { directory, bus },
  })
  return {
    name,
    mesh,
    bus,
    directory,
    office,
    async close() {
      await office[Symbol.asyncDispose]()
      directory.close()
      await mesh.close()
    },
  }
}

/** Resolves when a node is linked with another one and has its routes. */
export async function linked(node: ClusterNode, other: string): Promise<void> {
  await meshes.reached(node.mesh, other, 'up')
  // What is asked for now is answered after the routes, which were asked for before.
  for (let round = 0; round < 100 && !node.directory.synced(); round++) await passed(node, other)
}

/** Resolves when everything the two have said to each other before has been heard. */
export async function passed(node: ClusterNode, other: string): Promise<void> {
  await node.bus.ask(other, 'test-settles', {}, 5_000)
}
