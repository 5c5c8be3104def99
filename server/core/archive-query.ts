import type { Database } from '../db/pool.ts'
import { earliestIdAt } from '../xmpp/id.ts'
import type { Jid } from '../xmpp/jid.ts'
import { Stanza } from '../xmpp/stanza.ts'
import { forStanza } from './patience.ts'

/** Which messages of one person's archive are meant (XEP-0313 §4.1); what is absent does not narrow. */
export interface ArchiveFilter {
  /** The other side of the conversation: a bare JID matches all its resources. */
  readonly with?: Jid | undefined
  /** Received at this moment or later, in milliseconds since 1970. */
  readonly startMs?: number | undefined
  /** Received at this moment or earlier. */
  readonly endMs?: number | undefined
  readonly afterId?: string | undefined
  readonly beforeId?: string | undefined
  /** Only these messages. */
  readonly ids?: readonly string[] | undefined
}

/** Which part of them is asked for (XEP-0059). */
export interface ArchivePage {
  readonly max: number
  readonly after: string | undefined
  readonly before: string | undefined
  /** The last `max` instead of the first. */
  readonly isBackward: boolean
}

export interface ArchivedMessage {
  readonly id: string
  readonly stanza: Stanza
}

/** A page ends before it holds more than this: it is written in one go, and connections that leave too much unread are closed. */
const PAGE_BYTES_MAX = 256 * 1024

/** One statement with its values. */
interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}

/**
 * One page of a person's archive, oldest first.
 * @param own the person's bare JID
 * @returns the messages, and whether the page holds all that the filter lets through in its direction
 * @throws DatabaseAway
 */
export async function readArchive(
  db: Database,
  own: Jid,
  filter: ArchiveFilter,
  page: ArchivePage,
): Promise<{ messages: ArchivedMessage[]; isComplete: boolean }> {
  const { text, values } = pageStatement(own, filter, page)
  const rows = await db.query<{ id: string; stanza: string }>(text, values, { ...forStanza, tolerant: true })
  const kept = rows.slice(0, Math.min(page.max, fitting(rows)))
  const isComplete = kept.length === rows.length
  if (page.isBackward) kept.reverse()
  return {
    messages: kept.map(({ id, stanza }) => ({ id, stanza: Stanza.fromBytes(Buffer.from(stanza)) })),
    isComplete,
  }
}

/** How many of these fit into one page: at least one. */
function fitting(rows: readonly { stanza: string }[]): number {
  let bytes = 0
  const index = rows.findIndex(({ stanza }, at) => {
    bytes += Buffer.byteLength(stanza)
    return bytes > PAGE_BYTES_MAX && at > 0
  })
  return index < 0 ? rows.length : index
}

/** How many messages the filter lets through. @throws DatabaseAway */
export async function countArchive(db: Database, own: Jid, filter: ArchiveFilter): Promise<number> {
  const builder = new Conditions(own, filter)
  const { sent, received } = builder.halves()
  const row = await db.one<{ count: number }>(
    `SELECT ((SELECT count(*) FROM archive WHERE ${sent}) + (SELECT count(*) FROM archive WHERE ${received}))::int AS count`,
    builder.values,
    { ...forStanza, tolerant: true },
  )
  return row?.count ?? 0
}

/** Whether all of these messages are in the person's archive. @throws DatabaseAway */
export async function hasAll(db: Database, own: Jid, ids: readonly string[]): Promise<boolean> {
  const wanted = new Set(ids)
  const row = await db.one<{ count: number }>(
    `SELECT count(*)::int AS count FROM archive
     WHERE id = ANY($1::uuid[]) AND ((sender = $2 AND in_sender) OR (receiver = $2 AND in_receiver))`,
    [[...wanted], own.local],
    { ...forStanza, tolerant: true },
  )
  return row?.count === wanted.size
}

/** The statement of `readArchive`, apart so that a test can see its plan. It reads one row more than asked for. */
export function pageStatement(own: Jid, filter: ArchiveFilter, page: ArchivePage): Statement {
  const builder = new Conditions(own, filter, page)
  const { sent, received } = filter.ids ? builder.halves() : builder.ranges()
  const direction = page.isBackward ? 'DESC' : 'ASC'
  const limit = builder.bind(page.max + 1)
  // Each half is walked along the index of its owner and stops after a page: the cost does not grow with the archive. Told to order
  // by owner and id, PostgreSQL cannot be tempted to walk the whole table by id, which it would for a person who says much.
  const half = (owner: string, where: string) =>
    `(SELECT id, stanza FROM archive WHERE ${where} ORDER BY ${owner} ${direction}, id ${direction} LIMIT ${limit})`
  const text = `SELECT id, stanza FROM (${half('sender', sent)} UNION ALL ${half('receiver', received)}) AS half
    ORDER BY id ${direction} LIMIT ${limit}`
  return { text, values: builder.values }
}

const ID_MIN = '00000000-0000-0000-0000-000000000000'
const ID_MAX = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/** Writes the conditions of a query for both sides of the table: what the person sent, what the person received. */
class Conditions {
  readonly values: unknown[] = []
  readonly #own: Jid
  readonly #filter: ArchiveFilter
  readonly #page: ArchivePage | undefined

