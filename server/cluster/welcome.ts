/** What pairing hands over (DESIGN section 6): who wants to join, and what a joiner is given. */
import type { DatabaseRecord, KnownNode } from './node.ts'

/** Who wants to join, as it says itself. Nothing of it is proven but the key. */
export interface Applicant {
  /** `nodeId` of its data folder. */
  readonly id: string
  /** The name it would like: 'back-office'. */
  readonly name: string
  /** 'Windows 11', 'Debian 12'. */
  readonly system: string
  readonly version: string
  readonly hazelcast: string | undefined
  /** Public key of its node certificate: PEM, SubjectPublicKeyInfo, EC P-256. Its private half never leaves it. */
  readonly publicKey: string
  /** 'host:port' of its own cluster port, as far as it knows. */
  readonly addresses: readonly string[]
}

/** Everything a node needs to carry the office. Travels over TLS to a proven applicant only. */
export interface Welcome {
  readonly office: string
  readonly officeId: string
  readonly domain: string
  /** PEM of the office's authority, with its key. */
  readonly authority: { readonly certificate: string; readonly key: string }
  /** What the joiner is called now, and its node certificate (leaf and authority, PEM). */
  readonly number: number
  readonly name: string
  readonly certificate: string
  /** All nodes, the new one included. */
  readonly nodes: readonly KnownNode[]
  readonly database: DatabaseRecord
  /** secrets.json of the office: what all nodes share ('cluster-secret', 'database-password', 'unknown-people', …). */
  readonly secrets: Readonly<Record<string, string>>
}

/** A joining that did not come about. The message is a sentence with what to do. */
export class JoinFault extends Error {
  override readonly name = 'JoinFault'
  readonly reason:
    | 'unreachable'
    | 'refused'
    | 'expired'
    | 'wrong-code'
    | 'wrong-token'
    | 'wrong-office'
    | 'version'
    | 'busy'
    | 'ended'

  constructor(reason: JoinFault['reason'], sentence: string) {
    super(sentence)
    this.reason = reason
  }
}
