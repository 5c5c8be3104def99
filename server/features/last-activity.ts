/** XEP-0012: Last Activity. */
import { feature } from '../core/feature.ts'
import { forStanza } from '../core/patience.ts'
import { hasFrom } from '../core/subscription-states.ts'
import { xml } from '../xmpp/element.ts'
import { stanzaError } from '../xmpp/errors.ts'
import { NS_CLIENT } from '../xmpp/namespaces.ts'

const NS = 'jabber:iq:last'
const STATUS_LENGTH_MAX = 1_024
const WRITE_EVERY_MS = 1_000

interface Leave {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly status: string | undefined
}

export default feature({
  name: 'last-activity',
  title: 'Last seen',
  standards: [{ id: 'XEP-0012', title: 'Last Activity', version: '2.0' }],
  migrations: [
    `CREATE TABLE last_activity (
       username text PRIMARY KEY,
       left_at timestamptz NOT NULL,
       status text
     )`,
  ],
  start(server) {
    const startedAt = server.now()
    // Who left since the last write: hundreds may leave in one moment, and that must not be hundreds of statements.
    let unwritten = new Map<string, Leave>()

    const write = async (): Promise<void> => {
      if (unwritten.size === 0) return
      const leaves = unwritten
      unwritten = new Map()
      try {
        const entries = [...leaves]
        await server.db.exec(
          `INSERT INTO last_activity (username, left_at, status)
           SELECT username, to_timestamp(at / 1000.0), status
           FROM unnest($1::text[], $2::float8[], $3::text[]) AS leave (username, at, status)
           ON CONFLICT (username) DO UPDATE SET left_at = excluded.left_at, status = excluded.status`,
          [
            entries.map(([username]) => username),
            entries.map(([, leave]) => leave.at),
            entries.map(([, leave]) => leave.status ?? null),
          ],
          { repeat: true },
        )
      } catch (error) {
        unwritten = new Map([...leaves, ...unwritten])
        throw error
      }
    }

    const lastLeave = async (username: string): Promise<Leave | undefined> => {
      const known = unwritten.get(username)
      if (known) return known
      const row = await server.db.one<{ left_at: Date; status: string | null }>(
        'SELECT left_at, status FROM last_activity WHERE username = $1',
        [username],
        forStanza,
      )
      if (row) return { at: row.left_at.getTime(), status: row.status ?? undefined }
      const account = await server.accounts.get(username)
      return account && { at: account.createdAt.getTime(), status: undefined }
    }

    const maySee = async (username: string, watcher: string): Promise<boolean> => {
      const roster = await server.rosters.get(username)
      const item = roster.items.get(watcher)
      return item !== undefined && hasFrom(item.subscription)
    }

    const answer = (sinceMs: number, status?: string) =>
      xml('query', { xmlns: NS, seconds: Math.max(0, Math.floor((server.now() - sinceMs) / 1000)) }, status)

    server.advertise('both', { features: [NS] })
    server.iq('host', 'get', NS, 'query', () => answer(startedAt))
    server.iq('account', 'get', NS, 'query', async ({ account, from, isOwn }) => {
      // XEP-0012 §3: without a subscription to the presence the server MUST return forbidden.
      if (account === undefined || !(isOwn || (await maySee(account, from.bare)))) throw stanzaError('forbidden')
      if (server.directory.routes(`${account}@${server.domain}`).length > 0) return answer(server.now())
      const leave = await lastLeave(account)
      if (!leave) throw stanzaError('forbidden')
      return answer(leave.at, leave.status)
    })
    // XEP-0012 §4: the same holds for a full JID; the question must not even reach the client.
    server.on('iq:deliver', 'filter', async ({ stanza, from, to }) => {
      if (stanza.type !== 'get' || !to.isFull || to.domain !== server.domain || !stanza.has('query', NS)) return
      if (from.bare === to.bare || to.local === undefined) return
      if (!(await maySee(to.local, from.bare))) throw stanzaError('forbidden')
    })
    server.on('session:unavailable', 'store', ({ session, stanza }) => {
      const status = stanza.child('status', NS_CLIENT)?.getText().slice(0, STATUS_LENGTH_MAX)
      unwritten.set(session.username, { at: server.now(), status })
    })
    server.on('account:removed', 'store', async ({ username }) => {
      unwritten.delete(username)
      await server.db.exec('DELETE FROM last_activity WHERE username = $1', [username], { repeat: true })
    })
    server.every(WRITE_EVERY_MS, write)
    return write
  },
})
