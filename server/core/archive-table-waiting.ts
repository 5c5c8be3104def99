/** Rows that wait for their receivers, in the table `archive` (archive-table.ts): read, taken, counted. */
import type { Database } from '../db/pool.ts'
import { earliestIdAt } from '../xmpp/id.ts'
import { parseJid } from '../xmpp/jid.ts'
import { Stanza } from '../xmpp/stanza.ts'
import type { RowInput } from './kept-row.ts'

/** Whose rows may be taken: those that nobody has, and those of lives that are over. */
export interface Taker {
  /** This node's life. */
  readonly holder: string
  /** The lives of the other nodes that are there. */
  readonly others: readonly string[]
}

export interface PendingRow {
  readonly id: string
  readonly input: RowInput
}

const COLUMNS_READ = 'id, sender, from_jid, to_jid, stanza, in_sender, in_receiver'

/** The rows that wait for an account, oldest first: for a lone node, whose they are all. */
export async function pendingRows(db: Database, username: string, limit: number): Promise<PendingRow[]> {
  const rows = await db.query<ReadRow>(
    `SELECT ${COLUMNS_READ} FROM archive WHERE receiver = $1 AND pending ORDER BY id LIMIT $2`,
    [username, limit],
    { repeat: true },
  )
  return rows.map(row => pendingRow(row, username))
}

/**
 * Takes the rows that wait for an account: of several nodes that try, one gets each. Rows this node has already come back too.
 * @returns oldest first
 */
export async function takePending(db: Database, username: string, limit: number, by: Taker): Promise<PendingRow[]> {
  // Locked in one order, and looked at again once locked. A repetition finds as its own what the first try took.
  const rows = await db.query<ReadRow>(
    `WITH free AS (
       SELECT id AS free_id FROM archive
       WHERE receiver = $1 AND pending AND ${FREE} ORDER BY id LIMIT $4 FOR UPDATE
     ), taken AS (
       UPDATE archive SET holder = $2 FROM free WHERE id = free_id RETURNING ${COLUMNS_READ}
     )
     SELECT ${COLUMNS_READ} FROM taken
     UNION ALL
     SELECT ${COLUMNS_READ} FROM archive WHERE receiver = $1 AND pending AND holder = $2`,
    [username, by.holder, by.others, limit],
    { repeat: true },
  )
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1)).map(row => pendingRow(row, username))
}

/** $2: own life, $3: others that are there. */
const FREE = '(holder IS NULL OR (holder <> $2 AND holder <> ALL($3::text[])))'

/** Most people that one look finds. */
const FOUND_MAX = 1_000

/** Who of these people has messages waiting that nobody has taken. */
export async function waitingAmong(db: Database, usernames: readonly string[], by: Taker): Promise<string[]> {
  const rows = await db.query<{ receiver: string }>(
    `SELECT DISTINCT receiver FROM archive WHERE receiver = ANY($1::text[]) AND pending AND ${FREE} LIMIT ${FOUND_MAX}`,
    [usernames, by.holder, by.others],
    { repeat: true },
  )
  return rows.map(({ receiver }) => receiver)
}

/**
 * Lets go of rows that this node took without knowing it, as the answer got lost.
 * @param options.known those it knows
 * @param options.beforeMs only what is older: younger ones may be on their way here from another node
 */
export async function letGo(
  db: Database,
  options: { readonly holder: string; readonly known: readonly string[]; readonly beforeMs: number },
): Promise<void> {
  await db.exec(
    'UPDATE archive SET holder = NULL WHERE pending AND holder = $1 AND id <> ALL($2::uuid[]) AND id < $3',
    [options.holder, options.known, earliestIdAt(options.beforeMs)],
  )
}

interface ReadRow {
  readonly id: string
  readonly sender: string | null
  readonly from_jid: string
  readonly to_jid: string
  readonly stanza: string
  readonly in_sender: boolean
  readonly in_receiver: boolean
}

function pendingRow(row: ReadRow, receiver: string): PendingRow {
  return {
    id: row.id,
    input: {
      stanza: Stanza.fromBytes(Buffer.from(row.stanza)),
      from: parseJid(row.from_jid),
      to: parseJid(row.to_jid),
      sender: row.sender ?? undefined,
      receiver,
      keep: { pending: true, inSender: row.in_sender, inReceiver: row.in_receiver },
    },
  }
}

/** How many rows wait for an account. */
export async function countPending(db: Database, username: string, timeoutMs: number): Promise<number> {
  const rows = await db.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM archive WHERE receiver = $1 AND pending',
    [username],
    { timeoutMs, repeat: true },
  )
  return rows[0]?.count ?? 0
}
