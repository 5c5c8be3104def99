import type { Database, Queryable } from '../db/pool.ts'
import { earliestIdAt } from '../xmpp/id.ts'
import type { KeptRow } from './kept-row.ts'

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
  // The life of the node whose session has the row ('3.17'); null: nobody. Of pending rows only.
  'ALTER TABLE archive ADD COLUMN holder text',
  `CREATE TABLE stream_end (
     stream text PRIMARY KEY,
     count bigint NOT NULL,
     ended_at timestamptz NOT NULL DEFAULT now()
   );
   CREATE INDEX stream_end_at ON stream_end (ended_at);
   ALTER TABLE archive ADD COLUMN in_previous bigint;`,
]

/** Rows as they are written: one list per column of the table, all of the same length. */
export type Columns = readonly [
  id: readonly string[],
  sender: readonly (string | null)[],
  receiver: readonly (string | null)[],
  fromJid: readonly string[],
  toJid: readonly string[],
  stanza: readonly string[],
  inSender: readonly boolean[],
  inReceiver: readonly boolean[],
  pending: readonly boolean[],
  inStream: readonly (string | null)[],
  inCount: readonly (number | null)[],
  outStream: readonly (string | null)[],
  outCount: readonly (number | null)[],
  holder: readonly (string | null)[],
  inPrevious: readonly (number | null)[],
]

/** How many lists. */
export const COLUMNS = 15

/** To which stream a row was given, and its count there; which node's life has it. */
export interface Given {
  readonly id: string
  readonly stream: string | undefined
  readonly count: number | undefined
  /** undefined: nobody has it any more. */
  readonly holder: string | undefined
  /** Only if the table still says that this one has it. */
  readonly was: string | undefined
}

/** What one statement writes: new rows, ids of rows that wait no more, and what was given to whom. No id stands in both of the latter. */
export interface ArchiveWrite {
  readonly rows: Columns
  readonly taken: readonly string[]
  readonly given: readonly Given[]
}

/** A stream whose client was told on another node how many of its stanzas were kept: what comes of it later was sent again by its client. */
export interface EndedStream {
  readonly stream: string
  readonly count: number
}

const columns = `id, sender, receiver, from_jid, to_jid, stanza, in_sender, in_receiver, pending, in_stream, in_count,
  out_stream, out_count, holder, in_previous`

/**
 * Writes rows, marks others as taken, and notes of others to which stream they were given: one statement, one commit. Safe to repeat:
 * a row that is there stays as it is.
 * @param streams of the rows: those that have ended elsewhere take no more rows beyond their count
 * @returns which of `streams` have ended
 * @throws DatabaseAway, DatabaseFault
 */
export async function writeArchive(
  db: Queryable,
  { rows, taken, given }: ArchiveWrite,
  streams: readonly string[] = [],
): Promise<readonly EndedStream[]> {
  const hasRows = rows[0].length > 0
  const values: unknown[] = hasRows ? [...rows] : []
  const next = (value: unknown): string => `$${values.push(value)}`
  const changes: string[] = []
  if (taken.length > 0) {
    changes.push(`taken AS (UPDATE archive SET pending = false WHERE id = ANY(${next(taken)}::uuid[]) AND pending)`)
  }
  if (given.length > 0) {
    changes.push(`given AS (
       UPDATE archive SET out_stream = sent.stream, out_count = sent.count, holder = sent.holder
       FROM unnest(${next(given.map(row => row.id))}::uuid[], ${next(given.map(row => row.stream))}::text[],
                   ${next(given.map(row => row.count))}::bigint[], ${next(given.map(row => row.holder))}::text[],
                   ${next(given.map(row => row.was))}::text[]) AS sent (id, stream, count, holder, was)
       WHERE archive.id = sent.id AND pending AND (sent.was IS NULL OR archive.holder = sent.was))`)
  }
  const mayEnd = hasRows && streams.length > 0
  if (mayEnd) changes.unshift(`ended AS (SELECT stream, count FROM stream_end WHERE stream = ANY(${next(streams)}))`)
  const insert = `INSERT INTO archive (id, sender, receiver, from_jid, to_jid, stanza, in_sender, in_receiver, pending,
                          in_stream, in_count, out_stream, out_count, holder, in_previous)
     SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[],
                          $8::boolean[], $9::boolean[], $10::text[], $11::bigint[], $12::text[], $13::bigint[], $14::text[],
                          $15::bigint[]) AS new (${columns})
     ${mayEnd ? 'WHERE NOT EXISTS (SELECT FROM ended WHERE ended.stream = new.in_stream AND new.in_count > ended.count)' : ''}
     ON CONFLICT (id) DO NOTHING`
  if (mayEnd) changes.push(`inserted AS (${insert})`)
  const all = changes.length > 0 ? `WITH ${changes.join(', ')} ` : ''
  // Who calls repeats it, in the order of the rows, as soon as the database is back: the pool need not wait for that.
  if (mayEnd) {
    const ended = await db.query<{ stream: string; count: string }>(`${all}SELECT stream, count FROM ended`, values, {
      waitMs: 0,
    })
    return ended.map(({ stream, count }) => ({ stream, count: Number(count) }))
  }
  await db.exec(all + (hasRows ? insert : 'SELECT 1'), values, { waitMs: 0 })
  return []
}

