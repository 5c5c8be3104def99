/** People who move from one office to another: accounts with their password verifiers, names, contacts, profiles; not their messages. */
import type { Database } from '../db/pool.ts'

interface Contact {
  readonly username: string
  readonly jid: string
  readonly name: string | null
  readonly groups: string[]
  readonly subscription: string
  readonly is_asking: boolean
  readonly is_asked: boolean
  readonly is_approved: boolean
  readonly is_listed: boolean
}

/** Everything that goes along, as it is written to disk in between. */
export interface Movers {
  readonly domain: string
  readonly accounts: readonly { username: string; name: string; is_blocked: boolean; verifiers: unknown }[]
  readonly contacts: readonly Contact[]
  readonly profiles: readonly { username: string; content: string }[]
}

/** What became of them. */
export interface Arrived {
  readonly brought: number
  /** User names that somebody else has there. */
  readonly left: readonly string[]
}

/** Reads everybody of an office. @throws DatabaseAway */
export async function gatherPeople(db: Database, domain: string): Promise<Movers> {
  const limits = { repeat: true, timeoutMs: 60_000 }
  return {
    domain,
    accounts: await db.query('SELECT username, name, is_blocked, verifiers FROM account ORDER BY username', [], limits),
    contacts: await db.query(
      `SELECT username, jid, name, groups, subscription, is_asking, is_asked, is_approved, is_listed FROM roster`,
      [],
      limits,
    ),
    profiles: await db.query('SELECT username, content FROM vcard', [], limits),
  }
}

/**
 * Makes them people of another office. A user name that is taken there stays with who has it, and nobody's contact becomes that stranger. Nobody
 * becomes an administrator by moving. All of it happens, or nothing.
 * @param domain of the new office
 * @throws DatabaseAway, DatabaseFault
 */
export async function settlePeople(db: Database, movers: Movers, domain: string): Promise<Arrived> {
  return db.transaction(
    async transaction => {
      const brought = new Set<string>()
      for (const { username, name, is_blocked, verifiers } of movers.accounts) {
        const rows = await transaction.query(
          `INSERT INTO account (username, name, is_blocked, verifiers) VALUES ($1, $2, $3, $4)
           ON CONFLICT (username) DO NOTHING RETURNING username`,
          [username, name, is_blocked, JSON.stringify(verifiers)],
        )
        if (rows.length > 0) brought.add(username)
      }
      for (const contact of movers.contacts) {
        const jid = addressThere(contact.jid, movers.domain, domain, brought)
        if (!brought.has(contact.username) || jid === undefined) continue
        const { username, name, groups, subscription, is_asking, is_asked, is_approved, is_listed } = contact
        await transaction.query(
          `INSERT INTO roster (username, jid, name, groups, subscription, is_asking, is_asked, is_approved, is_listed)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
          [username, jid, name, groups, subscription, is_asking, is_asked, is_approved, is_listed],
        )
      }
      for (const { username, content } of movers.profiles) {
        if (!brought.has(username)) continue
        await transaction.query('INSERT INTO vcard (username, content) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
          username,
          content,
        ])
      }
      const left = movers.accounts.map(({ username }) => username).filter(username => !brought.has(username))
      return { brought: brought.size, left }
    },
    { timeoutMs: 120_000 },
  )
}

/** @returns the contact's address in the new office; undefined when that would be somebody else */
function addressThere(jid: string, from: string, to: string, brought: ReadonlySet<string>): string | undefined {
  const [local, host] = jid.split('@')
  if (host === from) return brought.has(local ?? '') ? `${local}@${to}` : undefined
  return jid.endsWith(`.${from}`) ? undefined : jid
}

/** “12 people came along. anna could not: …” */
export function arrivalSentence({ brought, left }: Arrived, office: string): string {
  const came = `${brought} ${brought === 1 ? 'person' : 'people'} came along.`
  if (left.length === 0) return came
  const names = left.length > 5 ? `${left.slice(0, 5).join(', ')} and ${left.length - 5} more` : left.join(', ')
  return `${came} Not ${names}: in ${office} somebody else has that user name already.`
}
