import type { Database } from '../db/pool.ts'
import { earliestIdAt } from '../xmpp/id.ts'
import type { Jid } from '../xmpp/jid.ts'
import { Stanza } from '../xmpp/stanza.ts'

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
  const rows = await db.query<{ id: string; stanza: string }>(text, values)
  const isComplete = rows.length <= page.max
  const kept = isComplete ? rows : rows.slice(0, page.max)
  if (page.isBackward) kept.reverse()
  return {
    messages: kept.map(({ id, stanza }) => ({ id, stanza: Stanza.fromBytes(Buffer.from(stanza)) })),
    isComplete,
  }
}

/** How many messages the filter lets through. @throws DatabaseAway */
export async function countArchive(db: Database, own: Jid, filter: ArchiveFilter): Promise<number> {
  const builder = new Conditions(own, filter)
  const { sent, received } = builder.halves()
  const row = await db.one<{ count: number }>(
    `SELECT ((SELECT count(*) FROM archive WHERE ${sent}) + (SELECT count(*) FROM archive WHERE ${received}))::int AS count`,
    builder.values,
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
  )
  return row?.count === wanted.size
}

/** The statement of `readArchive`, apart so that a test can see its plan. It reads one row more than asked for. */
export function pageStatement(own: Jid, filter: ArchiveFilter, page: ArchivePage): Statement {
  const builder = new Conditions(own, filter, page)
  const { sent, received } = builder.halves()
  const order = page.isBackward ? 'DESC' : 'ASC'
  const limit = builder.bind(page.max + 1)
  // Each half is walked along its own index and stops after a page: the cost does not grow with the archive.
  const text = `SELECT id, stanza FROM (
      (SELECT id, stanza FROM archive WHERE ${sent} ORDER BY id ${order} LIMIT ${limit})
      UNION ALL
      (SELECT id, stanza FROM archive WHERE ${received} ORDER BY id ${order} LIMIT ${limit})
    ) AS half ORDER BY id ${order} LIMIT ${limit}`
  return { text, values: builder.values }
}

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

  halves(): { sent: string; received: string } {
    const own = this.bind(this.#own.local)
    const common = this.#bounds()
    return {
      sent: [`sender = ${own} AND in_sender`, ...common, ...this.#partner('to_jid', own)].join(' AND '),
      // What somebody sent to the own account is one row: the first half has it already.
      received: [
        `receiver = ${own} AND in_receiver AND NOT (sender IS NOT DISTINCT FROM ${own} AND in_sender)`,
        ...common,
        ...this.#partner('from_jid', own),
      ].join(' AND '),
    }
  }

  /** Times and ids are one thing: ids sort by time. */
  #bounds(): string[] {
    const { startMs, endMs, afterId, beforeId, ids } = this.#filter
    const bounds: string[] = []
    if (startMs !== undefined) bounds.push(`id >= ${this.bind(earliestIdAt(startMs))}::uuid`)
    if (endMs !== undefined) bounds.push(`id < ${this.bind(earliestIdAt(endMs + 1))}::uuid`)
    for (const after of [afterId, this.#page?.after]) if (after) bounds.push(`id > ${this.bind(after)}::uuid`)
    for (const before of [beforeId, this.#page?.before]) if (before) bounds.push(`id < ${this.bind(before)}::uuid`)
    if (ids) bounds.push(`id = ANY(${this.bind([...ids])}::uuid[])`)
    return bounds
  }

  /** XEP-0313 §4.1.1; with the own address only what somebody sent to the own account matches. */
  #partner(column: 'to_jid' | 'from_jid', own: string): string[] {
    const partner = this.#filter.with
    if (!partner) return []
    if (partner.full === this.#own.bare) return [`sender = ${own} AND receiver = ${own}`]
    if (partner.bare === this.#own.bare) {
      const full = this.bind(partner.full)
      return [`(from_jid = ${full} OR to_jid = ${full})`]
    }
    if (partner.resource !== undefined) return [`${column} = ${this.bind(partner.full)}`]
    const bare = this.bind(partner.full)
    return [`(${column} = ${bare} OR starts_with(${column}, ${bare} || '/'))`]
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
  )
}

/** Takes everything of one person out of the archive; messages stay for the other side. @throws DatabaseAway */
export async function forgetPerson(db: Database, username: string): Promise<void> {
  await db.exec('UPDATE archive SET in_sender = false, sender = NULL WHERE sender = $1', [username], {
    timeoutMs: 60_000,
  })
  await db.exec(
    'UPDATE archive SET in_receiver = false, pending = false, receiver = NULL WHERE receiver = $1',
    [username],
    {
      timeoutMs: 60_000,
    },
  )
}
