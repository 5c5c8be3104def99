/**
 * The directory of several nodes: each tells the others of its own routes over the bus and mirrors theirs, so that look-ups are local and nobody waits.
 * A change is told at once: whatever the same turn of the event loop sends later comes later. Who missed something asks for all of it.
 */
import type { Logger } from 'pino'
import type { Bus, FarNode } from './bus.ts'
import type { Directory, FarChange, Route } from './directory.ts'
import { RouteTable, type Shown } from './route-table.ts'
import { fromWire, looksSame, toWire, type WireRoute } from './route-wire.ts'
import { type MappedNode, RoutesInMap } from './routes-in-map.ts'
import type { SharedMap } from './shared-map.ts'

/** Routes of one other node that are kept at most, far more than one PC carries. */
const ROUTES_MAX = 100_000
/** Of a full list, what travels in one frame. */
const PART_ROUTES = 100
const PART_CHARACTERS = 128 * 1024
/** How often each node says how far it has told, so that a word that was lost is noticed, and how often is asked again. */
const REPEAT_MS = 5_000

/** What the others are told: a change, or a part of the full list. */
interface Word {
  readonly epoch: number
  /** Number of the last change. */
  readonly sequence: number
  /** The nodes whose routes the sender has: their people it has told of this by presence stanzas. */
  readonly knows?: readonly string[]
  readonly put?: readonly WireRoute[]
  readonly gone?: readonly (readonly [jid: string, session: string])[]
  /** Of a full list: which part this is, from 0 on, and whether it is the last. */
  readonly list?: { readonly part: number; readonly isLast: boolean }
}

/** How far this node knows another one's routes. */
interface Mirrored {
  readonly epoch: number
  sequence: number
  isComplete: boolean
  /** While a full list comes of which nothing is missing: the full JIDs that were in it, or changed since it began. */
  listed: Set<string> | undefined
  /** The part of a full list that came last. */
  part: number
  askedAt: number
}

export interface SharedDirectory extends Directory {
  /** Adds Hazelcast's map as a second way. @returns a function that ends it */
  attach(map: SharedMap): () => void
  /** Whether the routes of every node that is linked are here. */
  synced(): boolean
  /** Stops telling and listening. */
  close(): void
}

/**
 * @param options.node the name of this node
 * @param options.bus words to the others; its `holder` says this node's number and epoch
 */
export function sharedDirectory(options: { node: string; bus: Bus; log: Logger }): SharedDirectory {
  return new Mirror(options)
}

class Mirror implements SharedDirectory {
  readonly node: string
  readonly #bus: Bus
  readonly #log: Logger
  readonly #table: RouteTable
  readonly #number: number
  readonly #epoch: number
  readonly #mirrored = new Map<string, Mirrored>()
  readonly #lists = new Map<string, { again: boolean }>()
  readonly #far = new Set<(change: FarChange) => void>()
  readonly #outdated = new Set<(route: Route) => void>()
  readonly #undo: (() => void)[]
  readonly #timer: NodeJS.Timeout
  #complete: readonly string[] = []
  #sequence = 0
  #map: RoutesInMap | undefined

