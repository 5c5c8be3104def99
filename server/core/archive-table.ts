import type { Database } from '../db/pool.ts'
import { earliestIdAt } from '../xmpp/id.ts'
import { parseJid } from '../xmpp/jid.ts'
import { Stanza } from '../xmpp/stanza.ts'
import type { KeptRow, RowInput } from './kept-row.ts'

/**
 * The table of every message that must survive: archive (XEP-0313), offline storage (XEP-0160) and crash log at once.
 * One row per message, found from both owners by index; each owner's deletion is a flag.
 */
export const archiveMigrations: readonly string[] = [
  `CREATE TABLE archive (
     id uuid PRIMARY KEY,
     sender text,
     receiver text,
     from_jid text NOT NULL,
     to_jid text NOT NULL,
     stanza text NOT NULL,
     in_sender boolean NOT NULL,
     in_receiver boolean NOT NULL,
     pending boolean NOT NULL,
     in_stream text,
     in_count bigint,
     out_stream text,
     out_count bigint
   );
   CREATE INDEX archive_sender ON archive (sender, id) WHERE sender IS NOT NULL;
   CREATE INDEX archive_receiver ON archive (receiver, id) WHERE receiver IS NOT NULL;
   CREATE INDEX archive_pending ON archive (receiver, id) WHERE pending;`,
]

/**
 * Writes a group of rows, marks others as taken, and notes of others to which stream they were given and its count there: one statement, one
 * commit. Safe to repeat. No row may stand in both `taken` and `given`.
 * @throws DatabaseAway, DatabaseFault
 */
export async function insertRows(
  db: Database,
  rows: readonly KeptRow[],
  taken: readonly KeptRow[],
  given: readonly KeptRow[] = [],
): Promise<void> {
  const values: unknown[] = rows.length > 0 ? columns(rows) : []
  const next = (value: unknown): string => `$${values.push(value)}`
  const changes: string[] = []
  if (taken.length > 0) {
    changes.push(
      `taken AS (UPDATE archive SET pending = false WHERE id = ANY(${next(ids(taken))}::uuid[]) AND pending)`,
    )
  }
  if (given.length > 0) {
    changes.push(`given AS (
       UPDATE archive SET out_stream = sent.stream, out_count = sent.count
       FROM unnest(${next(ids(given))}::uuid[], ${next(given.map(row => row.outStream))}::text[],
                   ${next(given.map(row => row.outCount))}::bigint[]) AS sent (id, stream, count)
       WHERE archive.id = sent.id AND pending)`)
  }
  const insert = `INSERT INTO archive (id, sender, receiver, from_jid, to_jid, stanza, in_sender, in_receiver, pending,
                          in_stream, in_count, out_stream, out_count)
     SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[],
                          $8::boolean[], $9::boolean[], $10::text[], $11::bigint[], $12::text[], $13::bigint[])
     ON CONFLICT (id) DO NOTHING`
  const all = changes.length > 0 ? `WITH ${changes.join(', ')} ` : ''
  await db.exec(all + (rows.length > 0 ? insert : 'SELECT 1'), values)
}

const ids = (rows: readonly KeptRow[]): string[] => rows.map(row => row.id)

function columns(rows: readonly KeptRow[]): unknown[][] {
  return [
    ids(rows),
    rows.map(row => row.input.sender ?? null),
    rows.map(row => row.input.receiver ?? null),
    rows.map(row => row.input.from.full),
    rows.map(row => row.input.to.full),
    rows.map(row => row.input.stanza.bytes.toString('utf8')),
    rows.map(row => row.input.keep.inSender),
    rows.map(row => row.input.keep.inReceiver),
    rows.map(row => row.isPending),
    rows.map(row => row.input.stream?.id ?? null),
    rows.map(row => row.streamCount ?? null),
    rows.map(row => row.outStream ?? null),
    rows.map(row => row.outCount ?? null),
  ]
}

/** The rows that wait for an account, oldest first. */
export async function pendingRows(
  db: Database,
  username: string,
  limit: number,
): Promise<{ id: string; input: RowInput }[]> {
  const rows = await db.query<{
    id: string
    sender: string | null
    from_jid: string
    to_jid: string
    stanza: string
    in_sender: boolean
    in_receiver: boolean
  }>(
    `SELECT id, sender, from_jid, to_jid, stanza, in_sender, in_receiver FROM archive
     WHERE receiver = $1 AND pending ORDER BY id LIMIT $2`,
    [username, limit],
  )
  return rows.map(row => ({
    id: row.id,
    input: {
      stanza: Stanza.fromBytes(Buffer.from(row.stanza)),
      from: parseJid(row.from_jid),
      to: parseJid(row.to_jid),
      sender: row.sender ?? undefined,
      receiver: username,
      keep: { pending: true, inSender: row.in_sender, inReceiver: row.in_receiver },
    },
  }))
}

/** How long after its last message a broken stream can still be told what was kept of it. */
export const STREAM_REMEMBERED_MS = 7 * 24 * 60 * 60_000

/** How many rows wait for an account. */
export async function countPending(db: Database, username: string, timeoutMs: number): Promise<number> {
  const rows = await db.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM archive WHERE receiver = $1 AND pending',
    [username],
    { timeoutMs },
  )
  return rows[0]?.count ?? 0
}

/** See ArchiveQueue.recover. */
export async function recoverStream(
  db: Database,
  options: { streamId: string; username: string; h: number },
): Promise<number | undefined> {
  await db.exec(
    `UPDATE archive SET pending = false
     WHERE receiver = $1 AND pending AND out_stream = $2 AND out_count <= $3`,
    [options.username, options.streamId, options.h],
  )
  // The newest row of that stream has the highest count. Only what is young is looked at: an older stream is forgotten.
  const rows = await db.query<{ count: string | null }>(
    'SELECT in_count AS count FROM archive WHERE sender = $1 AND in_stream = $2 AND id >= $3 ORDER BY id DESC LIMIT 1',
    [options.username, options.streamId, earliestIdAt(Date.now() - STREAM_REMEMBERED_MS)],
  )
  const count = rows[0]?.count
  return count === undefined || count === null ? undefined : Number(count)
}
