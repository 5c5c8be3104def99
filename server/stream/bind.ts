/** Resource binding: RFC 6120 §7. */
import { escapeText } from '../xmpp/element.ts'
import { StanzaError, StreamError, stanzaError } from '../xmpp/errors.ts'
import { enforceResource, JidError } from '../xmpp/jid.ts'
import { NS_BIND } from '../xmpp/namespaces.ts'
import { buildStanza, type Stanza } from '../xmpp/stanza.ts'
import type { ClientStream } from './c2s.ts'

/** §7.7.3: at least 5, at most 10. */
const FAILURES_MAX = 5

/** Whether this is `<iq type='set'><bind/></iq>`. */
export function isBindRequest(stanza: Stanza): boolean {
  return stanza.kind === 'iq' && stanza.type === 'set' && stanza.has('bind', NS_BIND)
}

/** Binds the resource that is asked for, or one of our own making. What the client sends meanwhile waits. */
export function bind(stream: ClientStream, request: Stanza): void {
  stream.holdWrites()
  stream.wait(
    bindResource(stream, request).catch(error => {
      if (!(error instanceof StanzaError)) {
        // A feature could not load what it needs of the account: the database is away.
        stream.streams.parts.log.warn({ err: error, username: stream.username }, 'resource was not bound')
      }
      refuse(stream, request, error instanceof StanzaError ? error : new StanzaError('wait', 'internal-server-error'))
    }),
  )
}

async function bindResource(stream: ClientStream, request: Stanza): Promise<void> {
  const { username, streams } = stream
  const { sessions, log } = streams.parts
  if (username === undefined) throw new StreamError('not-authorized')
  const resource = resourceOf(request)
  const session = await sessions.bind({ username, resource, outlet: stream })
  if (session === 'conflict') throw new StanzaError('modify', 'conflict', 'This resource is in use.')
  if (session === 'too-many') throw stanzaError('resource-constraint', 'This person has too many connections.')
  if (stream.isOver) {
    await sessions.end(session, 'left')
    return
  }
  stream.attach(session)
  const jid = `<bind xmlns='${NS_BIND}'><jid>${escapeText(session.jid.full)}</jid></bind>`
  stream.releaseWrites(textOf(stream, buildStanza('iq', { type: 'result', id: request.id }, jid)))
  log.info({ jid: session.jid.full, address: stream.address, transport: stream.transport }, 'resource bound')
}

/** @throws StanzaError bad-request when it cannot be a resource (§7.7.2.1) */
function resourceOf(request: Stanza): string | undefined {
  const text = request.child('bind', NS_BIND)?.getChildText('resource')
  if (!text) return undefined
  try {
    return enforceResource(text)
  } catch (error) {
    if (error instanceof JidError) throw stanzaError('bad-request', error.message)
    throw error
  }
}

function refuse(stream: ClientStream, request: Stanza, error: StanzaError): void {
  if (stream.isOver) return
  stream.releaseWrites(textOf(stream, buildStanza('iq', { type: 'error', id: request.id }, error.toElement())))
  stream.bindFailures++
  if (stream.bindFailures > FAILURES_MAX) stream.fail(new StreamError('policy-violation', 'Binding failed too often.'))
}

function textOf(stream: ClientStream, stanza: Stanza): string {
  return stream.wire.mode === 'stream' ? stanza.toString() : stanza.toDocument().toString()
}
