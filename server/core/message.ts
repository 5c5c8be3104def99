import type { Bus } from '../cluster/bus.ts'
import type { Directory, Route } from '../cluster/directory.ts'
import { holderOf } from '../cluster/node.ts'
import { stanzaError } from '../xmpp/errors.ts'
import { NS_CLIENT } from '../xmpp/namespaces.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { Accounts } from './accounts.ts'
import type { HookTable, MessageEvent } from './hooks.ts'
import { type KeptRow, recordOf } from './kept-row.ts'
import { decide, stampedFor } from './message-rules.ts'
import { PATIENCE_MS, withinTime } from './patience.ts'
import type { ArchiveQueue } from './queue.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'

/** A message on its way to sessions of another node. */
interface FarDelivery {
  readonly event: MessageEvent
  readonly row: KeptRow | undefined
  readonly node: string
  readonly names: readonly string[]
  /** The life of that node. */
  readonly holder: string
  /** All who have the message, on any node. */
  readonly taken: Set<string>
  /** Node and full JID of those who were not there. */
  readonly tried: ReadonlySet<string>
}

const untried: ReadonlySet<string> = new Set()

interface MessageParts {
  readonly domain: string
  readonly directory: Directory
  readonly bus: Bus
  readonly hooks: HookTable
  readonly accounts: Accounts
  readonly sessions: Sessions
  readonly queue: ArchiveQueue
}

/** The way of a message once it is known to be for this domain: hooks, archive row, resources. */
export class Messages {
  readonly #parts: MessageParts

  constructor(parts: MessageParts) {
    this.#parts = parts
    parts.sessions.onUndelivered = (session, rest) => this.#undelivered(session, rest)
    parts.queue.onRefused = row => this.onUnanswered?.(row.input.stanza)
    parts.queue.onEnded = stream => {
      const session = parts.sessions.byId(stream)
      if (session) void parts.sessions.end(session, 'conflict')
    }
  }

  /**
   * Delivers a message to a local account. Returns a promise only if something had to be waited for.
   * @throws StanzaError (or rejects) when the sender must be told
   */
  deliver(event: MessageEvent): void | Promise<void> {
    const username = event.to.local
    if (username === undefined) throw stanzaError('service-unavailable')
    if (this.#parts.directory.routes(event.to.bare).length === 0) {
      const account = this.#parts.accounts.get(username)
      if (account instanceof Promise)
        return withinTime(account, PATIENCE_MS).then(found => this.#toAccount(event, username, found !== undefined))
      return this.#toAccount(event, username, account !== undefined)
    }
    return this.#toAccount(event, username, true)
  }

  #toAccount(event: MessageEvent, username: string, exists: boolean): void | Promise<void> {
    if (!exists) {
      // §8.5.1, Table 1: a headline to nobody is ignored.
      if (event.stanza.type === 'headline') return undefined
      throw stanzaError('service-unavailable')
    }
    const goesOn = this.#parts.hooks.run('message:deliver', event)
    if (goesOn instanceof Promise) return goesOn.then(yes => (yes ? this.#decide(event, username) : undefined))
    return goesOn ? this.#decide(event, username) : undefined
  }

  #decide(event: MessageEvent, username: string): void | Promise<void> {
    const { stanza, to } = event
    const decision = decide(to, stanza.type, this.#parts.directory.routes(to.bare))
    if (decision === 'ignore') return undefined
    if (decision === 'bounce') throw stanzaError('service-unavailable')
    if (decision === 'store') return this.#store(event, username)
    return this.#give(event, username, decision.targets)
  }

  #give(event: MessageEvent, username: string, targets: readonly Route[]): void | Promise<void> {
    const row = this.#keep(event, username)
    const taken = this.#send(event, targets, row)
    return this.#delivered(event, username, taken, row)
  }

  #delivered(
    event: MessageEvent,
    username: string,
    taken: Set<string>,
    row: KeptRow | undefined,
  ): void | Promise<void> {
    // Every resource was gone when the stanza reached it: decided again without them. A row is pending already.
    if (taken.size === 0 && !row) return this.#store(event, username)
    const goesOn = this.#parts.hooks.run('message:delivered', { ...event, taken })
    const room = this.#room(event, taken)
    if (goesOn instanceof Promise) return goesOn.then(() => room)
    return room
  }

