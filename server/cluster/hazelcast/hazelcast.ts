/** The Hazelcast member of this PC: started, kept, connected with those of the other PCs, and what the rest of the server sees of it. */
import path from 'node:path'
import type { Logger } from 'pino'
import type { Mesh, Peer } from '../mesh.ts'
import type { KnownNode, SelfNode } from '../node.ts'
import type { SharedMap } from '../shared-map.ts'
import { OwnMember } from './client.ts'
import { minorOf } from './java.ts'
import { RoutesMap } from './map.ts'
import { type Member, type MemberFigures, superviseMember } from './member.ts'
import { layOver, type MemberFile, memberFile } from './overlay.ts'
import type { HazelcastSettings } from './settings.ts'
import { openTunnel, type Tunnel } from './tunnel.ts'
import { memberConfiguration } from './yaml.ts'

export interface HazelcastOptions {
  /** The data folder; the member has the folder `hazelcast` in it. */
  readonly dataDir: string
  readonly self: SelfNode
  readonly mesh: Mesh
  /** The member of node n listens on 127.0.0.1, port base + n. */
  readonly portBase: number
  /** Secret of the office: without it nobody gets an answer from a member. */
  readonly clusterSecret: string
  readonly settings: HazelcastSettings
  readonly log: Logger
  /** All nodes of the office, this one among them. */
  readonly nodes: () => readonly KnownNode[]
  /** How often is looked whether a member is missed that this one cannot look for itself. */
  readonly lookMs?: number
}

const LOOK_MS = 10_000
/** More time than two halves of a cluster need to find each other (twice 15 s, and 5 s for each slot where nobody is). */
const MISSED_LOOKS = 9

/**
 * `starting`: not there yet, or being started again · `member`: in the cluster · `apart`: in the cluster, but at least one PC runs a Hazelcast that
 * cannot be met · `off`: cannot run here; the sentence says why.
 */
export type HazelcastState = 'starting' | 'member' | 'apart' | 'off'

export interface HazelcastFigures extends MemberFigures {
  /** Whether every entry has its copies; undefined when the member does not tell. */
  readonly isSafe: boolean | undefined
}

export interface Hazelcast {
  readonly state: HazelcastState
  /** For people. */
  readonly sentence: string
  /** Of Hazelcast ('5.7.0'); undefined when it is not there. */
  readonly version: string | undefined
  /** Numbers of the nodes whose members this one sees, its own among them. */
  readonly members: readonly number[]
  readonly map: SharedMap
  onState(listener: (state: HazelcastState, sentence: string) => void): () => void
  onMembers(listener: (members: readonly number[]) => void): () => void
  /** What the member costs. */
  figures(): HazelcastFigures | undefined
  /** Takes new settings; those that need it start the member (never the server) anew. */
  update(settings: HazelcastSettings): void
  /** Leaves the cluster in order. */
  close(): Promise<void>
}

/** Starts the member and all around it; resolves at once, `state` says how far it is. Never throws: without Java it is 'off'. */
export async function startHazelcast(options: HazelcastOptions): Promise<Hazelcast> {
  return new HazelcastNode(options)
}

class HazelcastNode implements Hazelcast {
  readonly map: RoutesMap
  #members: readonly number[] = []
  #told: { state: HazelcastState; sentence: string } = { state: 'starting', sentence: '' }
  readonly #options: HazelcastOptions
  #settings: HazelcastSettings
  readonly #member: Member
  readonly #client: OwnMember
  readonly #tunnel: Tunnel
  readonly #stateListeners = new Set<(state: HazelcastState, sentence: string) => void>()
  readonly #memberListeners = new Set<(members: readonly number[]) => void>()
  readonly #unlisten: () => void
  readonly #looking: NodeJS.Timeout
  /** The numbers in the list of the member as it was started last. */
  #listed: readonly number[] = []
  #missedLooks = 0

