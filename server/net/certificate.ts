/** What must be known about a certificate before it is shown to clients: does it fit its key, its domain and today. */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'

/** A certificate that cannot be used; the message is a sentence for the admin. */
export class CertificateFault extends Error {
  override readonly name = 'CertificateFault'
}

/**
 * Checks that certificate and key can be used together.
 * @param names how the two are called in sentences: file names, or "the office's certificate"
 * @throws CertificateFault
 */
export function checkPair(
  certificate: string,
  key: string,
  names: { certificate: string; key: string },
): X509Certificate {
  let leaf: X509Certificate
  try {
    leaf = new X509Certificate(certificate)
  } catch {
    throw new CertificateFault(
      `${names.certificate} holds no certificate: it must be a PEM file that begins with -----BEGIN CERTIFICATE-----.`,
    )
  }
  let matches: boolean
  try {
    matches = leaf.checkPrivateKey(createPrivateKey(key))
  } catch {
    throw new CertificateFault(
      `${names.key} holds no private key that can be used: it must be a PEM file without a passphrase that begins with -----BEGIN PRIVATE KEY-----.`,
    )
  }
  if (matches) return leaf
  throw new CertificateFault(`The key in ${names.key} does not belong to the certificate in ${names.certificate}.`)
}

/** Sentences about a certificate that can be used but that clients will warn of or refuse; none when all is well. */
export function warningsAbout(leaf: X509Certificate, name: string, domain: string, now = Date.now()): string[] {
  const warnings: string[] = []
  const begin = leaf.validFromDate
  const end = leaf.validToDate
  if (end.getTime() < now)
    warnings.push(`${name} ended on ${day(end)}: clients will refuse it; put a new certificate there.`)
  else if (end.getTime() - now < 14 * 86_400_000)
    warnings.push(`${name} ends on ${day(end)}: put a new certificate there before.`)
  if (begin.getTime() > now)
    warnings.push(`${name} is only good from ${day(begin)} on: check the clock of this computer.`)
  if (leaf.checkHost(domain, { subject: 'never' }) === undefined) {
    warnings.push(
      `${name} is not for the domain ${domain} (it is for ${namesOf(leaf)}): clients will warn of it or refuse it.`,
    )
  }
  return warnings
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10)
}

function namesOf(leaf: X509Certificate): string {
  const names = leaf.subjectAltName?.split(', ').map(name => name.replace(/^DNS:|^IP Address:/, ''))
  return names?.slice(0, 5).join(', ') || 'no name at all'
}

/** Object identifiers of signature algorithms → the hash they use. */
const hashes: Record<string, string> = {
  '1.2.840.113549.1.1.4': 'sha256', // MD5 with RSA: SHA-256 stands in (RFC 5929 section 4.1)
  '1.2.840.113549.1.1.5': 'sha256', // SHA-1 with RSA: SHA-256 stands in
  '1.2.840.10045.4.1': 'sha256', // SHA-1 with ECDSA: SHA-256 stands in
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.113549.1.1.14': 'sha224',
  '1.2.840.10045.4.3.1': 'sha224',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
}

/** RSASSA-PSS names its hash in the parameters (RFC 4055 section 3.1); without one it is SHA-1, for which SHA-256 stands in. */
const pss = '1.2.840.113549.1.1.10'
const pssHashes: Record<string, string> = {
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
  '2.16.840.1.101.3.4.2.4': 'sha224',
}

/**
 * The channel binding data `tls-server-end-point` (RFC 5929 section 4.1): the hash of the leaf certificate by the hash of its signature
 * algorithm. Undefined where the RFC defines none (Ed25519 and others without one single hash).
 */
export function endPointHash(leaf: X509Certificate): Buffer | undefined {
  const hash = signatureHash(leaf.raw)
  return hash === undefined ? undefined : createHash(hash).update(leaf.raw).digest()
}

/** Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OID, parameters }, signature } (RFC 5280 section 4.1). */
function signatureHash(der: Buffer): string | undefined {
  const [certificate] = readDer(der)
  const algorithm = certificate && readDer(certificate.content)[1]
  const [identifier, parameters] = algorithm ? readDer(algorithm.content) : []
  if (!identifier) return undefined
  const name = readOid(identifier.content)
  if (name !== pss) return hashes[name]
  // RSASSA-PSS-params ::= SEQUENCE { [0] SEQUENCE { OID of the hash, … }, … }
  const first = parameters && readDer(parameters.content)[0]
  if (first?.tag !== 0xa0) return 'sha256'
  const [hash] = readDer(readDer(first.content)[0]?.content ?? Buffer.alloc(0))
  return (hash && pssHashes[readOid(hash.content)]) ?? 'sha256'
}

interface DerValue {
  tag: number
  content: Buffer
}

/** The values that stand one after the other in `bytes`. OpenSSL has parsed this certificate before, so lengths are right. */
function readDer(bytes: Buffer): DerValue[] {
  const values: DerValue[] = []
  for (let at = 0; at + 2 <= bytes.length; ) {
    const tag = bytes.readUInt8(at)
    const short = bytes.readUInt8(at + 1)
    const lengthBytes = short < 0x80 ? 0 : short & 0x7f
    const length = lengthBytes === 0 ? short : bytes.readUIntBE(at + 2, lengthBytes)
    const start = at + 2 + lengthBytes
    values.push({ tag, content: bytes.subarray(start, start + length) })
    at = start + length
  }
  return values
}

function readOid(content: Buffer): string {
  const numbers: number[] = []
  let value = 0
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f)
    if (byte < 0x80) {
      numbers.push(value)
      value = 0
    }
  }
  const [first = 0, ...rest] = numbers
  const top = Math.min(Math.floor(first / 40), 2)
  return [top, first - top * 40, ...rest].join('.')
}
