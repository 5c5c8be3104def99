/**
 * Who is there: offices, and PCs without one. A card stands only for a node that has proven within the last seconds that it is there: its announcements are
 * signed by its authority, and what answers at the address they come from holds a certificate of that same authority. Announcements that are made up or sent
 * again by somebody else are shown as nothing.
 */
import type { Logger } from 'pino'
import { Allowance } from '../allowance.ts'
import { plainHost, printAddress, readAddress } from '../pairing/address.ts'
import { type About, askAbout } from '../pairing/dial.ts'
import { joinProtocol, versionTrouble } from '../pairing/versions.ts'
import { JoinFault } from '../welcome.ts'
import type { NetworkBeacon } from './beacon.ts'
import { type Beacon, isSigned } from './packet.ts'
import { freshMs, SeenNode } from './seen.ts'

/** One PC of an office that is there. */
export interface FoundNode {
  readonly nodeId: string
  readonly name: string
  readonly address: string
  readonly version: string
  readonly hazelcast: string | undefined
  readonly seenAt: string
}

/** An office that is there: what its card shows. */
export interface FoundOffice {
  readonly officeId: string
  readonly office: string
  readonly domain: string
  readonly people: number
  /** The one this node is part of. */
  readonly own: boolean
  /** Names of its PCs that were seen. */
  readonly pcs: readonly string[]
  readonly nodes: readonly FoundNode[]
  /** The PC that would be asked. */
  readonly address: string
  readonly seenAt: string
  /** It holds the same token. */
  readonly sharesToken: boolean
  /** Why this PC cannot join it. */
  readonly trouble?: string
}

/** A PC without an office that is there. */
export interface FoundCandidate extends FoundNode {
  readonly kind: 'candidate' | 'making'
  readonly officeId: string
  readonly sharesToken: boolean
}

export interface DiscoveryOptions {
  /** Without one only `peers` are asked. */
  readonly beacon?: NetworkBeacon | undefined
  /** Addresses that are asked where announcements do not come through: 'host', 'host:5275'. */
  readonly peers?: readonly string[]
  /** This node. Its `officeId` is that of the office it is part of. */
  readonly self: () => { readonly nodeId: string; readonly version: string; readonly officeId?: string | undefined }
  readonly token?: string | undefined
  /** A node of the own office is heard at an address. Not proven: whoever dials it checks its certificate. At most every ten seconds for each address. */
  readonly onOwnNode?: (node: { readonly nodeId: string; readonly name: string; readonly address: string }) => void
  readonly log: Logger
  readonly now?: () => number
  readonly ask?: typeof askAbout
}

interface PeerAddress {
  readonly address: string
  dueAtMs: number
  failures: number
  isAsked: boolean
}

const tickMs = 500
const peersMax = 64
const [peerMinMs, peerMaxMs] = [5_000, 30_000]
const nodesMax = 256
const unprovenMax = 64
const unprovenPerHostMax = 16
const askingMax = 4
const askMs = 3_000
const officesMax = 32
/** Signatures that are checked: of one address, and of all that have proven nothing. */
const [checks, strangerChecks] = [
  { burst: 20, perSecond: 10 },
  { burst: 60, perSecond: 60 },
]
/** Proofs that are asked for: at one address, of those that have proven nothing, and of the others. */
const [asks, strangerAsks, knownAsks] = [
  { burst: 8, perSecond: 1 },
  { burst: 16, perSecond: 4 },
  { burst: 16, perSecond: 8 },
]

export class Discovery {
  readonly #options: DiscoveryOptions
  readonly #now: () => number
  readonly #nodes = new Map<string, SeenNode>()
  readonly #peers: PeerAddress[]
  readonly #listeners = new Set<() => void>()
  readonly #allowances
  readonly #ticking: NodeJS.Timeout
  readonly #deaf: (() => void) | undefined
  readonly #end = new AbortController()
  #asking = 0