/** The rows as columns. */
export function columnsOf(rows: readonly KeptRow[]): Columns {
  return [
    rows.map(row => row.id),
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
    rows.map(row => row.holder ?? null),
    // Its maker writes rows in their order: nothing is missing in front of one.
    rows.map(row => (row.maker === undefined ? null : (row.streamPrevious ?? null))),
  ]
}

/** Of a stream so many rows are looked at: many more than can be under way at once. */
const LAST_ROWS = 1_000

/** Up to which count everything of a stream is kept. A row that another node saved, and whose predecessor is missing: that one was lost with its node. */
function keptUpTo(rows: readonly { count: string; previous: string | null }[]): number | undefined {
  const counts = new Set(rows.map(row => Number(row.count)))
  let kept: number | undefined
  for (const { previous } of rows.length === LAST_ROWS ? rows.slice(0, -1) : rows) {
    if (previous === null || counts.has(Number(previous))) continue
    kept = Math.min(kept ?? Number.POSITIVE_INFINITY, Number(previous) - 1)
  }
  const [newest] = rows
  return kept ?? (newest && Number(newest.count))
}

/** How long after its last message a broken stream can still be told what was kept of it. */
export const STREAM_REMEMBERED_MS = 7 * 24 * 60 * 60_000

/**
 * See ArchiveQueue.recover.
 * @param options.mayLive the node that had the stream may only be frozen or cut off, and write more of it later
 * @returns the count to answer, and the ids of the rows that wait no more
 */
export async function recoverStream(
  db: Database,
  options: { streamId: string; username: string; h: number; mayLive: boolean },
): Promise<{ count: number | undefined; taken: string[] }> {
  const { streamId, mayLive } = options
  // From here on nothing of it is kept any more: what is counted now must stay the truth.
  if (mayLive) {
    await db.exec(
      `WITH forgotten AS (DELETE FROM stream_end WHERE ended_at < now() - make_interval(secs => $2))
       INSERT INTO stream_end (stream, count) VALUES ($1, -1) ON CONFLICT (stream) DO NOTHING`,
      [streamId, STREAM_REMEMBERED_MS / 1_000],
    )
  }
  const taken = await db.query<{ id: string }>(
    `UPDATE archive SET pending = false
     WHERE receiver = $1 AND pending AND out_stream = $2 AND out_count <= $3 RETURNING id`,
    [options.username, options.streamId, options.h],
  )
  // Only what is young is looked at: an older stream is forgotten.
  const rows = await db.query<{ count: string; previous: string | null }>(
    `SELECT in_count AS count, in_previous AS previous FROM archive
     WHERE sender = $1 AND in_stream = $2 AND in_count IS NOT NULL AND id >= $3 ORDER BY id DESC LIMIT $4`,
    [options.username, options.streamId, earliestIdAt(Date.now() - STREAM_REMEMBERED_MS), LAST_ROWS],
    { repeat: true },
  )
  const count = keptUpTo(rows)
  if (mayLive) {
    await db.exec('UPDATE stream_end SET count = $2 WHERE stream = $1 AND count = -1', [streamId, count ?? 0])
  }
  return {
    count,
    taken: taken.map(({ id }) => id),
  }
}