  constructor(options: HazelcastOptions) {
    this.#options = options
    this.#settings = options.settings
    const { log, mesh, clusterSecret: secret, portBase, self } = options
    const callMs = (): number => this.#settings.callTimeoutSeconds * 1_000
    this.map = new RoutesMap({ log, callMs })
    this.#member = superviseMember({
      folder: path.join(options.dataDir, 'hazelcast'),
      log,
      secret,
      settings: options.settings,
      file: settings => this.#file(settings),
      onChange: () => this.#changed(),
    })
    this.#tunnel = openTunnel({
      mesh,
      portBase,
      ownPort: () => this.#member.running?.port ?? portBase + self.number,
      fits: peer => this.#fits(peer),
      log,
    })
    this.#client = new OwnMember({
      target: () => this.#member.running,
      secret,
      callMs,
      log,
      onConnected: map => this.map.attach(map),
      onLost: () => {
        this.map.detach()
        this.#setMembers([])
      },
      onMembers: numbers => this.#setMembers(numbers),
    })
    this.#unlisten = mesh.onPeer(() => this.#changed())
    this.#looking = setInterval(() => this.#lookForUnlisted(), options.lookMs ?? LOOK_MS)
    this.#looking.unref()
    this.#changed()
  }

  get state(): HazelcastState {
    return this.#told.state
  }

  get sentence(): string {
    return this.#told.sentence
  }

  get version(): string | undefined {
    return this.#member.version
  }

  get members(): readonly number[] {
    return this.#members
  }

  onState(listener: (state: HazelcastState, sentence: string) => void): () => void {
    this.#stateListeners.add(listener)
    return () => this.#stateListeners.delete(listener)
  }

  onMembers(listener: (members: readonly number[]) => void): () => void {
    this.#memberListeners.add(listener)
    return () => this.#memberListeners.delete(listener)
  }

  figures(): HazelcastFigures | undefined {
    const figures = this.#member.figures()
    return figures && { ...figures, isSafe: this.#member.health?.isSafe }
  }

  update(settings: HazelcastSettings): void {
    this.#settings = settings
    this.#member.update(settings)
  }

  async close(): Promise<void> {
    this.#unlisten()
    clearInterval(this.#looking)
    this.#stateListeners.clear()
    this.#memberListeners.clear()
    await this.#client.close()
    // Its entries still move to the others, through the tunnels.
    await this.#member.close()
    this.#tunnel.close()
  }

  async #file(settings: HazelcastSettings): Promise<MemberFile | string> {
    const { self, portBase, clusterSecret, dataDir, nodes } = this.#options
    const minor = minorOf(this.#member.version ?? '')
    const slots = slotsOf([self, ...nodes()].map(node => node.number))
    this.#listed = slots
    const ours = memberConfiguration({
      number: self.number,
      portBase,
      slots,
      // Members of different minor versions refuse each other and end: so they never meet.
      clusterName: `${clusterSecret}-${minor}`,
      jmx: settings.jmx,
    })
    if (settings.configFile === '') return memberFile(ours)
    const folder = settings.configDirectory === '' ? path.join(dataDir, 'hazelcast') : settings.configDirectory
    return await layOver(ours, path.resolve(folder, settings.configFile))
  }

  /**
   * A member reads its list when it starts. PCs that join later find it and are in its cluster all the same: they list it. Only when the cluster has been
   * split since, each half must list the other one: of two halves the smaller one goes over, and it looks for the other half by its own list. More slots
   * ahead than the next one would heal that too, but each where nobody answers makes every such search five seconds longer. So a member that misses one
   * it cannot look for, although their PCs are linked, is started anew with the list of today; chat does not notice.
   */
  #lookForUnlisted(): void {
    const isMissed = this.#options.mesh.peers.some(peer => {
      const { number } = peer.node
      return peer.state === 'up' && this.#fits(peer) && ![...this.#listed, ...this.#members].includes(number)
    })
    this.#missedLooks = isMissed && this.#member.running ? this.#missedLooks + 1 : 0
    if (this.#missedLooks < MISSED_LOOKS) return
    this.#missedLooks = 0
    this.#options.log.info(
      { listed: this.#listed },
      'Hazelcast member is started anew: PCs have come that it cannot find',
    )
    this.#member.renew()
  }

  #fits(peer: Peer): boolean {
    const own = this.#options.self.hazelcast ?? minorOf(this.#member.version ?? '')
    return peer.hazelcast !== undefined && minorOf(peer.hazelcast) === own
  }

  #changed(): void {
    const { state, sentence } = this.#now()
    if (this.#member.running) this.#client?.kick()
    else this.#client?.drop()
    this.#tunnel?.refresh()
    if (state === this.#told.state && sentence === this.#told.sentence) return
    this.#told = { state, sentence }
    this.#options.log.info({ state }, sentence)
    for (const listener of [...this.#stateListeners]) listener(state, sentence)
  }

  #now(): { state: HazelcastState; sentence: string } {
    const member = this.#member
    if (!member?.running) return { state: member?.isOff ? 'off' : 'starting', sentence: member?.sentence ?? '' }
    const others = this.#options.mesh.peers.filter(
      peer => peer.state === 'up' && peer.hazelcast !== undefined && !this.#fits(peer),
    )
    if (others.length === 0) return { state: 'member', sentence: 'The Hazelcast member of this PC runs.' }
    const names = others.map(peer => `${peer.node.name} (${minorOf(peer.hazelcast ?? '')})`).join(', ')
    return {
      state: 'apart',
      sentence: `This PC runs Hazelcast ${minorOf(member.version ?? '')}, others another one: ${names}. They talk over their links alone until all are updated.`,
    }
  }

  #setMembers(numbers: readonly number[]): void {
    const left = this.#members.filter(number => !numbers.includes(number) && number !== this.#options.self.number)
    const isSame = left.length === 0 && numbers.length === this.#members.length
    // A node that was removed from the office has no slot any more.
    this.#tunnel.refresh()
    this.#members = numbers
    if (isSame) return
    this.#options.log.info({ members: numbers }, 'members of the Hazelcast cluster changed')
    // A lost connection to the own member says nothing of the others.
    if (numbers.length > 0) for (const number of left) this.#options.mesh.reportAbsent(number)
    for (const listener of [...this.#memberListeners]) listener(numbers)
  }
}

/** All, and the next one: it may join while this member runs. Of more see `#lookForUnlisted`. */
function slotsOf(numbers: readonly number[]): number[] {
  const known = [...new Set(numbers)].sort((a, b) => a - b)
  return [...known, (known.at(-1) ?? 0) + 1]
}
