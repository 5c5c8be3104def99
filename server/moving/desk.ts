/** Moving the office's data, as the Database page and the command line ask for it; and the databases that are kept afterwards. */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { DatabaseMove, DatabaseStatus } from '../admin/contract/database.ts'
import type { DatabaseDesk } from '../admin/parts.ts'
import { Refusal, refusal } from '../admin/problem.ts'
import { capturedBytes } from '../db/copy/capture.ts'
import { ask, endWork } from '../db/copy/work.ts'
import { embeddedDatabases } from '../db/embedded/databases.ts'
import { tryDatabase } from '../db/inspect/inspect.ts'
import type { MigrationStep } from '../db/migrate.ts'
import { DatabaseAway } from '../db/pool.ts'
import { DatabaseUrlFault, parseDatabaseUrl } from '../db/url.ts'
import type { DataFolder } from '../node.ts'
import type { Store } from '../store.ts'
import { Ends, whereOf } from './ends.ts'
import { STOPPED_SERVER, TARGET_SECRET } from './interrupted.ts'
import { type KeptDatabases, keptSecret, placeOfKept } from './kept.ts'
import { Listeners } from './listeners.ts'
import { leaveSource, leaveTarget, type MoveStep } from './move.ts'
import { moveOf } from './progress.ts'
import { type MoveRecord, namedIn, type RecordFile, type Where } from './record.ts'
import { removeKept } from './removing.ts'
import { isExpected, type RunningMove, runMove } from './running.ts'
import type { Side } from './side.ts'
import { findFault, identify } from './target.ts'

/** A move that stands still may leave so much in the old database's capture; then it has to begin anew. */
const LEFT_BYTES_MAX = 256_000_000
const LOOK_EVERY_MS = 60_000
/** How long a stop waits for a switch that is under way. */
const SWITCH_ENDS_MS = 8_000
const TIDYING_MS = 15_000

export interface MoveDeskOptions {
  readonly folder: DataFolder
  readonly store: Store
  /** The migrations of this version. */
  readonly steps: readonly MigrationStep[]
  readonly file: RecordFile
  readonly kept: KeptDatabases
  /** What the last process left of a move. */
  readonly record: MoveRecord | undefined
  readonly log: Logger
  /** Why nothing may be begun now, as a sentence. */
  busyWith(): string | undefined
  /** For tests: called at the points of a move. */
  onStep?(name: MoveStep): void | Promise<void>
}

export class MoveDesk implements DatabaseDesk {
  readonly #options: MoveDeskOptions
  readonly #ends: Ends
  readonly #listeners = new Listeners()
  readonly #timer: NodeJS.Timeout
  #record: MoveRecord | undefined
  #running: RunningMove | undefined
  #isBusy = false
  #isClosed = false

  constructor(options: MoveDeskOptions) {
    this.#options = options
    this.#ends = new Ends(options)
    this.#record = options.record
    this.#timer = setInterval(() => void this.#tidy(), LOOK_EVERY_MS)
    this.#timer.unref()
  }

  url(): string {
    return this.#ends.shownUrl
  }

  get move(): DatabaseMove | undefined {
    return this.#record && moveOf(this.#record, this.#running?.move.meter)
  }

  /** Why nothing else may be begun now, as a sentence; undefined: nothing is moved. */
  busyWith(): string | undefined {
    return this.#running || this.#isBusy
      ? 'The data is being moved to another database: wait for its end, or cancel it.'
      : undefined
  }

  onMove(listener: (move: DatabaseMove) => void): () => void {
    return this.#listeners.add(listener)
  }

  async old(): Promise<DatabaseStatus['old']> {
    const all = await this.#options.kept.list()
    const { embedded } = this.#options.store
    const sizes = embedded
      ? await embeddedDatabases(embedded)
          .list()
          .catch(() => [])
      : []
    return all.slice(0, 20).map(one => {
      const { where } = one
      const now = where.kind === 'embedded' ? sizes.find(size => size.name === where.database)?.bytes : undefined
      const bytes = now ?? one.bytes
      return {
        id: one.id,
        place: placeOfKept(one),
        keptSince: one.keptSince,
        ...(bytes === undefined ? {} : { bytes }),
      }
    })
  }

