/** STARTTLS: RFC 6120 §5, RFC 7590. */
import { StreamError } from '../xmpp/errors.ts'
import { NS_TLS } from '../xmpp/namespaces.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { ClientStream } from './c2s.ts'

/** Takes an element of the namespace of STARTTLS. @throws StreamError when it is none, or bytes follow it */
export function startTls(stream: ClientStream, element: Stanza): void {
  if (element.name !== 'starttls') throw new StreamError('unsupported-stanza-type')
  const { wire } = stream
  if (stream.phase !== 'unsecured' || !wire.startTls) {
    // §5.4.2.2
    stream.sendRaw(`<failure xmlns='${NS_TLS}'/>`)
    stream.end()
    return
  }
  // §5.3.3: not even white space may follow. Somebody on the way may have put it there to have it taken for encrypted.
  if (stream.bufferedBytes > 0) throw new StreamError('policy-violation', 'Something was sent behind <starttls/>.')
  stream.sendRaw(`<proceed xmlns='${NS_TLS}'/>`)
  stream.flush()
  stream.restart('unauthenticated', { keepBuffered: false })
  wire.startTls()
}