  constructor(own: Jid, filter: ArchiveFilter, page?: ArchivePage) {
    this.#own = own
    this.#filter = filter
    this.#page = page
  }

  bind(value: unknown): string {
    return `$${this.values.push(value)}`
  }

  /** For counting, and for few rows by their ids. */
  halves(): { sent: string; received: string } {
    const own = this.bind(this.#own.local)
    const { from, after, until } = this.#bounds()
    const { ids } = this.#filter
    const common = [
      `id ${from === undefined ? '>' : '>='} ${this.bind(from ?? after)}::uuid`,
      `id < ${this.bind(until)}::uuid`,
    ]
    if (ids) common.push(`id = ANY(${this.bind([...ids])}::uuid[])`)
    return this.#sides(own, [`sender = ${own}`, ...common], [`receiver = ${own}`, ...common])
  }

  /** For a page: comparing owner and id as one makes both the borders of one stretch of the index. */
  ranges(): { sent: string; received: string } {
    const own = this.bind(this.#own.local)
    const { from, after, until } = this.#bounds()
    const [low, high] = [this.bind(from ?? after), this.bind(until)]
    const range = (owner: string) => [
      `${owner} IS NOT NULL`,
      `(${owner}, id) ${from === undefined ? '>' : '>='} (${own}, ${low}::uuid)`,
      `(${owner}, id) < (${own}, ${high}::uuid)`,
    ]
    return this.#sides(own, range('sender'), range('receiver'))
  }

  #sides(own: string, sent: string[], received: string[]): { sent: string; received: string } {
    return {
      sent: [...sent, 'in_sender', ...this.#partner('to_jid', own)].join(' AND '),
      received: [
        ...received,
        'in_receiver',
        // What somebody sent to the own account is one row: the first half has it already.
        `NOT (sender IS NOT DISTINCT FROM ${own} AND in_sender)`,
        ...this.#partner('from_jid', own),
      ].join(' AND '),
    }
  }

  /** Times and ids are one thing, as ids sort by time: the narrowest borders. `from` counts itself in, the others do not. */
  #bounds(): { from: string | undefined; after: string; until: string } {
    const { startMs, endMs, afterId, beforeId } = this.#filter
    const ends = [beforeId, this.#page?.before, endMs === undefined ? undefined : earliestIdAt(endMs + 1)]
    const after =
      [afterId, this.#page?.after]
        .filter(id => id !== undefined)
        .toSorted()
        .at(-1) ?? ID_MIN
    const from = startMs === undefined ? undefined : earliestIdAt(startMs)
    return {
      from: from !== undefined && from > after ? from : undefined,
      after,
      until: ends.filter(end => end !== undefined).toSorted()[0] ?? ID_MAX,
    }
  }

  /** XEP-0313 §4.1.1; with the own address only what somebody sent to the own account matches. */
  #partner(column: 'to_jid' | 'from_jid', own: string): string[] {
    const partner = this.#filter.with
    if (!partner) return []
    if (partner.full === this.#own.bare) return [`sender = ${own} AND receiver = ${own}`]
    const jid = this.bind(partner.full)
    if (partner.bare === this.#own.bare) return [`(from_jid = ${jid} OR to_jid = ${jid})`]
    if (partner.resource !== undefined) return [`${column} = ${jid}`]
    return [`(${column} = ${jid} OR starts_with(${column}, ${jid} || '/'))`]
  }
}

/**
 * Deletes old messages that nobody waits for, oldest first, so that no gap comes to be (XEP-0313 §3.2).
 * @param beforeMs what was received earlier goes, in milliseconds since 1970
 * @param limit rows of one statement
 * @returns how many went; as many as `limit` means that there may be more
 * @throws DatabaseAway
 */
export async function deleteOlder(db: Database, beforeMs: number, limit: number): Promise<number> {
  return db.exec(
    `DELETE FROM archive WHERE id IN (
       SELECT id FROM archive WHERE id < $1::uuid AND NOT pending ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)`,
    [earliestIdAt(beforeMs), limit],
    { repeat: true },
  )
}

/**
 * Deletes messages that are in nobody's archive and wait for nobody, such as those that asked not to be kept.
 * @param beforeMs younger ones stay: until then they tell a client what of its stream was received
 * @throws DatabaseAway
 */
export async function deleteDone(db: Database, beforeMs: number, limit: number): Promise<number> {
  return db.exec(
    `DELETE FROM archive WHERE id IN (
       SELECT id FROM archive WHERE NOT (pending OR in_sender OR in_receiver) AND id < $1::uuid
       ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)`,
    [earliestIdAt(beforeMs), limit],
    { repeat: true },
  )
}

/** Takes everything of one person out of the archive; messages stay for the other side. @throws DatabaseAway */
export async function forgetPerson(db: Database, username: string): Promise<void> {
  await db.exec('UPDATE archive SET in_sender = false, sender = NULL WHERE sender = $1', [username], {
    repeat: true,
    timeoutMs: 60_000,
  })
  await db.exec(
    'UPDATE archive SET in_receiver = false, pending = false, receiver = NULL WHERE receiver = $1',
    [username],
    {
      repeat: true,
      timeoutMs: 60_000,
    },
  )
}
