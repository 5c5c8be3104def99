/** What is told when the main database was another server than before. */

/** One change of the server in use. */
export interface Move {
  readonly from: string
  readonly to: string
  /** From the last sign of the old one until the new one was in use. */
  readonly tookMs: number
  /** Statements that the change broke and that were carried out again. */
  readonly repeated: number
  /** A server was promoted: what the old one had not passed on in time is missing on the new one. */
  readonly isNewTimeline: boolean
  /** Milliseconds since 1970. */
  readonly at: number
  readonly sentence: string
}

const MOVES_MAX = 20

/** The last moves and who wants to hear of the next one. */
export class Moves {
  readonly #moves: Move[] = []
  readonly #listeners = new Set<(move: Move) => void>()

  get last(): readonly Move[] {
    return this.#moves
  }

  on(listener: (move: Move) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  add(move: Omit<Move, 'sentence' | 'at'>): Move {
    const all = { ...move, at: Date.now(), sentence: sentenceOf(move) }
    this.#moves.push(all)
    if (this.#moves.length > MOVES_MAX) this.#moves.shift()
    for (const listener of this.#listeners) listener(all)
    return all
  }

  clear(): void {
    this.#listeners.clear()
  }
}

function sentenceOf({ from, to, tookMs, repeated }: Omit<Move, 'sentence' | 'at'>): string {
  const time = tookMs < 100 ? 'at once' : `in ${(tookMs / 1_000).toFixed(1)} s`
  const what =
    from === to
      ? `Behind ${to} another server became the main database ${time}`
      : `The main database moved from ${from} to ${to} ${time}`
  const count = repeated === 1 ? '1 statement was' : `${repeated} statements were`
  return repeated === 0 ? `${what}.` : `${what}; ${count} repeated.`
}
