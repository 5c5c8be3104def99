/**
 * Statements that fence themselves. A frozen server may hold what we sent in its sockets and carry it out when it thaws, long after another
 * one was promoted. So every write outside a transaction, and every COMMIT, is preceded by a look at the server's own clock: after the
 * deadline it fails, and the rest of the same message with it (manual 54.2.2.1, 54.2.3). Costs no round trip.
 */
import pg from 'pg'
import { lateMark } from './errors.ts'

/** How long after it was sent a write may begin. Shorter than anybody needs to notice a frozen server and to promote another one. */
export const FENCE_MS = 2_000

/** Yields no row before the deadline and an error after it. The clock is read while it runs, so nothing of it is worked out beforehand. */
const check = (deadline: string): string =>
  `SELECT 1 WHERE CASE WHEN clock_timestamp() < ${deadline}::timestamptz THEN false ELSE ('${lateMark} ' || clock_timestamp())::int = 0 END`

/** Whether a statement writes, and so needs a fence when it is its own transaction. */
export function isWrite(text: string): boolean {
  return /^\s*(?:INSERT|UPDATE|DELETE|MERGE|WITH)\b/i.test(text)
}

/** `text` (without values) as one message that fails after the deadline. @param deadline ISO time in the server's clock */
export function fencedText(text: string, deadline: string): string {
  return `${check(`'${deadline}'`)}; ${text}`
}

interface Wire {
  parse(message: { text: string; name?: string }): void
  bind(message: { values: unknown[]; portal?: string; statement?: string }): void
  execute(message: { portal?: string }): void
}

const StatementQuery = pg.Query as unknown as new (config: {
  text: string
  values: unknown[]
}) => { prepare(connection: Wire): void }

/** A statement with values whose fence travels in front of it, in the same implicit transaction (one Sync for both). */
export class FencedQuery extends StatementQuery {
  readonly #deadline: string

  constructor(
    config: { text: string; values: unknown[]; callback: (error: Error | null, result: unknown) => void },
    deadline: string,
  ) {
    super(config)
    this.#deadline = deadline
  }

  override prepare(connection: Wire): void {
    connection.parse({ text: check('$1') })
    connection.bind({ values: [this.#deadline] })
    connection.execute({})
    super.prepare(connection)
  }
}

/** The result of the statement itself, which comes after that of its fence. */
export function lastResult(result: unknown): pg.QueryResult {
  const results = result as pg.QueryResult | pg.QueryResult[]
  const last = Array.isArray(results) ? results.at(-1) : results
  if (!last) throw new TypeError('a statement without a result')
  return last
}
