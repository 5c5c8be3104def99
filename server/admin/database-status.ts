/** What the Database page and the command line show of the database in use. */

import type { HostView } from '../db/hosts/views.ts'
import type { Database } from '../db/pool.ts'
import type { DatabaseHost, DatabaseStatus } from './contract/database.ts'
import type { OfficeParts } from './parts.ts'

const FACTS_MS = 3_000
const CHANGES_SHOWN = 20

const onThisPc = {
  kind: 'none',
  sentence: 'The built-in database is on this PC alone: if its disk is lost, backups are what is left.',
} as const

type Part<K extends keyof DatabaseStatus> = Pick<DatabaseStatus, K>

/** The whole status; never throws because the database is away. @throws Error when the kept databases cannot be listed */
export async function databaseStatusOf(office: OfficeParts): Promise<DatabaseStatus> {
  const { db, database, isDatabaseOutside } = office
  const [facts, old] = await Promise.all([readFacts(db), database.old()])
  const { move } = database
  return {
    kind: isDatabaseOutside ? 'outside' : 'embedded',
    ...wellnessOf(office, facts !== undefined),
    url: database.url(),
    ...facts,
    hosts: isDatabaseOutside ? db.hosts.map(hostOf) : [],
    replication: isDatabaseOutside ? { ...db.replication } : onThisPc,
    changes: db.moves
      .toReversed()
      .slice(0, CHANGES_SHOWN)
      .map(({ at, sentence }) => ({ at: new Date(at).toISOString(), sentence })),
    ...(move && { move }),
    old: old.slice(0, 20),
  }
}

/** How well the database in use is, in a word and a sentence. */
function wellnessOf(office: OfficeParts, answers: boolean): Part<'state' | 'sentence'> {
  const { db, isDatabaseOutside } = office
  const which = isDatabaseOutside ? `The database at ${db.place}` : 'The built-in database'
  if (!answers) {
    return { state: 'bad', sentence: `${which} does not answer. People who are online go on chatting.` }
  }
  const refused = db.hosts.find(host => host.state === 'refused')
  if (refused)
    return { state: 'warn', sentence: `${which} answers at once, but one server is not used: ${refused.sentence}` }
  const away = db.hosts.filter(host => host.state === 'away' && host.at > 0)
  if (away.length > 0) {
    const names = away.map(host => host.place).join(', ')
    return { state: 'warn', sentence: `${which} answers at once; ${names} ${away.length === 1 ? 'is' : 'are'} off.` }
  }
  return { state: 'ok', sentence: `${which} answers at once.` }
}

const states = { 'in-use': 'ok', ready: 'ok', standby: 'ok', away: 'bad', refused: 'bad' } as const
const roles = { 'in-use': 'main', ready: 'main', standby: 'copy' } as const

/** A host as the pool saw it last. */
function hostOf(host: HostView): DatabaseHost {
  const { place, state, sentence, version, timeline, lagMs, replication } = host
  return {
    host: place,
    state: states[state],
    sentence,
    ...(state !== 'away' && state !== 'refused' && { role: roles[state] }),
    ...(version !== undefined && { version }),
    ...(timeline !== undefined && { timeline }),
    ...(lagMs !== undefined && { lagMs }),
    ...(replication !== undefined && { replication }),
  }
}

async function readFacts(db: Database): Promise<Part<'bytes' | 'version'> | undefined> {
  try {
    const row = await db.one<{ bytes: number; version: string }>(
      `SELECT pg_database_size(current_database()) AS bytes, current_setting('server_version') AS version`,
      [],
      { timeoutMs: FACTS_MS },
    )
    return row && { bytes: row.bytes, version: row.version.split(' ', 1)[0] ?? row.version }
  } catch {
    // Away, or too busy to answer: the page says so.
    return undefined
  }
}
