/** Silent peers and standstills (RFC 6120 §4.6): what the sweep, once a second, does with each stream. No stream has a timer of its own. */
import { StreamError } from '../xmpp/errors.ts'
import { NS_PING } from '../xmpp/namespaces.ts'
import { buildStanza } from '../xmpp/stanza.ts'
import type { ClientStream } from './c2s.ts'

/** How long the other side may take to close after our end of the stream (§4.4). */
const CLOSE_WAIT_MS = 5_000

/**
 * Looks after one stream.
 * @param now milliseconds since the epoch
 */
export function watch(stream: ClientStream, now: number): void {
  const { settings } = stream.streams
  switch (stream.phase) {
    case 'closed':
      return
    case 'closing':
      if (now - stream.endedAt >= CLOSE_WAIT_MS) stream.wire.destroy()
      return
    case 'bound':
      if (hasStalled(stream, settings.writeStallSeconds)) stream.cut('Nothing was read for too long.')
      else checkPeer(stream, now)
      return
    default:
      if (now - stream.startedAt >= settings.loginDeadlineSeconds * 1000) {
        stream.end(new StreamError('connection-timeout', 'Sign-in took too long.'))
      }
  }
}

// Counted in sweeps, not by the clock: a computer that was suspended has not been waiting for its clients.
function hasStalled(stream: ClientStream, sweepsMax: number): boolean {
  const waiting = stream.wire.waitingBytes
  const taken = stream.writtenBytes - waiting
  if (waiting === 0 || taken !== stream.takenBytes) {
    stream.takenBytes = taken
    stream.stalledSweeps = 0
    return false
  }
  stream.stalledSweeps++
  return stream.stalledSweeps >= sweepsMax
}

/** A blank first; then a question, and no answer to that means that nobody is there (§4.6.2). */
function checkPeer(stream: ClientStream, now: number): void {
  const { keepaliveSeconds, pingSeconds, pingTimeoutSeconds } = stream.streams.settings
  if (stream.receivedAt >= stream.probedAt) stream.probe = 'none'
  const silence = now - stream.receivedAt
  if (stream.probe === 'ping') {
    if (now - stream.probedAt >= pingTimeoutSeconds * 1000) {
      stream.abandon(new StreamError('connection-timeout', 'The app did not answer.'))
    }
  } else if (silence >= pingSeconds * 1000) {
    stream.probe = 'ping'
    stream.probedAt = now
    ping(stream)
  } else if (silence >= keepaliveSeconds * 1000 && stream.probe === 'none') {
    stream.probe = 'blank'
    stream.probedAt = now
    stream.wire.keepAlive()
  }
}

/** With stream management `<r/>` asks the same for less; else XEP-0199 from server to client (§4.1). */
function ping(stream: ClientStream): void {
  const { session, streams } = stream
  if (!session) return
  if (stream.management) stream.management.ask()
  else {
    const id = `ping-${streams.parts.randomId()}`
    session.send(
      buildStanza(
        'iq',
        { type: 'get', id, from: streams.parts.domain, to: session.jid.full },
        `<ping xmlns='${NS_PING}'/>`,
      ),
    )
  }
}
