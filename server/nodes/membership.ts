/** Who belongs to the office: read from the registry, kept in the data folder, told to the mesh; joins and removals reach all nodes at once. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Bus } from '../cluster/bus.ts'
import type { KnownNodes } from '../cluster/known-nodes.ts'
import type { Mesh } from '../cluster/mesh.ts'
import type { KnownNode, SelfNode } from '../cluster/node.ts'
import {
  listNodes,
  listRemoved,
  NODES_MAX,
  type NotRegistered,
  type RegisteredNode,
  type RemovedNode,
  registerNode,
  registerStart,
  registerStop,
  removeNode,
  touchNode,
  withdrawNode,
} from '../cluster/registry.ts'
import { type Applicant, JoinFault, type Welcome } from '../cluster/welcome.ts'
import { type Database, DatabaseAway } from '../db/pool.ts'
import type { CertifiedKey } from '../net/ca.ts'
import type { DataFolder } from '../node.ts'
import { certifyNode, keyFingerprint, officeIdOf } from './link-key.ts'

/** The name of the secret by which later PCs may join without a person (autosetup file). */
export const TOKEN_SECRET = 'join-token'
const TOUCH_MS = 5_000
const READ_MS = 30_000
/** How long a removed PC is waited for, to learn of it, and of that what it has for its people. */
const FAREWELL_MS = 2_000
const HAND_OVER_MS = 1_500
/** How long a removed PC goes on. */
const LEAVE_MS = 500

export interface MembershipOptions {
  readonly folder: DataFolder
  readonly known: KnownNodes
  readonly self: SelfNode
  readonly mesh: Mesh
  readonly bus: Bus
  readonly authority: CertifiedKey
  readonly office: string
  readonly domain: string
  readonly log: Logger
  /** Where this node is reached, best first. */
  addresses(): readonly string[]
  /** Sends the people of this node to the others. */
  handOver(): Promise<unknown>
  /** The office has removed this node. */
  onRemoved(): void
  onChange(): void
}

/** Nodes that were removed may not come back by an old list. */
interface Hint {
  readonly nodes: readonly KnownNode[]
  readonly removed?: number
}

export class Membership {
  readonly #options: MembershipOptions
  readonly #removed = new Set<number>()
  readonly #undo: (() => void)[] = []
  #db: Database | undefined
  #registered: readonly RegisteredNode[] = []
  #readAt = 0
  #timers: NodeJS.Timeout[] = []

