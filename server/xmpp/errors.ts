/**
 * RFC 6120 sections 4.9 (stream errors), 6.5 (SASL errors) and 8.3 (stanza errors). Thrown where the fault is seen and turned into
 * XML here only. The texts are for people who read logs and consoles: they name what is wrong and what to do.
 */
import { type Element, xml } from './element.ts'
import { NS_SASL, NS_STANZAS, NS_STREAM, NS_STREAMS } from './namespaces.ts'

/** What the sender may do: RFC 6120 section 8.3.2. */
export type StanzaErrorType = 'auth' | 'cancel' | 'continue' | 'modify' | 'wait'

/** Each condition of RFC 6120 section 8.3.3 with the type that its section recommends. */
const USUAL_TYPE = {
  'bad-request': 'modify',
  conflict: 'cancel',
  'feature-not-implemented': 'cancel',
  forbidden: 'auth',
  gone: 'cancel',
  'internal-server-error': 'cancel',
  'item-not-found': 'cancel',
  'jid-malformed': 'modify',
  'not-acceptable': 'modify',
  'not-allowed': 'cancel',
  'not-authorized': 'auth',
  'policy-violation': 'modify',
  'recipient-unavailable': 'wait',
  redirect: 'modify',
  'registration-required': 'auth',
  'remote-server-not-found': 'cancel',
  'remote-server-timeout': 'wait',
  'resource-constraint': 'wait',
  'service-unavailable': 'cancel',
  'subscription-required': 'auth',
  'undefined-condition': 'cancel',
  'unexpected-request': 'wait',
} as const satisfies Record<string, StanzaErrorType>

/** RFC 6120 section 8.3.3. */
export type StanzaErrorCondition = keyof typeof USUAL_TYPE

/** RFC 6120 section 4.9.3. */
export type StreamErrorCondition =
  | 'bad-format'
  | 'bad-namespace-prefix'
  | 'conflict'
  | 'connection-timeout'
  | 'host-gone'
  | 'host-unknown'
  | 'improper-addressing'
  | 'internal-server-error'
  | 'invalid-from'
  | 'invalid-namespace'
  | 'invalid-xml'
  | 'not-authorized'
  | 'not-well-formed'
  | 'policy-violation'
  | 'remote-connection-failed'
  | 'reset'
  | 'resource-constraint'
  | 'restricted-xml'
  | 'see-other-host'
  | 'system-shutdown'
  | 'undefined-condition'
  | 'unsupported-encoding'
  | 'unsupported-feature'
  | 'unsupported-stanza-type'
  | 'unsupported-version'

/** RFC 6120 section 6.5. */
export type SaslErrorCondition =
  | 'aborted'
  | 'account-disabled'
  | 'credentials-expired'
  | 'encryption-required'
  | 'incorrect-encoding'
  | 'invalid-authzid'
  | 'invalid-mechanism'
  | 'malformed-request'
  | 'mechanism-too-weak'
  | 'not-authorized'
  | 'temporary-auth-failure'

/** A stanza that cannot be served; answered with an `<error/>` of this content (RFC 6120 section 8.3). */
export class StanzaError extends Error {
  override readonly name = 'StanzaError'
  readonly type: StanzaErrorType
  readonly condition: StanzaErrorCondition
  readonly text: string | undefined
  /** A child in a namespace of its own that says more (RFC 6120 section 8.3.4). */
  readonly appSpecific: Element | undefined
  /** With `gone` and `redirect`: the XMPP URI where the entity can be reached (RFC 6120 sections 8.3.3.5 and 8.3.3.14). */
  readonly uri: string | undefined

  constructor(
    type: StanzaErrorType,
    condition: StanzaErrorCondition,
    text?: string,
    appSpecific?: Element,
    uri?: string,
  ) {
    super(text ?? condition)
    this.type = type
    this.condition = condition
    this.text = text
    this.appSpecific = appSpecific
    this.uri = uri
  }

  /** The `<error/>` child of the answer. `by`: the JID of who found the fault, when that is not whom the stanza was for. */
  toElement(by?: string): Element {
    return xml(
      'error',
      { ...(by !== undefined && { by }), type: this.type },
      conditionOf(this.condition, NS_STANZAS, this.uri),
      textOf(this.text, NS_STANZAS),
      this.appSpecific,
    )
  }

  /** The same as text. */
  toXml(by?: string): string {
    return this.toElement(by).toString()
  }
}

/** A StanzaError with the type that RFC 6120 section 8.3.3 recommends for its condition. */
export function stanzaError(condition: StanzaErrorCondition, text?: string, appSpecific?: Element): StanzaError {
  return new StanzaError(USUAL_TYPE[condition], condition, text, appSpecific)
}

/** A fault after which the stream cannot go on: sent as `<stream:error/>`, then the stream is closed (RFC 6120 section 4.9). */
export class StreamError extends Error {
  override readonly name = 'StreamError'
  readonly condition: StreamErrorCondition
  readonly text: string | undefined
  /** With `see-other-host`: host or host:port to connect to instead (RFC 6120 section 4.9.3.19). */
  readonly host: string | undefined

  constructor(condition: StreamErrorCondition, text?: string, host?: string) {
    super(text ?? condition)
    this.condition = condition
    this.text = text
    this.host = host
  }

  /** The element, which declares its prefix itself, so that it also stands alone (RFC 7395 section 3.5). */
  toElement(): Element {
    return xml(
      'stream:error',
      { 'xmlns:stream': NS_STREAM },
      conditionOf(this.condition, NS_STREAMS, this.host),
      textOf(this.text, NS_STREAMS),
    )
  }

  /** The same as text. */
  toXml(): string {
    return this.toElement().toString()
  }
}

/** A login that failed: sent as `<failure/>`; the client may try again on the same stream (RFC 6120 section 6.4.5). */
export class SaslError extends Error {
  override readonly name = 'SaslError'
  readonly condition: SaslErrorCondition
  readonly text: string | undefined

  constructor(condition: SaslErrorCondition, text?: string) {
    super(text ?? condition)
    this.condition = condition
    this.text = text
  }

  /** The `<failure/>` element. `ns`: that of the login protocol spoken; with urn:xmpp:sasl:2 (XEP-0388) the condition keeps the namespace of RFC 6120. */
  toElement(ns: string = NS_SASL): Element {
    const condition = conditionOf(this.condition, ns === NS_SASL ? undefined : NS_SASL)
    return xml('failure', { xmlns: ns }, condition, textOf(this.text))
  }

  /** The same as text. */
  toXml(ns: string = NS_SASL): string {
    return this.toElement(ns).toString()
  }
}

function conditionOf(condition: string, ns: string | undefined, content?: string): Element {
  return xml(condition, ns === undefined ? {} : { xmlns: ns }, content)
}

function textOf(text: string | undefined, ns?: string): Element | undefined {
  if (text === undefined) return undefined
  return xml('text', { ...(ns !== undefined && { xmlns: ns }), 'xml:lang': 'en' }, text)
}
