/** Nodes whose words to each other stay in this process: for tests of what is told, not of how it travels. */
import type { Bus, Delivery, FarNode, RowNews } from '../../server/cluster/bus.ts'

type Listener = (body: never, from: FarNode) => unknown

/** One office; `bus` adds a node to it, linked with all others. Words arrive in order, in a later turn. */
export class MemoryNet {
  readonly #nodes = new Map<string, MemoryNode>()
  readonly #cuts = new Set<string>()
  /** Words that a link has no room for. */
  loses: ((topic: string, body: string) => boolean) | undefined
  #waiting: (() => void)[] = []

  bus(name: string, number = this.#nodes.size + 1, epoch = 1): Bus {
    const node = new MemoryNode(this, name, number, epoch)
    const others = [...this.#nodes.values()].filter(other => other.name !== name)
    this.#nodes.set(name, node)
    for (const other of others) {
      other.knows(node)
      node.knows(other)
    }
    return node
  }

  /** Both see the other one as gone, and nothing passes. */
  cut(one: string, other: string): void {
    this.#cuts.add([one, other].sort().join())
    this.#nodes.get(one)?.sees(other, 'gone')
    this.#nodes.get(other)?.sees(one, 'gone')
  }

  heal(one: string, other: string): void {
    this.#cuts.delete([one, other].sort().join())
    this.#nodes.get(one)?.sees(other, 'up')
    this.#nodes.get(other)?.sees(one, 'up')
  }

  pass(from: string, to: string, arrive: (node: MemoryNode) => void): boolean {
    const node = this.#nodes.get(to)
    if (!node || this.#cuts.has([from, to].sort().join())) return false
    this.#waiting.push(() => {
      if (this.#nodes.get(to) === node && !this.#cuts.has([from, to].sort().join())) arrive(node)
    })
    return true
  }

  /** Resolves when everything that was said has been heard, and what came of it. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 3; idle++) {
      await new Promise(resolve => setImmediate(resolve))
      const waiting = this.#waiting
      this.#waiting = []
      if (waiting.length > 0) idle = -1
      for (const arrive of waiting) arrive()
    }
  }
}

class MemoryNode implements Bus {
  readonly name: string
  readonly holder: string
  readonly #net: MemoryNet
  readonly #self: FarNode
  readonly #others = new Map<string, FarNode>()
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #onNode = new Set<(node: FarNode, before: FarNode['state']) => void>()
  #onRows: ((news: RowNews, from: FarNode) => void) | undefined
  #taker: (delivery: Delivery, from: FarNode) => readonly string[] = ({ targets }) => targets

  constructor(net: MemoryNet, name: string, number: number, epoch: number) {
    this.#net = net
    this.name = name
    this.holder = `${number}.${epoch}`
    this.#self = { name, number, epoch, state: 'up' }
  }

  get nodes(): readonly FarNode[] {
    return [...this.#others.values()]
  }

  node(name: string): FarNode | undefined {
    return this.#others.get(name)
  }

  tellRows(node: string, news: RowNews): void {
    this.#net.pass(this.name, node, to => to.#onRows?.(news, this.#self))
  }

  onRows(listener: (news: RowNews, from: FarNode) => void): void {
    this.#onRows = listener
  }

  knows(node: MemoryNode): void {
    const before = this.#others.get(node.name)?.state ?? 'away'
    this.#others.set(node.name, node.#self)
    for (const listener of this.#onNode) listener(node.#self, before)
  }

  sees(name: string, state: FarNode['state']): void {
    const before = this.#others.get(name)
    if (!before) return
    const now = { ...before, state }
    this.#others.set(name, now)
    for (const listener of this.#onNode) listener(now, before.state)
  }

  tell(node: string | undefined, topic: string, body: unknown): void {
    const text = JSON.stringify(body)
    for (const name of node === undefined ? this.#others.keys() : [node]) {
      if (this.#net.loses?.(topic, text)) continue
      this.#net.pass(this.name, name, to => {
        const from = to.#others.get(this.name)
        if (from) for (const one of to.#listeners.get(topic) ?? []) one(JSON.parse(text) as never, from)
      })
    }
  }

  onTell(topic: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set()
    this.#listeners.set(topic, listeners.add(listener))
    return () => listeners.delete(listener)
  }

  onDelivered(): () => void {
    return () => undefined
  }

  hasStoodStill(): boolean {
    return false
  }

  onStoodStill(): () => void {
    return () => undefined
  }

  deliver(node: string, delivery: Delivery, unreached: (targets: readonly string[]) => void): 'sent' | 'gone' {
    const isSent = this.#net.pass(this.name, node, to => {
      const gone = to.#taker(delivery, this.#self)
      if (gone.length > 0) unreached(gone)
    })
    return isSent ? 'sent' : 'gone'
  }

  onDeliver(taker: (delivery: Delivery, from: FarNode) => readonly string[]): void {
    this.#taker = taker
  }

  ask(): Promise<unknown> {
    return Promise.reject(new Error('Nobody answers here.'))
  }

  askSoon(): Promise<unknown> {
    return Promise.resolve(undefined)
  }

  hangs(): boolean {
    return false
  }

  onAsk(): () => void {
    return () => undefined
  }

  onNode(listener: (node: FarNode, before: FarNode['state']) => void): () => void {
    this.#onNode.add(listener)
    return () => this.#onNode.delete(listener)
  }

  isCrowded(): boolean {
    return false
  }

  room(): Promise<void> {
    return Promise.resolve()
  }

  tellCrowded(): void {
    // Nobody is ever crowded here.
  }
}
