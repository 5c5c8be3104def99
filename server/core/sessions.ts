import type { Directory, Route } from '../cluster/directory.ts'
import { StreamError } from '../xmpp/errors.ts'
import { createJid } from '../xmpp/jid.ts'
import { buildStanza, type Stanza } from '../xmpp/stanza.ts'
import type { Everywhere } from './everywhere.ts'
import type { HookTable } from './hooks.ts'
import type { KeptRow } from './kept-row.ts'
import { withinTime } from './patience.ts'
import type { Outlet } from './session.ts'
import { Session } from './session.ts'

/** How long features may load what they need of an account; then its client is told to try again. */
const BIND_MS = 4_000
/** How long a session that went to another node is relayed from here. */
const DEPARTED_MS = 2_000

/** What happens when a resource is asked for that is already bound (RFC 6120 §7.7.2.2). */
export type ConflictPolicy = 'end-old' | 'refuse-new' | 'new-resource'

export interface SessionLimits {
  readonly perAccount: number
  readonly conflict: ConflictPolicy
}

/** Tells a session that is over why; `undefined` = its client left by itself. */
export type EndReason = 'left' | 'conflict' | 'kicked' | 'overflow' | 'timeout' | 'shutdown' | 'removed'

const streamErrors: Partial<Record<EndReason, () => StreamError>> = {
  conflict: () => new StreamError('conflict', 'This resource was bound by another connection.'),
  kicked: () => new StreamError('policy-violation', 'An administrator ended this connection.'),
  overflow: () => new StreamError('resource-constraint', 'Too much is waiting to be acknowledged.'),
  timeout: () => new StreamError('connection-timeout'),
  shutdown: () => new StreamError('system-shutdown'),
  removed: () => new StreamError('not-authorized', 'This account was removed or blocked.'),
}

/** All sessions of this node. The only place that makes, ends and announces them. */
export class Sessions {
  readonly #directory: Directory
  readonly #hooks: HookTable
  readonly #domain: string
  readonly #limits: () => SessionLimits
  readonly #randomId: () => string
  readonly #now: () => number
  readonly #everywhere: Everywhere
  readonly #byJid = new Map<string, Session>()
  readonly #byId = new Map<string, Session>()
  readonly #byUser = new Map<string, Set<Session>>()
  /** Set by message delivery: decides again what an ended session never got across. */
  onUndelivered: ((session: Session, rest: { stanza: Stanza; row: KeptRow | undefined }[]) => void) | undefined

  constructor(options: {
    directory: Directory
    hooks: HookTable
    domain: string
    limits: () => SessionLimits
    randomId: () => string
    now: () => number
    everywhere: Everywhere
  }) {
    this.#everywhere = options.everywhere
    this.#directory = options.directory
    this.#hooks = options.hooks
    this.#domain = options.domain
    this.#limits = options.limits
    this.#randomId = options.randomId
    this.#now = options.now
  }

  get size(): number {
    return this.#byJid.size
  }

  /** How many people have a session here. */
  get people(): number {
    return this.#byUser.size
  }

  /** Every session of this node. */
  all(): IterableIterator<Session> {
    return this.#byJid.values()
  }

  /** Whether the account has a session here. */
  has(username: string): boolean {
    return this.#byUser.has(username)
  }

  /** The sessions of an account here. */
  of(username: string): ReadonlySet<Session> {
    return this.#byUser.get(username) ?? new Set()
  }

  /** The session of a full JID here. */
  get(full: string): Session | undefined {
    return this.#byJid.get(full)
  }

  /** The session of an id (XEP-0198 previd). */
  byId(id: string): Session | undefined {
    return this.#byId.get(id)
  }

