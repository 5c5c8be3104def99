/** RFC 5802 and RFC 7677: SCRAM, the server's side. Random numbers come from the caller. */
import { isUtf8 } from 'node:buffer'
import { timingSafeEqual } from 'node:crypto'
import { SaslError } from './errors.ts'
import { enforceLocal, JidError, tryJid } from './jid.ts'
import type { SaslExchange, SaslOptions, SaslStep } from './sasl.ts'
import {
  digest,
  downgradeHash,
  fakeVerifier,
  hmac,
  parseScramMechanism,
  SCRAM_HASHES,
  type ScramHash,
  type Verifier,
  xor,
} from './scram.ts'

// RFC 5802 section 7. A saslname has no comma and no equals sign other than in =2C and =3D.
const SASLNAME = '(?:[^\\0,=]|=2C|=3D)+'
const CLIENT_FIRST = new RegExp(
  `^((?:p=([A-Za-z0-9.-]+)|[ny]),(?:a=(${SASLNAME}))?,)(n=(${SASLNAME}),r=([!-+--~]+)(?:,[A-Za-z]=[^\\0,]+)*)$`,
)
const CLIENT_FINAL = /^(c=([A-Za-z0-9+/=]+),r=([!-+\--~]+)((?:,[A-Za-z]=[^\0,]+)*)),p=([A-Za-z0-9+/=]+)$/
const MANDATORY_EXTENSION = /(?:^|,)m=/

const decodeName = (name: string) => name.replaceAll('=2C', ',').replaceAll('=3D', '=')
const malformed = (text: string) => new SaslError('malformed-request', text)

/** One login by SCRAM: step (client-first) → supply (verifier) → step (client-final). */
export class ScramServer implements SaslExchange {
  readonly #options: SaslOptions
  readonly #hash: ScramHash
  readonly #isPlus: boolean
  #state: 'client-first' | 'verifier' | 'client-final' | 'over' = 'client-first'
  #username = ''
  #clientFirstBare = ''
  #nonce = ''
  /** The only value that the `c` attribute of the last message may have. */
  #expectedBinding = ''
  #serverFirst = ''
  #verifier: Verifier | undefined
  #isKnown = false

  /** @throws SaslError invalid-mechanism when `mechanism` is none of SCRAM */
  constructor(mechanism: string, options: SaslOptions) {
    const parsed = parseScramMechanism(mechanism)
    if (parsed === undefined) throw new SaslError('invalid-mechanism')
    this.#hash = parsed.hash
    this.#isPlus = parsed.isPlus
    this.#options = options
  }

  /**
   * Takes the next message of the client; undefined when it sent none with its choice of mechanism.
   * @throws SaslError when the login fails; the exchange is over then
   */
  step(input: Buffer | undefined): SaslStep {
    const state = this.#state
    if (input === undefined && state === 'client-first') return { challenge: Buffer.alloc(0) }
    this.#state = 'over'
    if (input === undefined || !isUtf8(input)) throw malformed('The message is not text in UTF-8.')
    switch (state) {
      case 'client-first':
        return this.#readClientFirst(input.toString())
      case 'client-final':
        return this.#readClientFinal(input.toString())
      case 'verifier':
      case 'over':
        throw malformed('No message was expected.')
      default:
        return state satisfies never
    }
  }

