import type { Logger } from 'pino'
import type { Directory, FarChange, Route } from '../cluster/directory.ts'
import { parseJid } from '../xmpp/jid.ts'
import { buildStanza, Stanza } from '../xmpp/stanza.ts'
import type { HookTable } from './hooks.ts'
import type { Rosters } from './roster.ts'
import type { Sessions } from './sessions.ts'
import { hasTo } from './subscription-states.ts'

/** So many people are told in one turn of the event loop. */
const PEOPLE_AT_ONCE = 50

interface FarPresenceParts {
  readonly domain: string
  readonly log: Logger
  readonly directory: Directory
  readonly hooks: HookTable
  readonly rosters: Rosters
  readonly sessions: Sessions
}

/**
 * Another node went without a word, or is back: each node tells its own people what became of those they see (RFC 6121 §4.5.2, §4.3), as nobody else can.
 * What is told is what the directory holds at that moment, so that it is never older than what the other node has told itself since.
 */
export class FarPresence {
  readonly #parts: FarPresenceParts
  /** One change after the other. */
  #turn: Promise<unknown> = Promise.resolve()

  readonly #unfollow: () => void

  constructor(parts: FarPresenceParts) {
    this.#parts = parts
    this.#unfollow = parts.directory.onFar(change => {
      this.#turn = this.#turn
        .then(() => this.#tell(change))
        .catch(error => {
          parts.log.error({ err: error, node: change.node }, 'not everybody was told who went or came with another PC')
        })
    })
  }

  close(): void {
    this.#unfollow()
  }

  async #tell({ came, went }: FarChange): Promise<void> {
    const changed = new Map<string, Route[]>()
    for (const route of [...went, ...came]) {
      if (!route.presence) continue
      const known = changed.get(route.bare)
      if (known) known.push(route)
      else changed.set(route.bare, [route])
    }
    if (changed.size === 0) return
    const usernames = new Set<string>()
    for (const session of this.#parts.sessions.all()) if (session.isAvailable) usernames.add(session.username)
    let told = 0
    for (const username of usernames) {
      await this.#tellOne(username, changed)
      if (++told % PEOPLE_AT_ONCE === 0) await new Promise(resolve => setImmediate(resolve))
    }
  }

  async #tellOne(username: string, changed: ReadonlyMap<string, readonly Route[]>): Promise<void> {
    const bare = `${username}@${this.#parts.domain}`
    for (const route of changed.get(bare) ?? []) await this.#send(username, bare, route)
    const items = this.#parts.rosters.peek(username)?.items
    if (!items) return
    const [few, many] = items.size < changed.size ? [items.keys(), changed] : [changed.keys(), items]
    for (const jid of few) {
      const item = many.has(jid) ? items.get(jid) : undefined
      if (!item || !hasTo(item.subscription)) continue
      for (const route of changed.get(jid) ?? []) await this.#send(username, bare, route)
    }
  }

  async #send(username: string, bare: string, route: Route): Promise<void> {
    const event = {
      stanza: this.#current(route, bare),
      from: parseJid(route.jid),
      to: parseJid(bare),
      sender: undefined,
    }
    const goesOn = this.#parts.hooks.run('presence:deliver', event)
    if (goesOn instanceof Promise) {
      // Lists of who blocks whom had to be read: meanwhile it may have changed.
      if (!(await goesOn)) return
      event.stanza = this.#current(route, bare)
    } else if (!goesOn) return
    for (const session of this.#parts.sessions.of(username)) if (session.isAvailable) session.send(event.stanza)
  }

  #current(route: Route, to: string): Stanza {
    const { presence } = this.#parts.directory.route(route.bare, route.resource) ?? {}
    if (presence) return Stanza.fromBytes(presence).with({ to })
    return buildStanza('presence', { type: 'unavailable', from: route.jid, to })
  }
}