  /** Notes that a database of the built-in server was replaced by another one and is kept. On disk when it resolves. */
  async keep(database: string): Promise<void> {
    const where: Where = { kind: 'embedded', database }
    await this.#options.kept.add({ id: newId(), where, keptSince: new Date().toISOString() })
  }

  async startMove(url: string): Promise<DatabaseMove> {
    return this.#alone(async () => {
      if (this.#record?.state === 'stopped') {
        throw refusal('refused', 'A move that was begun has stopped: resume it, or forget it first.')
      }
      const to = await this.#targetOf(url)
      const record = newRecord(this.#ends.used, to)
      if (to.kind === 'outside') await this.#options.folder.saveSecrets({ [TARGET_SECRET]: url })
      try {
        await this.#examine(record)
      } catch (error) {
        await this.#dropTarget(record)
        throw error
      }
      await this.#options.file.save(record)
      this.#record = record
      return this.#begin(record)
    })
  }

  async steerMove(action: 'cancel' | 'resume' | 'forget'): Promise<DatabaseMove | undefined> {
    if (action === 'cancel') return this.#cancel()
    return this.#alone(async () => {
      const record = this.#record
      if (!record) throw refusal('not-found', 'There is no move of the data.')
      if (action === 'forget') return this.#forget(record)
      if (record.state !== 'stopped') throw refusal('refused', 'The move is over: there is nothing to resume.')
      if (JSON.stringify(record.from) !== JSON.stringify(this.#ends.used)) {
        throw refusal(
          'refused',
          'The office uses another database than when this move was begun: forget it, and begin anew.',
        )
      }
      return this.#begin(record)
    })
  }

  async removeOld(id: string): Promise<void> {
    await this.#alone(async () => {
      const { kept, folder } = this.#options
      const one = (await kept.list()).find(entry => entry.id === id)
      if (!one) throw refusal('not-found', 'This old database is not kept any more.')
      await removeKept(one, this.#ends)
      await kept.remove(id)
      await folder.saveSecrets({ [keptSecret(id)]: undefined })
    })
  }

  /** Stops what runs so that it can be resumed; a switch that has begun is brought to its end. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    const running = this.#running
    if (running) {
      if (running.move.record.state === 'switching') await this.#ended(SWITCH_ENDS_MS)
      running.abort.abort()
      await running.over
    }
    this.#listeners.close()
  }

  /** One thing at a time. @throws Refusal */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    // A move that is over for all to see may still be tidying up behind itself.
    if (this.#record && isOver(this.#record)) await this.#ended(TIDYING_MS)
    const busy = this.busyWith() ?? this.#options.busyWith()
    if (busy !== undefined) throw refusal('refused', busy)
    this.#isBusy = true
    try {
      return await work()
    } catch (error) {
      throw asRefusal(error)
    } finally {
      this.#isBusy = false
    }
  }

  /** Resolves when nothing runs, or after this time. */
  async #ended(limitMs: number): Promise<void> {
    await Promise.race([this.#running?.over, delay(limitMs, undefined, { ref: false })])
  }

  /** Where a URL leads, once every server behind it was looked at. @throws Refusal */
  async #targetOf(url: string): Promise<Where> {
    const target = parseDatabaseUrl(url)
    if (target.kind === 'embedded') {
      if (this.#options.store.embedded)
        throw refusal('refused', 'The built-in database is used already.', { field: 'url' })
      return this.#ends.makeEmbedded()
    }
    const inspection = await tryDatabase(url)
    if (inspection.state === 'bad') {
      const cause = inspection.findings.find(one => one.state === 'bad')
      const host = inspection.hosts.find(one => one.state === 'bad')
      const sentence = [cause?.sentence, cause?.advice].filter(text => text !== undefined).join(' ')
      throw refusal('refused', sentence || (host?.sentence ?? inspection.sentence), { field: 'url' })
    }
    return whereOf(url)
  }

  /** @throws Refusal when the target cannot take the data */
  async #examine(record: MoveRecord): Promise<void> {
    const { store } = this.#options
    const source = await this.#ends.source().open()
    const side = await this.#ends.target(record)
    try {
      const [size] = await ask<{ bytes: number }>(
        source,
        'SELECT pg_database_size(current_database())::float8 AS bytes',
      )
      const target = await side.open()
      try {
        const fault = await findFault(target, {
          where: namedIn(record.to),
          source: await identify(source),
          bytes: size?.bytes ?? 0,
          ...(record.to.kind === 'embedded' ? { folder: (await store.startEmbedded()).folder } : {}),
        })
        if (fault !== undefined) throw refusal('refused', fault, { field: 'url' })
      } finally {
        await endWork(target)
      }
    } finally {
      await Promise.all([endWork(source), side.close()])
    }
  }

  /** Runs the move in the background. */
  #begin(record: MoveRecord): DatabaseMove {
    const { file, log } = this.#options
    const running = runMove(record, { ...this.#options, ends: this.#ends, changed: () => this.#tell() })
    this.#running = running
    void running.over.then(async () => {
      this.#running = undefined
      if (this.#isClosed && record.state === 'stopped') record.problem = STOPPED_SERVER
      await file.save(record).catch(error => log.error({ err: error }, 'how far the move is was not saved'))
      this.#listeners.tellNow(moveOf(record))
    })
    this.#tell()
    return moveOf(record)
  }

  async #cancel(): Promise<DatabaseMove> {
    const running = this.#running
    // One that is over may still be tidying up behind itself.
    if (!running || isOver(running.move.record)) {
      throw refusal('refused', 'No move of the data runs: there is nothing to cancel.')
    }
    const { record } = running.move
    if (record.state === 'switching') {
      throw refusal('refused', 'The switch to the new database has begun: it cannot be cancelled any more.')
    }
    record.isCancelled = true
    running.abort.abort()
    await running.over
    await this.#tidy()
    return moveOf(record)
  }

  async #forget(record: MoveRecord): Promise<undefined> {
    if (record.state === 'stopped') {
      if (record.isCaptured) await this.#leaveSource(record)
      await this.#dropTarget(record)
    }
    await this.#options.file.forget()
    this.#record = undefined
  }

  /** What we made in the target, and its URL among the secrets. A target that is away keeps its half copy: its note keeps others off. */
  async #dropTarget(record: MoveRecord): Promise<void> {
    const { folder, log } = this.#options
    try {
      if (record.to.kind === 'embedded') await this.#ends.dropEmbedded(record.to.database)
      else if (record.isTargetMade)
        await withSide(await this.#ends.target(record), side => leaveTarget(side, record.id))
    } catch (error) {
      log.warn({ err: error, place: record.to }, 'half a copy of the data stays behind')
    }
    await folder.saveSecrets({ [TARGET_SECRET]: undefined })
  }

  async #leaveSource(record: MoveRecord): Promise<void> {
    await leaveSource(this.#ends.source())
    record.isCaptured = false
    await this.#options.file.save(record)
  }

  /** A move that stands still must not fill the database in use with what it captures. */
  async #tidy(): Promise<void> {
    const record = this.#record
    if (this.#running || this.#isBusy || record?.state !== 'stopped' || !record.isCaptured) return
    try {
      if (record.isCancelled || (await this.#capturedBytes()) > LEFT_BYTES_MAX) await this.#leaveSource(record)
    } catch (error) {
      this.#options.log.info({ err: error }, 'the capture of a stopped move is removed later')
    }
  }

  async #capturedBytes(): Promise<number> {
    const client = await this.#ends.source().open()
    try {
      return await capturedBytes(client)
    } finally {
      await endWork(client)
    }
  }

  #tell(): void {
    const { move } = this
    if (move) this.#listeners.tell(() => this.move ?? move)
  }
}

async function withSide<T>(side: Side, work: (side: Side) => Promise<T>): Promise<T> {
  try {
    return await work(side)
  } finally {
    await side.close()
  }
}

function newRecord(from: Where, to: Where): MoveRecord {
  return {
    format: 1,
    id: newId(),
    state: 'copying',
    from,
    to,
    startedAt: new Date().toISOString(),
    isCaptured: false,
    isTargetMade: false,
    tables: [],
  }
}

const isOver = ({ state }: MoveRecord): boolean => state === 'switched' || state === 'stopped'

const newId = (): string => randomBytes(6).toString('hex')

function asRefusal(error: unknown): unknown {
  if (error instanceof Refusal) return error
  if (error instanceof DatabaseUrlFault) return refusal('not-valid', error.message, { field: 'url' })
  if (error instanceof DatabaseAway) return refusal('database-away', error.message)
  if (isExpected(error) && error instanceof Error) return refusal('refused', error.message)
  return error
}
