/** The PCs of the office in its database: who they are, when they were last seen, and who was removed. */
import type { Database, Queryable } from '../db/pool.ts'
import type { KnownNode, SelfNode } from './node.ts'

/** A node as the database has it. */
export interface RegisteredNode extends KnownNode {
  readonly version: string
  readonly hazelcast: string | undefined
  /** Its start that was registered last. */
  readonly epoch: number
  /** Whether it said that it stopped. */
  readonly stopped: boolean
  /** How long ago it was last seen, by the clock of the database, in milliseconds. */
  readonly unseenMs: number
}

/** Who is to be registered. */
export type Newcomer = Omit<KnownNode, 'number'> & { readonly version: string; readonly hazelcast: string | undefined }

/** A node that was removed: its key is refused for good. */
export interface RemovedNode extends KnownNode {
  /** When, in milliseconds since 1970. */
  readonly removedAt: number
}

/**
 * Why a newcomer is not registered. `full`: the office has as many nodes as it may · `occupied`: it was to be the first, and others are there ·
 * `removed`: its key is that of a node that was removed · `token-over`: it comes by the token, which ends when the first node is removed.
 */
export type NotRegistered = 'full' | 'occupied' | 'removed' | 'token-over'

/** Most PCs of one office. */
export const NODES_MAX = 64
/** Removed ones that are told, the latest. */
const REMOVED_MAX = 256

/**
 * Numbers come from a sequence and are never used again; a removed node keeps its row, so that its key is known as that of a stranger.
 * `drained` is read by PCs of the first version only: whether a PC is taken out stands in its own data folder.
 */
export const registryMigrations: readonly string[] = [
  `CREATE TABLE node (
     number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     id text NOT NULL,
     name text NOT NULL,
     key text NOT NULL,
     addresses text[] NOT NULL,
     version text NOT NULL,
     hazelcast text,
     epoch integer NOT NULL DEFAULT 0,
     drained boolean NOT NULL DEFAULT false,
     stopped boolean NOT NULL DEFAULT true,
     seen_at timestamptz NOT NULL DEFAULT now(),
     joined_at timestamptz NOT NULL DEFAULT now(),
     removed_at timestamptz
   );
   CREATE UNIQUE INDEX node_id ON node (id) WHERE removed_at IS NULL;
   CREATE UNIQUE INDEX node_name ON node (name) WHERE removed_at IS NULL;`,
]

interface Row {
  number: number
  id: string
  name: string
  key: string
  addresses: string[]
  version: string
  hazelcast: string | null
  epoch: number
  stopped: boolean
  unseen_ms: number
}

const columns = `number, id, name, key, addresses, version, hazelcast, epoch, stopped,
  (extract(epoch FROM clock_timestamp() - seen_at) * 1000)::float8 AS unseen_ms`

/** All nodes of the office, by number. @throws DatabaseAway */
export async function listNodes(db: Queryable): Promise<RegisteredNode[]> {
  const rows = await db.query<Row>(`SELECT ${columns} FROM node WHERE removed_at IS NULL ORDER BY number`, [], {
    repeat: true,
  })
  return rows.map(nodeOf)
}

/** Whether PCs other than this one are registered. @throws DatabaseAway */
export async function hasOtherNodes(db: Queryable, id: string): Promise<boolean> {
  const found = await db.one<{ is: boolean }>(
    'SELECT EXISTS (SELECT FROM node WHERE removed_at IS NULL AND id <> $1) AS is',
    [id],
  )
  return found?.is === true
}

/** Nodes that were removed, the latest first, 256 at most. @throws DatabaseAway */
export async function listRemoved(db: Queryable): Promise<RemovedNode[]> {
  return db.query<RemovedNode>(
    `SELECT number, id, name, key, addresses, (extract(epoch FROM removed_at) * 1000)::float8 AS "removedAt"
     FROM node WHERE removed_at IS NOT NULL ORDER BY removed_at DESC, number DESC LIMIT $1`,
    [REMOVED_MAX],
    { repeat: true },
  )
}

/**
 * Registers a node: under the name it wishes, or that with a number behind it when it is taken. Asked again for a node that is there already
 * (an answer that was lost), it changes nothing. A node that comes with another key is another node: the former is removed.
 * @param options.mustBeFirst it makes the office: nobody else may be registered
 * @param options.byToken no person lets it in, but the token of its autosetup file
 * @returns the node, or why it is none
 * @throws DatabaseAway
 */
export async function registerNode(
  db: Database,
  newcomer: Newcomer,
  options: { mustBeFirst?: boolean; byToken?: boolean } = {},
): Promise<KnownNode | NotRegistered> {
  return db.transaction(async transaction => {
    await transaction.query('LOCK TABLE node IN SHARE ROW EXCLUSIVE MODE')
    const nodes = await listNodes(transaction)
    const known = nodes.find(({ id }) => id === newcomer.id)
    if (known?.key === newcomer.key) return known
    const past = await transaction.query<{ id: string; name: string; key: string; epoch: number }>(
      'SELECT id, name, key, epoch FROM node WHERE removed_at IS NOT NULL',
    )
    const why = whyNot(newcomer, { nodes, known, past }, options)
    if (why) return why
    if (known) await markRemoved(transaction, known.number)
    // The name of a node that was once at work stays its own: old links, routes and logs go by it.
    const atWork = past.filter(one => one.epoch > 0 && one.id !== newcomer.id)
    const taken = new Set([...nodes.filter(node => node !== known), ...atWork].map(({ name }) => name))
    const { id, key, addresses, version, hazelcast } = newcomer
    const name = freeName(newcomer.name, taken)
    const row = await transaction.one<{ number: number }>(
      'INSERT INTO node (id, name, key, addresses, version, hazelcast) VALUES ($1, $2, $3, $4, $5, $6) RETURNING number',
      [id, name, key, addresses, version, hazelcast ?? null],
    )
    return { number: row?.number ?? 0, id, name, key, addresses }
  })
}

