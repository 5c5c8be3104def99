/** Where the one database of the office is: the record with the highest generation counts, every PC follows it (contract of DatabaseRecord). */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Bus } from '../cluster/bus.ts'
import { DatabaseTunnel, serveDatabase } from '../cluster/database-tunnel.ts'
import type { KnownNodes } from '../cluster/known-nodes.ts'
import { CallFault, type Mesh } from '../cluster/mesh.ts'
import type { DatabaseRecord } from '../cluster/node.ts'
import { DatabaseAway } from '../db/pool.ts'
import type { DataFolder } from '../node.ts'
import type { LinkedDatabase, Store } from '../store.ts'

const RETRY_MS = 300

/** What other nodes are told. `fresh`: it is another database than before (a backup was put back), nothing that is remembered of it counts. */
interface Word {
  readonly record: DatabaseRecord
  readonly fresh?: boolean
}

export interface DatabasePlaceOptions {
  readonly folder: DataFolder
  readonly known: KnownNodes
  readonly mesh: Mesh
  readonly bus: Bus
  readonly log: Logger
  /** This node uses another database from now on. */
  onSwitched(how: { readonly fresh: boolean }): void
}

export class DatabasePlace {
  readonly #options: DatabasePlaceOptions
  readonly #tunnel: DatabaseTunnel
  readonly #undo: (() => void)[]
  readonly #abort = new AbortController()
  #store: Store | undefined
  #following: Promise<void> = Promise.resolve()

  /** For `open` only. */
  constructor(options: DatabasePlaceOptions, tunnel: DatabaseTunnel) {
    const { mesh, bus, log } = options
    this.#options = options
    this.#tunnel = tunnel
    this.#undo = [
      serveDatabase(mesh, () => (this.#isHere ? this.#store?.embedded?.connection : undefined), log),
      bus.onTell('database', (word: Word) => this.#hear(word)),
      bus.onNode((node, before) => {
        if (node.state !== 'up' || before === 'up') return
        bus.tell(node.name, 'database', { record: this.record } satisfies Word)
        // A database that is away is looked for at once when the way to it is open again.
        if (node.name === this.ownerName) void this.#lookAgain()
      }),
    ]
  }

  static async open(options: DatabasePlaceOptions): Promise<DatabasePlace> {
    let place: DatabasePlace | undefined
    const owner = (): string => place?.ownerName ?? ''
    place = new DatabasePlace(options, await DatabaseTunnel.open({ ...options, owner }))
    await place.#settleOwn()
    return place
  }

  get record(): DatabaseRecord {
    const { content } = this.#options.known
    if (!content) throw new Error('An office of several PCs has its nodes on disk.')
    return content.database
  }

  /** The node that runs the built-in database; undefined while the office uses its own servers. */
  get ownerName(): string | undefined {
    const { record } = this
    if (record.kind !== 'embedded') return undefined
    return this.#options.known.content?.nodes.find(({ number }) => number === record.node)?.name
  }

  /** Whether this node runs the main database. */
  get isHere(): boolean {
    return this.#isHere
  }

  /**
   * Where the database is to be found now; asked again before each attempt.
   * @throws CallFault when the way to it is not open yet
   */
  async source(): Promise<string | LinkedDatabase> {
    const { record } = this
    if (record.kind === 'outside') return record.url
    if (this.#isHere) return 'embedded'
    await this.#tunnel.refresh()
    return { connection: () => this.#tunnel.connection }
  }

  /** The database is open. */
  attach(store: Store): void {
    this.#store = store
  }

  /** This node has moved the data, or put a backup back: all others follow. On disk here when it resolves. */
  async moved(how: { readonly fresh: boolean }): Promise<void> {
    await this.#settleOwn(how.fresh)
  }

  async close(): Promise<void> {
    this.#abort.abort()
    for (const undo of this.#undo) undo()
    await this.#following
    await this.#tunnel.close()
  }

  get #isHere(): boolean {
    const { record } = this
    return record.kind === 'embedded' && record.node === this.#options.known.content?.self
  }

  /** The secret `database-url` is what a move changes first (see moving/switching.ts): the record follows it. */
  async #settleOwn(isFresh = false): Promise<void> {
    const { folder, known, bus, log } = this.#options
    const self = known.content?.self ?? 0
    const used = folder.secret('database-url') ?? 'embedded'
    const is = used === 'embedded' ? { kind: 'embedded' as const, node: self } : { kind: 'outside' as const, url: used }
    const isLinked = used.includes(LINKED_HOST)
    const { generation, ...had } = this.record
    if (isLinked || (!isFresh && JSON.stringify(had) === JSON.stringify(is))) return
    const record: DatabaseRecord = { generation: generation + 1, ...is }
    await known.update({ database: record })
    log.info({ generation: record.generation, kind: record.kind }, 'the main database is somewhere else now')
    bus.tell(undefined, 'database', { record, fresh: isFresh } satisfies Word)
  }

  #hear(word: Word): void {
    this.#following = this.#following
      .then(() => this.#follow(word))
      .catch(error => this.#options.log.error({ err: error }, 'the move of the main database was not followed'))
  }

  async #follow({ record, fresh = false }: Word): Promise<void> {
    const { known, folder, log, onSwitched } = this.#options
    if (record.generation <= this.record.generation) return
    const before = this.record
    await known.update({ database: record })
    await folder.saveSecrets({ 'database-url': urlOf(record, this.ownerName) })
    const store = this.#store
    if (!store) return
    const isSamePlace =
      record.kind === before.kind &&
      JSON.stringify({ ...record, generation: 0 }) === JSON.stringify({ ...before, generation: 0 })
    if (isSamePlace && !fresh) return
    log.info({ generation: record.generation, kind: record.kind }, 'following the main database')
    await this.#untilThere(async () => store.switchTo(await this.source()))
    await store.stopUnused()
    onSwitched({ fresh })
  }

  /** Nothing works until the new database is reached: tried for as long as that takes. */
  async #untilThere(work: () => Promise<void>): Promise<void> {
    const { signal } = this.#abort
    for (let tries = 1; !signal.aborted; tries++) {
      try {
        return await work()
      } catch (error) {
        if (!(error instanceof DatabaseAway || error instanceof CallFault)) throw error
        if (tries === 1) this.#options.log.warn(`Waiting for the main database at its new place. ${error.message}`)
        await delay(RETRY_MS, undefined, { signal }).catch(() => undefined) // aborted: the loop ends
      }
    }
  }

  async #lookAgain(): Promise<void> {
    const { log } = this.#options
    try {
      await this.#tunnel.refresh()
      await this.#store?.db.check()
    } catch (error) {
      log.debug({ err: error }, 'the main database does not answer yet')
    }
  }
}

const LINKED_HOST = '.node.invalid'

/** What the secret `database-url` holds: for the database of another PC a name that nobody can take for a server. */
export function urlOf(record: DatabaseRecord, ownerName: string | undefined): string {
  if (record.kind === 'outside') return record.url
  return `postgresql://lanthorn@${ownerName ?? 'main'}${LINKED_HOST}/lanthorn`
}
