/** The office's own certificate authority: made on the first run, signs the certificates of its nodes (RFC 5280). */
import { type webcrypto, X509Certificate } from 'node:crypto'
import net from 'node:net'

/** A certificate with its private key, both PEM. */
export interface CertifiedKey {
  certificate: string
  key: string
}

/** What a certificate is made for. */
export interface CertificateSubject {
  /** Shown as the certificate's name. */
  name: string
  /** DNS names; `*.office.example` covers all services of the domain. */
  dnsNames: readonly string[]
  /** IP addresses, IPv4 or IPv6. */
  addresses: readonly string[]
  /** How long it is good for. Apple's systems refuse more than 825 days, others more than 398. */
  days?: number
  /** Now, in milliseconds since 1970. */
  now?: number
}

const authorityYears = 10
const leafDays = 397
/** A certificate is renewed when less than this part of its life is left. */
const renewPart = 1 / 3
const dayMs = 86_400_000
/** Clocks in an office differ: a new certificate is good from a day ago on. */
const clockSlackMs = dayMs

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** The library is loaded when something is made, not at each start. It throws without reflect-metadata in front of it. */
async function loadX509() {
  await import('reflect-metadata')
  return import('@peculiar/x509')
}

/** Makes the authority of an office: EC P-256, good for ten years, may sign certificates of servers but no further authorities. */
export async function createAuthority(office: string, now = Date.now()): Promise<CertifiedKey> {
  const x509 = await loadX509()
  const keys = await newKeys()
  const name = [{ O: [office] }, { CN: [`${office} chat authority`] }]
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name,
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(now - clockSlackMs),
    notAfter: new Date(now + authorityYears * 365 * dayMs),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificate: `${certificate.toString('pem')}\n`, key: await exportKey(keys.privateKey) }
}

/**
 * Makes a key and a certificate for a node, good as server and as client. `certificate` holds the leaf and the authority behind it.
 * @throws Error when the authority's key and certificate do not belong together
 */
export async function issue(authority: CertifiedKey, subject: CertificateSubject): Promise<CertifiedKey> {
  const keys = await newKeys()
  const certificate = await sign(authority, subject, keys.publicKey)
  return { certificate, key: await exportKey(keys.privateKey) }
}

/**
 * Signs the key of another node, which keeps its private half (pairing).
 * @param publicKey the other node's public key, PEM (SubjectPublicKeyInfo, EC P-256)
 * @returns the leaf and the authority behind it, PEM
 */
export async function issueFor(
  authority: CertifiedKey,
  subject: CertificateSubject,
  publicKey: string,
): Promise<string> {
  const key = await crypto.subtle.importKey('spki', pemBytes(publicKey), algorithm, true, ['verify'])
  return sign(authority, subject, key)
}

async function sign(
  authority: CertifiedKey,
  subject: CertificateSubject,
  publicKey: webcrypto.CryptoKey,
): Promise<string> {
  const x509 = await loadX509()
  const issuer = new x509.X509Certificate(authority.certificate)
  const now = subject.now ?? Date.now()
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    issuer: issuer.subjectName.toString(),
    subject: [{ CN: [subject.name] }],
    publicKey,
    signingKey: await importKey(authority.key),
    signingAlgorithm: algorithm,
    notBefore: new Date(now - clockSlackMs),
    // A certificate must not outlive the authority that signed it.
    notAfter: new Date(Math.min(now + (subject.days ?? leafDays) * dayMs, issuer.notAfter.getTime())),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([
        ...subject.dnsNames.map(value => ({ type: 'dns' as const, value })),
        ...subject.addresses.map(value => ({ type: 'ip' as const, value })),
      ]),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(await issuer.publicKey.export()),
    ],
  })
  const isOurs = await certificate.verify({ publicKey: await issuer.publicKey.export(), signatureOnly: true })
  if (!isOurs) throw new Error('the key of the office authority does not belong to its certificate')
  return `${certificate.toString('pem')}\n${authority.certificate}`
}

/** SHA-256 of a certificate as people compare it: AB:CD:… */
export function fingerprint(certificate: string): string {
  return new X509Certificate(certificate).fingerprint256
}

/** When a certificate ends, in milliseconds since 1970. */
export function expiry(certificate: string): number {
  return new X509Certificate(certificate).validToDate.getTime()
}

/** Whether a certificate of ours should be made again: its last third has begun, names are missing in it, or another authority signed it. */
export function needsRenewal(
  certificate: string,
  authority: string,
  subject: Pick<CertificateSubject, 'dnsNames' | 'addresses' | 'now'>,
): boolean {
  const leaf = new X509Certificate(certificate)
  const issuer = new X509Certificate(authority)
  const begin = leaf.validFromDate.getTime()
  const end = leaf.validToDate.getTime()
  if ((subject.now ?? Date.now()) > end - (end - begin) * renewPart) return true
  if (!leaf.verify(issuer.publicKey)) return true
  return (
    subject.dnsNames.some(name => leaf.checkHost(name.replace('*', 'any'), { subject: 'never' }) === undefined) ||
    subject.addresses.some(address => net.isIP(address) === 0 || leaf.checkIP(address) === undefined)
  )
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
}

/** 127 random bits: positive and unique without a counter (RFC 5280 section 4.1.2.2). */
function newSerial(): string {
  const bytes = Buffer.from(crypto.getRandomValues(new Uint8Array(16)))
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex')
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = Buffer.from(await crypto.subtle.exportKey('pkcs8', key)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${bytes.replaceAll(/.{64}/g, '$&\n').trimEnd()}\n-----END PRIVATE KEY-----\n`
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  return crypto.subtle.importKey('pkcs8', pemBytes(pem), algorithm, false, ['sign'])
}

function pemBytes(pem: string): Buffer {
  return Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
}
