/** RFC 6120 section 6 (SASL in XMPP), RFC 4616 (PLAIN), XEP-0440 (channel binding types): what is offered, and one interface for every login. */
import { isUtf8 } from 'node:buffer'
import { type Element, xml } from './element.ts'
import { SaslError } from './errors.ts'
import { enforceLocal, JidError } from './jid.ts'
import { NS_SASL_CHANNEL_BINDING } from './namespaces.ts'
import { fakeVerifier, parseScramMechanism, type ScramHash, type Verifier, verifyPassword } from './scram.ts'
import { checkAuthzid, ScramServer, wrongCredentials } from './scram-server.ts'

/**
 * What to do next: send a challenge; look up the account's verifier for one of `hashes` (best first), then call `supply`;
 * or the user is logged in, and `data` goes with the success.
 */
export type SaslStep =
  | { readonly challenge: Buffer }
  | { readonly needs: 'verifier'; readonly username: string; readonly hashes: readonly ScramHash[] }
  | { readonly success: true; readonly username: string; readonly data: Buffer | undefined }

/** One login under way. Its user names are enforced local parts of this server's domain. */
export interface SaslExchange {
  /** Takes the next message of the client; undefined when there was none. @throws SaslError when the login failed */
  step(input: Buffer | undefined): SaslStep
  /** Answers `needs`: undefined when there is no such account or it may not log in this way. @throws SaslError when the login failed */
  supply(verifier: Verifier | undefined): SaslStep | Promise<SaslStep>
}

/** What a login needs to know of the connection and the server. */
export interface SaslOptions {
  /** The domain of the accounts. */
  readonly domain: string
  /** What this connection was offered, in the login protocol that the client speaks (XEP-0474 section 6.1). */
  readonly offered: { readonly mechanisms: readonly string[]; readonly channelBindings: readonly string[] }
  /** The data of a channel binding type on this connection (RFC 5929, RFC 9266); asked only for types that were offered. */
  readonly channelBinding: (type: string) => Buffer | undefined
  /** The server's part of the nonce: fresh random, printable ASCII without comma, at least 18 random bytes. */
  readonly nonce: string
  /** How accounts that do not exist are made to look: the same everywhere in the cluster, for years. */
  readonly unknown: { readonly secret: Buffer; readonly iterations: number }
  /** false: do not vouch for the offer, for clients that cannot bear the additional attribute (XEP-0474). */
  readonly downgradeProtection?: boolean
}

/**
 * The mechanisms to offer, best first.
 * @param options.tls the connection is encrypted
 * @param options.channelBindings types that this connection can bind to; none without TLS
 * @param options.verifierKinds hashes for which accounts have verifiers; some for each account will do
 * @param options.plain whether passwords may be sent as they are: never, under TLS, or always
 */
export function mechanismsFor(options: {
  tls: boolean
  channelBindings: readonly string[]
  verifierKinds: readonly ScramHash[]
  plain?: 'never' | 'under TLS' | 'always'
}): string[] {
  const { tls, channelBindings, verifierKinds, plain = 'under TLS' } = options
  const hashes = PREFERENCE.filter(hash => verifierKinds.includes(hash))
  const plus = tls && channelBindings.length > 0 ? hashes.map(hash => `SCRAM-${hash}-PLUS`) : []
  const hasPlain = plain === 'always' || (plain === 'under TLS' && tls)
  return [...plus, ...hashes.map(hash => `SCRAM-${hash}`), ...(hasPlain ? ['PLAIN'] : [])]
}

const PREFERENCE: readonly ScramHash[] = ['SHA-512', 'SHA-256', 'SHA-1']

/** `<sasl-channel-binding/>` for the stream features; undefined when there is nothing to bind to (XEP-0440). */
export function channelBindingElement(types: readonly string[]): Element | undefined {
  if (types.length === 0) return undefined
  return xml(
    'sasl-channel-binding',
    { xmlns: NS_SASL_CHANNEL_BINDING },
    ...types.map(type => xml('channel-binding', { type })),
  )
}

/**
 * Begins a login by the mechanism that the client chose.
 * @throws SaslError invalid-mechanism when it was not offered
 */
export function createExchange(mechanism: string, options: SaslOptions): SaslExchange {
  if (!options.offered.mechanisms.includes(mechanism))
    throw new SaslError('invalid-mechanism', 'This mechanism is not offered on this connection.')
  if (mechanism === 'PLAIN') return new PlainServer(options)
  if (parseScramMechanism(mechanism) === undefined) throw new SaslError('invalid-mechanism')
  return new ScramServer(mechanism, options)
}

/** One login by PLAIN (RFC 4616): the password is checked against whatever verifier there is. */
class PlainServer implements SaslExchange {
  readonly #options: SaslOptions
  #credentials: { username: string; password: string } | undefined

  constructor(options: SaslOptions) {
    this.#options = options
  }

  step(input: Buffer | undefined): SaslStep {
    if (this.#credentials !== undefined) throw new SaslError('malformed-request', 'No message was expected.')
    if (input === undefined) return { challenge: Buffer.alloc(0) }
    const { authzid, username: name, password } = parsePlain(input)
    let username: string
    try {
      username = enforceLocal(name)
    } catch (error) {
      if (error instanceof JidError) throw wrongCredentials()
      throw error
    }
    if (authzid !== '') checkAuthzid(authzid, username, this.#options.domain)
    this.#credentials = { username, password }
    return { needs: 'verifier', username, hashes: PREFERENCE }
  }

  async supply(verifier: Verifier | undefined): Promise<SaslStep> {
    if (this.#credentials === undefined) throw new Error('A verifier was supplied that PLAIN did not ask for.')
    const { username, password } = this.#credentials
    // An unknown name costs the same work as a wrong password.
    const isRight = await verifyPassword(verifier ?? fakeVerifier('SHA-512', username, this.#options.unknown), password)
    if (!isRight || verifier === undefined) throw wrongCredentials()
    return { success: true, username, data: undefined }
  }
}

/** Takes a PLAIN message apart (RFC 4616 section 2). @throws SaslError malformed-request */
export function parsePlain(message: Buffer): { authzid: string; username: string; password: string } {
  const parts = isUtf8(message) ? message.toString().split('\0') : []
  const [authzid = '', username = '', password = ''] = parts
  if (parts.length !== 3 || username === '' || password === '')
    throw new SaslError('malformed-request', 'A PLAIN message is: identity, NUL, user name, NUL, password, in UTF-8.')
  return { authzid, username, password }
}

/**
 * Reads the text of `<auth/>`, `<response/>` or `<initial-response/>`: undefined when there is none, no bytes for "=" (RFC 6120 section 6.4.2).
 * @throws SaslError incorrect-encoding unless it is base64 without white space, with its padding, unused bits zero (RFC 6120 section 13.9.1)
 */
export function decodeSaslData(text: string): Buffer | undefined {
  if (text === '') return undefined
  if (text === '=') return Buffer.alloc(0)
  const data = Buffer.from(text, 'base64')
  if (data.toString('base64') !== text) throw new SaslError('incorrect-encoding', 'This is not base64.')
  return data
}

/** Text for `<challenge/>` or `<success/>`: "=" for data of no bytes (RFC 6120 section 6.4.6). */
export function encodeSaslData(data: Buffer): string {
  return data.length === 0 ? '=' : data.toString('base64')
}
