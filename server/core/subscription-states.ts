/** RFC 6121 Appendix A: the nine subscription states and what each stanza does to them. Pure. */

export type Subscription = 'none' | 'to' | 'from' | 'both'
export type SubscriptionStanza = 'subscribe' | 'subscribed' | 'unsubscribe' | 'unsubscribed'

/** The state of one pair, seen from one side. */
export interface SubscriptionState {
  readonly subscription: Subscription
  /** We asked, they have not answered ("pending out", `ask='subscribe'`). */
  readonly isAsking: boolean
  /** They asked, we have not answered ("pending in"). */
  readonly isAsked: boolean
  /** We said yes before they asked (§3.4). */
  readonly isApproved: boolean
}

export interface Transition {
  /** Outbound: route it to the other side. Inbound: deliver it to the person. */
  readonly pass: boolean
  /** Answer the other side at once on behalf of the person. */
  readonly reply: 'subscribed' | 'unsubscribed' | undefined
  readonly next: SubscriptionState
}

export const initialState: SubscriptionState = {
  subscription: 'none',
  isAsking: false,
  isAsked: false,
  isApproved: false,
}

export const hasTo = (subscription: Subscription): boolean => subscription === 'to' || subscription === 'both'
export const hasFrom = (subscription: Subscription): boolean => subscription === 'from' || subscription === 'both'

function subscriptionOf(to: boolean, from: boolean): Subscription {
  if (to) return from ? 'both' : 'to'
  return from ? 'from' : 'none'
}

/** What a stanza that the person sends does (Appendix A.2, pre-approval §3.4). */
export function outbound(state: SubscriptionState, stanza: SubscriptionStanza): Transition {
  const to = hasTo(state.subscription)
  const from = hasFrom(state.subscription)
  switch (stanza) {
    case 'subscribe':
      return { pass: true, reply: undefined, next: to ? state : { ...state, isAsking: true } }
    case 'unsubscribe':
      return {
        pass: true,
        reply: undefined,
        next: { ...state, subscription: subscriptionOf(false, from), isAsking: false },
      }
    case 'subscribed':
      if (state.isAsked) {
        const next = { ...state, subscription: subscriptionOf(to, true), isAsked: false, isApproved: false }
        return { pass: true, reply: undefined, next }
      }
      return { pass: false, reply: undefined, next: from ? state : { ...state, isApproved: true } }
    case 'unsubscribed': {
      const next = { ...state, subscription: subscriptionOf(to, false), isAsked: false, isApproved: false }
      return { pass: from || state.isAsked, reply: undefined, next }
    }
  }
}

/** What a stanza that the other side sends does (Appendix A.3). */
export function inbound(state: SubscriptionState, stanza: SubscriptionStanza): Transition {
  const to = hasTo(state.subscription)
  const from = hasFrom(state.subscription)
  switch (stanza) {
    case 'subscribe':
      if (from) return { pass: false, reply: 'subscribed', next: state }
      if (state.isApproved) {
        const next = { ...state, subscription: subscriptionOf(to, true), isAsked: false, isApproved: false }
        return { pass: false, reply: 'subscribed', next }
      }
      return { pass: !state.isAsked, reply: undefined, next: { ...state, isAsked: true } }
    case 'unsubscribe': {
      const isChange = from || state.isAsked
      const next = { ...state, subscription: subscriptionOf(to, false), isAsked: false }
      return { pass: isChange, reply: isChange ? 'unsubscribed' : undefined, next }
    }
    case 'subscribed':
      if (!state.isAsking || to) return { pass: false, reply: undefined, next: state }
      return {
        pass: true,
        reply: undefined,
        next: { ...state, subscription: subscriptionOf(true, from), isAsking: false },
      }
    case 'unsubscribed': {
      const isChange = to || state.isAsking
      const next = { ...state, subscription: subscriptionOf(false, from), isAsking: false }
      return { pass: isChange, reply: undefined, next: isChange ? next : state }
    }
  }
}
