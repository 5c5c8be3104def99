import type { Element } from '../xmpp/element.ts'
import { stanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { Session } from './session.ts'

/** An IQ of type get or set that this server answers itself. */
export interface IqRequest {
  readonly stanza: Stanza
  readonly type: 'get' | 'set'
  readonly from: Jid
  /** The bare account asked; undefined when the server itself was asked. */
  readonly account: string | undefined
  /** The sender asks about its own account. */
  readonly isOwn: boolean
  /** The asking session, when it is a local client. */
  readonly session: Session | undefined
  /** The payload, parsed. */
  readonly payload: Element
}

/** What is asked: an account (its bare JID, or no `to` at all) or the server. */
export type IqTarget = 'account' | 'host'

/** Returns the payload of the result, nothing for an empty result; throws StanzaError for an error. */
export type IqHandler = (
  request: IqRequest,
) => Element | string | undefined | Promise<Element | string | undefined> | Promise<void> | void

/** Which payload is answered by whom: (target, type, namespace, element name) → handler. */
export class IqTable {
  readonly #handlers = new Map<string, IqHandler>()

  /**
   * @returns a function that removes it
   * @throws Error when two features claim the same payload
   */
  add(target: IqTarget, type: 'get' | 'set', ns: string, name: string, handler: IqHandler): () => void {
    const key = keyOf(target, type, ns, name)
    if (this.#handlers.has(key)) throw new Error(`Two features answer ${type} ${name} of ${ns} for the ${target}.`)
    this.#handlers.set(key, handler)
    return () => {
      this.#handlers.delete(key)
    }
  }

  /**
   * Finds who answers.
   * @throws StanzaError bad-request if there is not exactly one payload (RFC 6120 §8.2.3), service-unavailable if
   *   nobody answers it
   */
  find(target: IqTarget, stanza: Stanza): { handler: IqHandler; name: string; ns: string } {
    const [child, ...others] = stanza.children
    if (!child || others.length > 0) throw stanzaError('bad-request', 'An IQ request has exactly one payload.')
    const type = stanza.type === 'set' ? 'set' : 'get'
    const handler = this.#handlers.get(keyOf(target, type, child.ns, child.name))
    if (!handler) throw stanzaError('service-unavailable')
    return { handler, name: child.name, ns: child.ns }
  }
}

const keyOf = (target: IqTarget, type: string, ns: string, name: string): string => `${target} ${type} ${name} ${ns}`
