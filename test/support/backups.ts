/** Backups of a real database with a real chat on it, for tests: the clock and the folder are the test's. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Backups, type BackupsOptions, type FreshDatabase } from '../../server/backup/desk.ts'
import { type BackupSettings, backupFeature } from '../../server/backup/feature.ts'
import { scratchInside } from '../../server/backup/scratch.ts'
import { type Chat, loadFeatures, migrationsOf, startChat } from '../../server/chat.ts'
import type { Feature } from '../../server/core/feature.ts'
import type { Connection } from '../../server/db/address.ts'
import { embeddedDatabases } from '../../server/db/embedded/databases.ts'
import type { MigrationStep } from '../../server/db/migrate.ts'
import { Database } from '../../server/db/pool.ts'
import { officeFeatures } from '../../server/office.ts'
import { freshDatabase, quietLog, testServer } from './database.ts'

/** The features of a whole office. */
export async function wholeOffice(): Promise<readonly Feature[]> {
  return officeFeatures(await loadFeatures())
}

/** An office without sockets, with people in it, and its backups. */
export class BackupBench implements AsyncDisposable {
  readonly backups: Backups
  readonly chat: Chat
  readonly db: Database
  readonly connection: Connection
  readonly dataDir: string
  readonly steps: readonly MigrationStep[]
  /** Milliseconds since 1970, for backups. */
  readonly clock: { now: number }
  readonly settings: BackupSettings
  /** What was written into the history. */
  readonly notes: string[]
  /** Databases that a restore was made into, newest last. */
  readonly restored: Connection[]
  readonly #close: () => Promise<void>

  constructor(
    made: Omit<BackupBench, 'make' | 'furnish' | typeof Symbol.asyncDispose> & { close: () => Promise<void> },
  ) {
    this.backups = made.backups
    this.chat = made.chat
    this.db = made.db
    this.connection = made.connection
    this.dataDir = made.dataDir
    this.steps = made.steps
    this.clock = made.clock
    this.settings = made.settings
    this.notes = made.notes
    this.restored = made.restored
    this.#close = made.close
  }

  /** Starts one. `changes` replaces what the appliance would give. */
  static async open(changes: Partial<BackupsOptions> = {}): Promise<BackupBench> {
    const dataDir = await mkdtemp(path.join(tmpdir(), 'lanthorn-backup-'))
    const { connection, drop } = await freshDatabase()
    const db = new Database({ connection, log: quietLog })
    const features = await wholeOffice()
    const chat = await startChat({ domain: 'acme.test', node: 'front-desk', version: '0', log: quietLog, db, features })
    const steps = migrationsOf(features)
    const clock = { now: new Date(2026, 10, 22, 12, 0).getTime() }
    const notes: string[] = []
    const restored: Connection[] = []
    const settings = { ...(chat.parts.settings.of(backupFeature.name) as BackupSettings) }
    const options: BackupsOptions = {
      dataDir,
      mark: 'test',
      log: quietLog,
      now: () => clock.now,
      settings: () => settings,
      name: () => ({ office: 'ACME & Sons', domain: 'acme.test', node: 'front-desk', version: '0.0.0-test' }),
      connection: () => connection,
      steps: () => steps,
      isOurs: () => true,
      secretPart: async () => '{"secret":"of the office"}',
      recoveryKey: async () => Buffer.alloc(32, 7),
      makeScratch: async () => scratchInside(await testServer()),
      freshDatabase: () => freshInside(restored),
      busyWith: () => undefined,
      note: async sentence => void notes.push(sentence),
      ...changes,
    }
    const backups = new Backups(options)
    const close = async (): Promise<void> => {
      await backups.close()
      await chat.close()
      await db.close()
      await drop()
      const databases = embeddedDatabases(await testServer())
      for (const { database } of restored) await databases.drop(database)
      await rm(dataDir, { recursive: true, force: true })
    }
    return new BackupBench({ backups, chat, db, connection, dataDir, steps, clock, settings, notes, restored, close })
  }

  /** Makes a backup and waits until it is proven, or has failed. */
  async make(): Promise<string> {
    await this.backups.make()
    await this.backups.idle()
    const { job } = this.backups
    if (job?.state !== 'done') throw new Error(job?.sentence)
    return job.name
  }

  /** Adds people and messages between them. */
  async furnish(people: number, messages: number): Promise<void> {
    for (let number = 0; number < people; number++) {
      await this.db.exec(
        `INSERT INTO account (username, name, verifiers) VALUES ($1, $2, '{"note": "line\\nbreak, \\\\ and tab\\t"}')`,
        [`person-${number}`, `Pérsön ${number} \\N \n\t`],
      )
    }
    await this.db.exec(
      `INSERT INTO archive (id, from_jid, to_jid, stanza, in_sender, in_receiver, pending, sender)
       SELECT gen_random_uuid(), 'a@acme.test', 'b@acme.test', repeat('line' || chr(10) || '\\N' || chr(9) || n, 20),
              true, n % 2 = 0, n % 5 = 0, CASE WHEN n % 3 = 0 THEN NULL ELSE '' END FROM generate_series(1, $1) AS n`,
      [messages],
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close()
  }
}

async function freshInside(restored: Connection[]): Promise<FreshDatabase> {
  const embedded = await testServer()
  const databases = embeddedDatabases(embedded)
  const name = `restored_${randomBytes(4).toString('hex')}`
  await databases.create(name)
  const connection = { ...embedded.connection, database: name }
  return { connection, use: async () => void restored.push(connection), drop: () => databases.drop(name) }
}
