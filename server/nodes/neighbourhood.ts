/** The appliance as one of several: joins, makes or keeps the company of the other PCs, and gives the pages about them their desks. */
import { rm } from 'node:fs/promises'
import type { JoinDesk, NodesDesk } from '../admin/parts.ts'
import { type ClusterParts, loadFeatures, migrationsOf } from '../chat.ts'
import { hazelcastHere } from '../cluster/hazelcast/java.ts'
import { KnownNodes } from '../cluster/known-nodes.ts'
import { listNodes, putBackNodes } from '../cluster/registry.ts'
import type { Welcome } from '../cluster/welcome.ts'
import { type ClusterConfig, type Config, defaultCluster } from '../config.ts'
import { migrate } from '../db/migrate.ts'
import type { Database } from '../db/pool.ts'
import { addressesOf } from '../host.ts'
import { officeAuthority } from '../net/office-certificates.ts'
import { type Office, type OfficeIdentity, officeFeatures } from '../office.ts'
import type { Store } from '../store.ts'
import { aroundOffice } from './around-office.ts'
import type { DatabasePlace } from './database-place.ts'
import { foundOffice } from './founding.ts'
import { handOver, sendAway, takeBack } from './hand-over.ts'
import { JoinProgress } from './join-progress.ts'
import { type OnStep, wizardDesk } from './joining.ts'
import { LoneNodesDesk } from './lone-desks.ts'
import { LoneWatch } from './lone-watch.ts'
import { TOKEN_SECRET } from './membership.ts'
import { mergeDesk } from './merging.ts'
import type { NeighbourhoodOptions } from './neighbourhood-options.ts'
import { ClusterNodesDesk } from './nodes-desk.ts'
import { OfficeCluster } from './office-cluster.ts'
import { clusterAddresses } from './open-cluster.ts'
import { Pause } from './pause.ts'
import { provision } from './provision.ts'
import { choose, followSettings, settingsOf } from './settings-followed.ts'
import { applicantOf, settleIn, withClusterPort } from './settling-in.ts'
import { StatusReader } from './status.ts'
import { Surroundings } from './surroundings.ts'

/** The office goes on without this PC. */
export class RemovedFault extends Error {
  override readonly name = 'RemovedFault'
}

export class Neighbourhood {
  readonly wizardDesk: JoinDesk
  readonly #mergeDesk: JoinDesk
  readonly #options: NeighbourhoodOptions
  readonly #reader: StatusReader
  readonly #pause: Pause
  #known: KnownNodes | undefined
  #cluster: OfficeCluster | undefined
  #around: Surroundings | undefined
  #desk: (NodesDesk & { close(): void }) | undefined
  #release: (() => Promise<void>) | undefined
  #lone: LoneWatch | undefined
  #isRestored = false
  readonly #progress = new JoinProgress()

