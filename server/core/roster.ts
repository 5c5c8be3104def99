import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Directory, Route } from '../cluster/directory.ts'
import type { Database } from '../db/pool.ts'
import { type Element, xml } from '../xmpp/element.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { NS_ROSTER } from '../xmpp/namespaces.ts'
import { buildStanza } from '../xmpp/stanza.ts'
import type { CacheHints } from './cache-hints.ts'
import type { HookTable } from './hooks.ts'
import { forStanza } from './patience.ts'
import { PerAccount } from './per-account.ts'
import type { Reach } from './reach.ts'
import type { Sessions } from './sessions.ts'
import { initialState, type Subscription, type SubscriptionState } from './subscription-states.ts'

/** One contact of one person: what the roster shows plus what the server must remember (RFC 6121 §2.1.2, A.1). */
export interface RosterItem extends SubscriptionState {
  /** Bare JID of the contact. */
  readonly jid: string
  readonly name: string | undefined
  readonly groups: readonly string[]
  /** False while only an inbound request is remembered: such a contact is not shown (RFC 6121 §3.1.3). */
  readonly isListed: boolean
  /** The stored subscription request, as XML, while `isAsked`. */
  readonly request: string | undefined
}

export interface Roster {
  /**
   * Grows with every change, and is the time of it in microseconds: the `ver` of roster versioning (RFC 6121 §2.6). A database that lost the last
   * changes in a failover would count to the same numbers again for other contents; it does not come to the same moment again.
   */
  version: number
  readonly items: Map<string, RosterItem>
}

/** How long a change is decided again while other nodes change the same list, and the longest pause before the next try. */
const CHANGE_MS = 4_000
const PAUSE_MS = 100

interface ItemRow {
  jid: string
  name: string | null
  groups: string[]
  subscription: Subscription
  is_asking: boolean
  is_asked: boolean
  is_approved: boolean
  is_listed: boolean
  request: string | null
}

/** The item of a contact nothing is known of. */
export function newItem(jid: string): RosterItem {
  return { ...initialState, jid, name: undefined, groups: [], isListed: false, request: undefined }
}

/** Everybody's contacts: table, memory, and pushes to interested resources. */
export class Rosters {
  readonly #db: Database
  readonly #hooks: HookTable
  readonly #sessions: Sessions
  readonly #domain: string
  readonly #directory: Directory
  readonly #reach: Reach
  readonly #hints: CacheHints
  readonly #rosters: PerAccount<Roster>
  /** One change at a time per person: the tail of the line. */
  readonly #turns = new Map<string, Promise<unknown>>()
  /** Two nodes may push to one client: their ids differ. */
  readonly #pushName = randomBytes(4).toString('hex')
  #pushes = 0

  static readonly migrations: readonly string[] = [
    `CREATE TABLE roster (
       username text NOT NULL,
       jid text NOT NULL,
       name text,
       groups text[] NOT NULL,
       subscription text NOT NULL,
       is_asking boolean NOT NULL,
       is_asked boolean NOT NULL,
       is_approved boolean NOT NULL,
       is_listed boolean NOT NULL,
       request text,
       PRIMARY KEY (username, jid)
     );
     CREATE TABLE roster_version (username text PRIMARY KEY, version bigint NOT NULL);`,
  ]

