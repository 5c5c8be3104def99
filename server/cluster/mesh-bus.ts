/** The bus of an office with several PCs: frames over the links of the mesh. */
import type { Logger } from 'pino'
import type { Bus, Delivery, FarNode, RowNews } from './bus.ts'
import { type FrameKind, frameKinds, type Mesh, type Outcome, type Peer } from './mesh.ts'
import { Crowds } from './mesh-bus-crowds.ts'
import {
  crowdedFrame,
  deliverHeader,
  goneFrame,
  readCrowded,
  readDelivery,
  readGone,
  readTell,
  tellFrame,
} from './mesh-bus-frames.ts'
import { PromptQuestions } from './mesh-bus-prompt.ts'
import { holderOf } from './node.ts'

type Taker = (delivery: Delivery, from: FarNode) => readonly string[]
type Listener = (body: never, from: FarNode) => void

interface OpenDelivery {
  readonly node: string
  readonly targets: readonly string[]
  readonly unreached: (targets: readonly string[]) => void
}

/** The bus over `mesh`. It lives as long as the mesh does. */
export function meshBus(mesh: Mesh, log: Logger): Bus {
  return new MeshBus(mesh, log)
}

class MeshBus implements Bus {
  readonly holder: string
  readonly #mesh: Mesh
  readonly #log: Logger
  readonly #crowds: Crowds
  readonly #prompt: PromptQuestions
  readonly #far = new WeakMap<Peer, FarNode>()
  /** Deliveries whose outcome is not known yet, by number. The mesh bounds them: it answers 'full'. */
  readonly #open = new Map<number, OpenDelivery>()
  #number = 0
  #taker: Taker | undefined
  #onRows: ((news: RowNews, from: FarNode) => void) | undefined
  readonly #listeners = new Map<string, Set<Listener>>()

