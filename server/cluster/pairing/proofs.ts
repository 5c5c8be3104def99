/**
 * What is computed on both ends of one `lanthorn-join` connection. Everything hangs on the TLS exporter (RFC 9266 uses it likewise): it is known to the two
 * ends of this very connection only, so nothing of it can be carried over to another one by somebody in between.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual, type X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { spkiOf } from './office-id.ts'
import { printCode } from './words.ts'

// RFC 5705 §4: labels that begin so need no registration.
const exporterLabel = 'EXPERIMENTAL-lanthorn-join'
const exporterBytes = 32

/** One connection as both its ends see it. */
export interface Binding {
  readonly exporter: Buffer
  /** Certificate of the end that was connected to. */
  readonly leaf: X509Certificate
  readonly authority: X509Certificate
}

/** What the two ends of a connection have in common. @param leaf the certificate of the accepting end */
export function bindingOf(socket: TLSSocket, leaf: X509Certificate, authority: X509Certificate): Binding {
  return { exporter: socket.exportKeyingMaterial(exporterBytes, exporterLabel, Buffer.alloc(0)), leaf, authority }
}

/** 32 random bytes, base64url. */
export function newNonce(): string {
  return randomBytes(32).toString('base64url')
}

/** What an applicant commits to before it knows the host's nonce. base64url */
export function commitmentOf(nonce: string, applicant: string): string {
  return hashOf('commitment', [Buffer.from(nonce), Buffer.from(applicant)]).toString('base64url')
}

/** The code on both screens. Neither side, nor anybody between them, can choose it: each has fixed its part before it saw the other's. */
export function codeOf(
  binding: Binding,
  parts: {
    readonly applicantNonce: string
    readonly hostNonce: string
    readonly applicant: string
    readonly spki: Buffer
  },
): string {
  return printCode(
    hashOf('comparison', [
      Buffer.from(parts.applicantNonce),
      Buffer.from(parts.hostNonce),
      Buffer.from(parts.applicant),
      parts.spki,
      spkiOf(binding.authority.publicKey),
      binding.leaf.raw,
      binding.exporter,
    ]),
  )
}

/** Who proves something: `office` and `applicant` in a joining, `tag` in the answer to whoever asks who is there. */
export type Prover = 'office' | 'applicant' | 'tag'

/** That the one who says this on this connection knows the secret. base64url. @param said what is proven along with it */
export function proofOf(secret: Buffer, prover: Prover, binding: Binding, said = ''): string {
  const parts = [spkiOf(binding.authority.publicKey), binding.leaf.raw, binding.exporter, Buffer.from(said)]
  return createHmac('sha256', secret)
    .update(hashOf(`proof of the ${prover}`, parts))
    .digest('base64url')
}

/** Whether two proofs are the same, in a time that tells nothing. */
export function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

/** SHA-256 with a label, over parts that cannot run into each other. */
function hashOf(label: string, parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha256').update(`lanthorn-join ${label}\0`)
  for (const part of parts) {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(part.length)
    hash.update(length).update(part)
  }
  return hash.digest()
}
