import type { Person } from '../../core/accounts.ts'
import type { RouteParts } from '../admin.ts'
import { neighbourOf } from '../caller.ts'
import {
  createLink,
  createToken,
  getSession,
  listTokens,
  openLink,
  revokeToken,
  type Session,
  signIn,
  signOut,
} from '../contract/session.ts'
import { Lockout } from '../limits.ts'
import type { OpenOffice } from '../open-office.ts'
import { Refusal, refusal } from '../problem.ts'
import { hashSecret } from '../secret.ts'
import { type Call, callerOf, type Desk } from '../serve.ts'

const LINK_MS = 60_000

export function sessionRoutes(desk: Desk, routeParts: RouteParts): void {
  const { parts, gate, links, office, setup, url } = routeParts
  const guesses = new Lockout({ now: parts.now })

  desk.serve(getSession, async call => {
    const { username, name, sessionKey } = callerOf(call)
    const { browserSessions, parts: chat } = office()
    const account = username === undefined ? undefined : await chat.accounts.get(username)
    const expiresAt = sessionKey ? (browserSessions.expiresAtOf(sessionKey) ?? parts.now()) : parts.now() + LINK_MS
    return sessionOf(routeParts, account ?? { username: '', name }, expiresAt)
  })

  /** Opens a session for this browser; an older one of it ends. */
  const enter = async (account: Person, { request, reply }: Pick<Call<unknown>, 'request' | 'reply'>, how: string) => {
    const { browserSessions, history } = office()
    const { address } = request.origin
    const old = gate.takeSession(request, reply)
    if (old !== undefined) await browserSessions.end(hashSecret(old))
    const { secret, session } = await browserSessions.open(account, address)
    gate.giveSession(request, reply, secret)
    await history.add({ by: account.name, kind: 'sign-in', sentence: how, address })
    return sessionOf(routeParts, account, browserSessions.expiresAt(session))
  }

  desk.serve(signIn, async call => {
    if (setup.stage !== 'ready') throw refusal('not-set-up', 'There is no office here yet: make one first.')
    const { username, password } = call.body
    const { address } = call.request.origin
    const result = await office().signIn.check(username, password, address)
    if ('account' in result) return enter(result.account, call, 'Signed in.')
    if (result.isLocked) await tellLocked(office(), username, address)
    throw new Refusal(result.problem)
  })

  desk.serve(openLink, async call => {
    const from = neighbourOf(call.request.origin.address)
    const waitMs = guesses.waitMs(from)
    if (waitMs > 0)
      throw refusal('locked-out', 'Too many wrong links: wait a while.', { waitSeconds: Math.ceil(waitMs / 1000) })
    guesses.attempted(from)
    if (!links.take(call.body.token))
      throw refusal(
        'wrong-password',
        'This link was used already, or is too old: open the pages from the tray again, or sign in.',
      )
    guesses.succeeded(from)
    if (setup.stage !== 'ready') {
      gate.giveSetupPass(call.request, call.reply)
      return {}
    }
    const accounts = await office().parts.accounts.list()
    const account = accounts.find(isGood)
    if (!account) throw refusal('not-administrator', 'No administrator is left whom this link could sign in.')
    return { session: await enter(account, call, 'Signed in by a link made on the PC.') }
  })

  desk.serve(signOut, async ({ request, reply }) => {
    const secret = gate.takeSession(request, reply)
    if (secret !== undefined && setup.stage === 'ready') await office().browserSessions.end(hashSecret(secret))
    return {}
  })

  desk.serve(createLink, () => {
    const { token, expiresAt } = links.make(LINK_MS)
    return { url: `${url()}#token=${token}`, expiresAt: new Date(expiresAt).toISOString() }
  })

  desk.serve(listTokens, async () => ({ tokens: await office().scriptTokens.list() }))

  desk.serve(createToken, async call => {
    const { kind, username, name, address } = callerOf(call)
    if (kind === 'token') throw refusal('refused', 'A token cannot make another one: sign in to do it.')
    const { scriptTokens, history, parts: chat } = office()
    const maker = username ?? (await chat.accounts.list()).find(isGood)?.username ?? ''
    const { name: tokenName, days } = call.body
    const made = await scriptTokens.create(tokenName.trim(), maker, days)
    const until = days === null ? '' : `, good for ${days} days`
    await history.add({ by: name, kind: 'token', sentence: `Made the token “${made.token.name}”${until}.`, address })
    return made
  })

  desk.serve(revokeToken, async call => {
    const { scriptTokens, history } = office()
    const { name, address } = callerOf(call)
    const gone = await scriptTokens.revoke(call.params.id)
    if (gone === undefined) throw refusal('not-found', 'This token is gone already.')
    await history.add({ by: name, kind: 'token', sentence: `Revoked the token “${gone}”.`, address })
    return {}
  })
}

/** What a page is told of who is signed in. */
export function sessionOf(
  { parts, office }: RouteParts,
  person: Pick<Person, 'username' | 'name'>,
  expiresAt: number,
): Session {
  const { name, domain } = office().parts
  return {
    username: person.username,
    name: person.name,
    address: person.username ? `${person.username}@${domain}` : domain,
    office: name,
    domain,
    pc: parts.pc,
    version: parts.version,
    expiresAt: new Date(expiresAt).toISOString(),
  }
}

const isGood = (account: Person): boolean => account.isAdmin && !account.isBlocked

/** Only the moment when the waiting begins is written down: guessing must not fill the table. */
async function tellLocked({ history }: OpenOffice, typed: string, address: string): Promise<void> {
  const who = typed.replace(/[^\p{L}\p{N}@._-]/gu, '').slice(0, 64)
  const sentence = `Somebody at ${address} tried too many wrong passwords, the last for “${who}”, and has to wait.`
  await history.add({ by: 'Lanthorn', kind: 'sign-in', sentence, address })
}
