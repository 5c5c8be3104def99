/** The first PC of an office registers itself: from then on others can join. */
import type { KnownNodes } from '../cluster/known-nodes.ts'
import { registerNode } from '../cluster/registry.ts'
import type { Database } from '../db/pool.ts'
import type { DataFolder } from '../node.ts'
import { openLinkKey } from './link-key.ts'

/** A database that has an office already: a PC of its own there would be a second one under the same names. */
export class OccupiedFault extends Error {
  override readonly name = 'OccupiedFault'
}

/**
 * Registers this node as the first, or finds it registered, and writes office-nodes.json.
 * @param options.url 'embedded' or the URL in use
 * @throws OccupiedFault with a sentence; DatabaseAway
 */
export async function foundOffice(options: {
  folder: DataFolder
  known: KnownNodes
  db: Database
  url: string
  name: string
  addresses: readonly string[]
  version: string
  hazelcast: string | undefined
}): Promise<void> {
  const { folder, known, db, url, name, addresses, version, hazelcast } = options
  const { fingerprint } = await openLinkKey(folder.file('certificates'))
  const { nodeId } = folder.state
  const newcomer = { id: nodeId, name, key: fingerprint, addresses, version, hazelcast }
  const node = await registerNode(db, newcomer, { mustBeFirst: true })
  if (typeof node === 'string') {
    throw new OccupiedFault(
      node === 'removed'
        ? 'This PC was removed from the office of this database: start it with a new data folder (--data), then let it join as a new PC.'
        : 'This database already carries an office with other PCs: join it with a join code or its token (lanthorn help join), or name an empty database.',
    )
  }
  const place =
    url === 'embedded' ? { kind: 'embedded' as const, node: node.number } : { kind: 'outside' as const, url }
  await folder.randomSecret('cluster-secret')
  await known.save({ format: 1, self: node.number, nodes: [node], database: { generation: 1, ...place } })
}
