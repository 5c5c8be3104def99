/** A failover that loses commits, played with two real databases of one server: the second one is a copy made at some moment. */
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import type { Connection } from '../../server/db/address.ts'
import type { Database, DatabaseState, Move } from '../../server/db/pool.ts'
import { openDatabase, testServer } from './database.ts'

type Listener<E> = (event: E) => void

/**
 * Stands for a `Database` that can lose: `promote` goes back to the state of the last `copy`, as a promotion of a standby does to which later
 * commits never came. Statements go to real databases.
 */
export class LosingDatabase {
  #current: Database
  #copy: Database | undefined
  readonly #former: Database[] = []
  readonly #moves = new Set<Listener<Move>>()
  readonly #states = new Set<(state: DatabaseState, sentence: string) => void>()
  /** Set by a test: runs before each statement. */
  before: (() => Promise<void> | void) | undefined
  isAway = false

  private constructor(current: Database) {
    this.#current = current
  }

  /** @param prepare makes the tables */
  static async open(prepare?: (db: Database) => Promise<unknown>): Promise<LosingDatabase> {
    const db = await openDatabase()
    await prepare?.(db)
    return new LosingDatabase(db)
  }

  /** The real one of now. */
  get real(): Database {
    return this.#current
  }

  /** For parts that want a `Database`. */
  get asDatabase(): Database {
    return this as unknown as Database
  }

  get state(): DatabaseState {
    return this.isAway ? 'away' : 'up'
  }

  async query(...call: Parameters<Database['query']>): Promise<unknown[]> {
    await this.before?.()
    return this.#current.query(...call)
  }

  async one(...call: Parameters<Database['one']>): Promise<unknown> {
    await this.before?.()
    return this.#current.one(...call)
  }

  async exec(...call: Parameters<Database['exec']>): Promise<number> {
    await this.before?.()
    return this.#current.exec(...call)
  }

  async transaction<T>(...call: Parameters<Database['transaction']>): Promise<T> {
    await this.before?.()
    return (await this.#current.transaction(...call)) as T
  }

  async direct<T>(...call: Parameters<Database['direct']>): Promise<T> {
    return (await this.#current.direct(...call)) as T
  }

  onMove(listener: Listener<Move>): () => void {
    this.#moves.add(listener)
    return () => this.#moves.delete(listener)
  }

  onState(listener: (state: DatabaseState, sentence: string) => void): () => void {
    this.#states.add(listener)
    return () => this.#states.delete(listener)
  }

  /** What is committed now survives the next loss. */
  async copy(): Promise<void> {
    await this.#copy?.close()
    this.#copy = await copyOf(this.#current)
  }

  /** Another server was promoted, and it knows nothing of what was committed since `copy`; nobody has noticed yet. */
  promote(): void {
    if (!this.#copy) throw new Error('nothing was copied')
    this.#former.push(this.#current)
    this.#current = this.#copy
    this.#copy = undefined
  }

  /** The same, and everybody is told. */
  lose(): void {
    this.promote()
    this.tell({ isNewTimeline: true })
  }

  tell({ isNewTimeline }: { isNewTimeline: boolean }): void {
    const move = { from: 'a:5432', to: 'b:5432', tookMs: 1, repeated: 0, isNewTimeline, at: 0, sentence: '' } as Move
    for (const listener of this.#moves) listener(move)
  }

  tellState(state: DatabaseState): void {
    for (const listener of this.#states) listener(state, '')
  }

  async close(): Promise<void> {
    for (const database of [...this.#former, this.#copy, this.#current]) await database?.close()
  }
}

async function copyOf(database: Database): Promise<Database> {
  const row = await database.one<{ name: string }>('SELECT current_database() AS name')
  const embedded = await testServer()
  const name = `test_${randomBytes(6).toString('hex')}`
  const client = new pg.Client({ ...embedded.superuser, ssl: false })
  await client.connect()
  try {
    // PostgreSQL copies a database only while nobody is in it; the pool connects again by itself.
    for (let tries = 1; ; tries++) {
      await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [row?.name])
      try {
        await client.query(`CREATE DATABASE ${name} TEMPLATE ${row?.name} OWNER lanthorn`)
        break
      } catch (error) {
        if (tries === 20) throw error // somebody is in it all the time
      }
    }
    await database.check()
  } finally {
    await client.end()
  }
  const connection: Connection = { ...embedded.connection, database: name }
  const copy = await openDatabase({ connection })
  const close = copy.close.bind(copy)
  copy.close = async () => {
    await close()
    await drop(name)
  }
  return copy
}

async function drop(name: string): Promise<void> {
  const embedded = await testServer()
  const client = new pg.Client({ ...embedded.superuser, ssl: false })
  await client.connect()
  try {
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  } finally {
    await client.end()
  }
}