  /** A sender that is faster than a receiver acknowledges is slowed down, before the receiver's queue is full. */
  #room({ sender, to }: MessageEvent, taken: ReadonlySet<string>): Promise<void> | undefined {
    if (!sender) return undefined
    const { sessions, directory, bus } = this.#parts
    for (const name of taken) {
      const session = sessions.get(name)
      // Its own acknowledgements would wait behind the message that waits for them.
      if (session?.isCrowded && session !== sender) return session.room()
      const far = session ? undefined : directory.routes(to.bare).find(route => route.jid === name)
      if (far && bus.isCrowded(far.node, name)) return bus.room(far.node, name)
    }
    return undefined
  }

  /** Nobody is there to have it now (XEP-0160). */
  #store(event: MessageEvent, username: string): void | Promise<void> {
    if (!event.keep?.pending) {
      if (event.stanza.type === 'error' || !event.stanza.has('body', NS_CLIENT)) return undefined
      throw stanzaError('service-unavailable')
    }
    const goesOn = this.#parts.hooks.run('message:offline', event)
    const store = (yes: boolean): void | Promise<void> => {
      if (!yes) throw stanzaError('service-unavailable')
      const row = this.#keep(event, username)
      return row && this.#delivered(event, username, new Set(), row)
    }
    if (!(goesOn instanceof Promise)) return store(goesOn)
    return goesOn.then(yes => {
      // Somebody who came while we waited has asked for what is stored already: this one would lie there.
      const decision = decide(event.to, event.stanza.type, this.#parts.directory.routes(event.to.bare))
      return typeof decision === 'object' ? this.#give(event, username, decision.targets) : store(yes)
    })
  }

  /** Makes the archive row; from here on the message survives. */
  #keep(event: MessageEvent, username: string): KeptRow | undefined {
    const { keep, sender } = event
    if (!keep || (!keep.pending && !keep.inSender && !keep.inReceiver)) return undefined
    const row = this.#parts.queue.add({
      stanza: event.stanza,
      from: event.from,
      to: event.to,
      sender: event.from.domain === this.#parts.domain ? event.from.local : undefined,
      receiver: username,
      keep,
      stream: sender?.inbox && { id: sender.id, inbox: sender.inbox },
    })
    if (row === 'full')
      throw stanzaError('resource-constraint', 'The database is away and too many messages wait for it.')
    event.id = row.id
    return row
  }

  /** Writes to each target, once per node. @returns the full JIDs that took it; a far one counts until its node says otherwise */
  #send(
    event: MessageEvent,
    targets: readonly Route[],
    row: KeptRow | undefined,
    tried: ReadonlySet<string> = untried,
  ): Set<string> {
    const taken = new Set<string>()
    const here = this.#parts.directory.node
    let stanza: Stanza | undefined
    let far: Map<string, string[]> | undefined
    for (const route of targets) {
      if (route.node === here) {
        stanza ??= stampedFor(event.stanza, row)
        if (this.#parts.sessions.get(route.jid)?.send(stanza, row) === 'taken') taken.add(route.jid)
      } else {
        far ??= new Map()
        const names = far.get(route.node)
        if (names) names.push(route.jid)
        else far.set(route.node, [route.jid])
      }
    }
    if (far) for (const [node, names] of far) this.#sendFar({ event, row, node, names, taken, tried })
    return taken
  }

  /** To another node, which adds the stanza-id itself. Not waited for: who did not get it is told later. */
  #sendFar(far: Omit<FarDelivery, 'holder'>): void {
    const { event, row, node, names, taken } = far
    const there = this.#parts.bus.node(node)
    if (!there) return
    const holder = holderOf(there)
    const delivery = { targets: names, bytes: event.stanza.bytes, ...(row && { row: recordOf(row) }) }
    const sent = this.#parts.bus.deliver(node, delivery, missed => this.#missed({ ...far, holder }, missed))
    if (sent !== 'sent') return
    row?.sent(node, holder)
    for (const name of names) taken.add(name)
  }

  /** Some sessions of another node are not there, or the node is gone: decided again without them, if nobody else has it. */
  #missed({ event, row, node, names, holder, taken, tried }: FarDelivery, missed: readonly string[]): void {
    for (const name of missed) taken.delete(name)
    const hasNone = names.every(name => !taken.has(name))
    if (row?.state === 'committed' && this.#isOver(node, holder)) {
      // Which node has it now is for the database to say: others may have seen it too that this one is gone.
      if (taken.size === 0 && row.isPending) this.#waits(row.input.receiver)
      return
    }
    if (hasNone) row?.missed(node, holder)
    if (taken.size > 0 || (row?.input.keep.pending && !row.isPending)) return
    this.#again(event, row, new Set([...tried, ...missed.map(name => `${node} ${name}`)]))
  }

  #again(event: MessageEvent, row: KeptRow | undefined, tried: ReadonlySet<string>): void {
    const { stanza, to } = event
    const routes = this.#parts.directory.routes(to.bare).filter(({ node, jid }) => !tried.has(`${node} ${jid}`))
    const decision = decide(to, stanza.type, routes)
    if (decision === 'ignore') return
    if (typeof decision === 'object' && this.#send(event, decision.targets, row, tried).size > 0) return
    // Its row waits, and is announced as soon as it is committed.
    if (row?.input.keep.pending) return
    if (decision === 'bounce' || stanza.has('body', NS_CLIENT)) this.onUnanswered?.(stanza)
  }

  /** Whether a life of another node is over, as far as one can see. */
  #isOver(node: string, holder: string): boolean {
    const there = this.#parts.bus.node(node)
    return !there || there.state === 'gone' || there.state === 'away' || holderOf(there) !== holder
  }

  /** Messages of this person wait: a session here, or else one elsewhere, takes them. */
  #waits(username: string | undefined): void {
    if (username !== undefined) this.#parts.queue.onWaiting?.(new Map([[username, 0]]))
  }

  /** A session ended with stanzas its client never acknowledged. Rows stay pending for the next resource. */
  #undelivered(session: Session, rest: { stanza: Stanza; row: KeptRow | undefined }[]): void {
    let waits = false
    for (const { stanza, row } of rest) {
      if (row) {
        row.released()
        waits ||= row.isPending
      } else if (stanza.kind === 'iq' && (stanza.type === 'get' || stanza.type === 'set')) {
        this.onUnanswered?.(stanza)
      }
    }
    if (waits) void this.#parts.hooks.run('message:waits', { username: session.username })
  }

  /** Set by the router: tells the sender of a request or message that it cannot be served. */
  onUnanswered: ((stanza: Stanza) => void) | undefined
}
