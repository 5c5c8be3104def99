/** Brings the tables of a database to what this program expects: numbered steps per feature, each run once per database. */
import { createHash } from 'node:crypto'
import { areNeighbours, isNewer } from '../versions.ts'
import { NOTES_TABLE } from './copy/tables.ts'
import { DatabaseFault } from './errors.ts'
import type { Database, DirectSession } from './pool.ts'

/** One numbered step of a feature's tables. Numbers begin at 1 and have no gaps; `sql` may hold several statements. */
export interface MigrationStep {
  feature: string
  number: number
  sql: string
}

/** A database that this program must not use; the message is a sentence for the admin. */
export class MigrationFault extends Error {
  override readonly name = 'MigrationFault'
}

/**
 * Which version of the program has changed the tables last. Steps only add, so that neighbouring versions work side by side: an office is
 * updated one PC after the other, and goes back to the version before when the new one fails.
 */
export const versionMigrations: readonly string[] = [
  `CREATE TABLE program_version (is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only), version text NOT NULL);`,
]
const VERSION_TABLE = 'program_version'

export interface MigrateOptions {
  /** Of this program: a database that a neighbouring version has changed can be used. Left out, no newer one can. */
  version?: string
  /** Longest wait for another server that is doing the same. */
  waitMs?: number
  /** Longest time for one step. */
  stepTimeoutMs?: number
  /** The tables are made for a copy that is being made: what the database notes of itself does not matter. */
  isCopy?: boolean
}

/** The advisory lock that all servers of an office meet at: any fixed number that no other program uses. */
const lockKey = createHash('sha256').update('lanthorn migration').digest().readBigInt64BE(0).toString()

/**
 * Runs the steps that this database does not have yet, in the order given, all in one transaction: all of them happen, or none. Servers that
 * start at the same time take turns (an advisory lock on a connection of its own that lasts as long as the transaction).
 * @returns the steps that were run
 * @throws MigrationFault when the database was made by a newer program or somebody else holds the lock too long; DatabaseAway; DatabaseFault
 */
export async function migrate(
  database: Database,
  steps: readonly MigrationStep[],
  options: MigrateOptions = {},
): Promise<MigrationStep[]> {
  checkNumbers(steps)
  const { waitMs = 120_000, stepTimeoutMs = 600_000 } = options
  return database.direct(async session => {
    await session.query('BEGIN')
    await takeTurn(session, waitMs)
    if (!options.isCopy) await refuseMoved(session)
    await session.query(
      `CREATE TABLE IF NOT EXISTS migration (
         feature text NOT NULL, number integer NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(),
         PRIMARY KEY (feature, number))`,
    )
    const applied = await appliedSteps(session)
    await refuseNewer(session, applied, { steps, version: options.version })
    const missing = steps.filter(step => !applied.has(keyOf(step)))
    for (const step of missing) await apply(session, step, stepTimeoutMs)
    if (options.version !== undefined && missing.length > 0) await noteVersion(session, options.version)
    await session.query('COMMIT')
    return missing
  })
}

/** Wrong numbers are a mistake in the program, not in the database. */
function checkNumbers(steps: readonly MigrationStep[]): void {
  const last = new Map<string, number>()
  for (const { feature, number } of steps) {
    const expected = (last.get(feature) ?? 0) + 1
    if (number !== expected) throw new TypeError(`migration ${feature} ${number} should have the number ${expected}`)
    last.set(feature, number)
  }
}

async function takeTurn(session: DirectSession, waitMs: number): Promise<void> {
  try {
    await session.query(`SET LOCAL lock_timeout = ${Math.round(waitMs)}`)
    await session.query('SELECT pg_advisory_xact_lock($1)', [lockKey], { timeoutMs: waitMs + 5_000 })
    await session.query('SET LOCAL lock_timeout = 0')
  } catch (error) {
    if (!(error instanceof DatabaseFault) || error.code !== '55P03') throw error
    throw new MigrationFault(
      `Another server has been changing the tables of this database for more than ${Math.round(waitMs / 1_000)} s: wait for it, or stop it, and start this one again.`,
    )
  }
}

/** A database that was left, or that holds half a copy, is not the one to go on with (see capture.ts). */
async function refuseMoved(session: DirectSession): Promise<void> {
  const found = await session.one<{ is: boolean }>(`SELECT to_regclass('${NOTES_TABLE}') IS NOT NULL AS is`)
  if (!found?.is) return
  const note = await session.one<{ kind: string; place: string }>(`SELECT kind, place FROM ${NOTES_TABLE}`)
  if (note?.kind === 'moved-away') {
    throw new MigrationFault(
      `The data of this office was moved from this database to ${note.place}, and only what was there before is left here: use that one.`,
    )
  }
  if (note?.kind === 'half-copy') {
    throw new MigrationFault(
      `This database holds half a copy, from a move of the data out of ${note.place} that did not end: resume or forget that move, or empty this database.`,
    )
  }
}

async function appliedSteps(session: DirectSession): Promise<Set<string>> {
  const rows = await session.query<{ feature: string; number: number }>('SELECT feature, number FROM migration')
  return new Set(rows.map(keyOf))
}

async function refuseNewer(
  session: DirectSession,
  applied: Set<string>,
  here: { steps: readonly MigrationStep[]; version: string | undefined },
): Promise<void> {
  const known = new Set(here.steps.map(keyOf))
  const unknown = [...applied].filter(key => !known.has(key))
  if (unknown.length === 0) return
  const newest = await versionIn(session)
  const { version } = here
  if (version !== undefined && newest !== undefined && isNewer(newest, version) && areNeighbours(newest, version))
    return
  throw new MigrationFault(
    `This database was made by a newer version of Lanthorn (it has "${unknown.join('", "')}", which this version does not know): install that version here.`,
  )
}

/** Undefined: it was never noted. */
async function versionIn(session: DirectSession): Promise<string | undefined> {
  const found = await session.one<{ is: boolean }>(`SELECT to_regclass('${VERSION_TABLE}') IS NOT NULL AS is`)
  if (!found?.is) return undefined
  return (await session.one<{ version: string }>(`SELECT version FROM ${VERSION_TABLE}`))?.version
}

async function noteVersion(session: DirectSession, version: string): Promise<void> {
  const found = await session.one<{ is: boolean }>(`SELECT to_regclass('${VERSION_TABLE}') IS NOT NULL AS is`)
  if (!found?.is) return
  const newest = await versionIn(session)
  if (newest !== undefined && !isNewer(version, newest)) return
  await session.query(
    `INSERT INTO ${VERSION_TABLE} (version) VALUES ($1) ON CONFLICT (is_only) DO UPDATE SET version = excluded.version`,
    [version],
  )
}

async function apply(session: DirectSession, step: MigrationStep, timeoutMs: number): Promise<void> {
  await session.query(step.sql, [], { timeoutMs })
  await session.query('INSERT INTO migration (feature, number) VALUES ($1, $2)', [step.feature, step.number])
}

function keyOf(step: { feature: string; number: number }): string {
  return `${step.feature} ${step.number}`
}
