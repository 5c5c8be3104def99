/** What stands behind the pages about the PCs in tests of the admin side: it keeps the rules, a test makes things happen. */
import type { Joining, OfficeCard } from '../../server/admin/contract/joining.ts'
import type { JoinRequest, Node, NodeLink } from '../../server/admin/contract/nodes.ts'
import type { Discovered, JoinDesk, NodeFigures, NodesDesk } from '../../server/admin/parts.ts'
import { refusal } from '../../server/admin/problem.ts'

const numbers = ['No', 'One', 'Two', 'Three', 'Four', 'Five', 'Six', 'Seven', 'Eight', 'Nine']

/** A PC that works, with what a test wants differently. */
export function aNode(number: number, name: string, changes: Partial<Node> = {}): Node {
  return {
    number,
    name,
    here: number === 1,
    state: 'on',
    sentence: 'Works.',
    system: 'Windows 11',
    version: '0.0.0-test',
    upSince: '2026-11-20T07:30:00.000Z',
    addresses: [{ interface: 'Ethernet', address: `192.168.1.${19 + number}` }],
    people: 0,
    connections: 0,
    routes: 0,
    database: number === 1 ? 'main' : 'through',
    ...(number > 1 && { databaseOf: 'front-desk' }),
    member: 'member',
    hazelcast: '5.7.0',
    cpuPercent: 4,
    memoryBytes: 310_000_000,
    diskFreeBytes: 180_000_000_000,
    diskBytes: 256_000_000_000,
    settings: 'applied',
    links: [],
    canRemove: true,
    ...changes,
  }
}

/** Gives each PC a good link to each other one. */
export function allLinked(nodes: readonly Node[], roundTripMs = 0.4): Node[] {
  return nodes.map(node => ({
    ...node,
    links: nodes
      .filter(other => other !== node)
      .map((other): NodeLink => ({ to: other.name, state: 'good', roundTripMs })),
  }))
}

/** Somebody who wants to join. */
export function aRequest(now: number, changes: Partial<JoinRequest> = {}): JoinRequest {
  return {
    id: 'request-1',
    name: 'back-office',
    address: '192.168.1.31',
    system: 'Windows 11',
    version: '0.0.0-test',
    code: '4827 · blue otter',
    fingerprint: Array.from({ length: 32 }, (_, index) => (index * 7 + 16).toString(16).toUpperCase()).join(':'),
    at: new Date(now).toISOString(),
    expiresAt: new Date(now + 300_000).toISOString(),
    ...changes,
  }
}

/** Remembers what it was asked to do and keeps the rules about the last PC. */
export class NodesDeskInMemory implements NodesDesk {
  readonly #now: () => number
  readonly #listeners = new Set<() => void>()
  readonly node = 'front-desk'
  readonly asked: string[] = []
  readonly places = [{ name: 'front-desk', addresses: ['192.168.1.20'], c2s: 5222, c2sTls: 5223, web: 7443 }]
  enabled = true
  pausedUntil: string | null | undefined
  clusterPort: number | undefined = 5275
  nodes: readonly Node[] = [
    aNode(1, 'front-desk', { member: 'off', canRemove: false, whyNotRemove: 'It is the last PC of the office.' }),
  ]
  requests: readonly JoinRequest[] = []
  codes: readonly { id: string; by: string; expiresAt: string }[] = []
  removed: NodesDesk['removed'] = []
  discovered: Discovered = []
  figures: NodeFigures = { peers: [], member: undefined }
  /** How many people of a PC that is taken out do not move. */
  staying = 0

  constructor(now: () => number) {
    this.#now = now
  }

  get sentence(): string {
    const count = this.nodes.length
    return `${numbers[count] ?? count} ${count === 1 ? 'PC carries' : 'PCs carry'} the office.`
  }

  async setEnabled(enabled: boolean, by: string): Promise<void> {
    if (!enabled && this.nodes.length > 1)
      throw refusal('refused', 'Other PCs carry this office too. Remove them first, then switch this off.')
    this.asked.push(`${by} ${enabled ? 'enabled' : 'disabled'}`)
    this.enabled = enabled
    this.changed()
  }

