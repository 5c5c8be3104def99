/** XEP-0198: stream management. Acknowledgements of a bound session, and the way back to one whose stream broke. */
import type { Inbox } from '../core/inbox.ts'
import type { Session } from '../core/session.ts'
import { type Element, escapeAttribute, xml } from '../xmpp/element.ts'
import { type StanzaError, StreamError, stanzaError } from '../xmpp/errors.ts'
import { NS_SM } from '../xmpp/namespaces.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { ClientStream } from './c2s.ts'
import type { ResumeRequest } from './handover.ts'
import { settle } from './settle.ts'

/** §4: counters wrap at 2^32. */
const WRAP = 2 ** 32
const REQUEST = Buffer.from(`<r xmlns='${NS_SM}'/>`)
/** The latest answer to `<r/>`: until then it may wait for stanzas to be safe. */
const ANSWER_MS = 1_000
/** How long a resume waits until everything of the former stream is safe. */
const SETTLE_MS = 3_000
/** How long the database may take to tell what a stream of a node that is no more had kept. */
const RECOVER_MS = 4_000

/** More was acknowledged than was sent (§6). */
export class HandledCountTooHigh extends StreamError {
  readonly #h: number
  readonly #sent: number

  constructor(h: number, sent: number) {
    super('undefined-condition', `You acknowledged ${h} stanzas, but only ${sent} were sent so far.`)
    this.#h = h
    this.#sent = sent
  }

