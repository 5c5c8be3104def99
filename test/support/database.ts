/** A real PostgreSQL for tests: one embedded server per test file, a fresh database per test. */
import { randomBytes } from 'node:crypto'
import { appendFile, cp, mkdtemp, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import pino from 'pino'
import { afterAll } from 'vitest'
import type { Connection } from '../../server/db/address.ts'
import { type Embedded, startEmbedded } from '../../server/db/embedded/embedded.ts'
import { Database, type DatabaseOptions } from '../../server/db/pool.ts'

/** A log that says nothing, for tests that do not look at it. */
export const quietLog = pino({ level: 'silent' })

/** Changes when data made before must not be used any more (another PostgreSQL, other first contents). */
const templateVersion = 1

const template = path.join(tmpdir(), `lanthorn-test-database-${templateVersion}-${process.getuid?.() ?? 0}`)

let server: Promise<Embedded> | undefined
const folders: string[] = []

/** A data folder of its own in the system's temporary folder, removed after the file's last test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'lanthorn-test-'))
  folders.push(folder)
  return folder
}

/**
 * The embedded server of this test file, started at the first call and stopped after the file's last test.
 * Making its data costs a second, so it is made once and copied from then on.
 */
export function testServer(): Promise<Embedded> {
  server ??= startServer()
  return server
}

/** The connection to a new, empty database of the file's server, and the function that drops it. */
export async function freshDatabase(): Promise<{ connection: Connection; drop(): Promise<void> }> {
  const embedded = await testServer()
  const name = `test_${randomBytes(6).toString('hex')}`
  await asSuperuser(embedded, `CREATE DATABASE ${name} OWNER lanthorn STRATEGY wal_log`)
  return {
    connection: { ...embedded.connection, database: name },
    drop: () => asSuperuser(embedded, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  }
}

/** A `Database` on a new, empty database: `await using database = await openDatabase()` closes and drops it. */
export async function openDatabase(options: Partial<DatabaseOptions> = {}): Promise<Database> {
  const { connection, drop } = await freshDatabase()
  const database = new Database({ connection, log: quietLog, ...options })
  const close = database.close.bind(database)
  let closing: Promise<void> | undefined
  database.close = () => {
    closing ??= close().then(drop)
    return closing
  }
  return database
}

/** A data folder with an embedded database in it that was stopped in order: quicker than a first start. */
export async function temporaryDatabaseFolder(): Promise<string> {
  const dataDir = await temporaryFolder()
  if (!(await exists(template))) await makeTemplate()
  await cp(template, dataDir, { recursive: true, force: true })
  return dataDir
}

async function startServer(): Promise<Embedded> {
  const dataDir = await temporaryDatabaseFolder()
  const embedded = await startEmbedded({ dataDir, log: quietLog })
  // A worker that is ended before its hooks have run must not leave a server behind that nobody stops.
  const quit = (): void => {
    if (embedded.pid !== undefined) process.kill(embedded.pid, 'SIGQUIT')
  }
  process.once('exit', quit)
  process.once('SIGTERM', () => {
    quit()
    process.exit(143)
  })
  return embedded
}

// Registered while the test file is being read: a hook that is added by a running test would never run.
afterAll(async () => {
  const running = await server
  await running?.close()
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
}, 60_000)

async function makeTemplate(): Promise<void> {
  const dataDir = await temporaryFolder()
  const embedded = await startEmbedded({ dataDir, log: quietLog })
  await embedded.close()
  // Tests need no data after a power cut; without the waits for the disk they are several times quicker.
  await appendFile(path.join(dataDir, 'database/postgresql.conf'), 'fsync = off\nfull_page_writes = off\n')
  try {
    await rename(dataDir, template)
  } catch {
    // Another test file was quicker: its template is as good.
    await rm(dataDir, { recursive: true, force: true })
  }
}

async function asSuperuser(embedded: Embedded, statement: string): Promise<void> {
  const client = new pg.Client({ ...embedded.superuser, ssl: false })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

async function exists(folder: string): Promise<boolean> {
  try {
    await stat(folder)
    return true
  } catch {
    return false // stat() tells "not there" by throwing
  }
}
