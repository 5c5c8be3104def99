import type { Route } from './directory.ts'

const none: readonly Route[] = []

/** What a change did to what look-ups show. */
export interface Shown {
  /** The route that look-ups showed before, if it is not shown any more. */
  readonly before: Route | undefined
  /** The route that is shown now. */
  readonly now: Route | undefined
}

/**
 * The routes of all nodes. Of several of one full JID, which two nodes may have at the same moment, look-ups show one: the session bound last, then
 * that of the node with the higher number. The others are kept behind it, in case its node goes.
 */
export class RouteTable {
  readonly #numberOf: (node: string) => number
  readonly #byNode = new Map<string, Map<string, Route>>()
  readonly #byBare = new Map<string, Route[]>()
  readonly #bySession = new Map<string, Route>()
  #size = 0

  /** @param numberOf the number of a node by its name */
  constructor(numberOf: (node: string) => number) {
    this.#numberOf = numberOf
  }

  /** Number of full JIDs. */
  get size(): number {
    return this.#size
  }

  routes(bare: string): readonly Route[] {
    return this.#byBare.get(bare) ?? none
  }

  route(bare: string, resource: string): Route | undefined {
    return this.#byBare.get(bare)?.find(route => route.resource === resource)
  }

  bySession(session: string): Route | undefined {
    return this.#bySession.get(session)
  }

  bareJids(): Iterable<string> {
    return this.#byBare.keys()
  }

  /** What one node has, by full JID, shown or not. */
  of(node: string): ReadonlyMap<string, Route> {
    return this.#byNode.get(node) ?? new Map()
  }

  put(route: Route): Shown {
    let own = this.#byNode.get(route.node)
    if (!own) {
      own = new Map()
      this.#byNode.set(route.node, own)
    }
    const former = own.get(route.jid)
    if (former && former.session !== route.session) this.#forgetSession(former)
    own.set(route.jid, route)
    this.#bySession.set(route.session, route)
    const shown = this.route(route.bare, route.resource)
    if (!shown || shown.node === route.node || this.#beats(route, shown)) return this.#show(shown, route)
    return { before: undefined, now: shown }
  }

  /** @returns undefined when the node has no such route, or another session of that full JID */
  remove(node: string, jid: string, session: string): Shown | undefined {
    const own = this.#byNode.get(node)
    const route = own?.get(jid)
    if (!own || !route || route.session !== session) return undefined
    own.delete(jid)
    if (own.size === 0) this.#byNode.delete(node)
    this.#forgetSession(route)
    const shown = this.route(route.bare, route.resource)
    if (shown !== route) return { before: undefined, now: shown }
    return this.#show(route, this.#other(jid))
  }

  #forgetSession(route: Route): void {
    if (this.#bySession.get(route.session)?.node === route.node) this.#bySession.delete(route.session)
  }

  /** A session that has moved to another node is the same one: what came last is true. */
  #beats(route: Route, shown: Route): boolean {
    if (route.session === shown.session) return true
    if (route.boundAt !== shown.boundAt) return route.boundAt > shown.boundAt
    return this.#numberOf(route.node) > this.#numberOf(shown.node)
  }

  /** The best route of a full JID that is left. */
  #other(jid: string): Route | undefined {
    let best: Route | undefined
    for (const routes of this.#byNode.values()) {
      const route = routes.get(jid)
      if (route && (!best || this.#beats(route, best))) best = route
    }
    if (best) this.#bySession.set(best.session, best)
    return best
  }

  /** Copied on write: who is walking the old array must not see it change. */
  #show(before: Route | undefined, now: Route | undefined): Shown {
    const bare = (now ?? before)?.bare
    if (bare === undefined || before === now) return { before, now }
    const routes = this.#byBare.get(bare) ?? none
    if (before && now) {
      this.#byBare.set(
        bare,
        routes.map(route => (route === before ? now : route)),
      )
    } else if (now) {
      this.#byBare.set(bare, [...routes, now])
      this.#size++
    } else {
      const left = routes.filter(route => route !== before)
      if (left.length > 0) this.#byBare.set(bare, left)
      else this.#byBare.delete(bare)
      this.#size--
    }
    return { before, now }
  }
}
