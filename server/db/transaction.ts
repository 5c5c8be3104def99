/** One run of a transaction: begin, work, commit; or roll back. */
import { DatabaseAway, DatabaseFault } from './errors.ts'
import { type Queryable, type Session, within } from './session.ts'

/**
 * Runs `work` between `begin` and COMMIT on one session; `work` as a whole has `limitMs`. Rolls back when it throws.
 * @throws what `work` throws; DatabaseAway, with `mayHaveRun` only when COMMIT was sent: before, a lost connection means that nothing was
 *   written; DatabaseFault 25P02 when a statement failed and `work` did not let it be known
 */
export async function transact<T>(
  session: Session,
  options: { begin: string; limitMs: number },
  work: (transaction: Queryable) => Promise<T>,
): Promise<T> {
  let result: T
  try {
    await session.run(options.begin)
    result = await within(work(session), options.limitMs, () => session.giveUp())
  } catch (error) {
    await rollBack(session)
    throw notRun(error)
  }
  if (session.broken) throw notRun(session.broken)
  const { command } = await session.run('COMMIT')
  // COMMIT of a transaction in which a statement failed answers ROLLBACK and no error: nothing was written.
  if (command === 'ROLLBACK')
    throw new DatabaseFault('25P02', 'a statement of this transaction failed, so nothing was written')
  return result
}

/** Without COMMIT nothing of a transaction stays, whatever its statements did. */
function notRun(error: unknown): unknown {
  if (!(error instanceof DatabaseAway) || !error.mayHaveRun) return error
  return new DatabaseAway(error.reason, error.message, { cause: error.cause })
}

async function rollBack(session: Session): Promise<void> {
  if (session.broken) return
  try {
    await session.run('ROLLBACK')
  } catch (error) {
    // The connection broke as well: PostgreSQL rolls back by itself, and what `work` threw is the news.
    session.giveUp(error)
  }
}
