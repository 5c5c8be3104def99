/** Resume anywhere: a session whose client comes back on another node moves there, with all it was sent and has not acknowledged (XEP-0198 §5). */
import type { FarNode } from '../cluster/bus.ts'
import type { Session } from '../core/session.ts'
import {
  countBetween,
  type MovedStanza,
  movedStanza,
  type SessionState,
  sessionFrom,
  stateOf,
} from '../core/session-state.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import { settle } from './settle.ts'
import type { Streams } from './streams.ts'

/** How long a session may take to come here; then its client is told what the archive knows. */
const FETCH_MS = 3_000
/** How long the node that has it waits for stanzas that are being handled, and for what is not safe yet: what is not then goes along. */
const HANDLED_MS = 1_000
const SAFE_MS = 1_000
/** How long it waits to hear that the session has arrived; then the session rests there again. */
const CONFIRM_MS = 8_000
/** Bytes of stanzas in one answer, one stanza at least. */
const PART_BYTES = 256 * 1024
/** A session may have moved on before the client, or the directory, knew. */
const HOPS_MAX = 2

const TAKE = 'session-take'
const MORE = 'session-more'
const TAKEN = 'session-taken'
const KEPT = 'session-kept'

/** What a client asks for: its stream, and how many stanzas it got on it. */
export interface ResumeRequest {
  readonly previd: string
  readonly username: string
  readonly h: number
}

type Answer =
  | { readonly kind: 'state'; readonly state: SessionState; readonly unacked: MovedStanza[]; readonly sent: number }
  | { readonly kind: 'moved'; readonly node: string }
  | { readonly kind: 'too-high'; readonly sent: number }
  | { readonly kind: 'unknown' | 'busy' }

/** A session that another node is about to have. */
interface Leaving {
  readonly session: Session
  readonly to: FarNode
  /** Stanzas sent when it was written down: what came later is relayed. */
  readonly sent: number
  readonly giveUp: () => void
}

/** Fetches sessions from other nodes, and gives own ones away. */
export class Handover {
  readonly #streams: Streams
  readonly #leaving = new Map<string, Leaving>()
  /** Sessions that were given away lately, and to which node. */
  readonly #movedTo = new WeakMap<Session, string>()
  readonly #fetching = new Set<string>()
  readonly #undo: (() => void)[]
  /** A session has gone to another node. */
  onDeparted: (() => void) | undefined