  constructor({ node, bus, log }: { node: string; bus: Bus; log: Logger }) {
    this.node = node
    this.#bus = bus
    this.#log = log
    const [number, epoch] = bus.holder.split('.').map(Number)
    this.#number = number ?? 0
    this.#epoch = epoch ?? 0
    this.#table = new RouteTable(name =>
      name === node ? this.#number : (bus.nodes.find(other => other.name === name)?.number ?? -1),
    )
    this.#undo = [
      bus.onTell('routes', (word: Word, from) => this.#hear(word, from)),
      bus.onTell('routes-ask', (_: unknown, from) => this.#tellAll(from.name)),
      bus.onTell('routes-at', (word: Word, from) => this.#compare(word, from)),
      bus.onNode(other => this.#noticed(other)),
    ]
    for (const other of bus.nodes) this.#noticed(other)
    this.#timer = setInterval(() => this.#repeat(), REPEAT_MS)
    this.#timer.unref()
  }

  get size(): number {
    return this.#table.size
  }

  routes(bare: string): readonly Route[] {
    return this.#table.routes(bare)
  }

  route(bare: string, resource: string): Route | undefined {
    return this.#table.route(bare, resource)
  }

  bySession(session: string): Route | undefined {
    return this.#table.bySession(session)
  }

  bareJids(): Iterable<string> {
    return this.#table.bareJids()
  }

  put(route: Route): void {
    this.#contest(this.#table.put(route), route.jid)
    this.#map?.put(route)
    this.#tell({ put: [toWire(route)] })
  }

  remove(bare: string, resource: string, session: string): void {
    const jid = `${bare}/${resource}`
    if (!this.#table.remove(this.node, jid, session)) return
    this.#map?.remove(jid)
    this.#tell({ gone: [[jid, session]] })
  }

  onOutdated(listener: (route: Route) => void): () => void {
    this.#outdated.add(listener)
    return () => this.#outdated.delete(listener)
  }

  onFar(listener: (change: FarChange) => void): () => void {
    this.#far.add(listener)
    return () => this.#far.delete(listener)
  }

  synced(): boolean {
    return this.#bus.nodes.every(other => !isLinked(other) || this.#of(other)?.isComplete === true)
  }

  attach(map: SharedMap): () => void {
    const routes = new RoutesInMap({
      map,
      node: this.node,
      epoch: this.#epoch,
      own: () => this.#table.of(this.node).values(),
      find: name => this.#findMapped(name),
      found: found => this.#take(found),
    })
    this.#map = routes
    const end = routes.follow()
    return () => {
      end()
      if (this.#map === routes) this.#map = undefined
    }
  }

  close(): void {
    clearInterval(this.#timer)
    for (const one of this.#undo) one()
  }

  /** What is known of a node in its present life. */
  #of(other: FarNode): Mirrored | undefined {
    const known = this.#mirrored.get(other.name)
    return known?.epoch === other.epoch ? known : undefined
  }

  #tell(change: Pick<Word, 'put' | 'gone'>): void {
    this.#sequence++
    if (!this.#bus.nodes.some(isLinked)) return
    const word: Word = { epoch: this.#epoch, sequence: this.#sequence, knows: this.#complete, ...change }
    this.#bus.tell(undefined, 'routes', word)
  }

  /** The state of another node, or its life, has changed. */
  #noticed(other: FarNode): void {
    if (!isLinked(other)) this.#forget(other.name)
    else if (!this.#of(other)) this.#begin(other)
  }

  #begin(other: FarNode): Mirrored {
    this.#forget(other.name)
    const begun = { epoch: other.epoch, sequence: -1, isComplete: false, listed: undefined, part: 0, askedAt: 0 }
    this.#mirrored.set(other.name, begun)
    this.#ask(other.name, begun)
    return begun
  }

  #ask(node: string, known: Mirrored): void {
    this.#setComplete(known, false)
    known.askedAt = performance.now()
    this.#bus.tell(node, 'routes-ask', {})
  }

  #setComplete(known: Mirrored, isComplete: boolean): void {
    if (known.isComplete === isComplete) return
    known.isComplete = isComplete
    this.#complete = [...this.#mirrored].filter(([, one]) => one.isComplete).map(([name]) => name)
  }

  /** The node is gone, away, or another life of it began: its routes go. */
  #forget(node: string): void {
    const known = this.#mirrored.get(node)
    if (known) this.#setComplete(known, false)
    this.#mirrored.delete(node)
    this.#drop(node, [...this.#table.of(node).values()])
  }

  #drop(node: string, routes: readonly Route[]): void {
    const went: Route[] = []
    for (const route of routes) {
      const shown = this.#table.remove(node, route.jid, route.session)
      if (shown?.before) went.push(route)
    }
    this.#report({ node, came: [], went })
  }

  #hear(word: Word, from: FarNode): void {
    // Words of a former life.
    if (word.epoch !== from.epoch) return
    const known = this.#of(from) ?? this.#begin(from)
    const { list } = word
    if (list) this.#count(known, list, word.sequence)
    else {
      if (word.sequence <= known.sequence) return
      const isNext = known.sequence < 0 || word.sequence === known.sequence + 1
      known.sequence = word.sequence
      if (!isNext) {
        known.listed = undefined
        if (known.isComplete) this.#ask(from.name, known)
      }
    }
    const isTold = !list && known.isComplete && word.knows?.includes(this.node) === true
    this.#apply(word, from, known, isTold)
    if (list?.isLast) this.#finish(from, known)
  }

