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
  /** Presence priority (RFC 6121 §4.7.2.3); undefined while the resource is connected but not available. */
  readonly priority: number | undefined
  /** The last available presence as it goes to others; undefined while not available. */
  readonly presence: Buffer | undefined
  readonly flags: RouteFlags
}

/** What other nodes must know of a session to decide for it. Features extend this by declaration merging. */
export interface RouteFlags {
  readonly carbons?: boolean
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
  /** Every bare JID with at least one route. */
  bareJids(): Iterable<string>
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
    bareJids: () => byBare.keys(),
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
