/** What an office is called where only keys count: the hash of its authority's public key. */
import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'

const idBytes = 16

/** DER of a public key (SubjectPublicKeyInfo). */
export function spkiOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' })
}

/**
 * The id of an office: the first 16 bytes of SHA-256 over its authority's public key (SPKI), lower-case hex.
 * @param authority certificate of the authority, PEM
 * @throws Error when it is no certificate
 */
export function officeIdOf(authority: string): string {
  return officeIdOfKey(spkiOf(new X509Certificate(authority).publicKey))
}

/** As {@link officeIdOf}, of a public key (SPKI, DER). */
export function officeIdOfKey(spki: Buffer): string {
  return createHash('sha256').update(spki).digest().subarray(0, idBytes).toString('hex')
}

/** SHA-256 of a public key (PEM) as `KnownNode.key` has it: lower-case hex. @throws Error when it is no public key */
export function keyHashOf(publicKey: string): string {
  return createHash('sha256')
    .update(spkiOf(createPublicKey(publicKey)))
    .digest('hex')
}

/** SHA-256 of a public key (SPKI, DER) as people compare it: AB:CD:… */
export function keyFingerprint(spki: Buffer): string {
  const hex = createHash('sha256').update(spki).digest('hex').toUpperCase()
  return hex.replaceAll(/..(?=.)/g, '$&:')
}
