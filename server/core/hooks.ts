import type { Identity } from '../xmpp/caps.ts'
import type { Element } from '../xmpp/element.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { IqTarget } from './iq.ts'
import type { Keep } from './kept-row.ts'
import type { Session } from './session.ts'

/** A message on its way. `stanza` may be replaced by handlers of order `change`. */
export interface MessageEvent {
  stanza: Stanza
  readonly from: Jid
  readonly to: Jid
  /** The local session that sent it; undefined when it comes from another server or from ourselves. */
  readonly sender: Session | undefined
  /** How the archive shall treat it; undefined = not worth keeping. Handlers of order `change` may narrow it. */
  keep: Keep | undefined
  /** Its id in the archive once it is kept (XEP-0359). */
  id?: string
}

export interface PresenceEvent {
  stanza: Stanza
  readonly from: Jid
  readonly to: Jid | undefined
  readonly sender: Session | undefined
}

export interface IqEvent {
  readonly stanza: Stanza
  readonly from: Jid
  readonly to: Jid
  readonly sender: Session | undefined
}

export interface SessionEvent {
  readonly session: Session
}

export interface AccountEvent {
  readonly username: string
}

/** A question of service discovery (XEP-0030) to the server or one of its accounts. */
export interface DiscoEvent {
  readonly target: IqTarget
  /** The account asked. */
  readonly account: string | undefined
  /** Who asks; undefined when the server works out its own capabilities. */
  readonly from: Jid | undefined
  readonly node: string | undefined
  /** Set by the handler that knows the node; without a node it is true from the start. */
  isKnown: boolean
}

export interface DiscoInfoEvent extends DiscoEvent {
  readonly identities: Identity[]
  readonly features: string[]
  /** Further information as data forms (XEP-0128). */
  readonly forms: Element[]
}

export interface DiscoItemsEvent extends DiscoEvent {
  readonly items: { readonly jid: string; readonly node?: string; readonly name?: string }[]
}

/**
 * Every point where features meet, with what travels there. Two moments for a stanza, as Prosody has them:
 * `…:send` = a local client sent it; `…:deliver` = it is about to be delivered to a local account.
 */
export interface Hooks {
  'message:send': MessageEvent
  'message:deliver': MessageEvent
  /** Resources were picked and have it. `taken` = the full JIDs that got it. */
  'message:delivered': MessageEvent & { readonly taken: ReadonlySet<string> }
  /** Nobody is there to have it; 'stop' = it is not stored either, the sender gets service-unavailable. */
  'message:offline': MessageEvent
  /** A session ended before its client had everything: messages of this account wait again. */
  'message:waits': AccountEvent
  /** A client sent presence (any type, directed or not). */
  'presence:send': PresenceEvent
  /** Presence is about to reach a local account. */
  'presence:deliver': PresenceEvent & { readonly to: Jid }
  /** An IQ (any type) is about to reach another person's resource or account (not the own one, not the server). */
  'iq:deliver': IqEvent
  /** A resource was bound. */
  'session:bound': SessionEvent
  /** A session left resting and has a stream again (XEP-0198). */
  'session:resumed': SessionEvent
  /** A session that rests is about to go on on another node: what is held back for it is written now. Not awaited. */
  'session:leaving': SessionEvent
  /** Initial presence: unavailable → available. */
  'session:available': SessionEvent
  /** available → unavailable (by presence or by its end). `stanza` is the unavailable presence, stamped, without `to`. */
  'session:unavailable': SessionEvent & { readonly stanza: Stanza }
  /** The session is gone for good. */
  'session:closed': SessionEvent
  /** A contact's subscription changed on the side of `username`. */
  'roster:changed': { readonly username: string; readonly jid: string }
  /** What is the target, what can it do? Handlers add to what was advertised, or answer for a node. */
  'disco:info': DiscoInfoEvent
  /** What belongs to the target? Handlers add services, rooms, nodes. */
  'disco:items': DiscoItemsEvent
  'account:created': AccountEvent
  /** All rows of features that belong to this account must go. Runs inside the removal; awaited. */
  'account:removed': AccountEvent
}

/** Four names instead of numbers: `filter` may stop, `change` may replace, `store` keeps, `watch` looks on. */
export type Order = 'filter' | 'change' | 'store' | 'watch'

// A handler that returns nothing lets the chain go on.
export type Handler<E> = (event: E) => undefined | 'stop' | Promise<undefined | 'stop'> | Promise<void> | void

const orders: Record<Order, number> = { filter: 0, change: 1, store: 2, watch: 3 }

interface Entry {
  readonly order: number
  readonly handler: Handler<never>
}

/** The table of hook handlers. Running a chain costs no promise unless a handler returns one. */
export class HookTable {
  readonly #entries = new Map<keyof Hooks, Entry[]>()

  /**
   * Adds a handler; handlers of one order run in the order they were added.
   * @returns a function that removes it
   */
  on<K extends keyof Hooks>(name: K, order: Order, handler: Handler<Hooks[K]>): () => void {
    const entry: Entry = { order: orders[order], handler: handler as Handler<never> }
    const entries = [...(this.#entries.get(name) ?? []), entry]
    entries.sort((a, b) => a.order - b.order)
    this.#entries.set(name, entries)
    return () => {
      this.#entries.set(
        name,
        (this.#entries.get(name) ?? []).filter(other => other !== entry),
      )
    }
  }

  /**
   * Runs the chain.
   * @returns false when a handler stopped it; a promise only when a handler had to wait
   * @throws what a handler throws (StanzaError → the caller answers it; anything else is a bug)
   */
  run<K extends keyof Hooks>(name: K, event: Hooks[K]): boolean | Promise<boolean> {
    const entries = this.#entries.get(name)
    if (!entries) return true
    for (const [index, entry] of entries.entries()) {
      const answer = (entry.handler as Handler<Hooks[K]>)(event)
      if (answer === 'stop') return false
      if (answer instanceof Promise) return this.#goOn(entries, index + 1, event, answer)
    }
    return true
  }

  async #goOn<K extends keyof Hooks>(
    entries: Entry[],
    from: number,
    event: Hooks[K],
    pending: Promise<unknown>,
  ): Promise<boolean> {
    if ((await pending) === 'stop') return false
    for (const entry of entries.slice(from)) {
      if ((await (entry.handler as Handler<Hooks[K]>)(event)) === 'stop') return false
    }
    return true
  }
}
