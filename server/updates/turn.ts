/**
 * Whose turn it is: the one row in PostgreSQL that decides which PC is updated now, so that there are never two at once, whatever the PCs see of each
 * other. A turn ends by itself after a while; the next one is then not given before somebody has looked.
 */
import type { Queryable } from '../db/pool.ts'

export interface Turn {
  /** Counts the turns: a word about an older one changes nothing. */
  readonly epoch: number
  /** The PC that is being updated; undefined: none is. */
  readonly holder: { readonly id: string; readonly name: string; readonly since: Date } | undefined
  /** To which version. */
  readonly version: string | undefined
  /** The holder has had more time than it can need. */
  readonly isOver: boolean
  /** The version that somebody wants on all PCs now, not only at night. */
  readonly ordered: string | undefined
  /** Why no PC is updated any more until somebody acts. */
  readonly stopped: string | undefined
}

export const turnMigrations: readonly string[] = [
  `CREATE TABLE update_turn (
     is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
     epoch integer NOT NULL DEFAULT 0,
     node text,
     name text,
     version text,
     since timestamptz,
     until timestamptz,
     ordered text,
     stopped text
   );
   INSERT INTO update_turn DEFAULT VALUES;`,
]

interface Row {
  epoch: number
  node: string | null
  name: string | null
  version: string | null
  since: Date | null
  is_over: boolean | null
  ordered: string | null
  stopped: string | null
}

/** @throws DatabaseAway */
export async function readTurn(db: Queryable): Promise<Turn> {
  const row = await db.one<Row>(
    'SELECT epoch, node, name, version, since, until < clock_timestamp() AS is_over, ordered, stopped FROM update_turn',
    [],
    { repeat: true },
  )
  const { node, name, since } = row ?? {}
  return {
    epoch: row?.epoch ?? 0,
    holder: node && name && since ? { id: node, name, since } : undefined,
    version: row?.version ?? undefined,
    isOver: row?.is_over === true,
    ordered: row?.ordered ?? undefined,
    stopped: row?.stopped ?? undefined,
  }
}

/**
 * Takes the turn, if nobody has it and nothing was stopped.
 * @returns its epoch; undefined: not now
 * @throws DatabaseAway: perhaps it was taken all the same
 */
export async function takeTurn(
  db: Queryable,
  turn: { id: string; name: string; version: string; lastsMs: number },
): Promise<number | undefined> {
  const row = await db.one<{ epoch: number }>(
    `UPDATE update_turn SET epoch = epoch + 1, node = $1, name = $2, version = $3, since = clock_timestamp(),
       until = clock_timestamp() + make_interval(secs => $4)
     WHERE node IS NULL AND stopped IS NULL RETURNING epoch`,
    [turn.id, turn.name, turn.version, turn.lastsMs / 1_000],
  )
  return row?.epoch
}

/**
 * Ends a turn.
 * @param stopped why no other PC may follow; undefined: the next one may
 * @returns false: it was over already
 * @throws DatabaseAway
 */
export async function endTurn(
  db: Queryable,
  turn: { id: string; epoch: number },
  stopped: string | undefined,
): Promise<boolean> {
  const ended = await db.exec(
    `UPDATE update_turn SET node = NULL, name = NULL, since = NULL, until = NULL,
       stopped = coalesce($3, stopped), ordered = CASE WHEN $3::text IS NULL THEN ordered END
     WHERE node = $1 AND epoch = $2`,
    [turn.id, turn.epoch, stopped ?? null],
  )
  return ended > 0
}

/** Ends a turn that has lasted too long, whosever it is. @throws DatabaseAway */
export async function endLateTurn(db: Queryable, epoch: number, stopped: string): Promise<boolean> {
  const ended = await db.exec(
    `UPDATE update_turn SET node = NULL, name = NULL, since = NULL, until = NULL, stopped = $2, ordered = NULL
     WHERE node IS NOT NULL AND epoch = $1 AND until < clock_timestamp()`,
    [epoch, stopped],
  )
  return ended > 0
}

/** Somebody wants a version on all PCs now; what was stopped goes on. @throws DatabaseAway */
export async function orderVersion(db: Queryable, version: string): Promise<void> {
  await db.exec('UPDATE update_turn SET ordered = $1, stopped = NULL', [version], { repeat: true })
}

/** The order is carried out. @throws DatabaseAway */
export async function dropOrder(db: Queryable, version: string): Promise<void> {
  await db.exec('UPDATE update_turn SET ordered = NULL WHERE ordered = $1', [version], { repeat: true })
}

/** No PC that has not begun is updated any more until somebody acts. @throws DatabaseAway */
export async function stopTurns(db: Queryable, stopped: string): Promise<void> {
  await db.exec('UPDATE update_turn SET ordered = NULL, stopped = $1', [stopped], { repeat: true })
}
