/** Finding out whether a database can be used now. */
import pg from 'pg'
import { type Connection, placeOf } from './address.ts'
import { away, classify, DatabaseAway } from './errors.ts'
import { clientConfig, cut, type SessionLimits, within } from './session.ts'

export interface ProbeResult {
  /** Why it cannot be used; undefined when it can. */
  fault: DatabaseAway | undefined
  /** It has no TLS and `prefer` allows to do without. */
  plain: boolean
}

/** Opens one connection and asks it something, with the connecting time limit for both together. */
export async function probe(connection: Connection, limits: SessionLimits, plain: boolean): Promise<ProbeResult> {
  const where = placeOf(connection)
  const client = new pg.Client(clientConfig(connection, limits, plain))
  client.on('error', () => undefined) // the two calls below report it
  try {
    const asked = client.connect().then(() => client.query('SELECT 1'))
    await within(asked, limits.connectTimeoutMs, () => away('timeout', where))
    void farewell(client)
    return { fault: undefined, plain }
  } catch (error) {
    cut(client)
    const known = classify(error, where, 'connect')
    const hasNoTls = known instanceof DatabaseAway && known.reason === 'untrusted' && connection.tls === 'prefer'
    if (hasNoTls && !plain) return probe(connection, limits, true)
    return { fault: known instanceof DatabaseAway ? known : away('refused', where, { cause: known }), plain }
  }
}

/** Says goodbye for at most a second, then cuts: a server that does not hear it loses the connection all the same. */
export async function farewell(client: pg.Client): Promise<void> {
  try {
    await within(client.end(), 1_000, () => new Error('no goodbye'))
  } catch {
    cut(client)
  }
}
