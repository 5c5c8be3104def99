/** XEP-0077: In-Band Registration: changing the password, leaving, and (when allowed) joining. */
import { Type } from 'typebox'
import { AccountRefused } from '../core/accounts.ts'
import { feature } from '../core/feature.ts'
import type { IqRequest } from '../core/iq.ts'
import type { Session } from '../core/session.ts'
import { xml } from '../xmpp/element.ts'
import { stanzaError } from '../xmpp/errors.ts'
import { NS_REGISTER } from '../xmpp/namespaces.ts'

export default feature({
  name: 'registration',
  title: 'Making and changing accounts from chat programs',
  standards: [{ id: 'XEP-0077', title: 'In-Band Registration', version: '2.4' }],
  page: 'Sign-in',
  settings: Type.Object({
    open: Type.Boolean({
      default: false,
      title: 'Let anybody make an account',
      description: 'Everybody who can reach this server may then join the office from a chat program.',
    }),
    passwordChange: Type.Boolean({
      default: true,
      title: 'Let people change their password in their chat program',
    }),
    removal: Type.Boolean({
      default: false,
      title: 'Let people delete their own account in their chat program',
      description: 'Their messages, contacts and business card go with it and do not come back.',
    }),
  }),
  start(server) {
    const removeAccount = async (username: string): Promise<void> => {
      if (!server.settings.removal) {
        throw stanzaError('not-allowed', 'Accounts are deleted by an administrator of this server.')
      }
      await refusable(() => server.accounts.remove(username))
      // XEP-0077 §3.2: the result goes out first, then all sessions of the account end with not-authorized.
      setImmediate(() => void server.everywhere.endAll(username, 'removed'))
    }

    const changePassword = async (username: string, request: IqRequest): Promise<void> => {
      const wanted = request.payload.getChildText('username')
      const password = request.payload.getChildText('password')
      if (!wanted || !password) throw stanzaError('bad-request', 'Give your user name and the new password.')
      if (wanted.toLowerCase() !== username) {
        throw stanzaError('not-allowed', `You are signed in as ${username}: sign out to make another account.`)
      }
      if (!server.settings.passwordChange) {
        throw stanzaError('not-allowed', 'Passwords are changed by an administrator of this server.')
      }
      if (!isSafe(request.session)) {
        throw stanzaError('not-authorized', 'This connection is not encrypted: a password would be seen by others.')
      }
      await refusable(() => server.accounts.setPassword(username, password))
    }

    server.advertise('host', { features: [NS_REGISTER] })
    server.iq('both', 'get', NS_REGISTER, 'query', request => {
      const username = signedIn(request)
      return xml(
        'query',
        { xmlns: NS_REGISTER },
        xml('registered'),
        xml('instructions', {}, 'You have an account here. Send a new password to change it.'),
        xml('username', {}, username),
        xml('password'),
      )
    })
    server.iq('both', 'set', NS_REGISTER, 'query', async request => {
      const username = signedIn(request)
      const children = request.payload.getChildElements()
      if (!children.some(child => child.is('remove'))) return changePassword(username, request)
      // XEP-0077 §3.2, table 1: <remove/> stands alone.
      if (children.length > 1) throw stanzaError('bad-request', 'Nothing else may stand beside <remove/>.')
      return removeAccount(username)
    })
  },
})

/** The person who asks. @throws StanzaError unless it is a signed-in client asking for itself */
function signedIn({ session, isOwn, account }: IqRequest): string {
  if (!session || !(isOwn || account === undefined)) throw stanzaError('service-unavailable')
  return session.username
}

/** Encrypted, or it never leaves this PC. */
function isSafe(session: Session | undefined): boolean {
  const outlet = session?.outlet
  return outlet !== undefined && (outlet.isSecure || /^(127\.|::1$|::ffff:127\.)/.test(outlet.address))
}

async function refusable(change: () => Promise<void>): Promise<void> {
  try {
    await change()
  } catch (error) {
    if (error instanceof AccountRefused) throw stanzaError('not-acceptable', error.message)
    throw error
  }
}