  constructor(options: NeighbourhoodOptions) {
    const { version, folder, log, signal } = options
    this.#options = options
    this.#reader = new StatusReader({ version, dataDir: folder.dir, startedAt: Date.now() })
    this.#pause = new Pause({
      ...{ folder, log, signal, now: Date.now },
      sendAway: () => sendAway(options.office(), this.#cluster),
      takeBack: () => takeBack(options.office(), this.#cluster),
      note: sentence => options.admin().inside.office().history.add({ by: 'Lanthorn', kind: 'pc', sentence }),
    })
    const joining = {
      log: options.log.child({ part: 'joining' }),
      applicant: () => this.#applicant(),
      offices: () => this.#around?.cards ?? [],
      settleIn: (welcome: Welcome) => this.#settleIn(welcome),
      join: (onStep: OnStep) => this.#progress.during(onStep, () => options.join()),
      sentence: () => this.#desk?.sentence ?? '',
    }
    this.wizardDesk = wizardDesk(joining)
    this.#mergeDesk = mergeDesk({
      ...joining,
      folder,
      office: () => options.office(),
      isAlone: () => (this.#cluster?.membership.nodes.length ?? 1) === 1,
      busyWith: () => options.busyWith(),
      leave: async sentence => {
        await options.admin().pause(sentence)
        await options.leave()
      },
      reopen: () => options.join(),
    })
  }

  /** What is known in the data folder. Before anything else. */
  async load(): Promise<void> {
    this.#known = await KnownNodes.open(this.#options.folder.file('office-nodes.json'))
  }

  /** Whether a token of the autosetup file lets this fresh PC join, or make, an office without anybody at its screen. */
  get mayProvision(): boolean {
    const { folder, config } = this.#options
    return folder.isEmpty && config?.enabled === true && config.token !== undefined
  }

  get isRemoved(): boolean {
    return !this.#options.folder.isEmpty && this.#known?.content?.isRemoved === true
  }

  get removedSentence(): string {
    return 'This PC was removed from its office: people chat on the others. To use it again, start it with a new data folder (--data), then let it join.'
  }

  /** For node.json. */
  get settings(): Omit<ClusterConfig, 'token'> {
    const { config, folder } = this.#options
    const none = { ...defaultCluster(), enabled: folder.isEmpty }
    const { token: _secret, ...rest }: ClusterConfig = config ?? folder.state.cluster ?? none
    return rest
  }

  /** For `startChat`. */
  get parts(): ClusterParts | undefined {
    return this.#cluster?.parts
  }

  get port(): number | undefined {
    return this.#cluster?.ground.mesh.port
  }

  /** Joins the office that knows the same token. @returns false: this PC is to make it @throws JoinFault, ListenFault */
  async provision(known?: readonly string[]): Promise<boolean> {
    const { config } = this.#options
    if (config?.token === undefined) return false
    const listen = await withClusterPort(this.#options.listen())
    const applicant = await this.#applicant()
    const done = await provision({ ...this.#options, cluster: config, token: config.token, listen, applicant, known })
    if (done.kind === 'alone') return false
    if (done.kind === 'found') {
      this.#release = done.release
      return false
    }
    // Its own, for those that are still to come: the office hands it to nobody.
    await this.#options.folder.saveSecrets({ [TOKEN_SECRET]: config.token })
    await this.#settleIn(done.welcome, this.#options.tls)
    return true
  }

  /**
   * The database had an office already: of several fresh PCs with one outside database another was first, and this one joins it.
   * @param store closed when it resolves
   * @returns false: none of its PCs knows the token, or can be reached
   */
  async joinCarriers(store: Store): Promise<boolean> {
    const carriers = await listNodes(store.db)
    await store.close()
    await this.#release?.()
    this.#release = undefined
    return this.provision(carriers.flatMap(({ addresses }) => addresses))
  }

  /** Opens the cluster port of a PC that knows its office, before the database. @returns where that is; undefined: as its URL says */
  async openKnown(): Promise<DatabasePlace | undefined> {
    const { folder } = this.#options
    const { office, domain } = folder.state
    if (folder.isEmpty || !this.#known?.content || domain === undefined) return undefined
    this.#cluster ??= await this.#open({ office: office ?? domain, domain, listen: this.#options.listen() })
    return this.#cluster.place
  }

  /** The wizard shows what is around. */
  lookAround(): void {
    const { folder, version, log } = this.#options
    this.#around ??= new Surroundings({
      ...{ nodeId: folder.state.nodeId, version, log, token: undefined, host: this.#options.listen().host },
      cluster: this.settings,
      officeId: () => undefined,
    })
  }

  /**
   * Others can join from now on, when that is enabled: registers the first node, opens the cluster port.
   * @returns who this node is: its name may be another one than it wished
   */
  async openOrFound(identity: OfficeIdentity, url: string): Promise<OfficeIdentity> {
    if (!this.settings.enabled && !this.#known?.content) return identity
    if (!this.#cluster) {
      const store = await this.#options.store()
      const listen = await withClusterPort(identity.listen)
      await this.#found({ ...identity, listen }, url, store.db)
      await this.#release?.()
      this.#cluster = await this.#open({ ...identity, listen })
      this.#cluster.place.attach(store)
    }
    const { listen } = identity
    return { ...identity, node: this.#cluster.name, listen: { ...listen, cluster: this.#cluster.ground.mesh.port } }
  }

  /** The tables are there, nobody can log in yet: registers this start, and waits for the others that run. @throws DatabaseAway */
  async meet(db: Database): Promise<void> {
    const { signal, log, folder, name } = this.#options
    const cluster = this.#cluster
    if (!cluster) {
      if ((await this.#options.store()).kind !== 'outside') return
      this.#lone ??= new LoneWatch({ id: folder.state.nodeId, name }, log)
      await this.#lone.start(db, signal)
      return
    }
    if (this.#isRestored) await putBackNodes(db, cluster.membership.nodes, cluster.membership.removed)
    this.#isRestored = false
    if (!(await cluster.membership.start(db))) throw new RemovedFault(this.removedSentence)
    await this.#progress.meet(cluster, told => this.#options.admin().progress('network', 'doing', told), signal)
  }

  /** Desks for the pages of an office that is open. */
  openDesks(office: Office, store: Store): { nodes: NodesDesk; merge: JoinDesk } {
    const { log, reopen } = this.#options
    const cluster = this.#cluster
    this.#desk?.close()
    const restart = async (): Promise<void> => {
      this.handOver()
        .then(() => reopen('Chat is started anew on this PC: this takes some seconds.'))
        .catch(err => log.error({ err }, 'chat could not be started anew'))
    }
    if (cluster) {
      cluster.open({ office, store })
      this.#lookFor(cluster, office)
      cluster.isDraining = false
      this.#desk = new ClusterNodesDesk(cluster, {
        ...{ pause: this.#pause, restart },
        setEnabled: (enabled, by) => choose(office, enabled, by),
        discover: async () => (await this.#around?.look()) ?? [],
      })
    } else {
      this.#desk = new LoneNodesDesk({
        ...{ pause: this.#pause, restart, node: office.identity.node, reader: this.#reader },
        addresses: () => addressesOf(this.#options.listen().host),
        chat: () => this.#options.office()?.chat,
        isDatabaseOutside: () => store.kind === 'outside',
        ports: () => office.ports,
        enable: by => choose(office, true, by),
        complain: err => log.warn({ err }, 'the state of this PC could not be read'),
      })
    }
    this.#pause.goOn()
    followSettings(office, {
      log,
      others: () => this.#cluster?.peers.map(({ node }) => node.name) ?? [],
      isOn: () => this.#cluster !== undefined,
      isOpen: () => office === this.#options.office(),
      enable: () => this.#enable(),
      disable: () => this.#disable(),
      announceAnew: () => {
        if (this.#cluster) this.#lookFor(this.#cluster, office)
      },
    })
    return { nodes: this.#desk, merge: this.#mergeDesk }
  }

  /** The data is somewhere else now, or a backup was put back. */
  databaseMoved(fresh: boolean): void {
    this.#cluster?.place
      .moved({ fresh })
      .catch(err => this.#options.log.error({ err }, 'the other PCs were not told where the database is'))
  }

  /** The next `meet` finds a database of the past. */
  expectRestored(): void {
    this.#isRestored = true
  }

  /** Chat is closed for a moment, or for good. */
  async pause(): Promise<void> {
    this.#cluster?.pause()
    this.#cluster?.membership.stop()
    await this.#lone?.stop()
  }

  /** People go to other PCs, if there are any. */
  async handOver(): Promise<void> {
    if (this.#cluster?.opened) await handOver(this.#cluster)
  }

  /** Nothing of it uses the database any more. */
  async leaveDatabase(): Promise<void> {
    this.#desk?.close()
    const db = (await this.#options.store().catch(() => undefined))?.db
    await this.#cluster?.membership.close(db)
  }

  async close(): Promise<void> {
    this.#around?.close()
    this.#around = undefined
    await this.#release?.()
    await this.#cluster?.close()
    this.#cluster = undefined
  }

  /** Tests leave the member out, which takes seconds to start. */
  async #hazelcast(): Promise<string | undefined> {
    return process.env.LANTHORN_TEST_NO_HAZELCAST === '1' ? undefined : hazelcastHere()
  }

  #applicant() {
    const { folder, name, version } = this.#options
    return withClusterPort(this.#options.listen()).then(async listen =>
      applicantOf({ folder, name, listen, version, hazelcast: await this.#hazelcast() }),
    )
  }

  async #settleIn(welcome: Welcome, tls?: Config['tls']): Promise<void> {
    const { folder } = this.#options
    const listen = await withClusterPort(this.#options.listen())
    await settleIn({ folder, welcome, listen, cluster: this.settings, tls })
    await this.load()
  }

  async #found(identity: OfficeIdentity, url: string, db: Database): Promise<void> {
    const { folder, version, config } = this.#options
    const known = this.#known
    if (!known) throw new Error('The data folder is read by load().')
    const { host, cluster } = identity.listen
    await migrate(db, migrationsOf(officeFeatures(await loadFeatures())), { version })
    if (config?.token !== undefined) await folder.saveSecrets({ [TOKEN_SECRET]: config.token })
    await foundOffice({
      ...{ folder, known, db, url, version, name: identity.node },
      addresses: clusterAddresses(host, cluster),
      hazelcast: await this.#hazelcast(),
    })
  }

  async #open(identity: Pick<OfficeIdentity, 'office' | 'domain' | 'listen'>): Promise<OfficeCluster> {
    const { folder, version, log, leave, reopen } = this.#options
    const known = this.#known
    if (!known) throw new Error('The data folder is read by load().')
    const { office, domain, listen } = identity
    return OfficeCluster.open({
      ...{ folder, known, office, domain, version, log },
      authority: await officeAuthority(folder, office),
      listen: { host: listen.host, port: listen.cluster },
      cluster: this.settings,
      hazelcast: await this.#hazelcast(),
      reader: this.#reader,
      onRemoved: () => {
        void (async () => {
          await this.#options.admin().pause(this.removedSentence)
          await leave()
        })().catch(err => log.error({ err }, 'chat was not ended in order'))
      },
      onFreshDatabase: () => {
        reopen('The office is put back to a backup: this takes some seconds.').catch(err =>
          log.error({ err }, 'the office was not opened again'),
        )
      },
    })
  }

  #lookFor(cluster: OfficeCluster, office: Office): void {
    this.#around?.close()
    this.#around = aroundOffice(cluster, settingsOf(office))
  }

  async #enable(): Promise<void> {
    const { folder, reopen, office, store } = this.#options
    const identity = office()?.identity
    if (!identity) return
    const listen = await withClusterPort(folder.state.listen ?? identity.listen)
    await reopen('Other PCs are let in from now on: this takes some seconds.', async () => {
      const opened = await store()
      await folder.update({ cluster: { ...this.settings, enabled: true }, listen })
      await this.#found({ ...identity, listen }, folder.secret('database-url') ?? 'embedded', opened.db)
      this.#cluster = await this.#open({ ...identity, listen })
      this.#cluster.place.attach(opened)
    })
  }

  async #disable(): Promise<void> {
    const { folder, reopen } = this.#options
    await reopen('No other PC can join from now on: this takes some seconds.', async () => {
      await this.close()
      await rm(folder.file('office-nodes.json'), { force: true })
      await folder.update({ cluster: { ...this.settings, enabled: false } })
      await this.load()
    })
  }
}