  constructor(options: {
    db: Database
    hooks: HookTable
    sessions: Sessions
    domain: string
    directory: Directory
    reach: Reach
    hints: CacheHints
  }) {
    this.#db = options.db
    this.#hooks = options.hooks
    this.#sessions = options.sessions
    this.#domain = options.domain
    this.#directory = options.directory
    this.#reach = options.reach
    this.#hints = options.hints
    this.#rosters = new PerAccount({
      load: username => options.hints.orElsewhere('rosters', username, this.#load(username)),
      isPinned: username => options.sessions.has(username),
    })
    // Clients are pushed to by the node that made the change.
    options.hints.add('rosters', {
      outdated: username => this.#rosters.outdated(username),
      doubtAll: () => this.doubtAll(),
      known: username => this.#rosters.known(username),
    })
    options.hooks.on('session:bound', 'store', async ({ session }) => {
      await this.#rosters.get(session.username)
    })
    options.hooks.on('account:removed', 'store', async ({ username }) => {
      await this.#db.exec('DELETE FROM roster WHERE username = $1', [username], { repeat: true })
      await this.#db.exec('DELETE FROM roster_version WHERE username = $1', [username], { repeat: true })
      this.#rosters.drop(username)
      await this.#hints.tell('rosters', username)
    })
  }

  /** A roster; at once when the person has a session here. @throws DatabaseAway */
  get(username: string): Roster | Promise<Roster> {
    return this.#rosters.get(username)
  }

  /** A roster if it is in memory. */
  peek(username: string): Roster | undefined {
    return this.#rosters.peek(username)
  }

  /** Who has this bare JID in the contact list, or a request of it. Reads the whole table: for rare occasions. */
  async ownersOf(jid: string): Promise<string[]> {
    const rows = await this.#db.query<{ username: string }>('SELECT username FROM roster WHERE jid = $1', [jid], {
      repeat: true,
    })
    return rows.map(row => row.username)
  }

  /**
   * Changes one item; changes of one person run one after the other.
   * @param decide gets the item as it is (a new one if unknown) and answers what it shall be, 'remove', or undefined
   *   for no change. Runs after earlier changes are done, so it sees the truth.
   * @param beforePush runs between the commit and the roster pushes (RFC 6121 §3.1.6: the approval is delivered first)
   * @throws DatabaseAway, and what `decide` throws; nothing is changed then
   */
  change(
    username: string,
    jid: string,
    decide: (item: RosterItem, roster: Roster) => RosterItem | 'remove' | undefined,
    beforePush?: () => void,
  ): Promise<void> {
    return this.#inTurn(username, () => this.#change(username, jid, decide, beforePush))
  }

  /**
   * Another database server was promoted and may have lost changes: rosters in memory are read again, each in its turn, and the clients that
   * were told otherwise get pushes of what is different.
   */
  doubtAll(): void {
    const known = new Map<string, Roster>()
    for (const session of this.#sessions.all()) {
      const roster = this.#rosters.peek(session.username)
      if (roster) known.set(session.username, roster)
    }
    this.#rosters.doubtAll()
    this.#tellDifferences(known).catch(() => 'who asks next reads it')
  }

  /** One person after the other: there may be thousands, and messages wait for the same database. */
  async #tellDifferences(known: ReadonlyMap<string, Roster>): Promise<void> {
    for (const [username, before] of known) {
      await this.#inTurn(username, async () => {
        const after = await this.#rosters.get(username)
        if (after !== before) this.#pushDifferences(username, before, after)
      })
    }
  }

  /** To the clients here: each node looks after its own. */
  #pushDifferences(username: string, before: Roster, after: Roster): void {
    const own = this.#directory.routes(`${username}@${this.#domain}`).filter(route => this.#reach.isHere(route))
    const shown = (item: RosterItem | undefined): string => (item?.isListed ? itemElement(item).toString() : '')
    for (const jid of new Set([...before.items.keys(), ...after.items.keys()])) {
      const item = after.items.get(jid)
      if (shown(before.items.get(jid)) === shown(item)) continue
      this.#push(own, after.version, item?.isListed ? itemElement(item) : removedElement(jid))
    }
  }

  #inTurn(username: string, work: () => Promise<void>): Promise<void> {
    const before = this.#turns.get(username) ?? Promise.resolve()
    const change = before.then(work)
    const tail = change
      .catch(() => 'the caller of that change was told')
      .finally(() => {
        if (this.#turns.get(username) === tail) this.#turns.delete(username)
      })
    this.#turns.set(username, tail)
    return change
  }

  async #change(
    username: string,
    jid: string,
    decide: (item: RosterItem, roster: Roster) => RosterItem | 'remove' | undefined,
    beforePush?: () => void,
  ): Promise<void> {
    const end = performance.now() + CHANGE_MS
    for (let attempt = 1; performance.now() < end; attempt++) {
      const roster = await this.get(username)
      const old = roster.items.get(jid)
      const next = decide(old ?? newItem(jid), roster)
      if (next === undefined || (next === 'remove' && !old)) {
        beforePush?.()
        return
      }
      const version = await this.#write(username, roster.version, jid, next)
      if (version !== undefined) return this.#changed({ username, jid, roster, old, next, version, beforePush })
      // Another node was first: decided again by what is true now, and not at the same moment as the other's next change.
      await delay(Math.random() * Math.min(PAUSE_MS, 10 * attempt))
      this.#rosters.doubt(username)
    }
    throw new StanzaError(
      'wait',
      'internal-server-error',
      'This contact list is being changed elsewhere. Please try again.',
    )
  }

  async #changed(change: {
    username: string
    jid: string
    roster: Roster
    old: RosterItem | undefined
    next: RosterItem | 'remove'
    version: number
    beforePush: (() => void) | undefined
  }): Promise<void> {
    const { username, jid, roster, old, next, version, beforePush } = change
    roster.version = version
    if (next === 'remove') roster.items.delete(jid)
    else roster.items.set(jid, next)
    // What was read meanwhile may be from before the change.
    if (this.#rosters.peek(username) !== roster || this.#rosters.isLoading(username)) this.#rosters.doubt(username)
    await this.#hints.tell('rosters', username)
    beforePush?.()
    const isShown = next !== 'remove' && next.isListed
    const all = this.#directory.routes(`${username}@${this.#domain}`)
    if (isShown || old?.isListed) this.#push(all, version, isShown ? itemElement(next) : removedElement(jid))
    await this.#hooks.run('roster:changed', { username, jid })
  }

  /** Roster pushes to interested resources (RFC 6121 §2.1.6). */
  #push(routes: readonly Route[], version: number, item: Element): void {
    const query = xml('query', { xmlns: NS_ROSTER, ver: String(version) }, item).toString()
    for (const route of routes) {
      if (route.flags.interested !== true) continue
      const id = `push-${this.#pushName}-${++this.#pushes}`
      this.#reach.send(route, buildStanza('iq', { type: 'set', id, to: route.jid }, query))
    }
  }

  /** In one statement: items of one moment and the version of another would let a change of another node be overwritten. */
  async #load(username: string): Promise<Roster> {
    const rows = await this.#db.query<ItemRow & { version: string | null }>(
      `SELECT version, jid, name, groups, subscription, is_asking, is_asked, is_approved, is_listed, request
       FROM (SELECT $1::text AS username) AS person
       LEFT JOIN roster_version USING (username) LEFT JOIN roster USING (username)`,
      [username],
      { repeat: true },
    )
    const items = rows.flatMap(row => (row.jid === null ? [] : [[row.jid, toItem(row)] as const]))
    return { version: Number(rows[0]?.version ?? 0), items: new Map(items) }
  }

  /**
   * Writes one item, unless the roster has another version by now.
   * @param expected the version that the change was decided by
   * @returns the new version; undefined when somebody else was first
   */
  async #write(
    username: string,
    expected: number,
    jid: string,
    next: RosterItem | 'remove',
  ): Promise<number | undefined> {
    try {
      if (next === 'remove') {
        const removal = 'DELETE FROM roster USING turn WHERE roster.username = $1 AND jid = $4'
        return await this.#versioned(username, expected, removal, [jid])
      }
      return await this.#versioned(
        username,
        expected,
        `INSERT INTO roster (username, jid, name, groups, subscription, is_asking, is_asked, is_approved, is_listed, request)
         SELECT $1, $4::text, $5::text, $6::text[], $7::text, $8::boolean, $9::boolean, $10::boolean, $11::boolean, $12::text FROM turn
         ON CONFLICT (username, jid) DO UPDATE SET name = $5, groups = $6, subscription = $7, is_asking = $8,
           is_asked = $9, is_approved = $10, is_listed = $11, request = $12`,
        [
          next.jid,
          next.name ?? null,
          next.groups,
          next.subscription,
          next.isAsking,
          next.isAsked,
          next.isApproved,
          next.isListed,
          next.request ?? null,
        ],
      )
    } catch (error) {
      // Perhaps it was carried out all the same, and only the answer was lost.
      this.#rosters.doubt(username)
      void this.#hints.tell('rosters', username)
      throw error
    }
  }

  /**
   * Runs one change and sets the version, in one statement, which locks the row of the version: of two nodes the second finds another version than
   * it expected. The version is chosen here, so that a repetition after a lost answer is known by it.
   */
  async #versioned(
    username: string,
    expected: number,
    change: string,
    values: readonly unknown[],
  ): Promise<number | undefined> {
    // The last three digits tell apart what two nodes do in the same millisecond.
    const next = Math.max(expected + 1, Date.now() * 1000 + Math.floor(Math.random() * 1000))
    const row = await this.#db.one<{ taken: string | null; current: string | null }>(
      `WITH turn AS (
         INSERT INTO roster_version (username, version)
         SELECT $1::text, $2::bigint WHERE $3::bigint = 0 OR EXISTS (SELECT FROM roster_version WHERE username = $1)
         ON CONFLICT (username) DO UPDATE SET version = $2 WHERE roster_version.version = $3
         RETURNING version
       ), change AS (${change})
       SELECT (SELECT version FROM turn) AS taken, (SELECT version FROM roster_version WHERE username = $1) AS current`,
      [username, next, expected, ...values],
      forStanza,
    )
    const isOurs = row !== undefined && (row.taken !== null || Number(row.current ?? 0) === next)
    return isOurs ? next : undefined
  }
}

/** An item as it stands in a roster result or push (RFC 6121 §2.1.2). */
export function itemElement(item: RosterItem): Element {
  return xml(
    'item',
    {
      jid: item.jid,
      name: item.name,
      subscription: item.subscription,
      ask: item.isAsking ? 'subscribe' : undefined,
      approved: item.isApproved ? 'true' : undefined,
    },
    ...item.groups.map(group => xml('group', {}, group)),
  )
}

const removedElement = (jid: string): Element => xml('item', { jid, subscription: 'remove' })

function toItem(row: ItemRow): RosterItem {
  return {
    jid: row.jid,
    name: row.name ?? undefined,
    groups: row.groups,
    subscription: row.subscription,
    isAsking: row.is_asking,
    isAsked: row.is_asked,
    isApproved: row.is_approved,
    isListed: row.is_listed,
    request: row.request ?? undefined,
  }
}
