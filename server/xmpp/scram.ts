/** RFC 5802 and RFC 7677: SCRAM, the server's side. XEP-0474: SCRAM downgrade protection. Random numbers come from the caller. */
import { isUtf8 } from 'node:buffer'
import { createHmac, hash as digestOf, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { saslprep } from '@mongodb-js/saslprep'
import { SaslError } from './errors.ts'
import { enforceLocal, JidError, tryJid } from './jid.ts'
import type { SaslExchange, SaslOptions, SaslStep } from './sasl.ts'

/** The hash functions of the mechanisms SCRAM-SHA-1, SCRAM-SHA-256 and SCRAM-SHA-512. */
export type ScramHash = 'SHA-1' | 'SHA-256' | 'SHA-512'

/** Name and bytes of each hash function; strongest last. */
export const SCRAM_HASHES = {
  'SHA-1': { algorithm: 'sha1', bytes: 20 },
  'SHA-256': { algorithm: 'sha256', bytes: 32 },
  'SHA-512': { algorithm: 'sha512', bytes: 64 },
} as const satisfies Record<ScramHash, { algorithm: string; bytes: number }>

/** Bytes of salt that new verifiers have; made-up ones for unknown users look the same. */
export const SCRAM_SALT_BYTES = 16

/** What is kept instead of a password (RFC 5802 section 3). */
export interface Verifier {
  readonly hash: ScramHash
  readonly salt: Buffer
  readonly iterations: number
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

/** A password that SASLprep refuses; the message is a sentence. */
export class PasswordError extends Error {
  override readonly name = 'PasswordError'
}

const pbkdf2Async = promisify(pbkdf2)

/** HMAC of one message. */
export function hmac(hash: ScramHash, key: Buffer, message: string): Buffer {
  return createHmac(SCRAM_HASHES[hash].algorithm, key).update(message).digest()
}

/** The hash of one message. */
export function digest(hash: ScramHash, message: Buffer | string): Buffer {
  return digestOf(SCRAM_HASHES[hash].algorithm, message, 'buffer')
}

/** SaltedPassword := Hi(Normalize(password), salt, i), off the main thread (RFC 5802 section 3). @throws PasswordError */
export async function saltPassword(
  hash: ScramHash,
  password: string,
  salt: Buffer,
  iterations: number,
): Promise<Buffer> {
  const { algorithm, bytes } = SCRAM_HASHES[hash]
  return pbkdf2Async(preparePassword(password), salt, iterations, bytes, algorithm)
}

/**
 * The SASLprep form of a password (RFC 4013). Characters newer than Unicode 3.2, such as emoji, are let through, as clients do.
 * @throws PasswordError when it is empty or has a character that passwords may not have
 */
export function preparePassword(password: string): string {
  let prepared: string
  try {
    prepared = saslprep(password, { allowUnassigned: true })
  } catch (cause) {
    throw new PasswordError(
      'The password has a character that cannot be used in passwords, such as a control character.',
      {
        cause,
      },
    )
  }
  if (prepared === '') throw new PasswordError('The password is empty.')
  return prepared
}

/** What to keep of a password (RFC 5802 section 3). The work is done off the main thread. @throws PasswordError */
export async function deriveVerifier(
  hash: ScramHash,
  password: string,
  salt: Buffer,
  iterations: number,
): Promise<Verifier> {
  const salted = await saltPassword(hash, password, salt, iterations)
  const storedKey = digest(hash, hmac(hash, salted, 'Client Key'))
  return { hash, salt, iterations, storedKey, serverKey: hmac(hash, salted, 'Server Key') }
}

/** Whether this is the password that the verifier was made of; false for one that SASLprep refuses. */
export async function verifyPassword(verifier: Verifier, password: string): Promise<boolean> {
  try {
    const { storedKey } = await deriveVerifier(verifier.hash, password, verifier.salt, verifier.iterations)
    return timingSafeEqual(storedKey, verifier.storedKey)
  } catch (error) {
    if (error instanceof PasswordError) return false
    throw error
  }
}

/** A verifier that no password fits, always the same for the same name, so that a stranger cannot tell whether the account exists. */
export function fakeVerifier(hash: ScramHash, username: string, unknown: SaslOptions['unknown']): Verifier {
  const made = (what: string) =>
    createHmac('sha512', unknown.secret)
      .update(`${what} ${hash} ${username}`)
      .digest()
      .subarray(0, SCRAM_HASHES[hash].bytes)
  const salt = made('salt').subarray(0, SCRAM_SALT_BYTES)
  return { hash, salt, iterations: unknown.iterations, storedKey: made('stored key'), serverKey: made('server key') }
}

/** The `h` attribute: a hash of what was offered, so that a client sees when somebody on the way shortened the offer (XEP-0474 section 6.1). */
export function downgradeHash(hash: ScramHash, offered: SaslOptions['offered']): string {
  const mechanisms = offered.mechanisms.toSorted().join('\x1e')
  const bindings = offered.channelBindings.toSorted().join('\x1e')
  return digest(hash, bindings === '' ? mechanisms : `${mechanisms}\x1f${bindings}`).toString('base64')
}

/** Hash and channel binding of a mechanism name; undefined when it is not one of SCRAM. */
export function parseScramMechanism(mechanism: string): { hash: ScramHash; isPlus: boolean } | undefined {
  const match = /^SCRAM-(SHA-1|SHA-256|SHA-512)(-PLUS)?$/.exec(mechanism)
  if (match === null) return undefined
  return { hash: match[1] as ScramHash, isPlus: match[2] !== undefined }
}

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

/** Both bytes by bytes; the first is changed and returned. */
export function xor(target: Buffer, other: Buffer): Buffer {
  for (let index = 0; index < target.length; index++) target[index] = (target[index] ?? 0) ^ (other[index] ?? 0)
  return target
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