  constructor(mesh: Mesh, log: Logger) {
    this.#mesh = mesh
    this.#log = log
    this.holder = holderOf(mesh.self)
    this.#crowds = new Crowds(name => mesh.peer(name))
    this.#prompt = new PromptQuestions(mesh)
    this.#on(frameKinds.deliver, (frame, from) => this.#deliver(frame, from))
    this.#on(frameKinds.gone, (frame, from) => this.#gone(frame, from))
    this.#on(frameKinds.rows, (frame, from) => this.#onRows?.(JSON.parse(frame.toString('utf8')), this.#farOf(from)))
    this.#on(frameKinds.tell, (frame, from) => this.#told(frame, from))
    this.#on(frameKinds.crowded, (frame, from) => {
      const { target, isCrowded } = readCrowded(frame)
      this.#crowds.told(from.node.name, target, isCrowded)
    })
    mesh.onPeer(peer => this.#crowds.changed(peer))
  }

  get nodes(): readonly FarNode[] {
    return this.#mesh.peers.map(peer => this.#farOf(peer))
  }

  node(name: string): FarNode | undefined {
    const peer = this.#mesh.peer(name)
    return peer && this.#farOf(peer)
  }

  deliver(node: string, delivery: Delivery, unreached: OpenDelivery['unreached']): 'sent' | 'full' | 'gone' {
    this.#number = (this.#number + 1) >>> 0
    const number = this.#number
    const frame = [deliverHeader(number, delivery), delivery.bytes]
    const sent = this.#mesh.send(node, frameKinds.deliver, frame, outcome => this.#settled(number, outcome))
    if (sent !== 'queued') return sent
    this.#open.set(number, { node, targets: delivery.targets, unreached })
    return 'sent'
  }

  onDeliver(taker: Taker): void {
    this.#taker = taker
  }

  onDelivered(listener: () => void): () => void {
    return this.#mesh.onHandled(listener)
  }

  isCrowded(node: string, target: string): boolean {
    return this.#crowds.has(node, target)
  }

  room(node: string, target: string): Promise<void> {
    return this.#crowds.room(node, target)
  }

  tellCrowded(target: string, isCrowded: boolean): void {
    this.#toAll(frameKinds.crowded, crowdedFrame(target, isCrowded))
  }

  tellRows(node: string, news: RowNews): void {
    this.#mesh.send(node, frameKinds.rows, Buffer.from(JSON.stringify(news)))
  }

  onRows(listener: (news: RowNews, from: FarNode) => void): void {
    this.#onRows = listener
  }

  tell(node: string | undefined, topic: string, body: unknown): void {
    const frame = tellFrame(topic, body)
    if (node === undefined) this.#toAll(frameKinds.tell, frame)
    else this.#mesh.send(node, frameKinds.tell, frame)
  }

  onTell(topic: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set()
    this.#listeners.set(topic, listeners)
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  }

  ask(node: string, topic: string, body: unknown, timeoutMs: number): Promise<unknown> {
    return this.#mesh.call(node, topic, body, { timeoutMs })
  }

  askSoon(node: string, topic: string, body: unknown, timeoutMs: number): Promise<unknown> {
    return this.#prompt.ask(node, topic, body, timeoutMs)
  }

  hangs(node: string): boolean {
    return this.#prompt.hangs(node)
  }

  onAsk(topic: string, answer: (body: never, from: FarNode) => unknown): () => void {
    return this.#mesh.onCall(topic, (body, from) => answer(body as never, this.#farOf(from)))
  }

  hasStoodStill(): boolean {
    return this.#mesh.hasStoodStill() && this.#mesh.peers.length > 0
  }

  onStoodStill(listener: () => void): () => void {
    return this.#mesh.onStoodStill(() => {
      if (this.#mesh.peers.length > 0) listener()
    })
  }

  onNode(listener: (node: FarNode, before: FarNode['state']) => void): () => void {
    return this.#mesh.onPeer((peer, before) => listener(this.#farOf(peer), before))
  }

  #on(kind: FrameKind, handler: (frame: Buffer, from: Peer) => void): void {
    this.#mesh.onFrame(kind, handler)
  }

  #toAll(kind: FrameKind, frame: Buffer): void {
    for (const peer of this.#mesh.peers) this.#mesh.send(peer.node.name, kind, frame)
  }

  /** The same object for the same peer, always as the mesh sees it now. */
  #farOf(peer: Peer): FarNode {
    const known = this.#far.get(peer)
    if (known) return known
    const far: FarNode = {
      name: peer.node.name,
      number: peer.node.number,
      get epoch() {
        return peer.epoch
      },
      get state() {
        return peer.state
      },
    }
    this.#far.set(peer, far)
    return far
  }

  #deliver(frame: Buffer, from: Peer): void {
    const read = readDelivery(frame)
    if (!read) {
      this.#log.error({ node: from.node.name, bytes: frame.length }, 'a delivery could not be read')
      return
    }
    const { number, delivery } = read
    let missed: readonly string[] = delivery.targets
    try {
      if (this.#taker) missed = this.#taker(delivery, this.#farOf(from))
    } catch (error) {
      this.#log.error({ err: error, node: from.node.name }, 'a delivery failed')
    }
    if (missed.length === 0) return
    const places = missed.map(target => delivery.targets.indexOf(target))
    // Before the acknowledgement of the delivery, as it is sent in the same turn.
    this.#mesh.send(from.node.name, frameKinds.gone, goneFrame(number, places))
  }

  #gone(frame: Buffer, from: Peer): void {
    const read = readGone(frame)
    const open = read && this.#open.get(read.number)
    if (!open || open.node !== from.node.name) return
    this.#open.delete(read.number)
    this.#unreached(
      open,
      read.places.flatMap(place => open.targets[place] ?? []),
    )
  }

  #settled(number: number, outcome: Outcome): void {
    const open = this.#open.get(number)
    if (!open) return
    this.#open.delete(number)
    if (outcome === 'lost') this.#unreached(open, open.targets)
    else this.#crowds.settled(open.node)
  }

  #unreached(open: OpenDelivery, targets: readonly string[]): void {
    try {
      open.unreached(targets)
    } catch (error) {
      this.#log.error({ err: error, node: open.node }, 'what did not arrive was not decided again')
    }
  }

  #told(frame: Buffer, from: Peer): void {
    const { topic, body } = readTell(frame)
    for (const listener of this.#listeners.get(topic) ?? []) {
      try {
        listener(body as never, this.#farOf(from))
      } catch (error) {
        this.#log.error({ err: error, topic, node: from.node.name }, 'a word of another node could not be used')
      }
    }
  }
}