function whyNot(
  newcomer: Newcomer,
  there: { nodes: readonly KnownNode[]; known: KnownNode | undefined; past: readonly { key: string }[] },
  { mustBeFirst, byToken }: { mustBeFirst?: boolean; byToken?: boolean },
): NotRegistered | undefined {
  const { nodes, known, past } = there
  if (past.some(({ key }) => key === newcomer.key)) return 'removed'
  // A removed PC has it in its autosetup file, and makes a new key with a new data folder.
  if (byToken && past.length > 0) return 'token-over'
  if (known) return undefined
  if (mustBeFirst && nodes.length > 0) return 'occupied'
  return nodes.length >= NODES_MAX ? 'full' : undefined
}

/**
 * After a backup was put back: the office is carried by the nodes it had a moment ago, whatever the backup says.
 * @param removed those that were removed until then: they stay so, even if the backup knows nothing of them
 * @throws DatabaseAway
 */
export async function putBackNodes(
  db: Database,
  nodes: readonly KnownNode[],
  removed: readonly RemovedNode[],
): Promise<void> {
  await db.transaction(async transaction => {
    await transaction.query('LOCK TABLE node IN SHARE ROW EXCLUSIVE MODE')
    await transaction.query('UPDATE node SET removed_at = now(), stopped = true WHERE removed_at IS NULL')
    for (const { number, id, name, key, addresses } of nodes) {
      await transaction.query(
        `INSERT INTO node (number, id, name, key, addresses, version) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, '')
         ON CONFLICT (number) DO UPDATE SET id = excluded.id, name = excluded.name, key = excluded.key,
           addresses = excluded.addresses, removed_at = NULL`,
        [number, id, name, key, addresses],
      )
    }
    for (const { number, id, name, key, addresses, removedAt } of removed) {
      await transaction.query(
        `INSERT INTO node (number, id, name, key, addresses, version, epoch, removed_at) OVERRIDING SYSTEM VALUE
         VALUES ($1, $2, $3, $4, $5, '', 1, to_timestamp($6 / 1000.0))
         ON CONFLICT (number) DO UPDATE SET removed_at = excluded.removed_at`,
        [number, id, name, key, addresses, removedAt],
      )
    }
    await transaction.query(
      `SELECT setval(pg_get_serial_sequence('node', 'number'), greatest((SELECT max(number) FROM node), $1))`,
      [Math.max(1, ...[...nodes, ...removed].map(({ number }) => number))],
    )
  })
}

/** Writes that this node runs: its present life, version and addresses. @returns false when it was removed @throws DatabaseAway */
export async function registerStart(db: Queryable, self: SelfNode, addresses: readonly string[]): Promise<boolean> {
  const rows = await db.query(
    `UPDATE node SET epoch = $3, version = $4, hazelcast = $5, addresses = $6, stopped = false, seen_at = clock_timestamp()
     WHERE number = $1 AND id = $2 AND removed_at IS NULL RETURNING number`,
    [self.number, self.id, self.epoch, self.version, self.hazelcast ?? null, addresses],
    { repeat: true },
  )
  return rows.length > 0
}

/** Writes that this node is there. @returns false when it was removed @throws DatabaseAway */
export async function touchNode(db: Queryable, number: number): Promise<boolean> {
  const rows = await db.query(
    'UPDATE node SET seen_at = clock_timestamp(), stopped = false WHERE number = $1 AND removed_at IS NULL RETURNING number',
    [number],
    { repeat: true },
  )
  return rows.length > 0
}

/** Writes that this node stops: nobody need wait for it. @throws DatabaseAway */
export async function registerStop(db: Queryable, number: number): Promise<void> {
  await db.query('UPDATE node SET stopped = true WHERE number = $1', [number], { repeat: true, timeoutMs: 1_000 })
}

/** Removes a node for good: its key is refused from now on. @throws DatabaseAway */
export async function removeNode(db: Queryable, number: number): Promise<void> {
  await markRemoved(db, number)
}

/** A node that was registered but never came: as if it had not asked. @throws DatabaseAway */
export async function withdrawNode(db: Queryable, number: number): Promise<void> {
  await db.query('DELETE FROM node WHERE number = $1 AND epoch = 0 AND removed_at IS NULL', [number], { repeat: true })
}

async function markRemoved(db: Queryable, number: number): Promise<void> {
  await db.query('UPDATE node SET removed_at = clock_timestamp(), stopped = true WHERE number = $1', [number], {
    repeat: true,
  })
}

/** 'front-desk', or 'front-desk-2' when that is taken. Lower case, letters, digits and hyphens: it stands in host names and routes. */
export function freeName(wished: string, taken: ReadonlySet<string>): string {
  const plain = wished
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 58)
  const base = plain || 'pc'
  if (!taken.has(base)) return base
  for (let number = 2; ; number++) if (!taken.has(`${base}-${number}`)) return `${base}-${number}`
}

function nodeOf(row: Row): RegisteredNode {
  const { unseen_ms: unseenMs, hazelcast, ...rest } = row
  return { ...rest, hazelcast: hazelcast ?? undefined, unseenMs }
}
