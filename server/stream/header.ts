/** Stream headers and stream features: RFC 6120 §4.2, §4.3 and §4.7 over TCP, RFC 7395 §3.4 over WebSocket. */
import { escapeAttribute } from '../xmpp/element.ts'
import { StreamError } from '../xmpp/errors.ts'
import type { FramerEvent, FramerMode } from '../xmpp/framer.ts'
import { tryJid } from '../xmpp/jid.ts'
import { NS_BIND, NS_CLIENT, NS_FRAMING, NS_SASL, NS_STREAM, NS_TLS } from '../xmpp/namespaces.ts'
import { channelBindingElement } from '../xmpp/sasl.ts'

type OpenEvent = Extract<FramerEvent, { type: 'open' }>

/** What is remembered of the client's stream header. */
export interface ClientHeader {
  /** Bare JID that the client says it is (§4.7.1); undefined when it says none, or none that is an address. */
  readonly from: string | undefined
  /** The language of what the client sends (§4.7.4); undefined when it names none. */
  readonly lang: string | undefined
}

const LANGUAGE = /^[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,8}$/

/** Reads what may be remembered of a header, right or wrong. */
export function readHeader({ header }: OpenEvent): ClientHeader {
  const lang = header.lang !== undefined && LANGUAGE.test(header.lang) ? header.lang : undefined
  const from = tryJid(header.from)
  return { from: from?.local === undefined ? undefined : from.bare, lang }
}

/**
 * What is wrong with a client's stream header.
 * @param mode what the connection carries
 * @param domain the one domain that is served here
 * @returns the stream error to close with, undefined when nothing is
 */
export function headerFault(event: OpenEvent, mode: FramerMode, domain: string): StreamError | undefined {
  const { header } = event
  if (mode === 'stream') {
    // §4.8.1
    if (event.ns !== NS_STREAM)
      return new StreamError('invalid-namespace', `A stream is of the namespace ${NS_STREAM}.`)
    if (event.name !== 'stream') return new StreamError('bad-format', 'A stream begins with <stream:stream>.')
    // §4.8.5; without prefix it is the prefix-free style of §4.8.2.
    if (event.prefix !== 'stream' && event.prefix !== '') {
      return new StreamError('bad-namespace-prefix', 'The prefix of the stream namespace is “stream”.')
    }
    // §4.8.3
    if (event.prefix !== '' && header.defaultNs !== undefined && header.defaultNs !== NS_CLIENT) {
      return new StreamError('invalid-namespace', `The content of a client’s stream is of the namespace ${NS_CLIENT}.`)
    }
  }
  // §4.7.2: a header without `to` is accepted; there is but one domain here.
  if (header.to !== undefined && tryJid(header.to)?.full !== domain) {
    return new StreamError('host-unknown', `Only ${domain} is served here.`)
  }
  // §4.7.5: without version it is 0.9. Both numbers are compared as integers.
  const major = Number(/^(\d{1,9})\.\d{1,9}$/.exec(header.version ?? '0.9')?.[1] ?? 0)
  return major >= 1 ? undefined : new StreamError('unsupported-version', 'Version 1.0 of XMPP or later is needed.')
}

/**
 * Our stream header.
 * @param options.id unpredictable, new for each stream (§4.7.3)
 * @param options.client what the client's header said
 */
export function streamHeader(options: { mode: FramerMode; domain: string; id: string; client: ClientHeader }): string {
  const { mode, domain, id, client } = options
  // §4.7.2: `to` if and only if there was a `from`.
  const to = client.from === undefined ? '' : ` to='${escapeAttribute(client.from)}'`
  // §4.7.4: all our texts are English.
  const lang = client.lang !== undefined && /^en(?:-|$)/i.test(client.lang) ? client.lang : 'en'
  const attributes = `from='${escapeAttribute(domain)}' id='${id}'${to} version='1.0' xml:lang='${lang}'`
  return mode === 'stream'
    ? `<?xml version='1.0'?><stream:stream ${attributes} xmlns='${NS_CLIENT}' xmlns:stream='${NS_STREAM}'>`
    : `<open xmlns='${NS_FRAMING}' ${attributes}/>`
}

/** The end of our stream (§4.4, RFC 7395 §3.6). @param uri where the client is sent instead (RFC 7395 §3.6.1) */
export function streamEnd(mode: FramerMode, uri?: string): string {
  if (mode === 'stream') return '</stream:stream>'
  return `<close xmlns='${NS_FRAMING}'${uri === undefined ? '' : ` see-other-uri='${escapeAttribute(uri)}'`}/>`
}

/** `<stream:features/>` around features (§4.3.2). */
export function featuresElement(mode: FramerMode, features: string): string {
  const declaration = mode === 'stream' ? '' : ` xmlns:stream='${NS_STREAM}'`
  return `<stream:features${declaration}>${features}</stream:features>`
}

/** STARTTLS is the only feature until it is done (§5.3.1). */
export const startTlsFeature = `<starttls xmlns='${NS_TLS}'><required/></starttls>`

/** SASL mechanisms, best first, and what they can be bound to (§6.4.1, XEP-0440). */
export function saslFeature(mechanisms: readonly string[], channelBindings: readonly string[]): string {
  const list = mechanisms.map(mechanism => `<mechanism>${mechanism}</mechanism>`).join('')
  const bindings = channelBindingElement(channelBindings)
  return `${bindings?.toString() ?? ''}<mechanisms xmlns='${NS_SASL}'>${list}</mechanisms>`
}

/** Resource binding (§7.4). */
export const bindFeature = `<bind xmlns='${NS_BIND}'><required/></bind>`

/** What a client may send at once, and after what silence it is asked whether it is there (XEP-0478). */
export function limitsFeature(maxBytes: number, idleSeconds: number): string {
  return `<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>${maxBytes}</max-bytes><idle-seconds>${idleSeconds}</idle-seconds></limits>`
}