  constructor(streams: Streams) {
    const { bus } = streams.parts
    this.#streams = streams
    this.#undo = [
      bus.onAsk(TAKE, (asked: ResumeRequest, from) => this.#give(asked, from)),
      bus.onAsk(MORE, (asked: { previd: string; from: number }, from) => this.#giveMore(asked, from)),
      bus.onTell(TAKEN, ({ previd }: { previd: string }, from) => this.#taken(previd, from)),
      bus.onTell(KEPT, ({ previd }: { previd: string }, from) => this.#kept(previd, from)),
    ]
  }

  /** Gives nothing away any more. */
  close(): void {
    for (const undo of this.#undo) undo()
    for (const previd of [...this.#leaving.keys()]) this.#keep(previd)
  }

  /**
   * Brings a session here from the node that has it. It rests, and is this node's own.
   * @returns `unknown` when no node that answers has it, `busy` when another stream is about to resume it, the number of stanzas sent when the
   *   client claims to have more
   */
  async fetch(asked: ResumeRequest): Promise<Session | 'unknown' | 'busy' | { readonly sent: number }> {
    const { previd, username } = asked
    const node = this.#nodeOf(asked)
    if (node === undefined) return 'unknown'
    if (this.#fetching.has(previd)) return 'busy'
    this.#fetching.add(previd)
    try {
      return await this.#fetchFrom(node, asked)
    } catch (error) {
      this.#streams.parts.log.warn({ err: error, username, node }, 'session was not fetched')
      return 'unknown'
    } finally {
      this.#fetching.delete(previd)
    }
  }

  /** Whether a session is on its way here. */
  isFetching(previd: string): boolean {
    return this.#fetching.has(previd)
  }

  #nodeOf({ previd, username }: ResumeRequest): string | undefined {
    const { directory, domain, sessions } = this.#streams.parts
    const departed = sessions.byId(previd)
    if (departed) return departed.username === username ? this.#movedTo.get(departed) : undefined
    const route = directory.bySession(previd)
    return route?.bare === `${username}@${domain}` ? route.node : undefined
  }

  async #fetchFrom(first: string, asked: ResumeRequest): ReturnType<Handover['fetch']> {
    const { bus } = this.#streams.parts
    const endsAt = performance.now() + FETCH_MS
    let node = first
    for (let hop = 0; hop <= HOPS_MAX; hop++) {
      if (bus.node(node)?.state !== 'up' || bus.hangs(node)) return 'unknown'
      const answer = (await this.#ask(node, TAKE, asked, endsAt)) as Answer
      switch (answer.kind) {
        case 'unknown':
        case 'busy':
          return answer.kind
        case 'too-high':
          return { sent: answer.sent }
        case 'moved':
          node = answer.node
          break
        case 'state':
          return await this.#arrive(node, answer, endsAt)
        default:
          answer satisfies never
      }
    }
    return 'unknown'
  }

  /** Asks a node as long as it is up. */
  #ask(node: string, topic: string, body: unknown, endsAt: number): Promise<unknown> {
    const { bus } = this.#streams.parts
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const unfollow = bus.onNode(({ name, state }) => {
      if (name === node && state !== 'up') reject(new Error(`${node} was not heard of any more.`))
    })
    bus.ask(node, topic, body, left(endsAt)).then(resolve, reject).finally(unfollow)
    return promise
  }

  /** Makes the session here. Whatever goes wrong, the other node keeps it. */
  async #arrive(node: string, answer: Extract<Answer, { kind: 'state' }>, endsAt: number): Promise<Session> {
    const { bus, sessions, queue, hooks, log, now } = this.#streams.parts
    const { maxUnacked, maxUnackedBytes } = this.#streams.management
    const { state, unacked, sent } = answer
    const previd = state.id
    let session: Session | undefined
    try {
      while (unacked.length < countBetween(state.acked, sent)) {
        const from = (state.acked + unacked.length) % 2 ** 32
        const more = (await this.#ask(node, MORE, { previd, from }, endsAt)) as MovedStanza[]
        if (more.length === 0) throw new Error(`${node} has no more of the stanzas of ${state.jid}.`)
        unacked.push(...more)
      }
      session = sessionFrom(state, {
        unacked,
        limits: { stanzas: maxUnacked, bytes: maxUnackedBytes },
        adopt: (record, stanza, options) => queue.adopt(record, stanza, options),
        now: now(),
      })
      await sessions.arrive(session)
    } catch (error) {
      for (const { row } of session?.outbox?.drain() ?? []) row?.departed()
      bus.tell(node, KEPT, { previd })
      throw error
    }
    bus.tell(node, TAKEN, { previd })
    log.info({ jid: state.jid, from: node, unacked: unacked.length }, 'session moved here')
    // What waited to be sent there after all this waits here.
    if ((session.priority ?? -1) >= 0) void hooks.run('message:waits', { username: session.username })
    return session
  }

  async #give({ previd, username, h }: ResumeRequest, from: FarNode): Promise<Answer> {
    const { sessions, hooks } = this.#streams.parts
    const session = sessions.byId(previd)
    if (session?.username !== username || session.resumableMs === 0) return { kind: 'unknown' }
    const node = this.#movedTo.get(session)
    if (node !== undefined) return { kind: 'moved', node }
    const outcome = await settle(this.#streams, session, { handledMs: HANDLED_MS, safeMs: SAFE_MS })
    if (outcome !== 'settled') return { kind: outcome === 'busy' ? 'busy' : 'unknown' }
    if (!session.acknowledged(h)) return { kind: 'too-high', sent: session.outbox?.sent ?? 0 }
    void hooks.run('session:leaving', { session })
    const state = stateOf(session)
    const sent = session.outbox?.sent ?? 0
    const giveUp = (): void => this.#keep(previd)
    session.isLeaving = true
    this.#leaving.set(previd, { session, to: from, sent, giveUp })
    this.#streams.alarms.set(giveUp, CONFIRM_MS)
    return { kind: 'state', state, unacked: partOf(session, state.acked, sent), sent }
  }

  #giveMore({ previd, from }: { previd: string; from: number }, node: FarNode): MovedStanza[] {
    const leaving = this.#leaving.get(previd)
    if (leaving?.to.name !== node.name) return []
    return partOf(leaving.session, from, leaving.sent)
  }

  /** It has arrived: what came for it meanwhile follows. */
  #taken(previd: string, from: FarNode): void {
    const { sessions, log } = this.#streams.parts
    const leaving = this.#leaving.get(previd)
    if (leaving?.to.name !== from.name) return
    const { session, sent } = leaving
    this.#forget(previd)
    if (session.isClosed) return
    const moved = countBetween(session.outbox?.acked ?? 0, sent)
    const all = session.outbox?.drain() ?? []
    for (const { row } of all.slice(0, moved)) row?.departed()
    this.#movedTo.set(session, from.name)
    sessions.depart(session, stanza => this.#relay(session, stanza))
    const late = all.slice(moved)
    // A message waits in the archive again, and is announced there.
    sessions.onUndelivered?.(
      session,
      late.filter(({ row }) => row !== undefined),
    )
    for (const { stanza, row } of late) if (!row) this.#relay(session, stanza)
    log.info({ jid: session.jid.full, to: from.name }, 'session moved away')
    this.onDeparted?.()
  }

  #relay(session: Session, stanza: Stanza): void {
    const node = this.#movedTo.get(session)
    const delivery = { targets: [session.jid.full], bytes: stanza.bytes }
    if (node !== undefined) this.#streams.parts.bus.deliver(node, delivery, () => undefined)
  }

  /** It did not arrive. */
  #kept(previd: string, from: FarNode): void {
    if (this.#leaving.get(previd)?.to.name === from.name) this.#keep(previd)
  }

  #keep(previd: string): void {
    const leaving = this.#leaving.get(previd)
    if (!leaving) return
    this.#forget(previd)
    this.#streams.parts.log.warn({ jid: leaving.session.jid.full, to: leaving.to.name }, 'session did not move')
  }

  #forget(previd: string): void {
    const leaving = this.#leaving.get(previd)
    if (!leaving) return
    this.#streams.alarms.clear(leaving.giveUp)
    leaving.session.isLeaving = false
    this.#leaving.delete(previd)
  }
}

/** Unacknowledged stanzas after a count, up to another one, as many as go into one answer. */
function partOf(session: Session, from: number, to: number): MovedStanza[] {
  const part: MovedStanza[] = []
  let bytes = 0
  for (const sent of session.outbox?.unackedSince(from).slice(0, countBetween(from, to)) ?? []) {
    bytes += sent.stanza.bytes.length
    if (part.length > 0 && bytes > PART_BYTES) break
    part.push(movedStanza(sent))
  }
  return part
}

function left(endsAt: number): number {
  return Math.max(1, Math.round(endsAt - performance.now()))
}
