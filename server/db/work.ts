/** A connection of its own for long work beside the pool: copying, comparing, capturing. */
import pg from 'pg'
import { type Connection, placeOf } from './address.ts'
import { away, classify, DatabaseAway } from './errors.ts'
import { farewell } from './probe.ts'
import { clientConfig, cut, type SessionLimits, within } from './session.ts'

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
  try {
    return await open(connection, false)
  } catch (error) {
    const hasNoTls = error instanceof DatabaseAway && error.reason === 'untrusted'
    if (!hasNoTls || connection.tls !== 'prefer') throw error
    return open(connection, true)
  }
}

async function open(connection: Connection, plain: boolean): Promise<pg.Client> {
  const where = placeOf(connection)
  const client = new pg.Client(clientConfig(connection, limits, plain))
  client.on('error', () => undefined) // the statement that runs, or the next one, reports it
  try {
    const ready = client.connect().then(() => client.query(settings.map(one => `SET ${one}`).join('; ')))
    await within(ready, limits.connectTimeoutMs, () => away('timeout', where))
    return client
  } catch (error) {
    cut(client)
    throw classify(error, where, 'connect')
  }
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
  const where = `${client.host}:${client.port}`
  const running = values.length === 0 ? client.query(text) : client.query(text, values as unknown[])
  try {
    const result = await within(running, limitMs, () => {
      cut(client)
      return away('timeout', where, { mayHaveRun: true })
    })
    return result.rows as R[]
  } catch (error) {
    throw classify(error, where, 'query')
  }
}
