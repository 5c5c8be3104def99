/** XEP-0352: Client State Indication. */
import { Type } from 'typebox'
import { feature } from '../core/feature.ts'
import type { Session } from '../core/session.ts'
import type { Element } from '../xmpp/element.ts'
import {
  NS_CARBONS,
  NS_CHAT_STATES,
  NS_CSI,
  NS_FORWARD,
  NS_HINTS,
  NS_MUC_USER,
  NS_STANZA_ID,
} from '../xmpp/namespaces.ts'
import type { Stanza } from '../xmpp/stanza.ts'

/** What is held back for one client at most; at the limit all of it is sent. */
const HELD_MAX = 1_000
const HELD_BYTES_MAX = 256 * 1024

export default feature({
  name: 'csi',
  title: 'Sleeping phones',
  standards: [{ id: 'XEP-0352', title: 'Client State Indication', version: '1.0.0' }],
  page: 'Advanced',
  settings: Type.Object({
    presence: Type.Boolean({
      default: true,
      title: 'Hold back who is online',
      description:
        'A phone whose screen is off gets the latest status of each contact when somebody looks at it again.',
    }),
    chatStates: Type.Boolean({
      default: true,
      title: 'Hold back “is typing…”',
      description: 'A phone whose screen is off is not woken up because somebody types.',
    }),
  }),
  start(server) {
    const { settings } = server
    const inactive = new Map<Session, Held>()

    const flush = (session: Session): void => {
      for (const stanza of inactive.get(session)?.takeAll() ?? []) session.write(stanza)
    }

    const activate = (session: Session): void => {
      session.gate = undefined
      flush(session)
      inactive.delete(session)
    }

    server.streamFeature(`<csi xmlns='${NS_CSI}'/>`)
    server.nonza(NS_CSI, 'inactive', session => {
      if (session.isClosed || inactive.has(session)) return
      const held = new Held()
      inactive.set(session, held)
      session.gate = (stanza, row) => {
        const key = row ? undefined : keyOf(stanza, settings)
        // What matters goes out at once, and whatever came before it goes first (RFC 6120 §10.1).
        if (key === undefined || held.isFull) flush(session)
        if (key === undefined) return false
        held.put(key, stanza)
        return true
      }
    })
    server.nonza(NS_CSI, 'active', activate)
    // XEP-0352 §5.2: a resumed stream is active.
    server.on('session:resumed', 'watch', ({ session }) => activate(session))
    // On another node it is active too: what was held back goes along as unacknowledged.
    server.on('session:leaving', 'watch', ({ session }) => activate(session))
    server.on('session:closed', 'watch', ({ session }) => {
      inactive.delete(session)
    })
    return () => {
      for (const session of [...inactive.keys()]) activate(session)
    }
  },
})

/** What is held for one inactive session: the latest of its kind by key, in the order of arrival. */
export class Held {
  readonly #stanzas = new Map<string, Stanza>()
  #bytes = 0

  get isFull(): boolean {
    return this.#stanzas.size >= HELD_MAX || this.#bytes >= HELD_BYTES_MAX
  }

  put(key: string, stanza: Stanza): void {
    const before = this.#stanzas.get(key)
    this.#bytes += stanza.bytes.length - (before?.bytes.length ?? 0)
    // Taken out first, so that it stands behind what came before it.
    this.#stanzas.delete(key)
    this.#stanzas.set(key, stanza)
  }

  takeAll(): Stanza[] {
    const stanzas = [...this.#stanzas.values()]
    this.#stanzas.clear()
    this.#bytes = 0
    return stanzas
  }
}

/**
 * Under which key a stanza may be held back: a later one of the same key takes its place.
 * @returns undefined when it matters and must go out at once
 */
export function keyOf(
  stanza: Stanza,
  hold: { readonly presence: boolean; readonly chatStates: boolean },
): string | undefined {
  if (stanza.kind === 'presence') {
    const isStatus = stanza.type === undefined || stanza.type === 'unavailable'
    return hold.presence && isStatus && !isOwnRoomPresence(stanza) ? `presence ${stanza.from}` : undefined
  }
  if (stanza.kind !== 'message' || stanza.type === 'error' || !hold.chatStates) return undefined
  if (isStateOnly(stanza.children)) return `state ${stanza.from}`
  const copy = stanza.child('received', NS_CARBONS) ?? stanza.child('sent', NS_CARBONS)
  const message = copy?.getChild('forwarded', NS_FORWARD)?.getChild('message')
  if (!message || message.attrs.type === 'error') return undefined
  const parts = message.getChildElements().map(child => ({ name: child.getName(), ns: child.getNS() ?? '' }))
  return isStateOnly(parts) ? `state ${message.attrs.from} ${message.attrs.to}` : undefined
}

/** XEP-0045 §7.2.2: status 110 tells a client that it is in the room now, which it waits for. */
function isOwnRoomPresence(stanza: Stanza): boolean {
  if (!stanza.has('x', NS_MUC_USER)) return false
  const statuses = stanza.child('x', NS_MUC_USER)?.getChildren('status') ?? []
  return statuses.some((status: Element) => status.attrs.code === '110')
}

/** Carries a chat state (XEP-0085) and nothing else that anybody would read. */
function isStateOnly(children: readonly { readonly name: string; readonly ns: string }[]): boolean {
  let hasState = false
  for (const { name, ns } of children) {
    if (ns === NS_CHAT_STATES) hasState = true
    else if (name !== 'thread' && ns !== NS_HINTS && ns !== NS_STANZA_ID) return false
  }
  return hasState
}
