import type { Logger } from 'pino'
import type { Admin } from './admin/admin.ts'
import type { Backups } from './backup/desk.ts'
import { type FreshParts, freshDatabase } from './backup/fresh.ts'
import { backupsOf } from './backup/of-office.ts'
import { type Chat, loadFeatures } from './chat.ts'
import type { Config, Listen } from './config.ts'
import { defaultListen } from './config.ts'
import { identityOf, takeOver } from './first-start.ts'
import { lanAddresses } from './host.ts'
import type { Log } from './log.ts'
import type { MoveDesk } from './moving/desk.ts'
import type { MoveStep } from './moving/move.ts'
import { type Moves, openMoves } from './moving/of-office.ts'
import type { DataFolder } from './node.ts'
import { OccupiedFault } from './nodes/founding.ts'
import { Neighbourhood } from './nodes/neighbourhood.ts'
import { type Office, type OfficeIdentity, openOffice } from './office.ts'
import { officePartsOf } from './office-parts.ts'
import { DATABASE_RETRY_MS, openStoreInTime } from './open-store.ts'
import { Reopening } from './reopening.ts'
import { openAdmin } from './start-admin.ts'
import { openStore, type Store } from './store.ts'
import type { Updates } from './updates/desk.ts'
import { updatesOf } from './updates/of-office.ts'
import type { Program } from './updates/program.ts'
import { setupPartsOf } from './wizard.ts'

export interface ApplianceOptions {
  readonly version: string
  readonly program: Program
  readonly folder: DataFolder
  readonly log: Log
  /** Set while the data folder is empty and an autosetup file was given. */
  readonly config: Config | undefined
  readonly allowPlaintext: boolean
  /** For tests: called at the points of a move of the data. */
  readonly onMoveStep?: ((name: MoveStep) => void) | undefined
  /** Called when the admin pages answer, before anything else is open. */
  onListening(): Promise<void>
  /** Called when the tray asks to stop. */
  onStop(): void
  /** Called once people can log in: at the start, or when the wizard has made the office. */
  onReady(): void
}

/** One appliance from its start to its stop: database, admin pages, and, once there is one, the office and the other PCs that carry it. */
export class Appliance {
  readonly #options: ApplianceOptions
  readonly #log: Logger
  readonly #nodes: Neighbourhood
  readonly #reopening: Reopening
  #listen: Listen
  #admin: Admin | undefined
  #store: Promise<Store> | undefined
  #office: Office | undefined
  #backups: Backups | undefined
  #moves: Moves | undefined
  #desk: MoveDesk | undefined
  #updates: Updates | undefined
  #starting: Promise<void> | undefined
  readonly #abort = new AbortController()

