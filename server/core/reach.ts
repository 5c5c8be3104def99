import type { Bus } from '../cluster/bus.ts'
import type { Directory, Route } from '../cluster/directory.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { Sessions } from './sessions.ts'

/** Gives stanzas without an archive row to sessions, wherever they are: presence, pushes, copies, IQs. Nothing is waited for. */
export class Reach {
  readonly #directory: Directory
  readonly #sessions: Sessions
  readonly #bus: Bus

  constructor(options: { directory: Directory; sessions: Sessions; bus: Bus }) {
    this.#directory = options.directory
    this.#sessions = options.sessions
    this.#bus = options.bus
  }

  /** Whether the session of a route is on this node. */
  isHere(route: Route): boolean {
    return route.node === this.#directory.node
  }

  /**
   * Sends to one session.
   * @param options.asker full JID: the stanza is a request that only reaches a session that shares its presence with it; checked on other nodes
   *   only, the caller has checked it here
   * @param options.unreached called at most once, perhaps before this returns, when there is no such session any more
   */
  send(
    route: Route,
    stanza: Stanza,
    options: { readonly asker?: string | undefined; readonly unreached?: (() => void) | undefined } = {},
  ): void {
    const { asker, unreached } = options
    if (this.isHere(route)) {
      if (this.#sessions.get(route.jid)?.send(stanza) !== 'taken') unreached?.()
      return
    }
    const delivery = { targets: [route.jid], bytes: stanza.bytes, ...(asker !== undefined && { asker }) }
    const sent = this.#bus.deliver(route.node, delivery, () => unreached?.())
    if (sent !== 'sent') unreached?.()
  }

  /** Sends the same stanza to those that are meant, once per node. */
  sendAll(routes: readonly Route[], stanza: Stanza, isMeant: (route: Route) => boolean): void {
    let far: Map<string, string[]> | undefined
    for (const route of routes) {
      if (!isMeant(route)) continue
      if (this.isHere(route)) {
        this.#sessions.get(route.jid)?.send(stanza)
        continue
      }
      far ??= new Map()
      const names = far.get(route.node)
      if (names) names.push(route.jid)
      else far.set(route.node, [route.jid])
    }
    if (!far) return
    for (const [node, targets] of far) this.#bus.deliver(node, { targets, bytes: stanza.bytes }, () => undefined)
  }
}
