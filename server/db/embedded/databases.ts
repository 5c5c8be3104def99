/** The databases inside the embedded PostgreSQL: the one of the office, and former ones that are kept. */
import pg from 'pg'
import type { Connection } from '../address.ts'
import { ask, endWork, openWork } from '../copy/work.ts'

/** One of them. */
export interface EmbeddedDatabase {
  readonly name: string
  readonly bytes: number
}

/** What can be done with them; each throws DatabaseAway or DatabaseFault. */
export interface EmbeddedDatabases {
  /** All that belong to our account, by name. */
  list(): Promise<EmbeddedDatabase[]>
  has(name: string): Promise<boolean>
  /** Makes an empty one. @throws DatabaseFault 42P04 when there is one of this name */
  create(name: string): Promise<void>
  /** @throws DatabaseFault 55006 while somebody is connected to it */
  rename(from: string, to: string): Promise<void>
  /** Removes one for good, if it is there, whoever is connected to it. */
  drop(name: string): Promise<void>
  /** Makes our account when it is not there: a first start may have been cut short after initdb. */
  makeAccount(password: string): Promise<void>
}

const LONG_MS = 300_000
const owner = 'lanthorn'

/** @param server the embedded server; each call opens a connection of its account that may do everything, and closes it */
export function embeddedDatabases(server: { readonly superuser: Connection }): EmbeddedDatabases {
  const run = async <T extends object>(text: string, values: readonly unknown[] = []): Promise<T[]> => {
    const client = await openWork(server.superuser)
    try {
      return await ask<T>(client, text, values, LONG_MS)
    } finally {
      await endWork(client)
    }
  }
  const name = pg.escapeIdentifier
  return {
    list: () =>
      run<EmbeddedDatabase>(
        `SELECT d.datname AS name, pg_database_size(d.oid)::float8 AS bytes FROM pg_database d
         JOIN pg_roles r ON r.oid = d.datdba WHERE r.rolname = $1 ORDER BY d.datname`,
        [owner],
      ),
    has: async database => (await run('SELECT FROM pg_database WHERE datname = $1', [database])).length > 0,
    create: async database => void (await run(`CREATE DATABASE ${name(database)} OWNER ${owner}`)),
    rename: async (from, to) => void (await run(`ALTER DATABASE ${name(from)} RENAME TO ${name(to)}`)),
    drop: async database => void (await run(`DROP DATABASE IF EXISTS ${name(database)} WITH (FORCE)`)),
    makeAccount: async password => {
      if ((await run('SELECT FROM pg_roles WHERE rolname = $1', [owner])).length > 0) return
      await run(`CREATE ROLE ${owner} LOGIN PASSWORD ${pg.escapeLiteral(password)}`)
    },
  }
}