  constructor(options: MembershipOptions) {
    this.#options = options
    const { bus } = options
    this.#undo.push(
      bus.onTell('nodes', (hint: Hint) => void this.#hear(hint)),
      bus.onAsk('removed', async () => {
        // The link to whoever asks is the last one: its people go on there, and what they have is told over it, before it ends with what follows.
        await Promise.race([options.handOver(), delay(HAND_OVER_MS, undefined, { ref: false })])
        // Answered first: whoever asked for it on this PC gets an answer too.
        setTimeout(() => void this.#leave(), LEAVE_MS).unref()
        return true
      }),
    )
  }

  /** All nodes of the office, this one too, as this node knows them now. */
  get nodes(): readonly KnownNode[] {
    return this.#options.known.content?.nodes ?? []
  }

  /** Those that were removed, the latest first. */
  get removed(): readonly RemovedNode[] {
    return this.#options.known.content?.removed ?? []
  }

  /** The same as the database had them last, and how long ago that was read. */
  get registered(): readonly (RegisteredNode & { readonly readMsAgo: number })[] {
    const readMsAgo = Date.now() - this.#readAt
    return this.#registered.map(node => ({ ...node, readMsAgo }))
  }

  /**
   * The database can be used and has its tables: registers this life of the node.
   * @returns false when the office has removed this node meanwhile
   * @throws DatabaseAway
   */
  async start(db: Database): Promise<boolean> {
    const { self, log } = this.#options
    this.stop()
    this.#db = db
    if (!(await registerStart(db, self, this.#options.addresses()))) {
      await this.#leave()
      return false
    }
    await this.read()
    const quietly = (work: () => Promise<unknown>, what: string): (() => void) => {
      return () => void work().catch(error => log.debug({ err: error }, what))
    }
    const touch = async (): Promise<void> => {
      if (!(await touchNode(db, self.number))) await this.#leave()
    }
    this.#timers = [
      setInterval(quietly(touch, 'that this PC is there was not written'), TOUCH_MS),
      setInterval(
        quietly(() => this.read(), 'the PCs of the office were not read'),
        READ_MS,
      ),
    ]
    for (const timer of this.#timers) timer.unref()
    this.#options.bus.tell(undefined, 'nodes', { nodes: this.nodes } satisfies Hint)
    return true
  }

  /** The database is not to be used until the next `start`. */
  stop(): void {
    for (const timer of this.#timers.splice(0)) clearInterval(timer)
    this.#db = undefined
  }

  /** Reads the registry again. @throws DatabaseAway */
  async read(): Promise<void> {
    const db = this.#db
    if (!db) return
    this.#registered = await listNodes(db)
    this.#readAt = Date.now()
    await this.#use(
      this.#registered.map(({ number, id, name, key, addresses }) => ({ number, id, name, key, addresses })),
    )
    await this.#keepRemoved(await listRemoved(db))
  }

  /**
   * Makes an applicant a node of the office. Asked twice for the same one it gives the same answer.
   * @param options.byToken no person has let it in
   * @throws JoinFault with a sentence
   */
  async admit(applicant: Applicant, options: { byToken: boolean }): Promise<Welcome> {
    try {
      return await this.#admit(applicant, options)
    } catch (error) {
      if (!(error instanceof DatabaseAway)) throw error
      this.#options.log.info({ node: applicant.name, reason: error.message }, 'a PC could not be let in yet')
      throw new JoinFault('busy', 'The database of this office is away: try again in a moment.')
    }
  }

  async #admit(applicant: Applicant, { byToken }: { byToken: boolean }): Promise<Welcome> {
    const { authority, office, domain, known, folder, bus, log } = this.#options
    if (!this.#db) throw new JoinFault('busy', 'This office is only just starting: try again in a moment.')
    const { id, name, addresses, version, hazelcast, publicKey } = applicant
    const key = keyFingerprint(publicKey)
    const node = await registerNode(this.#db, { id, name, key, addresses, version, hazelcast }, { byToken })
    if (typeof node === 'string') throw new JoinFault('refused', whyNotAdmitted(node, name))
    const certificate = await certifyNode(authority, id, publicKey)
    await this.read()
    bus.tell(undefined, 'nodes', { nodes: this.nodes } satisfies Hint)
    log.info({ node: node.name, number: node.number }, 'a PC joined the office')
    const content = known.content
    if (!content) throw new Error('An office that admits has its nodes on disk.')
    return {
      office,
      officeId: officeIdOf(authority.certificate),
      domain,
      authority,
      number: node.number,
      name: node.name,
      certificate,
      nodes: this.nodes,
      database: content.database,
      secrets: sharedSecrets(folder),
    }
  }

  /** A joiner never confirmed that it has its welcome: it is no node, and may ask again. @throws DatabaseAway */
  async withdraw(welcome: Welcome): Promise<void> {
    const node = welcome.nodes.find(({ number }) => number === welcome.number)
    if (!node || !this.#db || this.#options.mesh.peer(node.name)?.epoch !== 0) return
    await withdrawNode(this.#db, node.number)
    this.#tellRemoved(node)
    await this.#use(this.nodes)
  }

  /** Removes a node for good: all others refuse it at once. It is told, if it is there. @throws DatabaseAway */
  async remove(node: KnownNode): Promise<void> {
    const { bus, log } = this.#options
    if (!this.#db) throw new Error('A node is removed once the office is open.')
    await removeNode(this.#db, node.number)
    // First of all: it may be in strange hands, or hang and answer nothing.
    this.#tellRemoved(node)
    // It may be off, frozen or cut off: then it learns of it when it finds every door shut.
    await bus.ask(node.name, 'removed', {}, FAREWELL_MS).catch(error => {
      log.info({ node: node.name, reason: String(error) }, 'the removed PC could not be told')
    })
    await this.#use(this.nodes)
    await this.read().catch(error => log.debug({ err: error }, 'the PCs of the office are read later'))
    log.info({ node: node.name, number: node.number }, 'a PC was removed from the office')
  }

  /** All but the one that it is about. */
  #tellRemoved(removed: KnownNode): void {
    const { bus } = this.#options
    this.#removed.add(removed.number)
    const hint: Hint = { nodes: this.nodes, removed: removed.number }
    for (const { name } of bus.nodes) if (name !== removed.name) bus.tell(name, 'nodes', hint)
  }

  /** Others may know that nobody need wait for this node. @param db while it is open still */
  async close(db: Database | undefined): Promise<void> {
    for (const undo of this.#undo.splice(0)) undo()
    this.stop()
    if (!db || db.state === 'away') return
    await registerStop(db, this.#options.self.number).catch(error => {
      this.#options.log.debug({ err: error }, 'that this PC stops was not written')
    })
  }

  async #hear(hint: Hint): Promise<void> {
    if (hint.removed !== undefined) {
      this.#removed.add(hint.removed)
      if (hint.removed === this.#options.self.number) return this.#leave()
      await this.#use(this.nodes)
    } else if (this.#knowsNothingOf(hint.nodes)) {
      await this.#use(hint.nodes)
    }
    await this.read().catch(error => this.#options.log.debug({ err: error }, 'the PCs of the office are read later'))
  }

  /** A list is only taken without the database when it has more nodes than ours: removals are told by their number. */
  #knowsNothingOf(nodes: readonly KnownNode[]): boolean {
    const mine = new Set(this.nodes.map(({ number }) => number))
    return this.nodes.every(node => nodes.some(({ number }) => number === node.number)) && nodes.length > mine.size
  }

  async #use(nodes: readonly KnownNode[]): Promise<void> {
    const { known, mesh, onChange } = this.#options
    const kept = nodes.filter(({ number }) => !this.#removed.has(number))
    mesh.setNodes(kept)
    if (JSON.stringify(kept) !== JSON.stringify(known.content?.nodes)) await known.update({ nodes: kept })
    onChange()
  }

  async #keepRemoved(removed: readonly RemovedNode[]): Promise<void> {
    const { known } = this.#options
    if (JSON.stringify(removed) !== JSON.stringify(this.removed)) await known.update({ removed })
  }

  async #leave(): Promise<void> {
    const { known, onRemoved, log } = this.#options
    if (known.content?.isRemoved) return
    log.warn('the office has removed this PC: chat ends here')
    await known.update({ isRemoved: true })
    onRemoved()
  }
}

/** For both sides: whoever was to join, and whoever pressed Accept. */
function whyNotAdmitted(why: NotRegistered, name: string): string {
  switch (why) {
    case 'removed':
      return `${name} was removed from this office, which refuses its key for good. To have it back, start Lanthorn there with a new data folder (--data), and let it join as a new PC: by Accept, or with a join code.`
    case 'token-over':
      return `A PC was removed from this office, and that ended its token. Let ${name} join by Accept, or with a join code (lanthorn join-code).`
    case 'full':
      return `This office has ${NODES_MAX} PCs, more it cannot have: remove one first.`
    case 'occupied':
      return 'This office has other PCs already.'
    default:
      return why satisfies never
  }
}

/** What all nodes have in common. Addresses and passwords of databases belong to the node that uses them; the token to those that brought it. */
function sharedSecrets(folder: DataFolder): Record<string, string> {
  const isOwn = (name: string): boolean => name === TOKEN_SECRET || /database|url/.test(name)
  return Object.fromEntries(Object.entries(folder.secrets()).filter(([name]) => !isOwn(name)))
}
