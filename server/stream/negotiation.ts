/** The order of negotiation: STARTTLS, SASL, then a resource or the resumption of one (RFC 6120 §4.3, §5.3.4, §6.3.1, §7.3.1). */
import { SaslError, StreamError } from '../xmpp/errors.ts'
import { NS_SASL, NS_SM, NS_STREAM, NS_TLS } from '../xmpp/namespaces.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import { bind, isBindRequest } from './bind.ts'
import type { ClientStream } from './c2s.ts'
import { bindFeature, limitsFeature, saslFeature, startTlsFeature } from './header.ts'
import { negotiateManagement } from './management.ts'
import { Login, offerFor } from './sasl.ts'
import { startTls } from './starttls.ts'

/** The features of a stream in its phase (§4.3.2). */
export function featuresFor(stream: ClientStream): string {
  const { settings, parts } = stream.streams
  switch (stream.phase) {
    case 'unsecured':
      // RFC 7395 §3.9: no STARTTLS inside a WebSocket. Nothing can be done there without wss.
      if (!stream.wire.startTls)
        throw new StreamError('policy-violation', 'This address is not encrypted. Use wss instead of ws.')
      return startTlsFeature
    case 'unauthenticated': {
      const offer = offerFor(stream)
      return (
        saslFeature(offer.mechanisms, offer.channelBindings) +
        limitsFeature(settings.bytesBeforeLogin, settings.loginDeadlineSeconds)
      )
    }
    default:
      return (
        bindFeature + [...parts.streamFeatures].join('') + limitsFeature(settings.maxStanzaBytes, settings.pingSeconds)
      )
  }
}

/**
 * Takes a first-level element that is not the business of a bound session.
 * @throws StreamError when it is out of order
 */
export function negotiate(stream: ClientStream, element: Stanza): void {
  switch (element.ns) {
    case NS_TLS:
      startTls(stream, element)
      return
    case NS_SASL:
      logIn(stream, element)
      return
    case NS_SM:
      negotiateManagement(stream, element)
      return
    case NS_STREAM:
      if (element.name !== 'error') break
      stream.end()
      return
    default:
  }
  if (element.kind === 'other')
    throw new StreamError('unsupported-stanza-type', `<${element.name}/> is not understood here.`)
  // §4.3.5, §7.1
  if (stream.phase !== 'unbound') throw new StreamError('not-authorized', 'Log in first.')
  if (!isBindRequest(element)) throw new StreamError('not-authorized', 'Bind a resource first.')
  bind(stream, element)
}

function logIn(stream: ClientStream, element: Stanza): void {
  if (stream.phase === 'unsecured') {
    // §6.5.4
    stream.sendRaw(new SaslError('encryption-required', 'Use STARTTLS first.').toXml())
    return
  }
  if (stream.phase !== 'unauthenticated') throw new StreamError('policy-violation', 'This stream is logged in already.')
  stream.login ??= new Login(stream)
  stream.login.take(element)
}
