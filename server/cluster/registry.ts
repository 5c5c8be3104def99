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

/** Most PCs of one office. */
export const NODES_MAX = 64

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

/**
 * Registers a node: under the name it wishes, or that with a number behind it when it is taken. Asked again for a node that is there already
 * (an answer that was lost), it changes nothing. A node that comes with another key is another node: the former is removed.
 * @param options.mustBeFirst it makes the office: nobody else may be registered
 * @returns undefined when the office has as many nodes as it may, or somebody else is registered already
 * @throws DatabaseAway
 */
export async function registerNode(
  db: Database,
  newcomer: Newcomer,
  options: { mustBeFirst?: boolean } = {},
): Promise<KnownNode | undefined> {
  return db.transaction(async transaction => {
    await transaction.query('LOCK TABLE node IN SHARE ROW EXCLUSIVE MODE')
    const nodes = await listNodes(transaction)
    const known = nodes.find(({ id }) => id === newcomer.id)
    if (known?.key === newcomer.key) return known
    if (options.mustBeFirst && nodes.length > 0 && !known) return undefined
    if (known) await markRemoved(transaction, known.number)
    else if (nodes.length >= NODES_MAX) return undefined
    // The name of a node that was once at work stays its own: old links, routes and logs go by it.
    const past = await transaction.query<{ name: string }>(
      'SELECT DISTINCT name FROM node WHERE removed_at IS NOT NULL AND epoch > 0 AND id <> $1',
      [newcomer.id],
    )
    const taken = new Set([...nodes.filter(node => node !== known), ...past].map(({ name }) => name))
    const { id, key, addresses, version, hazelcast } = newcomer
    const name = freeName(newcomer.name, taken)
    const row = await transaction.one<{ number: number }>(
      'INSERT INTO node (id, name, key, addresses, version, hazelcast) VALUES ($1, $2, $3, $4, $5, $6) RETURNING number',
      [id, name, key, addresses, version, hazelcast ?? null],
    )
    return { number: row?.number ?? 0, id, name, key, addresses }
  })
}

/**
 * After a backup was put back: the office is carried by the nodes it had a moment ago, whatever the backup says.
 * @throws DatabaseAway
 */
export async function putBackNodes(db: Database, nodes: readonly KnownNode[]): Promise<void> {
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
    await transaction.query(
      `SELECT setval(pg_get_serial_sequence('node', 'number'), greatest((SELECT max(number) FROM node), $1))`,
      [Math.max(1, ...nodes.map(({ number }) => number))],
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

/** Removes a node for good. @throws DatabaseAway */
export async function removeNode(db: Queryable, number: number): Promise<void> {
  await markRemoved(db, number)
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
