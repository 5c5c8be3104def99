/** A session as data, for its way to another node: what its client was sent and has not acknowledged goes along. */
import type { DeliveredRow } from '../cluster/bus.ts'
import type { RouteFlags } from '../cluster/directory.ts'
import { parseJid } from '../xmpp/jid.ts'
import { Stanza } from '../xmpp/stanza.ts'
import { Inbox } from './inbox.ts'
import { type KeptRow, type RowCounter, recordOf } from './kept-row.ts'
import { Outbox, type Sent } from './outbox.ts'
import { type OutboxLimits, Session } from './session.ts'

/** XEP-0198 §5: counters wrap at 2^32. */
const wrap = 2 ** 32

/** A row that goes along. */
export interface MovedRow {
  readonly record: DeliveredRow
  /** It is in the database; without this the node that takes it writes it too. */
  readonly isCommitted: boolean
  /** The stanza as it is in the archive; undefined when it is the one that was sent. */
  readonly stanza?: string
}

/** A stanza that was sent and is not acknowledged, as XML. */
export interface MovedStanza {
  readonly stanza: string
  readonly row?: MovedRow
}

/** A session but for what is unacknowledged. Nothing in it but JSON. */
export interface SessionState {
  readonly id: string
  /** The full JID. */
  readonly jid: string
  readonly username: string
  /** Milliseconds since 1970. */
  readonly boundAt: number
  readonly client?: string
  readonly resumableMs: number
  /** The last available presence as XML. */
  readonly presence?: string
  readonly priority?: number
  readonly isInterested: boolean
  readonly directed: readonly string[]
  readonly flags: RouteFlags
  /** Stanzas that came from the client and were handled, modulo 2^32. */
  readonly handled: number
  /** Those of them that are not safe yet, oldest first. */
  readonly holds: readonly { readonly count: number; readonly row: MovedRow }[]
  /** Stanzas the client has acknowledged, modulo 2^32. */
  readonly acked: number
}

/** Makes the row of another node one of this node (ArchiveQueue.adopt). */
export type Adopt = (
  record: DeliveredRow,
  stanza: Stanza,
  options: { isCommitted: boolean; counter?: RowCounter },
) => KeptRow

/** The state of a session with stream management. @throws Error without it */
export function stateOf(session: Session): SessionState {
  const { inbox, outbox } = session
  if (!inbox || !outbox) throw new Error(`${session.jid.full} has no stream management.`)
  return {
    id: session.id,
    jid: session.jid.full,
    username: session.username,
    boundAt: session.boundAt,
    ...(session.client === undefined ? {} : { client: session.client }),
    resumableMs: session.resumableMs,
    ...(session.presence ? { presence: session.presence.bytes.toString() } : {}),
    ...(session.priority === undefined ? {} : { priority: session.priority }),
    isInterested: session.isInterested,
    directed: [...session.directed],
    flags: session.flags,
    handled: inbox.handled,
    holds: inbox.holds.map(({ count, row }) => ({ count, row: movedRow(row, undefined) })),
    acked: outbox.acked,
  }
}

/** One unacknowledged stanza as data. A row that waits for nobody any more stays where it is. */
export function movedStanza({ stanza, row }: Sent): MovedStanza {
  const xml = stanza.bytes.toString()
  return row?.isPending && row.state !== 'refused' ? { stanza: xml, row: movedRow(row, xml) } : { stanza: xml }
}

/**
 * The session again, resting, with everything that is unacknowledged; its rows are held by it.
 * @param options.unacked all of it, oldest first
 */
export function sessionFrom(
  state: SessionState,
  options: { unacked: readonly MovedStanza[]; limits: OutboxLimits; adopt: Adopt; now: number },
): Session {
  const { id, username, resumableMs } = state
  // Of two routes of one full JID the later one counts: from now on that is ours.
  const boundAt = state.boundAt + 1
  const session = new Session({ jid: parseJid(state.jid), id, username, boundAt, outlet: undefined })
  const inbox = new Inbox(state.handled)
  for (const { count, row } of state.holds) inbox.holdAt(count, adopted(options.adopt, row, '', inbox))
  const outbox = new Outbox(options.limits, state.acked)
  session.client = state.client
  session.inbox = inbox
  session.outbox = outbox
  session.resumableMs = resumableMs
  session.presence = state.presence === undefined ? undefined : Stanza.fromBytes(Buffer.from(state.presence))
  session.priority = state.priority
  session.isInterested = state.isInterested
  for (const jid of state.directed) session.directed.add(jid)
  session.flags = state.flags
  session.rest(options.now)
  for (const { stanza, row } of options.unacked) {
    const kept = row && adopted(options.adopt, row, stanza)
    outbox.push(Stanza.fromBytes(Buffer.from(stanza)), kept)
    kept?.heldBy(id, outbox.sent)
  }
  return session
}

/** How many stanzas lie between two counts. */
export function countBetween(from: number, to: number): number {
  return (to - from + wrap) % wrap
}

/** A row as data. @param sent what was sent, as XML */
function movedRow(row: KeptRow, sent: string | undefined): MovedRow {
  const isCommitted = row.state === 'committed'
  const xml = isCommitted && sent !== undefined ? sent : row.input.stanza.bytes.toString()
  return { record: recordOf(row), isCommitted, ...(xml === sent ? {} : { stanza: xml }) }
}

function adopted(adopt: Adopt, row: MovedRow, sent: string, counter?: RowCounter): KeptRow {
  const stanza = Stanza.fromBytes(Buffer.from(row.stanza ?? sent))
  return adopt(row.record, stanza, { isCommitted: row.isCommitted, ...(counter ? { counter } : {}) })
}
