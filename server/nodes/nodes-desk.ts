/** The page about the PCs, on whichever of them it is opened: what is asked of another PC is asked there over the bus. */
import { type HandedOver, type JoinRequest, type Node, requestsShownMax } from '../admin/contract/nodes.ts'
import type { Discovered, NodeFigures, NodePlace, NodesDesk } from '../admin/parts.ts'
import { type Refusal, refusal } from '../admin/problem.ts'
import { CallFault } from '../cluster/mesh.ts'
import type { KnownNode } from '../cluster/node.ts'
import { readAddress } from '../cluster/pairing/address.ts'
import { JoinFault } from '../cluster/welcome.ts'
import type { OfficeCluster } from './office-cluster.ts'
import type { Pause } from './pause.ts'
import { officeSentence, viewOf } from './view.ts'

const ASK_MS = 5_000
/** Handing people over, or starting chat anew, takes its time. */
const LONG_MS = 20_000

/** What this PC does when it is asked, here or from another PC. */
export interface NodeActions {
  readonly pause: Pick<Pause, 'until' | 'begin' | 'end'>
  /** Begins it and answers. */
  restart(): Promise<void>
  setEnabled(enabled: boolean, by: string): Promise<void>
  discover(): Promise<Discovered>
}

type Topic = 'pc-drain' | 'pc-resume' | 'pc-restart' | 'pc-answer' | 'pc-remove'

export class ClusterNodesDesk implements NodesDesk {
  readonly enabled = true
  readonly node: string
  readonly #cluster: OfficeCluster
  readonly #actions: NodeActions
  readonly #undo: (() => void)[]

