/** The databases of a move, found by what is noted of them: the one in use, the one it goes to, and those that are kept. */
import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import { addressOf, placeOf } from '../db/address.ts'
import { embeddedDatabases } from '../db/embedded/databases.ts'
import { hideSecret, parseDatabaseUrl } from '../db/url.ts'
import type { DataFolder } from '../node.ts'
import type { Store } from '../store.ts'
import { TARGET_SECRET } from './interrupted.ts'
import { keptSecret } from './kept.ts'
import type { MoveRecord, Where } from './record.ts'
import { otherSide, type Side, usedSide } from './side.ts'

export class Ends {
  readonly #folder: DataFolder
  readonly #store: Store
  readonly #log: Logger

  constructor(options: { folder: DataFolder; store: Store; log: Logger }) {
    this.#folder = options.folder
    this.#store = options.store
    this.#log = options.log
  }

  get store(): Store {
    return this.#store
  }

  /** The URL in use, with its password. */
  get usedUrl(): string {
    return this.#folder.secret('database-url') ?? 'embedded'
  }

  /** The same for screens. */
  get shownUrl(): string {
    return this.#store.kind === 'outside' ? hideSecret(this.usedUrl) : 'embedded'
  }

  /** Where the office's data is now. */
  get used(): Where {
    const { embedded } = this.#store
    if (embedded) return { kind: 'embedded', database: embedded.connection.database }
    return whereOf(this.usedUrl)
  }

  source(): Side {
    return usedSide(this.#store.db)
  }

  /** The database that a move goes to; the built-in server is started for it. @throws EmbeddedFault, DatabaseUrlFault */
  target(record: Pick<MoveRecord, 'to'>): Promise<Side> {
    return this.#other(record.to, TARGET_SECRET)
  }

  /** A database that is kept. @throws EmbeddedFault, DatabaseUrlFault */
  kept(id: string, where: Where): Promise<Side> {
    return this.#other(where, keptSecret(id))
  }

  async #other(where: Where, secret: string): Promise<Side> {
    if (where.kind === 'embedded') {
      const server = await this.#store.startEmbedded()
      return otherSide(() => addressOf({ ...server.connection, database: where.database }), this.#log)
    }
    const target = parseDatabaseUrl(this.#folder.secret(secret) ?? '')
    if (target.kind === 'embedded') throw new TypeError(`the secret ${secret} holds no URL`)
    return otherSide(target.address, this.#log)
  }

  /** Makes an empty database with a name of its own in the built-in server. @throws EmbeddedFault, DatabaseAway, DatabaseFault */
  async makeEmbedded(): Promise<Where> {
    const server = await this.#store.startEmbedded()
    const database = `lanthorn_${new Date().toISOString().slice(0, 10).replaceAll('-', '')}_${randomBytes(3).toString('hex')}`
    await embeddedDatabases(server).create(database)
    return { kind: 'embedded', database }
  }

  /** Removes a database of the built-in server for good, and stops the server when it is not used. */
  async dropEmbedded(database: string): Promise<void> {
    const server = await this.#store.startEmbedded()
    await embeddedDatabases(server).drop(database)
    await this.#store.stopUnused()
  }

  /**
   * Makes the next start use the target of a move: one write of one file decides (see switching.ts).
   * On disk when it resolves.
   */
  async pointToNew(record: MoveRecord): Promise<void> {
    const { to, id } = record
    const next = to.kind === 'embedded' ? 'embedded' : this.#folder.secret(TARGET_SECRET)
    if (next === undefined) throw new TypeError('the URL of the target is not among the secrets')
    // While an outside database is used, which one of the built-in server's databases is named does not matter.
    if (to.kind === 'embedded') await (await this.#store.startEmbedded()).useDatabase(to.database)
    await this.#folder.saveSecrets({ 'database-url': next, [keptSecret(id)]: this.usedUrl })
  }

  /** The opposite. @returns whether it is certain that it is on disk */
  async pointToOld(record: MoveRecord): Promise<boolean> {
    const former = this.#folder.secret(keptSecret(record.id))
    if (former === undefined) return true
    try {
      await this.#folder.saveSecrets({ 'database-url': former, [keptSecret(record.id)]: undefined })
      return true
    } catch (error) {
      this.#log.error({ err: error }, 'the address of the database in use could not be put back')
      return false
    }
  }
}

/** @throws DatabaseUrlFault */
export function whereOf(url: string): Where {
  const target = parseDatabaseUrl(url)
  if (target.kind === 'embedded') return { kind: 'embedded', database: 'lanthorn' }
  return { kind: 'outside', place: placeOf(target.address) }
}
