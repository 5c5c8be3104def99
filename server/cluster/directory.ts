/** Who is connected where. Look-ups are local and synchronous: nobody waits for the cluster to deliver a stanza. */

/** What every node knows of one bound resource. Immutable: a change is a new Route that replaces the old one. */
export interface Route {
  /** The full JID. */
  readonly jid: string
  readonly bare: string
  readonly resource: string
  /** The node whose process holds the socket. */
  readonly node: string
  /** Identifies this very session: a later session of the same full JID has another one. */
  readonly session: string
  /** When it was bound, milliseconds since 1970: of two sessions of one full JID on two nodes the later one stays. */
  readonly boundAt: number
  /** Presence priority (RFC 6121 §4.7.2.3); undefined while the resource is connected but not available. */
  readonly priority: number | undefined
  /** The last available presence as it goes to others; undefined while not available. */
  readonly presence: Buffer | undefined
  readonly flags: RouteFlags
}

/** What other nodes must know of a session to decide for it. Features extend this by declaration merging. */
export interface RouteFlags {
  readonly carbons?: boolean
  /** Asked for the roster: gets roster pushes (RFC 6121 §2.1.6). */
  readonly interested?: boolean
}

/** What happened to routes of another node without a word of that node: it went away, or is back and tells anew. */
export interface FarChange {
  readonly node: string
  readonly came: readonly Route[]
  readonly went: readonly Route[]
}

export interface Directory {
  /** The name of this node. */
  readonly node: string
  /** All bound resources of a bare JID, in the order they were bound; an empty array when there are none. */
  routes(bare: string): readonly Route[]
  /** The route of one full JID. */
  route(bare: string, resource: string): Route | undefined
  /** Adds a route, or replaces the one of the same full JID. */
  put(route: Route): void
  /** Removes the route of this full JID if it still belongs to `session`. */
  remove(bare: string, resource: string, session: string): void
  /** The route of a session, by its id (XEP-0198 previd). */
  bySession(session: string): Route | undefined
  /** Every bare JID with at least one route. */
  bareJids(): Iterable<string>
  /** Sessions here whose full JID was bound later on another node: their owner ends them. */
  onOutdated(listener: (route: Route) => void): () => void
  /** Another node went or came back: who is subscribed to its people must be told (RFC 6121 §4.5.2). */
  onFar(listener: (change: FarChange) => void): () => void
  /** Number of routes. */
  readonly size: number
}

const none: readonly Route[] = []

/** The directory of a lone node: a Map. */
export function localDirectory(node: string): Directory {
  const byBare = new Map<string, Route[]>()
  let size = 0
  return {
    node,
    get size() {
      return size
    },
    routes: bare => byBare.get(bare) ?? none,
    route: (bare, resource) => byBare.get(bare)?.find(route => route.resource === resource),
    bySession(session) {
      for (const routes of byBare.values()) for (const route of routes) if (route.session === session) return route
      return undefined
    },
    bareJids: () => byBare.keys(),
    onOutdated: () => () => undefined,
    onFar: () => () => undefined,
    put(route) {
      const routes = byBare.get(route.bare)
      if (!routes) {
        byBare.set(route.bare, [route])
        size++
        return
      }
      const index = routes.findIndex(other => other.resource === route.resource)
      // Copied on write: a delivery that is walking the old array must not see it change.
      const copy = routes.slice()
      if (index >= 0) copy[index] = route
      else {
        copy.push(route)
        size++
      }
      byBare.set(route.bare, copy)
    },
    remove(bare, resource, session) {
      const routes = byBare.get(bare)
      const left = routes?.filter(route => route.resource !== resource || route.session !== session)
      if (!routes || !left || left.length === routes.length) return
      size--
      if (left.length > 0) byBare.set(bare, left)
      else byBare.delete(bare)
    },
  }
}
