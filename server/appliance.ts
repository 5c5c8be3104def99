import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import { type Admin, startAdmin } from './admin/admin.ts'
import { backupChecks } from './admin/backup-checks.ts'
import type { OfficeInput, OfficeMade, OfficeParts, OnProgress } from './admin/parts.ts'
import { refusal } from './admin/problem.ts'
import { createRecovery } from './admin/recovery.ts'
import type { Backups } from './backup/desk.ts'
import { type FreshParts, freshDatabase } from './backup/fresh.ts'
import { backupsOf } from './backup/of-office.ts'
import { type Chat, loadFeatures } from './chat.ts'
import type { Config, Listen } from './config.ts'
import { defaultListen } from './config.ts'
import type { PasswordSettings } from './core/core-features.ts'
import { tryDatabase } from './db/inspect/inspect.ts'
import { DatabaseAway } from './db/pool.ts'
import { identityOf, refusalOf, takeOver } from './first-start.ts'
import { addressesOf, dnsDomain, lanAddresses } from './host.ts'
import type { Log } from './log.ts'
import type { MoveDesk } from './moving/desk.ts'
import type { MoveStep } from './moving/move.ts'
import { type Moves, openMoves } from './moving/of-office.ts'
import type { DataFolder } from './node.ts'
import { LoneNodesDesk, shutJoinDesk } from './nodes/lone-desks.ts'
import { StatusReader } from './nodes/status.ts'
import { type Office, type OfficeIdentity, openOffice } from './office.ts'
import { listenFault } from './opening.ts'
import { openStore, type Store } from './store.ts'
import { createIds } from './xmpp/id.ts'

/** Where `npm run build` puts the admin pages. */
const UI_FOLDER = fileURLToPath(new URL('../ui/dist', import.meta.url))

/** How often a database that is away at the start is looked for. */
const DATABASE_RETRY_MS = 2_000

/** How often a first start looks for a database that is only slow, busy or starting, before it gives up with a sentence. */
const FIRST_TRIES = 3

const isPassing = ({ reason }: DatabaseAway): boolean => ['timeout', 'busy', 'starting'].includes(reason)

interface ApplianceOptions {
  readonly version: string
  readonly folder: DataFolder
  readonly log: Log
  /** Set while the data folder is empty and an autosetup file was given. */
  readonly config: Config | undefined
  readonly allowPlaintext: boolean
  /** For tests: called at the points of a move of the data. */
  readonly onMoveStep?: ((name: MoveStep) => void) | undefined
  /** Called when the admin pages answer, before anything else is open. */
  onListening(): Promise<void>
  /** Called once people can log in: at the start, or when the wizard has made the office. */
  onReady(): void
}

/** One appliance from its start to its stop: database, admin pages, and, once there is one, the office. */
export class Appliance {
  readonly #options: ApplianceOptions
  readonly #log: Logger
  readonly #listen: Listen
  #admin: Admin | undefined
  #store: Promise<Store> | undefined
  #office: Office | undefined
  #backups: Backups | undefined
  #moves: Moves | undefined
  #desk: MoveDesk | undefined
  #nodes: LoneNodesDesk | undefined
  readonly #reader: StatusReader
  #starting: Promise<void> | undefined
  #reopening: Promise<void> | undefined
  readonly #abort = new AbortController()

  constructor(options: ApplianceOptions) {
    this.#options = options
    this.#log = options.log.logger
    this.#listen = options.config?.listen ?? options.folder.state.listen ?? defaultListen()
    const { version, folder } = options
    this.#reader = new StatusReader({ version, dataDir: folder.dir, startedAt: Date.now() })
  }

