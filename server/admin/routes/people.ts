import type { Account, Person as StoredPerson } from '../../core/accounts.ts'
import type { RouteParts } from '../admin.ts'
import {
  addPerson,
  blockPerson,
  changePerson,
  listPeople,
  type Person,
  previewRemoval,
  removePerson,
  resetPassword,
} from '../contract/people.ts'
import type { OpenOffice } from '../open-office.ts'
import { refusal } from '../problem.ts'
import { makePassword } from '../secret.ts'
import { type Call, callerOf, type Desk } from '../serve.ts'
import { counted } from '../words.ts'

const PAGE_DEFAULT = 50

export function peopleRoutes(desk: Desk, { office, events }: RouteParts): void {
  /** Writes down what was done, and lets pages show it. */
  const tell = async (
    call: Pick<Call<unknown>, 'request'>,
    sentence: string,
    more: { before?: unknown; after?: unknown } = {},
  ) => {
    const { name, address } = callerOf(call)
    office().figures.forgetPeople()
    events.stir('people')
    await office().history.add({ by: name, kind: 'person', sentence, address, ...more })
  }

  desk.serve(listPeople, async ({ query }) => {
    const all = await office().parts.accounts.list()
    const text = query.search?.trim().toLowerCase() ?? ''
    const found = all
      .filter(({ username, name }) => username.includes(text) || name.toLowerCase().includes(text))
      .sort((a, b) => a.name.localeCompare(b.name) || (a.username < b.username ? -1 : 1))
    const { offset = 0, limit = PAGE_DEFAULT } = query
    const page = await describe(office(), found.slice(offset, offset + limit))
    return { people: page, total: found.length, everyone: all.length }
  })

  desk.serve(addPerson, async call => {
    const { name, username, admin = false } = call.body
    const password = call.body.password ?? makePassword()
    const account = await office().parts.accounts.create({ username, name, password, isAdmin: admin })
    const as = admin ? ' as an administrator' : ''
    await tell(call, `Added ${account.name} (${addressOf(office(), account)})${as}.`)
    const person = await one(office(), account.username)
    return call.body.password === undefined ? { person, password } : { person }
  })

  desk.serve(changePerson, async call => {
    const { accounts } = office().parts
    const before = await mustFind(office(), call.params.username)
    const { username } = before
    const { name, admin } = call.body
    if (admin !== undefined && admin !== before.isAdmin) {
      if (!admin) await refuseOwnFall(office(), call, username)
      await accounts.setAdmin(username, admin)
      if (!admin) await endAdminRights(office(), username)
      const after = admin ? 'an administrator' : 'no longer an administrator'
      await tell(call, `${before.name} is ${after} now.`, { before: { admin: before.isAdmin }, after: { admin } })
    }
    if (name !== undefined && name.trim() !== before.name) {
      await accounts.setName(username, name)
      await tell(call, `Renamed ${before.name} to ${name.trim()}.`, {
        before: { name: before.name },
        after: { name: name.trim() },
      })
    }
    return one(office(), username)
  })

  desk.serve(resetPassword, async call => {
    const { parts: chat, browserSessions } = office()
    const { username, name } = await mustFind(office(), call.params.username)
    const password = call.body.password ?? makePassword()
    await chat.accounts.setPassword(username, password)
    await endConnections(office(), username)
    await browserSessions.endAllOf(username, callerOf(call).sessionKey)
    await tell(call, `Gave ${name} a new password.`)
    return call.body.password === undefined ? { password } : {}
  })

  desk.serve(blockPerson, async call => {
    const { accounts } = office().parts
    const { username, name, isBlocked } = await mustFind(office(), call.params.username)
    const { blocked } = call.body
    if (blocked !== isBlocked) {
      if (blocked) await refuseOwnFall(office(), call, username)
      await accounts.setBlocked(username, blocked)
      if (blocked) {
        await endConnections(office(), username)
        await endAdminRights(office(), username)
      }
      await tell(call, blocked ? `Blocked ${name}.` : `Let ${name} in again.`, {
        before: { blocked: isBlocked },
        after: { blocked },
      })
    }
    return one(office(), username)
  })

  desk.serve(previewRemoval, async call => {
    const { username, name } = await mustFind(office(), call.params.username)
    const { directory, db } = office().parts
    const row = await db.one<{ count: number }>(
      'SELECT count(*)::int AS count FROM roster WHERE username = $1',
      [username],
      { repeat: true },
    )
    const contacts = row?.count ?? 0
    const devices = directory.routes(addressOf(office(), { username })).length
    return {
      goes: [
        `The account ${addressOf(office(), { username })} and its password.`,
        ...(devices > 0 ? [`${counted(devices, 'connected device')}: signed out at once.`] : []),
        ...(contacts > 0 ? [`${counted(contacts, 'contact')} of ${name}.`] : []),
        `What ${name} kept on the server: picture, card, notes.`,
      ],
      stays: ['Messages stay with the people they were written to.', `The history keeps what ${name} did.`],
    }
  })

  desk.serve(removePerson, async call => {
    const { username, name } = await mustFind(office(), call.params.username)
    await refuseOwnFall(office(), call, username)
    // The account goes first: a device that is signed out must not come back while the rest goes.
    await office().parts.accounts.remove(username)
    await endConnections(office(), username)
    await endAdminRights(office(), username)
    await tell(call, `Removed ${name} (${addressOf(office(), { username })}).`)
    return {}
  })
}

