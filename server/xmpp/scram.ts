/** RFC 5802 and RFC 7677: what SCRAM keeps of passwords and calculates with. XEP-0474: SCRAM downgrade protection. */
import { hash as digestOf, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { saslprep } from '@mongodb-js/saslprep'
import type { SaslOptions } from './sasl.ts'

/** The hash functions of the mechanisms SCRAM-SHA-1, SCRAM-SHA-256 and SCRAM-SHA-512. */
export type ScramHash = 'SHA-1' | 'SHA-256' | 'SHA-512'

/** Name of each hash function in node:crypto, bytes of its result and of its blocks (FIPS 180-4). */
export const SCRAM_HASHES = {
  'SHA-1': { algorithm: 'sha1', bytes: 20, blockBytes: 64 },
  'SHA-256': { algorithm: 'sha256', bytes: 32, blockBytes: 64 },
  'SHA-512': { algorithm: 'sha512', bytes: 64, blockBytes: 128 },
} as const satisfies Record<ScramHash, { algorithm: string; bytes: number; blockBytes: number }>

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

/**
 * HMAC of one message (RFC 2104 section 2), out of two one-shot hashes: createHmac takes 18 µs to set up, this 3 µs in all,
 * and a login is little else.
 */
export function hmac(hash: ScramHash, key: Uint8Array, message: string): Buffer {
  const { blockBytes } = SCRAM_HASHES[hash]
  const shortKey = key.length > blockBytes ? digest(hash, key) : key
  const inner = Buffer.alloc(blockBytes, 0x36)
  const outer = Buffer.alloc(blockBytes, 0x5c)
  for (const [index, byte] of shortKey.entries()) {
    inner[index] = byte ^ 0x36
    outer[index] = byte ^ 0x5c
  }
  return digest(hash, Buffer.concat([outer, digest(hash, Buffer.concat([inner, Buffer.from(message)]))]))
}

/** The hash of one message. */
export function digest(hash: ScramHash, message: Uint8Array | string): Buffer {
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

/** A verifier that no password fits; its salt is always the same for the same name, so that a stranger cannot tell whether the account exists. */
export function fakeVerifier(hash: ScramHash, username: string, unknown: SaslOptions['unknown']): Verifier {
  const salt = hmac('SHA-512', unknown.secret, `salt ${hash} ${username}`).subarray(0, SCRAM_SALT_BYTES)
  const noKey = Buffer.alloc(SCRAM_HASHES[hash].bytes)
  return { hash, salt, iterations: unknown.iterations, storedKey: noKey, serverKey: noKey }
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

/** Both bytes by bytes; the first is changed and returned. */
export function xor(target: Buffer, other: Buffer): Buffer {
  for (let index = 0; index < target.length; index++) target[index] = (target[index] ?? 0) ^ (other[index] ?? 0)
  return target
}