  /**
   * Binds a resource (RFC 6120 §7).
   * @param options.resource what the client asked for, already prepared; undefined = we choose
   * @returns the session, or why not: 'too-many' (RFC 6120 §7.6.2.1), 'conflict' (policy refuse-new)
   * @throws whatever a feature throws while it loads what it needs of the account (database away); StanzaError `wait` when that takes too long
   */
  async bind(options: {
    username: string
    resource: string | undefined
    outlet: Outlet
    client?: string | undefined
  }): Promise<Session | 'too-many' | 'conflict'> {
    const { username } = options
    const limits = this.#limits()
    const bare = `${username}@${this.#domain}`
    let resource = options.resource ?? this.#randomId()
    const far = this.#far(bare, resource)
    const old = this.#byJid.get(`${bare}/${resource}`)
    if (old && limits.conflict === 'refuse-new' && old.outlet) return 'conflict'
    if ((old || far) && limits.conflict === 'new-resource') resource = `${resource}/${this.#randomId().slice(0, 8)}`
    else if (far && !(await this.#everywhere.claim(far, limits.conflict))) return 'conflict'
    if (!(await this.#hasRoom(username, bare, resource, limits.perAccount))) return 'too-many'
    const jid = createJid(username, this.#domain, resource)
    // Whoever was bound while others were asked is older, too.
    const older = this.#byJid.get(jid.full)
    if (older) await this.end(older, 'conflict')
    const boundAt = Math.max(this.#now(), (far?.boundAt ?? 0) + 1)
    const session = new Session({ jid, id: this.#randomId(), username, boundAt, outlet: options.outlet })
    session.client = options.client
    this.#add(session)
    this.announce(session)
    try {
      const bound = this.#hooks.run('session:bound', { session })
      if (bound instanceof Promise) await withinTime(bound, BIND_MS)
    } catch (error) {
      // The stream goes on: its client is told, and may bind again.
      session.outlet = undefined
      await this.end(session, 'left')
      throw error
    }
    return session
  }

  /**
   * A session that lived on another node goes on here, under the same id: features load what they need of its account, then others learn where it is.
   * @throws whatever a feature throws while it loads (database away): then it is not here
   */
  async arrive(session: Session): Promise<void> {
    const old = this.#byJid.get(session.jid.full)
    if (old) await this.end(old, 'conflict')
    this.#add(session)
    try {
      const bound = this.#hooks.run('session:bound', { session })
      if (bound instanceof Promise) await withinTime(bound, BIND_MS)
    } catch (error) {
      session.close()
      this.#delete(session)
      throw error
    }
    this.announce(session)
  }

  /**
   * A session lives on another node from now on: nobody is told anything. What still comes for it here without a row goes to `relay`, for as long as
   * it takes until every node knows where it is.
   */
  depart(session: Session, relay: (stanza: Stanza) => void): void {
    session.depart(this.#now(), relay)
  }

  /** Tells the directory what others must know of the session: after every change of its presence or flags. */
  announce(session: Session): void {
    if (session.isClosed || session.departedAt !== undefined) return
    const route: Route = {
      jid: session.jid.full,
      bare: session.jid.bare,
      resource: session.resource,
      node: this.#directory.node,
      session: session.id,
      boundAt: session.boundAt,
      priority: session.priority,
      presence: session.presence?.bytes,
      flags: session.flags,
    }
    this.#directory.put(route)
  }

  /**
   * The stream broke without being closed: a resumable session rests, another one ends.
   * A session whose stream was already taken over by a new one (`outlet` differs) is left alone.
   */
  lost(session: Session, outlet: Outlet): void {
    if (session.isClosed || session.outlet !== outlet) return
    if (session.resumableMs > 0) session.rest(this.#now())
    else void this.end(session, 'left')
  }

  /**
   * Ends a session for good: hooks run (unavailable presence), its stream is told why, what it never got across is
   * decided again.
   */
  async end(session: Session, reason: EndReason): Promise<void> {
    if (session.isClosed) return
    const { outlet } = session
    const wasAvailable = session.isAvailable
    const rest = session.close()
    this.#delete(session)
    this.#directory.remove(session.jid.bare, session.resource, session.id)
    outlet?.end(streamErrors[reason]?.())
    this.onUndelivered?.(session, rest)
    if (wasAvailable) {
      const stanza = buildStanza('presence', { from: session.jid.full, type: 'unavailable' })
      await this.#hooks.run('session:unavailable', { session, stanza })
    }
    await this.#hooks.run('session:closed', { session })
  }

  /** Ends the sessions whose time to be resumed is over. Called every second. */
  sweep(): void {
    const now = this.#now()
    for (const session of this.#byJid.values()) {
      if (session.departedAt !== undefined) {
        if (now - session.departedAt >= DEPARTED_MS) void this.end(session, 'left')
        continue
      }
      if (session.isLeaving || session.restingSince === undefined) continue
      if (now - session.restingSince >= session.resumableMs) void this.end(session, 'timeout')
    }
  }

  #add(session: Session): void {
    session.onOverflow = () => void this.end(session, 'overflow')
    const own = this.#byUser.get(session.username) ?? new Set()
    own.add(session)
    this.#byUser.set(session.username, own)
    this.#byJid.set(session.jid.full, session)
    this.#byId.set(session.id, session)
  }

  #delete(session: Session): void {
    this.#byJid.delete(session.jid.full)
    this.#byId.delete(session.id)
    const own = this.#byUser.get(session.username)
    own?.delete(session)
    if (own?.size === 0) this.#byUser.delete(session.username)
  }

  /** The route of a full JID that lives on another node. */
  #far(bare: string, resource: string): Route | undefined {
    const route = this.#directory.route(bare, resource)
    return route && route.node !== this.#directory.node ? route : undefined
  }

  /** Whether one more device of somebody may be bound, on whatever node the others are; one that rests is ended for it. */
  async #hasRoom(username: string, bare: string, resource: string, most: number): Promise<boolean> {
    let count = 0
    for (const route of this.#directory.routes(bare)) if (route.resource !== resource) count++
    return count < most || this.makeRoom(username) || (await this.#everywhere.makeRoom(username, bare))
  }

  /** Ends all sessions of somebody here. */
  async endAllOf(username: string, reason: EndReason): Promise<void> {
    await Promise.all([...this.of(username)].map(session => this.end(session, reason)))
  }

  /** Makes room by ending the session of somebody here that rests longest. @returns whether there was one */
  makeRoom(username: string): boolean {
    let oldest: Session | undefined
    for (const session of this.of(username)) {
      if (session.restingSince === undefined || session.isLeaving || session.departedAt !== undefined) continue
      if (!oldest?.restingSince || session.restingSince < oldest.restingSince) oldest = session
    }
    if (!oldest) return false
    void this.end(oldest, 'timeout')
    return true
  }
}
