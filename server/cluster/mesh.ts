/**
 * The mesh: one mutually authenticated TLS 1.3 link to every other node of the office, over one LAN port (DESIGN section 6). ALPN decides what a
 * connection is: `lanthorn-link` (this file), `lanthorn-hz` (a tunnel between Hazelcast members), `lanthorn-join` (pairing, without a client certificate).
 */
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { KnownNode, SelfNode } from './node.ts'

/**
 * `away`: never reached, or left in order · `up` · `suspected`: silent for 2 s or its connection broke · `gone`: silent for 8 s, or suspected and
 * dropped by Hazelcast too. All of that is reversible.
 */
export type PeerState = 'away' | 'up' | 'suspected' | 'gone'

/** Another node, as this one sees it. The same object for as long as the office has that node. */
export interface Peer {
  readonly node: KnownNode
  readonly state: PeerState
  /** Of its present or last life; 0 before it was reached. */
  readonly epoch: number
  readonly version: string | undefined
  readonly hazelcast: string | undefined
  /** The address its link uses. */
  readonly address: string | undefined
  readonly roundTripMs: number | undefined
  /** In this state since, milliseconds since 1970. */
  readonly since: number
  /** Bytes that wait to be sent or acknowledged. */
  readonly waitingBytes: number
  /** Frames among them. */
  readonly waitingFrames: number
  /** Why it cannot be reached, as a sentence; undefined while it is up. */
  readonly trouble: string | undefined
}

/**
 * What became of a frame: `done` = the other process has handled it; `lost` = its node is gone, was started again or removed before that was known:
 * it may or may not have been handled.
 */
export type Outcome = 'done' | 'lost'

/** Kinds of frames on a link. Below 16: the link's own. */
export const frameKinds = { deliver: 16, gone: 17, rows: 18, tell: 19, crowded: 20 } as const
export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds]

/** What a raw stream to another node is for. */
export type StreamPurpose = 'database' | 'hazelcast'

/** A call that got no answer, or a refusal. The message is a sentence. */
export class CallFault extends Error {
  override readonly name = 'CallFault'
  /** `away`: nobody is there to answer · `late`: no answer in time · `refused`: the other side says why · `unknown`: a version that has no such call. */
  readonly reason: 'away' | 'late' | 'refused' | 'unknown'

  constructor(reason: CallFault['reason'], sentence: string) {
    super(sentence)
    this.reason = reason
  }
}

export interface Mesh {
  readonly self: SelfNode
  /** The cluster port that is open. */
  readonly port: number
  /** Every other node of the office, by number. */
  readonly peers: readonly Peer[]
  peer(name: string): Peer | undefined
  /** The nodes of the office from now on (this one may be among them): new ones are dialled, connections of missing ones end at once. */
  setNodes(nodes: readonly KnownNode[]): void
  /**
   * Queues one frame: ordered, numbered, acknowledged, sent again after a reconnect. All frames of one turn of the event loop are one write.
   * @param payload one or several pieces, not copied: they must not change afterwards
   * @param settled called once, never before `send` has returned
   * @returns 'full' when too much waits for this peer already (words may use as much again as deliveries), 'gone' when it is gone or away: then nothing was queued and `settled` is not called
   */
  send(
    peer: string,
    kind: FrameKind,
    payload: Buffer | readonly Buffer[],
    settled?: (outcome: Outcome) => void,
  ): 'queued' | 'full' | 'gone'
  /**
   * Takes frames of one kind. Handlers run in the order of the frames, without waiting; what a handler sends back in the same turn arrives before
   * the acknowledgement of its frame. A handler that throws is a bug: logged, the frame counts as handled.
   */
  onFrame(kind: FrameKind, handler: (payload: Buffer, from: Peer) => void): void
  /** Whenever all frames that came in one piece were handled. */
  onHandled(listener: () => void): () => void
  /** Asks another node. @throws CallFault */
  call(peer: string, method: string, body: unknown, options: { readonly timeoutMs: number }): Promise<unknown>
  /** Answers such questions; an Error that is thrown goes back as `refused` with its message. At most 64 run at once for each peer. */
  onCall(method: string, handler: (body: unknown, from: Peer) => unknown): () => void
  /** A stream of its own to another node. @throws CallFault */
  openStream(peer: string, purpose: StreamPurpose, options?: { readonly timeoutMs?: number }): Promise<Duplex>
  /** Takes such streams. Without a taker they are refused. */
  onStream(purpose: StreamPurpose, taker: (stream: Duplex, from: Peer) => void): () => void
  /** Connections with ALPN `lanthorn-join`: TLS is there, nobody is authenticated. Limits on number and time are kept by the mesh. */
  onJoin(taker: (socket: TLSSocket) => void): () => void
  /** A peer's state, epoch or version changed. `before` is its former state. Runs after `settled` of frames that were lost thereby. */
  onPeer(listener: (peer: Peer, before: PeerState) => void): () => void
  /** Whether this process has just stood still for so long that the others may have given it up: to be asked before anything that was read is handled. */
  hasStoodStill(): boolean
  /** That was noticed, whoever noticed it. Runs before anything else is handled. */
  onStoodStill(listener: () => void): () => void
  /** Hazelcast has dropped the member of this node: if it is suspected too, it is gone now. */
  reportAbsent(number: number): void
  /** Says goodbye to all (they see `away` at once, not `suspected`), and closes port and links. */
  close(): Promise<void>
}
