/** XEP-0441: Message Archive Management Preferences: what of somebody's messages goes into the own archive. */
import { feature } from '../core/feature.ts'
import type { IqRequest } from '../core/iq.ts'
import { forStanza } from '../core/patience.ts'
import { DatabaseAway } from '../db/pool.ts'
import { type Element, xml } from '../xmpp/element.ts'
import { StanzaError, stanzaError } from '../xmpp/errors.ts'
import { type Jid, parseJid } from '../xmpp/jid.ts'
import { NS_MAM } from '../xmpp/namespaces.ts'

const JIDS_MAX = 1_000

type Otherwise = 'always' | 'never' | 'roster'

interface Preferences {
  readonly otherwise: Otherwise
  readonly always: ReadonlySet<string>
  readonly never: ReadonlySet<string>
}

const usual: Preferences = { otherwise: 'always', always: new Set(), never: new Set() }

export default feature({
  name: 'archive-preferences',
  title: 'What goes into the history',
  standards: [{ id: 'XEP-0441', title: 'Message Archive Management Preferences', version: '0.2.0' }],
  migrations: [
    `CREATE TABLE archive_preference (
       username text PRIMARY KEY,
       otherwise text NOT NULL,
       always text[] NOT NULL,
       never text[] NOT NULL
     )`,
  ],
  start(server) {
    const preferences = server.perAccount<Preferences>(async username => {
      const row = await server.db.one<{ otherwise: Otherwise; always: string[]; never: string[] }>(
        'SELECT otherwise, always, never FROM archive_preference WHERE username = $1',
        [username],
        { repeat: true },
      )
      return row ? { otherwise: row.otherwise, always: new Set(row.always), never: new Set(row.never) } : usual
    })

    const wants = async (username: string, wish: Preferences, other: Jid): Promise<boolean> => {
      if (listed(wish.always, other)) return true
      if (listed(wish.never, other)) return false
      if (wish.otherwise !== 'roster') return wish.otherwise === 'always'
      return (await server.rosters.get(username)).items.get(other.bare)?.isListed ?? false
    }

    /** Calls `leaveOut` if the person does not want messages of or to the other one in the archive. */
    const narrow = (owner: Jid, other: Jid, leaveOut: () => void): undefined | Promise<undefined> => {
      if (owner.local === undefined || owner.domain !== server.domain) return undefined
      const wish = preferences.get(owner.local)
      return wish === usual ? undefined : decide(owner.local, wish, other, leaveOut)
    }

    const decide = async (
      username: string,
      wish: Preferences | Promise<Preferences>,
      other: Jid,
      leaveOut: () => void,
    ): Promise<undefined> => {
      try {
        if (!(await wants(username, await wish, other))) leaveOut()
      } catch (error) {
        // A wish that cannot be read now must not hold up a conversation: nearly everybody wants all of it.
        if (!isForNow(error)) throw error
      }
      return undefined
    }

    server.on('message:send', 'change', event => {
      if (!event.keep?.inSender) return undefined
      return narrow(event.from, event.to, () => {
        if (event.keep) event.keep = { ...event.keep, inSender: false }
      })
    })
    server.on('message:deliver', 'change', event => {
      if (!event.keep?.inReceiver) return undefined
      return narrow(event.to, event.from, () => {
        if (event.keep) event.keep = { ...event.keep, inReceiver: false }
      })
    })
    server.iq('account', 'get', NS_MAM, 'prefs', async request => printed(await preferences.get(ownerOf(request))))
    server.iq('account', 'set', NS_MAM, 'prefs', async request => {
      const username = ownerOf(request)
      const wish = read(request.payload)
      const write = () =>
        server.db.exec(
          `INSERT INTO archive_preference (username, otherwise, always, never) VALUES ($1, $2, $3, $4)
           ON CONFLICT (username) DO UPDATE SET otherwise = $2, always = $3, never = $4`,
          [username, wish.otherwise, [...wish.always], [...wish.never]],
          forStanza,
        )
      await preferences.change(username, write, () => wish)
      return printed(wish)
    })
    server.on('account:removed', 'store', async ({ username }) => {
      await server.db.exec('DELETE FROM archive_preference WHERE username = $1', [username], { repeat: true })
    })
  },
})

/** The database is away, or does not answer in time. */
const isForNow = (error: unknown): boolean =>
  error instanceof DatabaseAway || (error instanceof StanzaError && error.type === 'wait')

function ownerOf({ isOwn, account }: IqRequest): string {
  if (!isOwn || account === undefined) throw stanzaError('forbidden', 'These wishes are for their owner only.')
  return account
}

/** XEP-0441 §2.3: an address with a resource means that one, a bare one all of them. */
function listed(list: ReadonlySet<string>, jid: Jid): boolean {
  return list.has(jid.full) || list.has(jid.bare)
}

function read(payload: Element): Preferences {
  const { default: otherwise } = payload.attrs
  if (otherwise !== 'always' && otherwise !== 'never' && otherwise !== 'roster') {
    throw stanzaError('bad-request', 'The default is always, never or roster.')
  }
  return { otherwise, always: readList(payload, 'always'), never: readList(payload, 'never') }
}

function readList(payload: Element, name: 'always' | 'never'): ReadonlySet<string> {
  const jids = payload.getChild(name)?.getChildren('jid') ?? []
  if (jids.length > JIDS_MAX) throw stanzaError('policy-violation', `A list may have ${JIDS_MAX} addresses at most.`)
  return new Set(jids.map(jid => parseJid(jid.getText().trim()).full))
}

function printed({ otherwise, always, never }: Preferences): Element {
  const list = (name: string, jids: ReadonlySet<string>) => xml(name, {}, ...[...jids].map(jid => xml('jid', {}, jid)))
  return xml('prefs', { xmlns: NS_MAM, default: otherwise }, list('always', always), list('never', never))
}