async function mustFind({ parts: chat }: OpenOffice, username: string): Promise<Account> {
  const account = await chat.accounts.get(username)
  if (!account) throw refusal('not-found', `There is nobody called ${username} any more.`)
  return account
}

/** Nobody takes their own rights by a slip: the page they sit at would be gone at once. */
async function refuseOwnFall(
  { parts: chat }: OpenOffice,
  call: Pick<Call<unknown>, 'request'>,
  username: string,
): Promise<void> {
  if (callerOf(call).username !== username) return
  const others = (await chat.accounts.list()).filter(one => one.isAdmin && !one.isBlocked && one.username !== username)
  if (others.length === 0) {
    throw refusal('last-administrator', 'You are the only administrator. Make somebody else one first.')
  }
  throw refusal('refused', 'You cannot do that to yourself: ask another administrator.')
}

async function endConnections({ parts: chat, far }: OpenOffice, username: string): Promise<void> {
  far.endAll(username, 'removed')
  await Promise.all([...chat.sessions.of(username)].map(session => chat.sessions.end(session, 'removed')))
}

async function endAdminRights({ browserSessions, scriptTokens }: OpenOffice, username: string): Promise<void> {
  scriptTokens.recheck()
  await browserSessions.endAllOf(username)
}

const addressOf = ({ parts: chat }: OpenOffice, { username }: { username: string }): string =>
  `${username}@${chat.domain}`

async function one(office: OpenOffice, username: string): Promise<Person> {
  const [person] = await describe(office, [await mustFind(office, username)])
  if (!person) throw new Error('A person was described as nobody.')
  return person
}

async function describe(office: OpenOffice, accounts: readonly StoredPerson[]): Promise<Person[]> {
  const { parts: chat, activity } = office
  const seen = await activity.lastSeen(accounts.map(({ username }) => username))
  return accounts.map(account => {
    const { username } = account
    const devices = chat.directory.routes(addressOf(office, account)).length
    const lastSeen = seen.get(username)
    return {
      username,
      name: account.name,
      address: addressOf(office, account),
      admin: account.isAdmin,
      blocked: account.isBlocked,
      online: devices > 0,
      devices,
      lastSeen: lastSeen === undefined ? null : new Date(lastSeen).toISOString(),
      madeAt: account.createdAt.toISOString(),
    }
  })
}