  constructor(options: ApplianceOptions) {
    const { folder, config, log, version } = options
    this.#options = options
    this.#log = log.logger
    this.#listen = config?.listen ?? folder.state.listen ?? defaultListen()
    this.#reopening = new Reopening({
      log: this.#log,
      signal: this.#abort.signal,
      retryMs: DATABASE_RETRY_MS,
      pause: sentence => this.admin.pause(sentence),
      close: () => this.#closeOffice(),
      open: () => this.#openAgain(),
    })
    this.#nodes = new Neighbourhood({
      folder,
      version,
      config: config?.cluster,
      tls: config?.tls,
      name: config?.node ?? folder.state.nodeName,
      log: this.#log,
      signal: this.#abort.signal,
      listen: () => this.#listen,
      admin: () => this.admin,
      office: () => this.#office,
      store: () => this.#openedStore(),
      reopen: (sentence, change, undo) => this.#reopening.run(sentence, change, undo),
      join: () => this.#openJoined(),
      leave: () => this.#closeAll(),
      busyWith: () => this.#desk?.busyWith() ?? this.#backups?.busyWith(),
    })
  }

  get admin(): Admin {
    if (!this.#admin) throw new Error('The admin side is not started.')
    return this.#admin
  }

  /** Set once people can log in. */
  get office(): Office | undefined {
    return this.#office
  }

  /** The cluster port, when other PCs can join. */
  get clusterPort(): number | undefined {
    return this.#nodes.port
  }

  /**
   * Starts everything that can be started: with an office, until people can log in; without one, until the wizard answers.
   * @throws the faults of its parts, each with one sentence
   */
  start(): Promise<void> {
    this.#starting = this.#start()
    return this.#starting
  }

  async #start(): Promise<void> {
    const { folder, config } = this.#options
    this.#moves = await openMoves(folder, this.#log)
    await this.#nodes.load()
    const mayJoin = this.#nodes.mayProvision
    if (!mayJoin && !this.#nodes.isRemoved) this.#beginStore()
    const setup = setupPartsOf({
      join: this.#nodes.wizardDesk,
      node: () => folder.state.nodeName,
      listen: () => this.#listen,
      useOutside: url => this.#useOutside(url),
      open: (identity, url, prepare) => this.#open(identity, url, prepare),
    })
    this.#admin = await openAdmin({ ...this.#options, listen: this.#listen, setup })
    await this.#options.onListening()
    if (this.#nodes.isRemoved) return this.admin.pause(this.#nodes.removedSentence)
    const { progress } = this.#admin
    progress('database', 'doing')
    const isJoined = mayJoin && (await this.#nodes.provision())
    if (mayJoin) this.#beginStore()
    await this.#store
    progress('database', 'done')
    progress('server', 'done')
    const identity = identityOf(folder, isJoined ? undefined : config)
    if (!identity) {
      progress('network', 'done', lanAddresses()[0])
      this.#nodes.lookAround()
      await this.#admin.waitForSetup()
      return
    }
    if (isJoined || !mayJoin) {
      await this.#open(identity, this.#url, config && !isJoined ? chat => takeOver(chat, config) : undefined)
    } else await this.#openOrJoin(identity)
    progress('network', 'done', lanAddresses()[0])
  }

  /** With an outside database that is what decides who makes the office: who is second joins. */
  async #openOrJoin(identity: OfficeIdentity): Promise<void> {
    const { folder, config } = this.#options
    try {
      await this.#open(identity, this.#url, config && (chat => takeOver(chat, config)))
    } catch (error) {
      if (!(error instanceof OccupiedFault)) throw error
      if (!(await this.#nodes.joinCarriers(await this.#openedStore()))) throw error
      this.#beginStore()
      await this.#store
      const joined = identityOf(folder, undefined)
      if (!joined) throw new Error('Who has joined has an identity.')
      await this.#open(joined, this.#url)
    }
  }

  /** Stops in order: people go to other PCs, goodbye to those who stay, what waits is written, then the database. */
  async stop(): Promise<void> {
    this.#abort.abort()
    // What is half started must be whole before it can be stopped; its failure was told to who started it.
    await this.#starting?.catch(() => undefined)
    await this.#nodes.handOver()
    await this.#closeDesks()
    await this.#admin?.close()
    await this.#closeAll()
  }

  async #closeDesks(): Promise<void> {
    await this.#updates?.close()
    await this.#desk?.close()
    await this.#backups?.close()
    await this.#reopening.over()
  }

  async #closeAll(): Promise<void> {
    await this.#closeDesks()
    await this.#closeOffice()
    await this.#nodes.leaveDatabase()
    const store = await this.#store?.catch(() => undefined)
    await store?.close()
    this.#store = undefined
    await this.#nodes.close()
  }

  async #closeOffice(): Promise<void> {
    await this.#nodes.pause()
    await this.#office?.close()
  }

  /** Opens the database; its failure is told where it is awaited. */
  #beginStore(): void {
    this.#store = this.#openStore()
    this.#store.catch(error => this.#log.debug({ err: error }, 'database not opened'))
  }

  async #openStore(): Promise<Store> {
    const { folder } = this.#options
    const place = await this.#nodes.openKnown()
    const store = await openStoreInTime({
      source: async () => (place ? place.source() : this.#url),
      dataDir: folder.dir,
      isSetUp: !folder.isEmpty,
      log: this.#log,
      signal: this.#abort.signal,
      settle: async opened => this.#moves?.settle(opened),
      onWait: sentence => this.#admin?.progress('database', 'doing', sentence),
    })
    place?.attach(store)
    return store
  }

  /** 'embedded' or a URL; the autosetup file counts while the folder is empty. */
  get #url(): string {
    const { folder, config } = this.#options
    return (folder.isEmpty ? config?.database.url : undefined) ?? folder.secret('database-url') ?? 'embedded'
  }

  async #useOutside(url: string): Promise<void> {
    const outside = await openStore({ url, dataDir: this.#options.folder.dir, log: this.#log })
    const builtIn = await this.#openedStore()
    this.#store = Promise.resolve(outside)
    await builtIn.close()
  }

  async #open(identity: OfficeIdentity, url: string, prepare?: (chat: Chat) => Promise<void>): Promise<void> {
    const { folder } = this.#options
    const isFirst = folder.isEmpty
    if (isFirst) await folder.saveSecrets({ 'database-url': url })
    const found = await this.#nodes.openOrFound(identity, url)
    await this.#openChat(found, prepare)
    // From here on the folder is not empty any more: the next start finds the office.
    if (isFirst) {
      await folder.update({
        nodeName: found.node,
        office: found.office,
        domain: found.domain,
        listen: found.listen,
        cluster: this.#nodes.settings,
        ...(found.tls ? { tls: found.tls } : {}),
      })
    }
    await this.#openDesks()
    await this.#openPages()
    this.#options.onReady()
  }

  async #openChat(identity: OfficeIdentity, prepare?: (chat: Chat) => Promise<void>): Promise<void> {
    const { folder, version, allowPlaintext } = this.#options
    const { db } = await this.#openedStore()
    this.#office = await openOffice({
      ...{ identity, version, folder, db, log: this.#log, features: await loadFeatures(), allowPlaintext },
      cluster: this.#nodes.parts,
      prepare: async chat => {
        await prepare?.(chat)
        await this.#nodes.meet(db)
      },
    })
  }

  /** The data folder belongs to another office than a moment ago. */
  async #openJoined(): Promise<void> {
    await this.#closeAll()
    this.#office = undefined
    this.#moves = await openMoves(this.#options.folder, this.#log)
    this.#listen = this.#options.folder.state.listen ?? this.#listen
    this.#beginStore()
    await this.#openedStore()
    const identity = identityOf(this.#options.folder, undefined)
    if (!identity) throw new Error('A PC that joined has an office.')
    await this.#open(identity, this.#url)
  }

  async #openAgain(): Promise<void> {
    const office = this.#office
    if (!office) throw new Error('There is no office to open again.')
    const { identity, ports } = office
    const { cluster: _own, ...open } = ports
    await this.#openChat({ ...identity, listen: { ...identity.listen, ...open } })
    await this.#openPages()
  }

  async #openPages(): Promise<void> {
    const { folder } = this.#options
    const [office, backups, database, updates] = [this.#office, this.#backups, this.#desk, this.#updates]
    if (!office || !backups || !database || !updates) throw new Error('The desks are opened before their pages.')
    const store = await this.#openedStore()
    const { nodes, merge } = this.#nodes.openDesks(office, store)
    const cluster = this.#nodes.parts
    await this.admin.open(officePartsOf({ office, store, folder, backups, database, nodes, updates, merge, cluster }))
    updates.meet(office.chat.parts.settings, cluster?.bus)
  }

  /** Moves, backups and updates outlive a restore, during which the office is closed and opened again. */
  async #openDesks(): Promise<void> {
    const { folder, version, program, onMoveStep } = this.#options
    if (!this.#moves) throw new Error('Moves are opened by start().')
    const store = await this.#openedStore()
    const features = await loadFeatures()
    const log = this.#log
    await this.#desk?.close()
    await this.#backups?.close()
    const desk = this.#moves.desk({ store, features, busyWith: () => this.#backups?.busyWith(), onStep: onMoveStep })
    this.#desk = desk
    desk.onMove(move => {
      if (move.state === 'switched') this.#nodes.databaseMoved(false)
    })
    const reopen: FreshParts['reopen'] = async (change, undo) => {
      const put = async (): Promise<void> => {
        await change()
        this.#nodes.expectRestored()
      }
      await this.#reopening.run('The office is put back to a backup: this takes some seconds.', put, undo)
      this.#nodes.databaseMoved(true)
    }
    const fresh: FreshParts = { store, folder, log, reopen, keep: database => desk.keep(database) }
    this.#backups = backupsOf({
      ...{ folder, version, log, features },
      office: () => {
        if (!this.#office) throw new Error('Backups are made of an office.')
        return this.#office
      },
      store: () => store,
      freshDatabase: url => freshDatabase(fresh, url),
      busyWith: () => desk.busyWith(),
      note: async sentence => {
        await this.admin.inside.office().history.add({ by: 'Lanthorn', kind: 'office', sentence })
      },
    })
    await this.#backups.start()
    await this.#updates?.close()
    this.#updates = updatesOf({
      ...{ program, folder, log },
      admin: () => this.admin,
      db: () => store.db,
      busyWith: () => desk.busyWith() ?? this.#backups?.busyWith(),
    })
    await this.#updates.start()
  }

  async #openedStore(): Promise<Store> {
    if (!this.#store) throw new Error('The database is opened by start().')
    return this.#store
  }
}