  constructor(options: DiscoveryOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    const now = this.#now
    const allowance = (limits: { burst: number; perSecond: number }) => new Allowance({ ...limits, now })
    this.#allowances = {
      checks: allowance(checks),
      strangerChecks: allowance(strangerChecks),
      asks: allowance(asks),
      strangerAsks: allowance(strangerAsks),
      knownAsks: allowance(knownAsks),
    }
    const places = (options.peers ?? []).map(peer => readAddress(peer)).filter(place => place !== undefined)
    const addresses = [...new Set(places.map(printAddress))].slice(0, peersMax)
    this.#peers = addresses.map(address => ({ address, dueAtMs: 0, failures: 0, isAsked: false }))
    this.#deaf = options.beacon?.onBeacon((beacon, host) => this.#hear(beacon, host))
    options.beacon?.ask()
    this.#ticking = setInterval(() => this.tick(), tickMs)
    this.#ticking.unref()
    queueMicrotask(() => this.tick())
  }

  /** Offices that are there, the own one first, then by name. */
  get offices(): readonly FoundOffice[] {
    const groups = Map.groupBy(this.#proven(), node => node.officeId)
    const offices = [...groups.values()].map(nodes => this.#officeOf(nodes)).filter(office => office !== undefined)
    return offices
      .toSorted((a, b) => Number(b.own) - Number(a.own) || a.office.localeCompare(b.office))
      .slice(0, officesMax)
  }

  /** PCs without an office that are there, by their ids. */
  get candidates(): readonly FoundCandidate[] {
    const found: FoundCandidate[] = []
    for (const node of this.#proven()) {
      const { about } = node
      if (!about || about.kind === 'office') continue
      found.push({ ...foundOf(node, about), kind: about.kind, officeId: node.officeId, sharesToken: about.sharesToken })
    }
    return found.toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
  }

  /** Calls `listener` when there is another card, or something on one changed. Gives the function that ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Asks now: everybody on the network, and the listed addresses. */
  look(): void {
    this.#options.beacon?.ask()
    for (const peer of this.#peers) peer.dueAtMs = Math.min(peer.dueAtMs, this.#now())
    this.tick()
  }

  /** Asks whoever must prove to be there now. Runs twice a second by itself. */
  tick(): void {
    const now = this.#now()
    for (const [key, node] of this.#nodes) if (node.isForgotten(now)) this.#nodes.delete(key)
    const due = [...this.#nodes.values()].filter(node => node.isDue(now))
    // Those that have a card first; then those that failed least.
    const inTurn = due.toSorted((a, b) => Number(!a.about) - Number(!b.about) || a.failures - b.failures)
    for (const node of inTurn) this.#askNode(node, now)
    for (const peer of this.#peers) if (!peer.isAsked && peer.dueAtMs <= now) this.#askPeer(peer)
  }

  /** Ends it. The beacon stays open. */
  close(): void {
    clearInterval(this.#ticking)
    this.#deaf?.()
    this.#end.abort()
    this.#listeners.clear()
    this.#nodes.clear()
  }

  #proven(): SeenNode[] {
    return [...this.#nodes.values()].filter(node => node.about !== undefined)
  }

  /** Cheap checks come first: most of a flood costs nothing but these. */
  #hear(beacon: Beacon, host: string): void {
    const self = this.#options.self()
    if (beacon.nodeId === self.nodeId) return
    const key = keyOf(beacon)
    const known = this.#nodes.get(key)
    if (known && !known.isNews(beacon)) return
    if (!this.#allowances.checks.take(host)) return
    if (!known?.about && !this.#allowances.strangerChecks.take()) return
    if (!known && !this.#hasRoom(host)) return
    if (!isSigned(beacon)) return
    const now = this.#now()
    const node = known ?? new SeenNode(beacon.officeId, beacon.nodeId, host, now)
    this.#nodes.set(key, node)
    const address = node.hear(beacon, host, now, freshMs)
    if (address !== undefined && beacon.officeId === self.officeId) {
      this.#options.onOwnNode?.({ nodeId: beacon.nodeId, name: beacon.name, address })
    }
    // A PC that was without an office has one now: what it was before is over.
    for (const other of known ? [] : this.#nodes.values()) {
      if (other.nodeId === node.nodeId && other.officeId !== node.officeId) other.doubt()
    }
    if (node.isDue(now)) this.#askNode(node, now)
  }

  /** Room for one more that has proven nothing; the one that failed most makes it. */
  #hasRoom(host: string): boolean {
    const unproven = [...this.#nodes].filter(([, node]) => !node.about && !node.isAsked)
    if (unproven.filter(([, node]) => node.firstHost === host).length >= unprovenPerHostMax) return false
    if (unproven.length < unprovenMax && this.#nodes.size < nodesMax) return true
    const [worst] = unproven.toSorted(([, a], [, b]) => b.failures - a.failures || a.sinceMs - b.sinceMs)
    if (!worst) return false
    this.#nodes.delete(worst[0])
    return true
  }

  #askNode(node: SeenNode, now: number): void {
    const address = node.address(now)
    if (address === undefined || !this.#mayAsk(address, node.about !== undefined)) {
      node.postpone(now)
      return
    }
    node.isAsked = true
    const before = cardOf(node)
    void this.#ask(address).then(about => {
      node.isAsked = false
      if (this.#nodes.get(keyOf(node)) !== node) return
      const isIt = about?.officeId === node.officeId && about.nodeId === node.nodeId
      if (about && isIt) node.prove(about, this.#now())
      else if (node.fail(address, this.#now())) this.#nodes.delete(keyOf(node))
      if (before !== (this.#nodes.has(keyOf(node)) ? cardOf(node) : '')) this.#changed()
    })
  }

  #askPeer(peer: PeerAddress): void {
    // Somebody stands for this address already, and is asked again by itself.
    if (this.#proven().some(node => node.about?.address === peer.address)) {
      peer.dueAtMs = this.#now() + peerMinMs
      return
    }
    if (this.#asking >= askingMax) return
    peer.isAsked = true
    void this.#ask(peer.address).then(about => {
      peer.isAsked = false
      const now = this.#now()
      peer.failures = about ? 0 : peer.failures + 1
      const isSelf = about?.nodeId === this.#options.self().nodeId
      peer.dueAtMs = now + (isSelf ? peerMaxMs : Math.min(peerMaxMs, peerMinMs * Math.max(1, peer.failures)))
      if (!about || isSelf || this.#end.signal.aborted) return
      const key = keyOf(about)
      const node = this.#nodes.get(key) ?? new SeenNode(about.officeId, about.nodeId, plainHost(peer.address), now)
      const before = cardOf(node)
      node.prove(about, now)
      this.#nodes.set(key, node)
      if (about.kind === 'office' && about.officeId === this.#options.self().officeId) {
        this.#options.onOwnNode?.({ nodeId: about.nodeId, name: about.node, address: about.address })
      }
      if (before !== cardOf(node)) this.#changed()
    })
  }

  #mayAsk(address: string, isKnown: boolean): boolean {
    const { asks, knownAsks, strangerAsks } = this.#allowances
    if (this.#asking >= askingMax) return false
    return asks.take(readAddress(address)?.host ?? '') && (isKnown ? knownAsks : strangerAsks).take()
  }

  async #ask(address: string): Promise<About | undefined> {
    const { ask = askAbout, self, token, log } = this.#options
    this.#asking += 1
    try {
      const { version } = self()
      return await ask(address, { version, token, connectMs: askMs, signal: this.#end.signal })
    } catch (error) {
      if (error instanceof JoinFault) log.debug({ address, reason: error.reason }, 'nothing was proven at an address')
      else log.error({ err: error, address }, 'asking who is at an address failed')
      return undefined
    } finally {
      this.#asking -= 1
    }
  }

  #officeOf(nodes: readonly SeenNode[]): FoundOffice | undefined {
    const found = nodes
      .toSorted((a, b) => b.seenAtMs - a.seenAtMs)
      .flatMap(node => (node.about?.kind === 'office' ? [{ about: node.about, found: foundOf(node, node.about) }] : []))
    const [newest] = found
    if (!newest) return undefined
    const self = this.#options.self()
    const { officeId, office, domain, people } = newest.about
    const here = { protocol: joinProtocol, version: self.version }
    const troubles = found.map(({ about }) => versionTrouble({ ...about, name: about.node }, here))
    // The PC that is asked is one that can be joined, when there is one; always the same as long as it is there.
    const byName = found.toSorted((a, b) => (a.found.name < b.found.name ? -1 : 1))
    const asked = byName.find(({ about }) => !versionTrouble({ ...about, name: about.node }, here)) ?? newest
    const trouble = troubles.every(one => one !== undefined) ? troubles[0] : undefined
    return {
      officeId,
      office,
      domain,
      people,
      own: officeId === self.officeId,
      pcs: byName.map(one => one.found.name).slice(0, 64),
      nodes: byName.map(one => one.found).slice(0, 64),
      address: asked.found.address,
      seenAt: newest.found.seenAt,
      sharesToken: found.some(({ about }) => about.sharesToken),
      ...(trouble !== undefined && { trouble }),
    }
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}

const keyOf = (node: { officeId: string; nodeId: string }): string => `${node.officeId}/${node.nodeId}`

/** What others see of it: changes of anything else are no news. */
const cardOf = (node: SeenNode): string => (node.about ? JSON.stringify(node.about) : '')

function foundOf(node: SeenNode, about: About): FoundNode {
  const { nodeId, node: name, address, version, hazelcast } = about
  return { nodeId, name, address, version, hazelcast, seenAt: new Date(node.seenAtMs).toISOString() }
}