  async makeJoinCode(by: string): Promise<{ id: string; code: string; expiresAt: string }> {
    if (!this.enabled) throw refusal('refused', 'Other PCs cannot join this office at the moment. Allow it first.')
    const made = { id: `code-${this.codes.length + 1}`, by, expiresAt: new Date(this.#now() + 900_000).toISOString() }
    this.codes = [...this.codes, made]
    this.changed()
    return { id: made.id, code: 'ACME-7Q4K-M2PX-9TZD-RW6H-3JCN-VB8F-K5XQ-2MYP-6D4T', expiresAt: made.expiresAt }
  }

  async dropJoinCode(id: string): Promise<void> {
    if (!this.codes.some(code => code.id === id)) throw refusal('not-found', 'This join code cannot be used any more.')
    this.codes = this.codes.filter(code => code.id !== id)
    this.changed()
  }

  async answerJoin(id: string, accept: boolean, by: string): Promise<void> {
    const request = this.requests.find(one => one.id === id)
    if (!request) throw refusal('not-found', 'This PC does not wait any more. Begin again on the PC that joins.')
    this.asked.push(`${by} ${accept ? 'accepted' : 'refused'} ${request.name}`)
    this.requests = this.requests.filter(one => one !== request)
    if (accept) {
      const number = Math.max(...this.nodes.map(node => node.number)) + 1
      this.nodes = allLinked([...this.nodes, aNode(number, request.name)])
    }
    this.changed()
  }

  async discover(): Promise<Discovered> {
    return this.discovered
  }

  async drain(name: string, by: string): Promise<{ moved: number; left: number }> {
    const node = this.#mustHave(name)
    if (this.nodes.filter(one => one.state === 'on').length < 2)
      throw refusal('refused', `${name} is the only PC that works: nobody could take its people.`)
    this.asked.push(`${by} drained ${name}`)
    this.put(name, { state: 'paused', sentence: 'Taken out for maintenance.', people: this.staying })
    return { moved: node.people - this.staying, left: this.staying }
  }

  async pause(minutes: number | undefined): Promise<{ moved: number; left: number }> {
    const { people } = this.#mustHave(this.node)
    this.pausedUntil = minutes === undefined ? null : new Date(this.#now() + minutes * 60_000).toISOString()
    this.put(this.node, { state: 'paused', sentence: 'Taken out for maintenance.', people: 0 })
    return this.nodes.length > 1 ? { moved: people, left: 0 } : { moved: 0, left: people }
  }

  async resume(name: string, by: string): Promise<void> {
    this.#mustHave(name)
    if (name === this.node) this.pausedUntil = undefined
    this.asked.push(`${by} resumed ${name}`)
    this.put(name, { state: 'on', sentence: 'Works.' })
  }

  async restart(name: string, by: string): Promise<void> {
    if (this.#mustHave(name).state === 'off') throw refusal('refused', `${name} is off. Switch it on first.`)
    this.asked.push(`${by} restarted ${name}`)
    this.put(name, { state: 'starting', sentence: 'Starts.' })
  }

  async remove(name: string, by: string): Promise<void> {
    const node = this.#mustHave(name)
    if (!node.canRemove) throw refusal('refused', node.whyNotRemove ?? 'It cannot be removed.')
    this.asked.push(`${by} removed ${name}`)
    this.nodes = this.nodes.filter(one => one !== node)
    this.changed()
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A PC is like this now. */
  put(name: string, changes: Partial<Node>): void {
    this.nodes = this.nodes.map(node => (node.name === name ? { ...node, ...changes } : node))
    this.changed()
  }

  /** One link is like this now, from both of its ends. */
  link(one: string, other: string, changes: Partial<NodeLink>): void {
    this.nodes = this.nodes.map(node => ({
      ...node,
      links: node.links.map(link => {
        const isIt = (node.name === one && link.to === other) || (node.name === other && link.to === one)
        return isIt ? { ...link, ...changes } : link
      }),
    }))
    this.changed()
  }

  /** Tells everybody who listens. */
  changed(): void {
    for (const listener of this.#listeners) listener()
  }

  #mustHave(name: string): Node {
    const node = this.nodes.find(one => one.name === name)
    if (!node) throw refusal('not-found', `There is no PC ${name} in this office.`)
    return node
  }
}

/** Joins nothing; a test says how joining goes on. */
export class JoinDeskInMemory implements JoinDesk {
  offices: readonly OfficeCard[] = []
  joining: Joining = { state: 'idle', steps: [] }
  readonly asked: { address?: string; code?: string; people?: 'bring' | 'leave' }[] = []

  async start(way: { address?: string; code?: string }, people?: 'bring' | 'leave'): Promise<Joining> {
    const { state } = this.joining
    if (state !== 'idle' && state !== 'failed' && state !== 'joined')
      throw refusal('refused', 'This PC is joining an office already.')
    if (way.code !== undefined && !/^[A-Z]+(-[0-9A-Z]{4})+$/.test(way.code))
      throw refusal('refused', 'This is not a join code. Copy it as a whole.', { field: 'code' })
    this.asked.push({ ...way, ...(people && { people }) })
    return this.goOn({ state: 'asking', steps: [] })
  }

  async stop(): Promise<void> {
    if (this.joining.state === 'joining') throw refusal('refused', 'It is too late: this PC is in the office already.')
    this.joining = { state: 'idle', steps: [] }
  }

  /** Joining is like this now. */
  goOn(joining: Joining): Joining {
    this.joining = joining
    return joining
  }
}

/** A card of an office that is on the network. */
export function aCard(changes: Partial<OfficeCard> = {}): OfficeCard {
  return {
    officeId: '5f0a',
    office: 'ACME',
    domain: 'acme.lan',
    people: 12,
    pcs: ['front-desk'],
    address: '192.168.1.20:5275',
    seenAt: new Date().toISOString(),
    ...changes,
  }
}
