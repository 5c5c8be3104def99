import type { Logger } from 'pino'
import type { DatabaseChecked } from './admin/parts.ts'
import { connectionsOf } from './db/address.ts'
import { Database, DatabaseAway, DatabaseFault } from './db/pool.ts'
import { DatabaseUrlFault, parseDatabaseUrl } from './db/url.ts'

/** PostgreSQL before this version is not supported any more by its makers. */
const VERSION_MIN = 14

/**
 * Tries a PostgreSQL URL for the wizard: can it be reached, is it a main database, may we make tables there?
 * @returns what was found, in sentences; never throws for what people can mend
 */
export async function tryDatabase(url: string, log: Logger): Promise<DatabaseChecked> {
  try {
    const target = parseDatabaseUrl(url)
    if (target.kind === 'embedded') return { state: 'ok', sentence: 'The built-in database is used.', hosts: [] }
    const [connection] = connectionsOf(target.address)
    if (!connection) throw new Error('A database address without a host.')
    const { host, port } = connection
    const db = new Database({ connection, log, connectionsMax: 1 })
    try {
      return judge(`${host}:${port}`, await look(db))
    } finally {
      await db.close()
    }
  } catch (error) {
    if (error instanceof DatabaseUrlFault || error instanceof DatabaseAway || error instanceof DatabaseFault) {
      return { state: 'bad', sentence: error.message, hosts: [] }
    }
    throw error
  }
}

interface Found {
  version: number
  is_copy: boolean
  may_create: boolean
}

async function look(db: Database): Promise<Found> {
  const found = await db.one<Found>(
    `SELECT current_setting('server_version_num')::int / 10000 AS version, pg_is_in_recovery() AS is_copy,
            has_schema_privilege(current_user, 'public', 'CREATE') AS may_create`,
  )
  if (!found) throw new Error('PostgreSQL answered a look at itself without a row.')
  return found
}

function judge(host: string, { version, is_copy, may_create }: Found): DatabaseChecked {
  const row = { host, role: is_copy ? ('copy' as const) : ('main' as const), version: String(version) }
  const bad = (sentence: string): DatabaseChecked => ({
    state: 'bad',
    sentence,
    hosts: [{ ...row, state: 'bad', sentence }],
  })
  if (is_copy) return bad(`${host} is a copy that can only be read. Give the address of the main database.`)
  if (version < VERSION_MIN) return bad(`${host} runs PostgreSQL ${version}. Lanthorn needs ${VERSION_MIN} or newer.`)
  if (!may_create)
    return bad(`This database user may not make tables at ${host}. Ask for the right CREATE on schema public.`)
  const sentence = `PostgreSQL ${version} answers and can be used.`
  return { state: 'ok', sentence, hosts: [{ ...row, state: 'ok', sentence }] }
}
