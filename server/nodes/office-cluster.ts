/** One node among the others of its office, from the open cluster port to its stop: membership, where the database is, what is told, pairing. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Chat, ClusterParts } from '../chat.ts'
import type { KnownNodes } from '../cluster/known-nodes.ts'
import type { Peer } from '../cluster/mesh.ts'
import { JoinHost } from '../cluster/pairing/host.ts'
import type { ClusterConfig } from '../config.ts'
import type { CertifiedKey } from '../net/ca.ts'
import type { DataFolder } from '../node.ts'
import type { Office } from '../office.ts'
import type { Store } from '../store.ts'
import { DatabasePlace } from './database-place.ts'
import { Gossip, type GossipWord } from './gossip.ts'
import { handOver } from './hand-over.ts'
import { OwnMember } from './member.ts'
import { type MemberFacts, MemberView } from './member-view.ts'
import { Membership, TOKEN_SECRET } from './membership.ts'
import { type Ground, openGround } from './open-cluster.ts'
import type { StatusReader } from './status.ts'
import { linksOf } from './view.ts'

/** A node that was not seen for so long does not run. */
const UNSEEN_MS = 15_000
const LOOK_MS = 150
const READ_MS = 1_000

export interface OfficeClusterOptions {
  readonly folder: DataFolder
  readonly known: KnownNodes
  readonly authority: CertifiedKey
  readonly office: string
  readonly domain: string
  readonly listen: { readonly host: string; readonly port: number }
  readonly cluster: Omit<ClusterConfig, 'token'>
  readonly version: string
  readonly hazelcast: string | undefined
  readonly reader: StatusReader
  readonly log: Logger
  /** The office has removed this node: chat must end. */
  onRemoved(): void
  /** The database is another one than before: nothing that is remembered of it counts. */
  onFreshDatabase(): void
}

/** What is there once chat is open. */
export interface Opened {
  readonly office: Office
  readonly store: Store
}

export class OfficeCluster {
  readonly ground: Ground
  readonly membership: Membership
  readonly place: DatabasePlace
  readonly host: JoinHost
  readonly options: OfficeClusterOptions
  readonly gossip: Gossip
  readonly member: OwnMember
  readonly #memberView = new MemberView()
  readonly #undo: (() => void)[] = []
  #opened: Opened | undefined
  #people = 0
  #isDraining = false

  /** For `open` only. */
  constructor(options: OfficeClusterOptions, ground: Ground, place: DatabasePlace) {
    const { authority, log, office, domain, folder } = options
    this.options = options
    this.ground = ground
    this.place = place
    this.membership = new Membership({
      ...options,
      self: ground.self,
      mesh: ground.mesh,
      bus: ground.bus,
      addresses: () => ground.addresses(),
      handOver: () => handOver(this),
      onChange: () => {
        this.gossip?.stir()
        this.member?.look()
      },
    })
    const { self } = ground
    this.host = new JoinHost({
      authority: authority.certificate,
      about: () => ({
        kind: 'office',
        office,
        domain,
        node: self.name,
        nodeId: self.id,
        people: this.#people,
        version: self.version,
        ...(self.hazelcast !== undefined && { hazelcast: self.hazelcast }),
      }),
      admit: (applicant, { way }) => this.membership.admit(applicant, { byToken: way === 'token' }),
      withdraw: welcome => this.membership.withdraw(welcome),
      token: folder.secret(TOKEN_SECRET),
      log: log.child({ part: 'pairing' }),
    })
    this.member = new OwnMember({
      ...{ folder, ground, log, portBase: options.cluster.hazelcastPortBase },
      nodes: () => this.membership.nodes,
      onChange: () => this.gossip.stir(),
    })
    this.gossip = new Gossip({ bus: ground.bus, log, read: () => this.#word() })
    this.#undo.push(
      this.host.onChange(() => void this.gossip.tell()),
      ground.mesh.onJoin(socket => this.host.take(socket)),
    )
  }

  /** Opens the cluster port and begins to look for the others. @throws ListenFault */
  static async open(options: OfficeClusterOptions): Promise<OfficeCluster> {
    const ground = await openGround(options)
    const { mesh, bus } = ground
    try {
      const place = await DatabasePlace.open({
        ...options,
        mesh,
        bus,
        onSwitched: ({ fresh }) => {
          if (fresh) options.onFreshDatabase()
        },
      })
      return new OfficeCluster(options, ground, place)
    } catch (error) {
      await ground.close()
      throw error
    }
  }

  /** For `startChat`. */
  get parts(): ClusterParts {
    return { directory: this.ground.directory, bus: this.ground.bus }
  }

  get name(): string {
    return this.ground.self.name
  }

  /** The other nodes as their links are. */
  get peers(): readonly Peer[] {
    return this.ground.mesh.peers
  }

  get opened(): Opened | undefined {
    return this.#opened
  }

  /**
   * Waits until every other node is linked and its routes are here, or certainly does not run: before that nobody may log in, because somebody
   * else may be there under the same name.
   * @param onWait called with a sentence when it takes long
   */
  async untilLinked(onWait: (sentence: string) => void, signal: AbortSignal): Promise<void> {
    let readAt = 0
    let told = ''
    for (let looks = 0; ; looks++) {
      signal.throwIfAborted()
      if (Date.now() - readAt > READ_MS) {
        await this.membership
          .read()
          .catch(error => this.options.log.debug({ err: error }, 'the PCs are read again later'))
        readAt = Date.now()
      }
      const missing = this.#missing()
      if (missing.length === 0 && this.ground.directory.synced()) return
      const sentence = waitingFor(missing)
      if (sentence !== undefined && sentence !== told && looks > 10) {
        told = sentence
        this.options.log.warn(sentence)
        onWait(sentence)
      }
      await delay(LOOK_MS, undefined, { signal })
    }
  }

  #missing(): Peer[] {
    const registered = new Map(this.membership.registered.map(node => [node.number, node]))
    return this.peers.filter(peer => {
      if (peer.state === 'up') return false
      const row = registered.get(peer.node.number)
      return row !== undefined && !row.stopped && row.unseenMs < UNSEEN_MS
    })
  }