  /** A list of which a part was lost on the way, or a change that was made between two parts, is none: it is asked for again (`#repeat`). */
  #count(known: Mirrored, list: NonNullable<Word['list']>, sequence: number): void {
    if (list.part === 0) known.listed = new Set()
    else if (list.part !== known.part + 1 || sequence !== known.sequence) known.listed = undefined
    known.part = list.part
    known.sequence = sequence
  }

  #apply(word: Word, from: FarNode, known: Mirrored, isTold: boolean): void {
    const came: Route[] = []
    const went: Route[] = []
    for (const wire of word.put ?? []) {
      const route = fromWire(from.name, wire)
      if (!route) continue
      known.listed?.add(route.jid)
      const before = this.#table.of(from.name).get(route.jid)
      if (!before && this.#table.of(from.name).size >= ROUTES_MAX) {
        this.#log.error({ node: from.name }, 'too many routes of one node')
        continue
      }
      const shown = this.#table.put(route)
      this.#contest(shown, route.jid)
      if (isTold || shown.now !== route || (before && looksSame(before, route))) continue
      if (route.presence) came.push(route)
      else if (before?.presence) went.push(before)
    }
    for (const [jid, session] of word.gone ?? []) {
      const shown = this.#table.remove(from.name, jid, session)
      if (!isTold && shown?.before) went.push(shown.before)
    }
    this.#report({ node: from.name, came, went })
  }

  /** The full list is here: what was not in it is no more. */
  #finish(from: FarNode, known: Mirrored): void {
    const { listed } = known
    if (!listed) return
    known.listed = undefined
    this.#setComplete(known, true)
    this.#drop(
      from.name,
      [...this.#table.of(from.name).values()].filter(route => !listed.has(route.jid)),
    )
  }

  /** A session of ours that was bound later on another node is told to its owner, once the caller is done. */
  #contest({ now }: Shown, jid: string): void {
    const own = this.#table.of(this.node).get(jid)
    if (!own || !now || now.session === own.session) return
    queueMicrotask(() => {
      for (const listener of this.#outdated) listener(own)
    })
  }

  #report(change: FarChange): void {
    if (change.came.length === 0 && change.went.length === 0) return
    queueMicrotask(() => {
      for (const listener of this.#far) listener(change)
    })
  }

  /** Everything that is here, to one node, in parts; changes may go in between. What the link has no room for is lost, which the other one notices. */
  #tellAll(node: string): void {
    const running = this.#lists.get(node)
    if (running) {
      running.again = true
      return
    }
    const state = { again: false }
    this.#lists.set(node, state)
    const rest = [...this.#table.of(this.node).keys()]
    let part = 0
    const next = (): void => {
      const put = this.#part(rest)
      const isLast = rest.length === 0
      const word: Word = { epoch: this.#epoch, sequence: this.#sequence, put, list: { part, isLast } }
      this.#bus.tell(node, 'routes', word)
      part++
      if (!isLast) {
        setImmediate(next)
        return
      }
      this.#lists.delete(node)
      if (state.again) this.#tellAll(node)
    }
    next()
  }

  /** As many as fit, as they are now. */
  #part(rest: string[]): WireRoute[] {
    const put: WireRoute[] = []
    let characters = 0
    while (rest.length > 0 && put.length < PART_ROUTES && characters < PART_CHARACTERS) {
      const route = this.#table.of(this.node).get(rest.pop() ?? '')
      if (!route) continue
      put.push(toWire(route))
      characters += 200 + (route.presence?.length ?? 0)
    }
    return put
  }

  #repeat(): void {
    for (const other of this.#bus.nodes) {
      if (!isLinked(other)) continue
      this.#bus.tell(other.name, 'routes-at', { epoch: this.#epoch, sequence: this.#sequence })
      const known = this.#of(other)
      if (!known) this.#begin(other)
      else if (!known.isComplete && performance.now() - known.askedAt >= REPEAT_MS) this.#ask(other.name, known)
    }
  }

  #compare(word: Word, from: FarNode): void {
    const known = this.#of(from)
    if (!known || word.epoch !== known.epoch || !known.isComplete) return
    if (word.sequence !== known.sequence) this.#ask(from.name, known)
  }

  #findMapped(name: string): MappedNode {
    const other = this.#bus.nodes.find(one => one.name === name)
    if (!other) return { epoch: undefined, isWanted: false }
    return { epoch: other.epoch, isWanted: isLinked(other) && this.#of(other)?.isComplete !== true }
  }

  /** Routes out of the map, of a node that is linked and has not told all yet. */
  #take(routes: readonly Route[]): void {
    for (const route of routes) {
      const other = this.#bus.nodes.find(one => one.name === route.node)
      // What the node itself has told already is newer.
      if (!other || this.#table.of(route.node).has(route.jid)) continue
      const shown = this.#table.put(route)
      this.#contest(shown, route.jid)
      if (shown.now === route && route.presence) this.#report({ node: route.node, came: [route], went: [] })
    }
  }
}

const isLinked = ({ state }: FarNode): boolean => state === 'up' || state === 'suspected'