  get admin(): Admin {
    if (!this.#admin) throw new Error('The admin side is not started.')
    return this.#admin
  }

  /** Set once people can log in. */
  get office(): Office | undefined {
    return this.#office
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
    const identity = identityOf(folder, config)
    this.#moves = await openMoves(folder, this.#log)
    const url = config?.database.url ?? folder.secret('database-url') ?? 'embedded'
    this.#store = this.#openStore(url)
    // Its failure is told where it is awaited.
    this.#store.catch(error => this.#log.debug({ err: error }, 'database not opened'))
    this.#admin = await this.#startAdmin()
    await this.#options.onListening()
    const { progress } = this.#admin
    progress('database', 'doing')
    await this.#store
    progress('database', 'done')
    progress('server', 'done')
    progress('network', 'done', lanAddresses()[0])
    if (!identity) {
      await this.#admin.waitForSetup()
      return
    }
    await this.#open(identity, url, config ? chat => takeOver(chat, config) : undefined)
  }

  /** Stops in order: no new people, goodbye to those there, what waits is written, then the database. */
  async stop(): Promise<void> {
    this.#abort.abort()
    // What is half started must be whole before it can be stopped; its failure was told to who started it.
    await this.#starting?.catch(() => undefined)
    this.#nodes?.close()
    await this.#desk?.close()
    await this.#backups?.close()
    await this.#reopening?.catch(() => undefined)
    await this.#admin?.close()
    await this.#office?.close()
    const store = await this.#store?.catch(() => undefined)
    await store?.close()
  }

  async #open(identity: OfficeIdentity, url: string, prepare?: (chat: Chat) => Promise<void>): Promise<void> {
    const { folder } = this.#options
    const office = await this.#openChat(identity, prepare)
    // From here on the folder is not empty any more: the next start finds the office.
    if (folder.isEmpty) {
      await folder.saveSecrets({ 'database-url': url })
      await folder.update({
        nodeName: identity.node,
        office: identity.office,
        domain: identity.domain,
        listen: identity.listen,
        ...(identity.tls ? { tls: identity.tls } : {}),
      })
    }
    await this.#openDesk()
    await this.#openBackups()
    await this.admin.open(this.#officeParts(office, await this.#openedStore()))
    this.#options.onReady()
  }

  async #openChat(identity: OfficeIdentity, prepare?: (chat: Chat) => Promise<void>): Promise<Office> {
    const { folder, version, allowPlaintext } = this.#options
    const store = await this.#openedStore()
    const features = await loadFeatures()
    const options = { identity, version, folder, db: store.db, log: this.#log, features, allowPlaintext }
    this.#office = await openOffice({ ...options, ...(prepare ? { prepare } : {}) })
    return this.#office
  }

  /** Outlives a restore too. */
  async #openDesk(): Promise<void> {
    if (!this.#moves) throw new Error('Moves are opened by start().')
    await this.#desk?.close()
    this.#desk = this.#moves.desk({
      store: await this.#openedStore(),
      features: await loadFeatures(),
      busyWith: () => this.#backups?.busyWith(),
      onStep: this.#options.onMoveStep,
    })
  }

  /** They outlive a restore, during which the office is closed and opened again. */
  async #openBackups(): Promise<void> {
    const { folder, version } = this.#options
    const store = await this.#openedStore()
    const office = (): Office => {
      if (!this.#office) throw new Error('Backups are made of an office.')
      return this.#office
    }
    const log = this.#log
    const reopen: FreshParts['reopen'] = (change, undo) => this.#reopen(change, undo)
    await this.#backups?.close()
    this.#backups = backupsOf({
      folder,
      version,
      log,
      features: await loadFeatures(),
      office,
      store: () => store,
      freshDatabase: url =>
        freshDatabase({ store, folder, log, reopen, keep: async database => this.#desk?.keep(database) }, url),
      busyWith: () => this.#desk?.busyWith(),
      note: async sentence => {
        await this.admin.inside.office().history.add({ by: 'Lanthorn', kind: 'office', sentence })
      },
    })
    await this.#backups.start()
  }

  /**
   * Closes the office for a moment, lets `change` happen, and opens it again at the same ports. When that fails, `undo` happens and
   * the office is opened as it was; then it throws.
   */
  #reopen(change: () => Promise<void>, undo: () => Promise<void>): Promise<void> {
    this.#abort.signal.throwIfAborted()
    this.#reopening = this.#closeAndOpen(change, undo)
    return this.#reopening
  }

  async #closeAndOpen(change: () => Promise<void>, undo: () => Promise<void>): Promise<void> {
    const office = this.#office
    if (!office) throw new Error('There is no office to open again.')
    const { identity, ports } = office
    const open = async (): Promise<void> => {
      const opened = await this.#openChat({ ...identity, listen: { ...identity.listen, ...ports } })
      await this.admin.open(this.#officeParts(opened, await this.#openedStore()))
    }
    await this.admin.pause('The office is put back to a backup: this takes some seconds.')
    await office.close()
    try {
      await change()
      await open()
    } catch (error) {
      this.#log.error({ err: error }, 'the office could not be opened on the restored database')
      await this.#untilThere(async () => {
        await undo()
        await open()
      })
      throw error
    }
  }

  /** Tries again and again: without an office there is nothing better to do, and what is in the way (a database, a port) may go. */
  async #untilThere(work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await work()
      } catch (error) {
        this.#log.error({ err: error }, 'the office could not be opened again; it is tried once more')
        await setTimeout(DATABASE_RETRY_MS, undefined, { signal: this.#abort.signal })
      }
    }
  }

  /** Opens the database. A PC that was set up waits for one that is away: after a power cut it may be back later than we. */
  async #openStore(url: string): Promise<Store> {
    const { folder } = this.#options
    const { signal } = this.#abort
    const isSetUp = !folder.isEmpty
    for (let tries = 1; ; tries++) {
      try {
        return await this.#settled(await openStore({ url, dataDir: folder.dir, log: this.#log, signal }))
      } catch (error) {
        if (!(error instanceof DatabaseAway)) throw error
        if (!isSetUp && !(isPassing(error) && tries < FIRST_TRIES)) throw error
        if (tries === 1) this.#log.warn(`Waiting for the database. ${error.message}`)
        this.#admin?.progress('database', 'doing', error.message)
        // Aborted: this ends with the signal's own error.
        await setTimeout(DATABASE_RETRY_MS, undefined, { signal })
      }
    }
  }

  /** A move of the data that was cut short is put in order before anything else is done with the database. */
  async #settled(store: Store): Promise<Store> {
    try {
      await this.#moves?.settle(store)
      return store
    } catch (error) {
      await store.close()
      throw error
    }
  }

  async #openedStore(): Promise<Store> {
    if (!this.#store) throw new Error('The database is opened by start().')
    return this.#store
  }

  async #startAdmin(): Promise<Admin> {
    const { version, folder, log } = this.#options
    const ids = createIds({ now: Date.now, random: bytes => randomBytes(bytes) })
    const { host, admin, adminPlain } = this.#listen
    try {
      return await startAdmin({
        version,
        pc: this.#options.config?.node ?? folder.state.nodeName,
        log: this.#log.child({ part: 'admin' }),
        recent: log.recent,
        now: Date.now,
        nextId: () => ids.next(),
        dataFolder: folder.dir,
        uiFolder: UI_FOLDER,
        listen: { host, admin, adminPlain },
        setup: {
          suggestedDomain: dnsDomain,
          createOffice: (input, onProgress) => this.#createOffice(input, onProgress),
          checkDatabase: tryDatabase,
          join: shutJoinDesk('This PC cannot join another office yet.'),
        },
      })
    } catch (error) {
      const fault = listenFault(error, 'adminPlain', adminPlain, host)
      throw fault === error ? listenFault(error, 'admin', admin, host) : fault
    }
  }

  /** The wizard's last step. */
  async #createOffice(input: OfficeInput, onProgress: OnProgress): Promise<OfficeMade> {
    const { folder } = this.#options
    const url = input.database?.url ?? 'embedded'
    onProgress('office-database', 'doing')
    try {
      if (url !== 'embedded') await this.#useOutside(url)
      onProgress('office-database', 'done')
      onProgress('keys', 'doing')
      const identity = {
        office: input.office,
        domain: input.domain,
        node: folder.state.nodeName,
        listen: this.#listen,
      }
      await this.#open(identity, url, async chat => {
        onProgress('keys', 'done')
        onProgress('account', 'doing')
        if (!(await chat.parts.accounts.get(input.person.username))) {
          await chat.parts.accounts.create({ ...input.person, isAdmin: true })
        }
        onProgress('account', 'done')
        onProgress('open', 'doing')
      })
      onProgress('open', 'done', lanAddresses()[0])
      return { kind: 'made' }
    } catch (error) {
      const refused = refusalOf(error)
      if (!refused) throw error
      return refused
    }
  }

  async #useOutside(url: string): Promise<void> {
    const { folder } = this.#options
    const outside = await openStore({ url, dataDir: folder.dir, log: this.#log })
    const builtIn = await this.#openedStore()
    this.#store = Promise.resolve(outside)
    await builtIn.close()
  }

  #openNodes(office: Office, store: Store): LoneNodesDesk {
    this.#nodes?.close()
    this.#nodes = new LoneNodesDesk({
      node: office.identity.node,
      domain: office.identity.domain,
      reader: this.#reader,
      chat: () => this.#office?.chat,
      isDatabaseOutside: () => store.embedded === undefined,
      ports: () => office.ports,
      enable: () => Promise.reject(refusal('refused', 'Other PCs cannot join this office yet.')),
      restart: () =>
        this.#reopen(
          async () => undefined,
          async () => undefined,
        ),
      complain: error => this.#log.warn({ err: error }, 'the state of this PC could not be read'),
    })
    return this.#nodes
  }

  #officeParts(office: Office, store: Store): OfficeParts {
    const { folder } = this.#options
    const { identity, chat } = office
    const { parts } = chat
    const backups = this.#backups
    const database = this.#desk
    if (!backups || !database) throw new Error('Backups and moves are opened before the pages.')
    return {
      name: identity.office,
      domain: identity.domain,
      db: parts.db,
      accounts: parts.accounts,
      sessions: parts.sessions,
      settings: parts.settings,
      hooks: parts.hooks,
      directory: parts.directory,
      tls: office.tls,
      iterations: () => (parts.settings.of('passwords') as PasswordSettings).iterations,
      certificates: office.certificates,
      recovery: createRecovery({
        office: identity.office,
        domain: identity.domain,
        officeId: folder.state.nodeId,
        pc: identity.node,
        authority: () => office.certificates.authority,
        folder,
        now: Date.now,
      }),
      addresses: () => addressesOf(this.#listen.host),
      ports: () => office.ports,
      get isDatabaseOutside() {
        return store.embedded === undefined
      },
      database,
      backups,
      nodes: this.#openNodes(office, store),
      merge: shutJoinDesk('This PC cannot join another office yet.'),
      checks: backupChecks(backups, {
        now: Date.now,
        isKeySaved: () => folder.secret('recovery-kept-at') !== undefined,
      }),
    }
  }
}