  override toElement(): Element {
    const element = super.toElement()
    element.cnode(xml('handled-count-too-high', { xmlns: NS_SM, h: this.#h, 'send-count': this.#sent }))
    return element
  }
}

/** Stream management of one bound stream. What must outlive the stream stands in the session. */
export class Management {
  readonly #stream: ClientStream
  readonly #session: Session
  readonly #inbox: Inbox
  /** Our `<r/>` is not answered yet. */
  #isAsked = false
  /** Counts that the client wants acknowledged: the earliest and the latest `<r/>` that are not answered in full. */
  #due: number | undefined
  #lastDue = 0

  constructor(stream: ClientStream, session: Session, inbox: Inbox) {
    this.#stream = stream
    this.#session = session
    this.#inbox = inbox
    inbox.onSettled = () => this.#settled()
  }

  /** Takes `<r/>` and `<a/>`. @returns false when it is another element */
  take(element: Stanza): boolean {
    if (element.ns !== NS_SM) return false
    if (element.name === 'r') this.#answer()
    else if (element.name === 'a') this.#acknowledged(countOf(element))
    else return false
    return true
  }

  /** `<r/>` for the end of a write, when something is unacknowledged and no `<r/>` is outstanding. */
  request(): Buffer | undefined {
    if (this.#isAsked || !this.#session.outbox || this.#session.outbox.unacked === 0) return undefined
    this.#isAsked = true
    return REQUEST
  }

  /** Sends `<r/>` in any case: is anybody there? */
  ask(): void {
    this.#isAsked = true
    this.#stream.sendBytes(REQUEST)
  }

  /** The stream is over. */
  close(): void {
    this.#stream.streams.alarms.clear(this.#late)
    this.#due = undefined
  }

  #acknowledged(h: number | undefined): void {
    if (h === undefined) throw new StreamError('undefined-condition', 'An <a/> needs a number h.')
    if (!this.#session.acknowledged(h)) throw new HandledCountTooHigh(h, this.#session.outbox?.sent ?? 0)
    this.#isAsked = false
    if (this.#session.outbox && this.#session.outbox.unacked > 0) this.#stream.wake()
  }

  /** An `<a/>` names only what is safe; it waits a little for that. */
  #answer(): void {
    const { handled, safe } = this.#inbox
    if (safe === handled) {
      this.#sendAnswer()
      return
    }
    this.#lastDue = handled
    if (this.#due !== undefined) return
    this.#due = handled
    this.#stream.streams.alarms.set(this.#late, ANSWER_MS)
  }

  #settled(): void {
    if (this.#due !== undefined && hasReached(this.#inbox.safe, this.#due)) this.#sendAnswer()
  }

  readonly #late = (): void => {
    // What is not safe yet stays due: an <a/> follows unasked when it is.
    this.#stream.sendRaw(`<a xmlns='${NS_SM}' h='${this.#inbox.safe}'/>`)
  }

  #sendAnswer(): void {
    const { safe } = this.#inbox
    const { alarms } = this.#stream.streams
    this.#stream.sendRaw(`<a xmlns='${NS_SM}' h='${safe}'/>`)
    if (this.#due === undefined) return
    alarms.clear(this.#late)
    if (hasReached(safe, this.#lastDue)) this.#due = undefined
    else {
      this.#due = this.#lastDue
      alarms.set(this.#late, ANSWER_MS)
    }
  }
}

/** Takes `<enable/>` and `<resume/>`, and everything that comes at the wrong time (§3, §5, §6). */
export function negotiateManagement(stream: ClientStream, element: Stanza): void {
  if (element.name === 'enable') enable(stream, element)
  else if (element.name === 'resume' && stream.phase === 'unbound') stream.wait(resume(stream, element))
  else if (element.name === 'resume' || element.name === 'r' || element.name === 'a') {
    refuse(stream, stanzaError('unexpected-request'))
  } else throw new StreamError('unsupported-stanza-type')
}

function enable(stream: ClientStream, element: Stanza): void {
  const { session, streams } = stream
  const { resumeSeconds, maxUnacked, maxUnackedBytes } = streams.management
  // §3: only after binding, and only once.
  if (!session || stream.phase !== 'bound' || session.outbox) {
    refuse(stream, stanzaError('unexpected-request'))
    return
  }
  const wanted = element.element.getAttr('resume')
  const max = Number(element.element.getAttr('max') ?? Number.NaN)
  const seconds = Math.floor(max) >= 1 ? Math.min(Math.floor(max), resumeSeconds) : resumeSeconds
  const isResumable = (wanted === 'true' || wanted === '1') && seconds > 0
  const location = streams.location === undefined ? '' : ` location='${escapeAttribute(streams.location)}'`
  const resumption = isResumable ? ` id='${session.id}' resume='true' max='${seconds}'${location}` : ''
  stream.sendRaw(`<enabled xmlns='${NS_SM}'${resumption}/>`)
  session.enableManagement({
    resumableMs: isResumable ? seconds * 1000 : 0,
    limits: { stanzas: maxUnacked, bytes: maxUnackedBytes },
  })
  manage(stream, session)
}

function manage(stream: ClientStream, session: Session): void {
  if (session.inbox) stream.management = new Management(stream, session, session.inbox)
}

async function resume(stream: ClientStream, element: Stanza): Promise<void> {
  const { streams, username = '' } = stream
  const { hooks, log } = streams.parts
  const previd = element.element.getAttr('previd')
  const h = countOf(element)
  if (!previd || h === undefined) {
    refuse(stream, stanzaError('bad-request', 'A <resume/> needs previd and h.'))
    return
  }
  const session = await find(stream, { previd, username, h })
  if (session === 'unknown') {
    await refuseUnknown(stream, { streamId: previd, username, h })
    return
  }
  if (session === 'busy' || stream.isOver) {
    refuse(stream, stanzaError('item-not-found'))
    return
  }
  const { handled, safe } = session.inbox ?? { handled: 0, safe: 0 }
  // What is handled and not safe yet is sent again by the client (§5): passed over.
  stream.repeated = (handled - safe + WRAP) % WRAP
  session.resume(stream)
  stream.attach(session)
  stream.sendRaw(`<resumed xmlns='${NS_SM}' previd='${escapeAttribute(previd)}' h='${safe}'/>`)
  manage(stream, session)
  for (const stanza of session.outbox?.unackedStanzas() ?? []) stream.send(stanza)
  log.info({ jid: session.jid.full, address: stream.address, transport: stream.transport }, 'stream resumed')
  await hooks.run('session:resumed', { session })
}

/**
 * The session of a stream, resting and settled, wherever it was until now.
 * @throws HandledCountTooHigh
 */
async function find(stream: ClientStream, asked: ResumeRequest): Promise<Session | 'unknown' | 'busy'> {
  const { streams } = stream
  const { previd, username, h } = asked
  if (streams.handover.isFetching(previd)) return 'busy'
  const session = streams.parts.sessions.byId(previd)
  if (!session || session.departedAt !== undefined) {
    const fetched = await streams.handover.fetch(asked)
    if (typeof fetched === 'object' && 'sent' in fetched) throw new HandledCountTooHigh(h, fetched.sent)
    return fetched
  }
  if (session.username !== username || session.resumableMs === 0) return 'unknown'
  const outcome = await settle(streams, session, { safeMs: SETTLE_MS })
  if (outcome !== 'settled') return 'busy'
  if (!session.acknowledged(h)) throw new HandledCountTooHigh(h, session.outbox?.sent ?? 0)
  return session
}

/** The stream is not known here: perhaps it was of a process that is no more, and the archive knows how far it got. */
async function refuseUnknown(
  stream: ClientStream,
  asked: { streamId: string; username: string; h: number },
): Promise<void> {
  const { parts, alarms } = stream.streams
  let handled: number | undefined
  let ring: (() => void) | undefined
  const late = new Promise<undefined>(resolve => {
    ring = () => resolve(undefined)
    alarms.set(ring, RECOVER_MS)
  })
  try {
    handled = await Promise.race([parts.queue.recover(asked), late])
  } catch (error) {
    parts.log.warn({ err: error, username: asked.username }, 'former stream was not found out')
  } finally {
    if (ring) alarms.clear(ring)
  }
  refuse(stream, stanzaError('item-not-found'), handled)
}

function refuse(stream: ClientStream, error: StanzaError, h?: number): void {
  const [condition] = error.toElement().getChildElements()
  const count = h === undefined ? '' : ` h='${h}'`
  stream.sendRaw(`<failed xmlns='${NS_SM}'${count}>${condition?.toString() ?? ''}</failed>`)
}

// What nearly every client sends: no tree is needed to read it.
const USUAL_ACK =
  /^<a xmlns=["']urn:xmpp:sm:3["'] h=["'](\d{1,10})["'] ?\/>$|^<a h=["'](\d{1,10})["'] xmlns=["']urn:xmpp:sm:3["'] ?\/>$/

/** The `h` of an element: xs:unsignedInt; undefined when it is none. */
function countOf(element: Stanza): number | undefined {
  const usual = USUAL_ACK.exec(element.bytes.toString('latin1'))
  const text = usual ? (usual[1] ?? usual[2]) : element.element.getAttr('h')
  if (typeof text !== 'string' || !/^\s*\+?\d{1,10}\s*$/.test(text)) return undefined
  const count = Number(text)
  return count < WRAP ? count : undefined
}

/** Whether a counter that wraps is at or past a mark. */
function hasReached(count: number, mark: number): boolean {
  return (count - mark + WRAP) % WRAP < WRAP / 2
}