  constructor(cluster: OfficeCluster, actions: NodeActions) {
    const { bus } = cluster.ground
    this.#cluster = cluster
    this.#actions = actions
    this.node = cluster.name
    this.#undo = [
      bus.onAsk('pc-drain', () => actions.pause.begin(undefined)),
      bus.onAsk('pc-resume', () => actions.pause.end()),
      bus.onAsk('pc-restart', () => actions.restart()),
      bus.onAsk('pc-remove', (body: { name: string }) => this.remove(body.name)),
      bus.onAsk('pc-answer', (body: { id: string; accept: boolean; by: string }) =>
        this.#answerHere(body.id, body.accept, body.by),
      ),
    ]
  }

  get nodes(): readonly Node[] {
    const { membership, gossip, ground, place, opened, options } = this.#cluster
    const registered = new Map(membership.registered.map(node => [node.number, node]))
    const { nodes } = membership
    const { ownerName } = place
    return nodes.map(node => {
      const isHere = node.number === ground.self.number
      const own = gossip.own
      return viewOf({
        node,
        registered: registered.get(node.number),
        peer: isHere ? undefined : ground.mesh.peer(node.name),
        heard: isHere ? own && { word: own, at: Date.now() } : gossip.heard(node.name),
        ownerName,
        settingsCounter: opened?.office.chat.parts.settings.counter ?? 0,
        version: options.version,
        count: nodes.length,
        now: Date.now(),
      })
    })
  }

  get sentence(): string {
    return officeSentence(this.nodes)
  }

  /** Those that wait here, and on the other PCs, oldest first; of too many the newest. */
  get requests(): readonly JoinRequest[] {
    const { host, gossip, peers } = this.#cluster
    const far = peers
      .filter(({ state }) => state === 'up')
      .flatMap(peer => (gossip.heard(peer.node.name)?.word.requests ?? []) as JoinRequest[])
    return [...host.requests, ...far].sort((a, b) => a.at.localeCompare(b.at)).slice(-requestsShownMax)
  }

  get codes(): NodesDesk['codes'] {
    return this.#cluster.host.codes
  }

  get removed(): NodesDesk['removed'] {
    return this.#cluster.membership.removed.map(({ name, removedAt }) => ({ name, at: removedAt }))
  }

  get clusterPort(): number {
    return this.#cluster.ground.mesh.port
  }

  get places(): readonly NodePlace[] {
    const { opened, gossip, membership, ground } = this.#cluster
    return membership.nodes.map(({ name, addresses }) => {
      const isHere = name === this.node
      const ports = isHere ? opened?.office.ports : gossip.heard(name)?.word.ports
      const hosts = isHere ? ground.addresses() : addresses
      return { name, addresses: hosts.flatMap(place => readAddress(place)?.host ?? []), ...chatPorts(ports) }
    })
  }

  get pausedUntil(): string | null | undefined {
    return this.#actions.pause.until
  }

  pause(minutes: number | undefined): Promise<HandedOver> {
    return this.#actions.pause.begin(minutes)
  }

  get figures(): NodeFigures {
    const { peers, member } = this.#cluster
    const { figures } = member
    return { peers, member: figures && { ...figures, seen: member.members.length } }
  }

  async setEnabled(enabled: boolean, by: string): Promise<void> {
    if (enabled) return
    const others = this.#cluster.peers.map(({ node }) => node.name)
    if (others.length > 0) {
      throw refusal('refused', `Remove ${others.join(' and ')} from the office first: now they carry it together.`)
    }
    await this.#actions.setEnabled(enabled, by)
  }

  async makeJoinCode(by: string): Promise<{ id: string; code: string; expiresAt: string }> {
    return this.#cluster.host.makeCode(by, this.#cluster.ground.addresses())
  }

  async dropJoinCode(id: string): Promise<void> {
    if (!this.#cluster.host.dropCode(id))
      throw refusal('not-found', 'This join code was used already, or is too old: it can be used no longer.')
  }

  async answerJoin(id: string, accept: boolean, by: string): Promise<void> {
    const { host, gossip, peers } = this.#cluster
    if (host.requests.some(request => request.id === id)) return this.#answerHere(id, accept, by)
    const far = peers.find(peer =>
      (gossip.heard(peer.node.name)?.word.requests as JoinRequest[] | undefined)?.some(request => request.id === id),
    )
    if (!far) throw refusal('not-found', 'This PC does not wait any more: let it ask again.')
    await this.#ask(far.node.name, 'pc-answer', { id, accept, by }, LONG_MS)
  }

  discover(): Promise<Discovered> {
    return this.#actions.discover()
  }

  async drain(name: string): Promise<HandedOver> {
    const node = this.#find(name)
    if (this.#cluster.membership.nodes.length === 1)
      throw refusal('refused', 'This is the only PC of the office: there is nobody to hand people over to.')
    const on = this.nodes.filter(one => one.name !== name && one.state === 'on')
    if (on.length === 0) throw refusal('refused', `No other PC works at the moment: ${name} must stay.`)
    if (node.name === this.node) return this.pause(undefined)
    return (await this.#ask(name, 'pc-drain', {}, LONG_MS)) as HandedOver
  }

  async resume(name: string): Promise<void> {
    const node = this.#find(name)
    if (node.name === this.node) await this.#actions.pause.end()
    else await this.#ask(name, 'pc-resume', {}, ASK_MS)
  }

  async restart(name: string): Promise<void> {
    const node = this.#find(name)
    if (node.name === this.node) await this.#actions.restart()
    else await this.#ask(name, 'pc-restart', {}, LONG_MS)
  }

  async remove(name: string): Promise<void> {
    const node = this.#find(name)
    const view = this.nodes.find(one => one.number === node.number)
    if (view && !view.canRemove) throw refusal('refused', `${view.whyNotRemove}`)
    if (node.name !== this.node) return this.#cluster.membership.remove(node)
    const other = this.#cluster.peers.find(({ state }) => state === 'up')
    if (!other) throw refusal('refused', 'No other PC is there to go on with the office: this one must stay.')
    await this.#ask(other.node.name, 'pc-remove', { name }, ASK_MS)
  }

  onChange(listener: () => void): () => void {
    return this.#cluster.gossip.onChange(listener)
  }

  close(): void {
    for (const undo of this.#undo.splice(0)) undo()
  }

  #find(name: string): KnownNode {
    const node = this.#cluster.membership.nodes.find(one => one.name === name)
    if (!node) throw refusal('not-found', `There is no PC called ${name} in this office.`)
    return node
  }

  async #answerHere(id: string, accept: boolean, by: string): Promise<void> {
    const { host } = this.#cluster
    const over = (): Refusal => refusal('not-found', 'This PC does not wait any more: let it ask again.')
    if (!accept) {
      if (!host.refuse(id)) throw over()
      return
    }
    try {
      await host.accept(id, by)
    } catch (error) {
      if (error instanceof JoinFault) throw refusal('refused', error.message)
      throw error
    }
  }

  async #ask(name: string, topic: Topic, body: unknown, timeoutMs: number): Promise<unknown> {
    try {
      return await this.#cluster.ground.bus.ask(name, topic, body, timeoutMs)
    } catch (error) {
      if (!(error instanceof CallFault)) throw error
      if (error.reason === 'refused') throw refusal('refused', error.message)
      throw refusal('refused', `${name} cannot be asked at the moment. ${error.message}`)
    }
  }
}

/** The ports that people and balancers use. */
export function chatPorts(
  ports: Readonly<Record<string, number | undefined>> | undefined,
): Omit<NodePlace, 'name' | 'addresses'> {
  return { c2s: ports?.c2s, c2sTls: ports?.c2sTls, web: ports?.web }
}
