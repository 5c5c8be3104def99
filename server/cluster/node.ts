/** Who is who among the PCs (nodes) of one office. */

/** One node as the office knows it: a row of the table `node`, and a copy in every data folder. */
export interface KnownNode {
  /** Permanent, handed out once by the database, never used again: 1, 2, 3 … */
  readonly number: number
  /** `nodeId` of its data folder. */
  readonly id: string
  /** 'front-desk': unique in the office, permanent; routes, links and log lines name the node by it. */
  readonly name: string
  /** SHA-256 of the public key (SPKI) of its node certificate, lower-case hex: a certificate alone lets nobody in. */
  readonly key: string
  /** Where its cluster port can be reached, best first: 'host:5275', '[fd00::1]:5275'. */
  readonly addresses: readonly string[]
}

/** This node. */
export interface SelfNode {
  readonly number: number
  readonly id: string
  readonly name: string
  /** How often it was started: tells its present life from former ones. */
  readonly epoch: number
  /** Of the program. */
  readonly version: string
  /** Of the Hazelcast member, 'major.minor' ('5.7'); undefined when it runs none. Members of different ones cannot meet. */
  readonly hazelcast: string | undefined
}

/** Where the one database of the office is. The record with the highest generation counts; every node keeps a copy. */
export type DatabaseRecord =
  | {
      readonly generation: number
      readonly kind: 'embedded' /** Number of the node that runs it. */
      readonly node: number
    }
  | {
      readonly generation: number
      readonly kind: 'outside' /** With its password: travels over the link only. */
      readonly url: string
    }

/** Tells one life of a node in the archive (`holder`): '3.17' = node 3, its 17th start. */
export function holderOf(node: { readonly number: number; readonly epoch: number }): string {
  return `${node.number}.${node.epoch}`
}
