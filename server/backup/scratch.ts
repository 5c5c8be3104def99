/** A database for a try: in the built-in server, or in one of its own that is started for it, so that no right to make databases is needed. */
import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Logger } from 'pino'
import type { Connection } from '../db/address.ts'
import { embeddedDatabases } from '../db/embedded/databases.ts'
import { type Embedded, startEmbedded } from '../db/embedded/embedded.ts'

/** An empty database that is gone after `drop`. */
export interface Scratch {
  readonly connection: Connection
  drop(): Promise<void>
}

const PREFIX = 'lanthorn_proof_'

/** Makes one inside the built-in server; those that a crash left behind are removed first. */
export async function scratchInside(embedded: Embedded): Promise<Scratch> {
  const databases = embeddedDatabases(embedded)
  for (const { name } of await databases.list()) if (name.startsWith(PREFIX)) await databases.drop(name)
  const name = PREFIX + randomBytes(4).toString('hex')
  await databases.create(name)
  return { connection: { ...embedded.connection, database: name }, drop: () => databases.drop(name) }
}

/** Starts a server in DATA/scratch that lives as long as the try. */
export async function scratchBeside(dataDir: string, log: Logger): Promise<Scratch> {
  const folder = path.join(dataDir, 'scratch')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { mode: 0o700 })
  const embedded = await startEmbedded({ dataDir: folder, log })
  return {
    connection: embedded.connection,
    drop: async () => {
      await embedded.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
