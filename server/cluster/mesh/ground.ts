import type { Logger } from 'pino'
import type { PeerState } from '../mesh.ts'
import type { SelfNode } from '../node.ts'
import type { FarPeer } from './far-peer.ts'
import type { Frame } from './frames.ts'
import type { HelloBase } from './hello.ts'
import type { Identity } from './identity.ts'
import type { MeshLimits, MeshTimings } from './timings.ts'

/** What all peers of a mesh share. */
export interface PeerGround {
  readonly self: SelfNode
  readonly timings: MeshTimings
  readonly limits: MeshLimits
  readonly identity: Identity
  readonly log: Logger
  hello(): HelloBase
  /** False when this process was frozen: then all links were just dropped. */
  heard(): boolean
  onFrame(peer: FarPeer, frame: Frame): void
  /** All frames that came in one piece were handled. */
  onHandled(): void
  /** After a state, an epoch or a version has changed. */
  onChange(peer: FarPeer, before: PeerState): void
}
