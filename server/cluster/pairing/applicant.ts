/** Reads what an applicant says of itself. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { Value } from 'typebox/value'
import { type Applicant, JoinFault } from '../welcome.ts'
import { ApplicantShape } from './messages.ts'
import { spkiOf } from './office-id.ts'

/**
 * @param said the applicant's own words, JSON
 * @returns the applicant, and its public key (SPKI, DER)
 * @throws JoinFault when it cannot be read, or its key is not EC P-256
 */
export function readApplicant(said: string): { applicant: Applicant; spki: Buffer } {
  const applicant = parse(said)
  const key = applicant && readKey(applicant.publicKey)
  if (!applicant || !key) throw new JoinFault('refused', 'The other PC introduced itself in a way that cannot be read.')
  // As this program writes it, without anything around it.
  const publicKey = key.export({ type: 'spki', format: 'pem' }).toString()
  return { applicant: { ...applicant, publicKey }, spki: spkiOf(key) }
}

function parse(said: string): Applicant | undefined {
  let read: unknown
  try {
    read = JSON.parse(said)
  } catch {
    // Not even JSON: the caller says so.
    return undefined
  }
  if (!Value.Check(ApplicantShape, read)) return undefined
  const { id, name, system, version, hazelcast, publicKey, addresses } = read
  // These are shown to people: nothing in them may move or hide other text.
  if ([id, name, system, version, hazelcast ?? '', ...addresses].some(text => /\p{C}/u.test(text))) return undefined
  return { id, name, system, version, hazelcast, publicKey, addresses }
}

function readKey(publicKey: string): KeyObject | undefined {
  if (!publicKey.includes('-----BEGIN PUBLIC KEY-----')) return undefined
  try {
    const key = createPublicKey(publicKey)
    return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined
  } catch {
    // No key: the caller says so.
    return undefined
  }
}
