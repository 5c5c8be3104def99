import type { Database } from '../db/pool.ts'
import { letGo, pendingRows, type Taker, takePending, waitingAmong } from './archive-table-waiting.ts'
import { KeptRow, type RowInput, type RowKeeper } from './kept-row.ts'
import type { Crossings } from './queue-crossings.ts'
import type { WriteLine } from './queue-line.ts'

interface PendingParts {
  readonly db: Database
  readonly keeper: RowKeeper
  readonly line: WriteLine
  readonly crossings: Crossings
  /** Rows that are in memory, by id. */
  readonly live: Map<string, KeptRow>
}

/** Reads rows that wait out of the archive, so that of all nodes one has each. */
export class PendingRows {
  readonly #parts: PendingParts
  /** Ids taken while somebody reads pending rows. */
  readonly #watchers = new Set<Set<string>>()
  /** Since then rows may be this node's without its knowledge, as an answer got lost; milliseconds since 1970. */
  #strayedAt: number | undefined
  #tidying: Promise<void> | undefined

  constructor(parts: PendingParts) {
    this.#parts = parts
  }

  /** A row is pending no longer: who reads now must not take it for one that is. */
  noteTaken(id: string): void {
    for (const seen of this.#watchers) seen.add(id)
  }

  /** See ArchiveQueue.pendingOf. */
  async of(username: string, limit: number): Promise<KeptRow[]> {
    const { db, line, crossings } = this.#parts
    const { isAlone } = crossings
    await line.flushed(FLUSH_MS)
    // What was let go of lately must not be let go of after it was taken again.
    if (!isAlone) await line.marksFlushed(3)
    await this.#tidying
    // What is taken while the database looks would come back as if it still waited.
    const taken = new Set(line.takenIds)
    this.#watchers.add(taken)
    try {
      const found = isAlone
        ? await pendingRows(db, username, limit)
        : await takePending(db, username, limit, this.#taker)
      return found.flatMap(({ id, input }) => (taken.has(id) ? [] : (this.#row(id, input, isAlone) ?? [])))
    } catch (error) {
      this.#strayedAt = Date.now()
      throw error
    } finally {
      this.#watchers.delete(taken)
    }
  }

  #row(id: string, input: RowInput, isAlone: boolean): KeptRow | undefined {
    const { keeper, crossings, live } = this.#parts
    const known = live.get(id)
    if (known && (known.holders > 0 || !known.isPending)) return undefined
    const row = known ?? new KeptRow(keeper, id, input, undefined)
    row.state = 'committed'
    if (isAlone) return row
    if (crossings.wasTaken(id)) {
      // The word that a client has it got lost, in a failover of the database.
      row.done()
      return undefined
    }
    row.holder = keeper.holder
    row.heldBefore = undefined
    live.set(id, row)
    crossings.readOut(id)
    return row
  }

  /** See ArchiveQueue.waitingAmong. */
  async among(usernames: readonly string[]): Promise<readonly string[]> {
    if (this.#parts.crossings.isAlone) return []
    await this.#tidy()
    if (usernames.length === 0) return []
    return waitingAmong(this.#parts.db, usernames, this.#taker)
  }

  /**
   * Lets go of rows that are this node's in the table only: the answer that gave them to it got lost, or they went on to another node, with a session,
   * that died before it wrote that down.
   */
  async #tidy(): Promise<void> {
    const { db, keeper, line, live } = this.#parts
    if (this.#watchers.size > 0) return
    const known = [...live.keys(), ...line.takenIds]
    const beforeMs = this.#strayedAt ?? Date.now() - UNDER_WAY_MS
    this.#strayedAt = undefined
    this.#tidying = letGo(db, { holder: keeper.holder, known, beforeMs }).finally(() => {
      this.#tidying = undefined
    })
    await this.#tidying
  }

  get #taker(): Taker {
    return { holder: this.#parts.keeper.holder, others: this.#parts.crossings.others }
  }
}

/** Younger rows may be on their way here from another node: nothing is known of them yet. */
const UNDER_WAY_MS = 30_000
/** How long a reader waits for what was added before. */
const FLUSH_MS = 5_000
