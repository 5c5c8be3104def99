/** The key by which a PC proves to the others of its office who it is: made here, never leaves it; the office signs its public half. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { writeDurably } from '../durable-file.ts'
import { type CertifiedKey, issueFor, needsRenewal } from '../net/ca.ts'

/** The key of one data folder. */
export interface LinkKey {
  /** PEM, PKCS #8. */
  readonly key: string
  /** PEM, SubjectPublicKeyInfo, EC P-256. */
  readonly publicKey: string
  /** SHA-256 of the public key, lower-case hex: how the office knows this node. */
  readonly fingerprint: string
}

const namesOf = (nodeId: string): readonly string[] => [`${nodeId}.node.invalid`]

/** Reads it from the folder for certificates, or makes it. */
export async function openLinkKey(folder: string): Promise<LinkKey> {
  const file = path.join(folder, 'link.key')
  let key: string
  try {
    key = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const made = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    key = made.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeDurably(file, key)
  }
  const publicKey = createPublicKey(createPrivateKey(key)).export({ type: 'spki', format: 'pem' }).toString()
  return { key, publicKey, fingerprint: keyFingerprint(publicKey) }
}

/** SHA-256 of a public key (SubjectPublicKeyInfo), lower-case hex. @param publicKey PEM */
export function keyFingerprint(publicKey: string): string {
  const spki = createPublicKey(publicKey).export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(spki).digest('hex')
}

/** Certifies the public key of a node. @returns the leaf and the authority behind it, PEM */
export function certifyNode(authority: CertifiedKey, nodeId: string, publicKey: string): Promise<string> {
  return issueFor(authority, { name: nodeId, dnsNames: namesOf(nodeId), addresses: [] }, publicKey)
}

/**
 * The certificate of this node for its links: made again when it is due. Every node has the authority, so it does that by itself.
 * @returns leaf and authority, PEM, and whether it is a new one
 */
export async function linkCertificate(
  folder: string,
  authority: CertifiedKey,
  nodeId: string,
  key: LinkKey,
): Promise<{ certificate: string; isNew: boolean }> {
  const file = path.join(folder, 'link.pem')
  const known = await readFile(file, 'utf8').catch(() => undefined) // not there, or unreadable: it is made again
  if (known !== undefined && !isDue(known, authority, nodeId)) return { certificate: known, isNew: false }
  const certificate = await certifyNode(authority, nodeId, key.publicKey)
  await writeDurably(file, certificate)
  return { certificate, isNew: true }
}

function isDue(certificate: string, authority: CertifiedKey, nodeId: string): boolean {
  try {
    return needsRenewal(certificate, authority.certificate, { dnsNames: namesOf(nodeId), addresses: [] })
  } catch {
    // Half written, or not a certificate.
    return true
  }
}

/** Identifies an office: the first 16 bytes of SHA-256 of its authority's public key, hex. @param authority PEM */
export function officeIdOf(authority: string): string {
  return keyFingerprint(authority).slice(0, 32)
}
