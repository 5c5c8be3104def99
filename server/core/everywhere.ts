import type { Bus } from '../cluster/bus.ts'
import type { Directory, Route } from '../cluster/directory.ts'
import type { ConflictPolicy, EndReason, Sessions } from './sessions.ts'

/** How long a login waits for the node that has its full JID, or room for it; and an order to end sessions. */
const CLAIM_MS = 800
const END_MS = 2_000

interface Claim {
  readonly jid: string
  readonly session: string
  readonly policy: ConflictPolicy
}

/**
 * The sessions of the whole office, as far as one node may end those of another. A node that does not answer is not waited for: somebody whose PC has
 * just died logs in elsewhere at once, and what that node has is settled when it is back (routes of one full JID, accounts that are barred).
 */
export class Everywhere {
  readonly #directory: Directory
  readonly #bus: Bus

  constructor(options: { directory: Directory; bus: Bus }) {
    this.#directory = options.directory
    this.#bus = options.bus
  }

  /** Answers the other nodes, for the sessions here. @returns a function that ends it */
  serve(sessions: Sessions): () => void {
    const undo = [
      this.#bus.onAsk('session-claim', async ({ jid, session: id, policy }: Claim) => {
        const session = sessions.get(jid)
        if (!session || session.id !== id) return 'free'
        if (policy === 'refuse-new' && session.outlet) return 'taken'
        await sessions.end(session, 'conflict')
        return 'free'
      }),
      this.#bus.onAsk('session-room', ({ username }: { username: string }) => sessions.makeRoom(username)),
      this.#bus.onAsk('session-end', async ({ jid, reason }: { jid: string; reason: EndReason }) => {
        const session = sessions.get(jid)
        if (session) await sessions.end(session, reason)
        return session !== undefined
      }),
      this.#bus.onAsk('session-end-all', ({ username, reason }: { username: string; reason: EndReason }) =>
        sessions.endAllOf(username, reason),
      ),
      this.#bus.onAsk('session-directed', ({ username }: { username: string }) => directedHere(sessions, username)),
      this.#directory.onOutdated(route => {
        const session = sessions.byId(route.session)
        if (session && !session.isLeaving && session.departedAt === undefined) void sessions.end(session, 'conflict')
      }),
    ]
    this.#sessions = sessions
    return () => {
      for (const one of undo) one()
    }
  }

  #sessions: Sessions | undefined

  /**
   * A full JID that is bound on another node is wanted here.
   * @returns false when it stays there (policy refuse-new); a node that does not answer is not waited for: the later session stays (see Directory)
   */
  async claim(route: Route, policy: ConflictPolicy): Promise<boolean> {
    const claim: Claim = { jid: route.jid, session: route.session, policy }
    return (await this.#bus.askSoon(route.node, 'session-claim', claim, CLAIM_MS)) !== 'taken'
  }

  /** Ends a resting session of somebody on another node, if there is one. @returns whether */
  async makeRoom(username: string, bare: string): Promise<boolean> {
    for (const node of this.#nodesOf(bare)) {
      if ((await this.#bus.askSoon(node, 'session-room', { username }, CLAIM_MS)) === true) return true
    }
    return false
  }

  /** Ends one session, wherever it is. @returns false when there is none */
  async end(jid: string, reason: EndReason): Promise<boolean> {
    const session = this.#sessions?.get(jid)
    if (session) {
      await this.#sessions?.end(session, reason)
      return true
    }
    const slash = jid.indexOf('/')
    const route = this.#directory.route(jid.slice(0, slash), jid.slice(slash + 1))
    if (!route || route.node === this.#directory.node) return false
    return (await this.#bus.askSoon(route.node, 'session-end', { jid, reason }, END_MS)) === true
  }

  /** Ends all sessions of somebody. */
  async endAll(username: string, reason: EndReason): Promise<void> {
    const far = this.askAll('session-end-all', { username, reason }, END_MS)
    await Promise.all([this.#sessions?.endAllOf(username, reason), far])
  }

  /** To whom devices of somebody have sent directed presence (full and bare JIDs). */
  async directedOf(username: string, bare: string): Promise<string[]> {
    const far = await Promise.all(
      this.#nodesOf(bare).map(node => this.#bus.askSoon(node, 'session-directed', { username }, END_MS)),
    )
    const here = this.#sessions ? directedHere(this.#sessions, username) : []
    return [...here, ...far.flatMap(list => (Array.isArray(list) ? (list as string[]) : []))]
  }

  /** Asks every other node that is there. @returns what they answered; undefined for one that did not in time */
  askAll(topic: string, body: unknown, timeoutMs: number): Promise<unknown[]> {
    const there = this.#bus.nodes.filter(({ state }) => state === 'up')
    return Promise.all(there.map(({ name }) => this.#bus.askSoon(name, topic, body, timeoutMs)))
  }

  /** Other nodes with sessions of an account. */
  #nodesOf(bare: string): string[] {
    const nodes = new Set(this.#directory.routes(bare).map(route => route.node))
    nodes.delete(this.#directory.node)
    return [...nodes]
  }
}

function directedHere(sessions: Sessions, username: string): string[] {
  return [...sessions.of(username)].flatMap(session => [...session.directed])
}
