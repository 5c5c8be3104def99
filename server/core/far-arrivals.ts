import type { Bus, Delivery, FarNode } from '../cluster/bus.ts'
import type { Directory } from '../cluster/directory.ts'
import { parseJid } from '../xmpp/jid.ts'
import { Stanza } from '../xmpp/stanza.ts'
import type { KeptRow } from './kept-row.ts'
import { stampedFor } from './message-rules.ts'
import type { ArchiveQueue } from './queue.ts'
import type { Rosters } from './roster.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'
import { sharesPresence } from './sharing.ts'

interface FarParts {
  readonly bus: Bus
  readonly directory: Directory
  readonly queue: ArchiveQueue
  readonly rosters: Rosters
  readonly sessions: Sessions
}

/** What other nodes hand over to sessions here. The other node has decided; here it is only written (DESIGN section 5). */
export class FarArrivals {
  readonly #parts: FarParts
  /** Sessions whose crowd other nodes know of. */
  readonly #crowded = new Set<Session>()

  constructor(parts: FarParts) {
    this.#parts = parts
    parts.bus.onDeliver((delivery, from) => this.#arrived(delivery, from))
  }

  /** @returns the targets that did not get it */
  #arrived({ targets, bytes, asker, row: record }: Delivery, from: FarNode): string[] {
    const { queue, rosters } = this.#parts
    const missed: string[] = []
    const arrived = Stanza.fromBytes(bytes)
    if (this.#isOverdue(arrived, from)) return missed
    let stanza = arrived
    let row: KeptRow | undefined
    for (const target of targets) {
      const session = this.#parts.sessions.get(target)
      const isRefused = asker !== undefined && session && !sharesPresence(rosters, session, parseJid(asker))
      if (!session || isRefused || (record && queue.isFull)) {
        missed.push(target)
        continue
      }
      // A second time, after an answer that got lost, or after it came out of the archive: it is there.
      if (record && !queue.hand(record.id, target)) continue
      if (record && !row) {
        row = queue.adopt(record, arrived, { isCommitted: false, maker: from })
        stanza = stampedFor(arrived, row)
      }
      if (session.send(stanza, row) === 'gone') missed.push(target)
      else if (session.isCrowded) this.#crowd(session)
    }
    if (row) queue.disown(row)
    return missed
  }

  /** The end of a session whose place another one has taken on another node, which was heard of first: nobody is to see the person leave. */
  #isOverdue({ kind, type, from: sender }: Stanza, from: FarNode): boolean {
    if (kind !== 'presence' || type !== 'unavailable' || sender === undefined) return false
    const { bare, resource = '' } = parseJid(sender)
    const route = this.#parts.directory.route(bare, resource)
    return route?.presence !== undefined && route.node !== from.name
  }

  /** Tells all nodes that a session is far behind, and when it is no longer. */
  #crowd(session: Session): void {
    if (this.#crowded.has(session)) return
    this.#crowded.add(session)
    this.#parts.bus.tellCrowded(session.jid.full, true)
    void this.#dispersed(session)
  }

  async #dispersed(session: Session): Promise<void> {
    while (session.isCrowded && !session.isClosed) await session.room()
    this.#crowded.delete(session)
    this.#parts.bus.tellCrowded(session.jid.full, false)
  }
}
