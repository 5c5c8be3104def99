import type { Route } from './directory.ts'
import { fromWire, toWire } from './route-wire.ts'
import type { SharedMap } from './shared-map.ts'

/** What is known of a node whose entry is in the map. */
export interface MappedNode {
  /** Its present or last life; undefined = the office has no such node. */
  readonly epoch: number | undefined
  /** Whether its routes are looked for: it is linked, and has not told them all yet. */
  readonly isWanted: boolean
}

/**
 * Own routes in Hazelcast's map, and those of others found there. Entries outlive their owner in the map, so it is believed only of nodes that the link
 * says are there; what is left of former lives and removed nodes is swept by whoever sees it. Keys are 'node|epoch|full JID'.
 */
export class RoutesInMap {
  readonly #map: SharedMap
  readonly #node: string
  readonly #epoch: number
  readonly #own: () => Iterable<Route>
  readonly #find: (node: string) => MappedNode
  readonly #found: (routes: readonly Route[]) => void

  constructor(options: {
    map: SharedMap
    node: string
    epoch: number
    own: () => Iterable<Route>
    find: (node: string) => MappedNode
    found: (routes: readonly Route[]) => void
  }) {
    this.#map = options.map
    this.#node = options.node
    this.#epoch = options.epoch
    this.#own = options.own
    this.#find = options.find
    this.#found = options.found
  }

  put(route: Route): void {
    this.#map.put(this.#key(route.jid), JSON.stringify(toWire(route)))
  }

  remove(jid: string): void {
    this.#map.remove(this.#key(jid))
  }

  /** @returns a function that ends it */
  follow(): () => void {
    return this.#map.follow({
      all: entries => {
        this.#assert(entries)
        this.#found([...entries].flatMap(([key, value]) => this.#read(key, value)))
      },
      put: (key, value) => this.#found(this.#read(key, value)),
      remove: () => undefined,
    })
  }

  #key(jid: string): string {
    return `${this.#node}|${this.#epoch}|${jid}`
  }

  /** Own entries are made to be what they are here: a merge or a restart of the cluster may have kept others. */
  #assert(entries: ReadonlyMap<string, string>): void {
    const own = new Map([...this.#own()].map(route => [this.#key(route.jid), JSON.stringify(toWire(route))]))
    for (const [key, value] of own) if (entries.get(key) !== value) this.#map.put(key, value)
    for (const key of entries.keys()) {
      const node = key.slice(0, key.indexOf('|'))
      const isLeft = node === this.#node ? !own.has(key) : this.#find(node).epoch === undefined
      if (isLeft) this.#map.remove(key)
    }
  }

  #read(key: string, value: string): Route[] {
    const [node = '', epochText = ''] = key.split('|', 2)
    if (node === this.#node) return []
    const { epoch, isWanted } = this.#find(node)
    const told = Number(epochText)
    if (epoch !== undefined && told < epoch) this.#map.remove(key)
    if (told !== epoch || !isWanted) return []
    try {
      const route = fromWire(node, JSON.parse(value))
      return route ? [route] : []
    } catch {
      // Not an entry of this program: the link tells all the same.
      return []
    }
  }
}