  /** Goes on with what was found for `username`: its verifier for this hash, undefined if there is none. */
  supply(verifier: Verifier | undefined): SaslStep {
    if (this.#state !== 'verifier') throw new Error('A verifier was supplied that SCRAM did not ask for.')
    this.#isKnown = verifier !== undefined
    this.#verifier = verifier ?? fakeVerifier(this.#hash, this.#username, this.#options.unknown)
    const { salt, iterations } = this.#verifier
    const { downgradeProtection = true, offered } = this.#options
    const protection = downgradeProtection ? `,h=${downgradeHash(this.#hash, offered)}` : ''
    this.#serverFirst = `r=${this.#nonce},s=${salt.toString('base64')},i=${iterations}${protection}`
    this.#state = 'client-final'
    return { challenge: Buffer.from(this.#serverFirst) }
  }

  #readClientFirst(message: string): SaslStep {
    const match = CLIENT_FIRST.exec(message)
    if (match === null) {
      // RFC 5802 section 5.1: mandatory extensions that are not understood MUST cause authentication failure.
      if (/^(?:p=[A-Za-z0-9.-]+|[ny]),[^,]*,m=/.test(message))
        throw malformed('Mandatory extensions are not supported.')
      throw malformed('This is not a first message of SCRAM.')
    }
    const [, header = '', bindingType, authzid, bare = '', name = '', clientNonce = ''] = match
    if (MANDATORY_EXTENSION.test(bare)) throw malformed('Mandatory extensions are not supported.')
    this.#expectedBinding = this.#bind(header, bindingType)
    try {
      this.#username = enforceLocal(decodeName(name))
    } catch (error) {
      // No account can have such a name, so this says no more than that.
      if (error instanceof JidError) throw wrongCredentials()
      throw error
    }
    if (authzid !== undefined) checkAuthzid(decodeName(authzid), this.#username, this.#options.domain)
    this.#clientFirstBare = bare
    this.#nonce = clientNonce + this.#options.nonce
    this.#state = 'verifier'
    return { needs: 'verifier', username: this.#username, hashes: [this.#hash] }
  }

  /** Checks the channel binding flag against what was offered and gives the `c` attribute that must follow (RFC 5802 section 6). */
  #bind(header: string, type: string | undefined): string {
    if (type === undefined) {
      if (this.#isPlus) throw malformed('A mechanism with -PLUS needs a channel binding.')
      // A client that says y believes that no channel binding is offered: somebody has shortened the offer on its way.
      if (header.startsWith('y') && this.#options.offered.mechanisms.some(name => name.endsWith('-PLUS')))
        throw new SaslError(
          'not-authorized',
          'The server does support channel binding: the offer was changed on its way.',
        )
      return Buffer.from(header).toString('base64')
    }
    if (!this.#isPlus) throw malformed('A channel binding needs a mechanism with -PLUS.')
    const isOffered = this.#options.offered.channelBindings.includes(type)
    const data = isOffered ? this.#options.channelBinding(type) : undefined
    if (data === undefined) throw new SaslError('not-authorized', 'This type of channel binding is not supported.')
    return Buffer.concat([Buffer.from(header), data]).toString('base64')
  }

  #readClientFinal(message: string): SaslStep {
    const match = CLIENT_FINAL.exec(message)
    const verifier = this.#verifier
    if (match === null || verifier === undefined) throw malformed('This is not a last message of SCRAM.')
    const [, withoutProof = '', binding = '', nonce = '', extensions = '', proofText = ''] = match
    if (MANDATORY_EXTENSION.test(extensions)) throw malformed('Mandatory extensions are not supported.')
    const proof = Buffer.from(proofText, 'base64')
    if (proof.toString('base64') !== proofText || proof.length !== SCRAM_HASHES[this.#hash].bytes)
      throw malformed('The proof is not base64 of the right length.')
    if (binding !== this.#expectedBinding) throw new SaslError('not-authorized', 'The channel bindings do not match.')
    if (nonce !== this.#nonce) throw new SaslError('not-authorized', 'The nonces do not match.')

    const authMessage = `${this.#clientFirstBare},${this.#serverFirst},${withoutProof}`
    const clientKey = xor(hmac(this.#hash, verifier.storedKey, authMessage), proof)
    const isRight = timingSafeEqual(digest(this.#hash, clientKey), verifier.storedKey)
    const serverSignature = hmac(this.#hash, verifier.serverKey, authMessage)
    if (!isRight || !this.#isKnown) throw wrongCredentials()
    return { success: true, username: this.#username, data: Buffer.from(`v=${serverSignature.toString('base64')}`) }
  }
}

/** The one answer to a wrong name and a wrong password alike. */
export function wrongCredentials(): SaslError {
  return new SaslError('not-authorized', 'The user name or the password is wrong.')
}

/** Nobody logs in as somebody else: throws SaslError invalid-authzid unless the identity asked for is the user's own bare JID (RFC 6120 section 6.3.8). */
export function checkAuthzid(authzid: string, username: string, domain: string): void {
  if (tryJid(authzid)?.full !== tryJid(`${username}@${domain}`)?.full)
    throw new SaslError('invalid-authzid', `Only ${username}@${domain} can be logged in as with this user name.`)
}
