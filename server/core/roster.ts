import type { Database } from '../db/pool.ts'
import { type Element, xml } from '../xmpp/element.ts'
import { NS_ROSTER } from '../xmpp/namespaces.ts'
import { buildStanza } from '../xmpp/stanza.ts'
import type { HookTable } from './hooks.ts'
import { forStanza } from './patience.ts'
import { PerAccount } from './per-account.ts'
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
  readonly #rosters: PerAccount<Roster>
  /** One change at a time per person: the tail of the line. */
  readonly #turns = new Map<string, Promise<unknown>>()
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

  constructor(options: { db: Database; hooks: HookTable; sessions: Sessions }) {
    this.#db = options.db
    this.#hooks = options.hooks
    this.#sessions = options.sessions
    this.#rosters = new PerAccount({
      load: username => this.#load(username),
      isPinned: username => options.sessions.has(username),
    })
    options.hooks.on('session:bound', 'store', async ({ session }) => {
      await this.#rosters.get(session.username)
    })
    options.hooks.on('account:removed', 'store', async ({ username }) => {
      await this.#db.exec('DELETE FROM roster WHERE username = $1', [username], { repeat: true })
      await this.#db.exec('DELETE FROM roster_version WHERE username = $1', [username], { repeat: true })
      this.#rosters.drop(username)
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

  #pushDifferences(username: string, before: Roster, after: Roster): void {
    const shown = (item: RosterItem | undefined): string => (item?.isListed ? itemElement(item).toString() : '')
    for (const jid of new Set([...before.items.keys(), ...after.items.keys()])) {
      const item = after.items.get(jid)
      if (shown(before.items.get(jid)) === shown(item)) continue
      this.#push(username, after.version, item?.isListed ? itemElement(item) : removedElement(jid))
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
    const roster = await this.get(username)
    const old = roster.items.get(jid)
    const next = decide(old ?? newItem(jid), roster)
    if (next === undefined || (next === 'remove' && !old)) {
      beforePush?.()
      return
    }
    let version: number
    try {
      version = next === 'remove' ? await this.#delete(username, jid) : await this.#save(username, next)
    } catch (error) {
      // Perhaps it was carried out all the same, and only the answer was lost.
      this.#rosters.doubt(username)
      throw error
    }
    roster.version = version
    if (next === 'remove') roster.items.delete(jid)
    else roster.items.set(jid, next)
    // What was read meanwhile may be from before the change.
    if (this.#rosters.peek(username) !== roster || this.#rosters.isLoading(username)) this.#rosters.doubt(username)
    beforePush?.()
    const isShown = next !== 'remove' && next.isListed
    if (isShown || old?.isListed) this.#push(username, version, isShown ? itemElement(next) : removedElement(jid))
    await this.#hooks.run('roster:changed', { username, jid })
  }

  /** Roster pushes to all interested resources (RFC 6121 §2.1.6). */
  #push(username: string, version: number, item: Element): void {
    const query = xml('query', { xmlns: NS_ROSTER, ver: String(version) }, item).toString()
    for (const session of this.#sessions.of(username)) {
      if (!session.isInterested) continue
      session.send(buildStanza('iq', { type: 'set', id: `push-${++this.#pushes}`, to: session.jid.full }, query))
    }
  }

  async #load(username: string): Promise<Roster> {
    const rows = await this.#db.query<ItemRow>(
      `SELECT jid, name, groups, subscription, is_asking, is_asked, is_approved, is_listed, request
       FROM roster WHERE username = $1`,
      [username],
      { repeat: true },
    )
    const version = await this.#db.one<{ version: string }>(
      'SELECT version FROM roster_version WHERE username = $1',
      [username],
      { repeat: true },
    )
    return { version: Number(version?.version ?? 0), items: new Map(rows.map(row => [row.jid, toItem(row)])) }
  }

  async #save(username: string, item: RosterItem): Promise<number> {
    return this.#versioned(
      username,
      `INSERT INTO roster (username, jid, name, groups, subscription, is_asking, is_asked, is_approved, is_listed, request)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
       ON CONFLICT (username, jid) DO UPDATE SET name = $3, groups = $4, subscription = $5, is_asking = $6,
         is_asked = $7, is_approved = $8, is_listed = $9, request = $10`,
      [
        item.jid,
        item.name ?? null,
        item.groups,
        item.subscription,
        item.isAsking,
        item.isAsked,
        item.isApproved,
        item.isListed,
        item.request ?? null,
      ],
    )
  }

  async #delete(username: string, jid: string): Promise<number> {
    return this.#versioned(username, 'DELETE FROM roster WHERE username = $1 AND jid = $2', [jid])
  }

  /** Runs one change and sets the version, in one statement. To do it twice does no harm. */
  async #versioned(username: string, change: string, values: readonly unknown[]): Promise<number> {
    const row = await this.#db.one<{ version: string }>(
      `WITH change AS (${change})
       INSERT INTO roster_version (username, version) VALUES ($1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
       ON CONFLICT (username) DO UPDATE SET version = greatest(roster_version.version + 1, excluded.version)
       RETURNING version`,
      [username, ...values],
      forStanza,
    )
    return Number(row?.version ?? 0)
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