  /** People can log in here. */
  open(opened: Opened): void {
    this.#opened = opened
    const { settings } = opened.office.chat.parts
    this.member.look(settings)
    settings.onApplied = () => this.gossip.amend({ settings: settings.counter })
    void this.gossip.tell()
  }

  /** Chat is closed for a moment, or for good. */
  pause(): void {
    this.#opened = undefined
  }

  /** Whether this node hands its people over, or has. */
  get isDraining(): boolean {
    return this.#isDraining
  }

  set isDraining(is: boolean) {
    this.#isDraining = is
    void this.gossip.tell()
  }

  /** Everything but the links and the way to the database. */
  closeDoors(): void {
    for (const undo of this.#undo.splice(0)) undo()
    this.host.close()
    this.gossip.close()
  }

  /** Says goodbye. The database must not be needed any more. */
  async close(): Promise<void> {
    this.closeDoors()
    await this.member.close()
    await this.place.close()
    await this.ground.close()
  }

  async #word(): Promise<GossipWord> {
    const opened = this.#opened
    const { place } = this
    const chat: Chat | undefined = opened?.office.chat
    if (chat) this.#people = await chat.parts.accounts.count().catch(() => this.#people) // the database is away: as it was
    const { ownerName } = place
    const status = await this.options.reader.read(chat, {
      state: !opened ? 'starting' : this.#isDraining ? 'paused' : 'on',
      database: ownerName === undefined ? 'outside' : place.isHere ? 'main' : 'through',
      ...(ownerName !== undefined && !place.isHere && { databaseOf: ownerName }),
      ...this.#memberFacts(),
      links: linksOf(this.peers),
    })
    return {
      ...status,
      ...(opened && { host: this.ground.addresses()[0] ?? '', ports: opened.office.ports }),
      requests: [...this.host.requests],
    }
  }

  #memberFacts(): Pick<GossipWord, 'member' | 'hazelcast' | 'members' | 'membersMissing'> {
    const { member, peers, gossip, ground } = this
    const { number, name } = ground.self
    const others = peers.map(({ node, state }): MemberFacts => {
      const word = gossip.heard(node.name)?.word
      const { number, name } = node
      return { number, name, isReachable: state === 'up', member: word?.member, hazelcast: word?.hazelcast }
    })
    const own = { number, name, isReachable: true, member: member.state, hazelcast: member.version }
    return {
      member: member.state,
      ...(member.version !== undefined && { hazelcast: member.version }),
      ...this.#memberView.look({ ...own, seen: member.members }, others, Date.now()),
    }
  }
}

function waitingFor(missing: readonly Peer[]): string | undefined {
  const [first] = missing
  if (!first) return undefined
  const name = first.node.name
  const why = first.trouble === undefined ? '' : ` ${first.trouble}`
  return `Waiting for ${name}: it runs, but cannot be reached from here yet, so nobody may log in on this PC.${why}`
}
