/** A connection of its own for long work beside the pool: copying, comparing, capturing. */
import type pg from 'pg'
import { type Connection, placeOf } from '../address.ts'
import { away, classify, DatabaseFault } from '../errors.ts'
import { farewell, openClient } from '../open.ts'
import { cut, type SessionLimits, within } from '../session.ts'

const limits: SessionLimits = { connectTimeoutMs: 10_000, queryTimeoutMs: 600_000 }

/**
 * How values are written as text, the same on every server: without these a fingerprint would depend on who configured it.
 * Time limits of the server are off, because copying a large table takes its time; whoever works here sets limits of its own.
 */
const settings = [
  "DateStyle = 'ISO, YMD'",
  "IntervalStyle = 'postgres'",
  "TimeZone = 'UTC'",
  'extra_float_digits = 1',
  "bytea_output = 'hex'",
  'standard_conforming_strings = on',
  'statement_timeout = 0',
  'idle_in_transaction_session_timeout = 0',
]

/**
 * Opens a raw client for long work on one server. The caller ends it with `endWork`.
 * @throws DatabaseAway, DatabaseFault: each with a sentence; DatabaseUrlFault when the authority's file cannot be read
 */
export async function openWork(connection: Connection): Promise<pg.Client> {
  const { client } = await openClient(connection, limits)
  try {
    const ready = client.query(settings.map(one => `SET ${one}`).join('; '))
    await within(ready, limits.connectTimeoutMs, () => away('timeout', placeOf(connection)))
    return client
  } catch (error) {
    cut(client)
    throw classify(error, placeOf(connection), 'connect')
  }
}

/**
 * Begins a transaction with the settings of `openWork` in it: behind a transaction pooler it may run on another connection than those before.
 * `snapshot`: everything in it sees the database as it is now, and writes nothing.
 */
export async function beginWork(client: pg.Client, mode: 'snapshot' | 'write'): Promise<void> {
  const begin = mode === 'snapshot' ? 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY' : 'BEGIN'
  await ask(client, [begin, ...settings.map(one => `SET LOCAL ${one}`)].join('; '))
}

/** Commits. @throws DatabaseAway; DatabaseFault 25P02 when a statement before had failed, so that nothing was written */
export async function commitWork(client: pg.Client): Promise<void> {
  const { command } = await run(client, 'COMMIT', [], 60_000)
  if (command === 'ROLLBACK') throw new DatabaseFault('25P02', 'a statement of this transaction failed')
}

/** Says goodbye, for a second at most. A transaction that is open is rolled back by the server. */
export async function endWork(client: pg.Client): Promise<void> {
  await farewell(client)
}

/** Ends a connection at once, whatever runs on it. */
export function cutWork(client: pg.Client): void {
  cut(client)
}

/**
 * Runs one statement with a time limit of ours; when it is over the connection is cut.
 * @throws DatabaseAway, DatabaseFault
 */
export async function ask<R extends object = Record<string, unknown>>(
  client: pg.Client,
  text: string,
  values: readonly unknown[] = [],
  limitMs = 60_000,
): Promise<R[]> {
  return (await run(client, text, values, limitMs)).rows as R[]
}

async function run(
  client: pg.Client,
  text: string,
  values: readonly unknown[],
  limitMs: number,
): Promise<pg.QueryResult> {
  const where = `${client.host}:${client.port}`
  const running = values.length === 0 ? client.query(text) : client.query(text, values as unknown[])
  try {
    return await within(running, limitMs, () => {
      cut(client)
      return away('timeout', where, { mayHaveRun: true })
    })
  } catch (error) {
    throw classify(error, where, 'query')
  }
}
