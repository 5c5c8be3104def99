/** What a stream needs of the connection under it: TCP, TLS or WebSocket. */
import type { Outlet } from '../core/session.ts'
import type { FramerMode } from '../xmpp/framer.ts'

/** One connection. After `closed` was reported nothing happens any more and every call does nothing. */
export interface Transport {
  /** Becomes 'tls' when STARTTLS is done. */
  readonly kind: Outlet['transport']
  /** How first-level elements follow each other: one long document (RFC 6120), or one message each (RFC 7395). */
  readonly mode: FramerMode
  /** IP address of the other side. */
  readonly address: string
  readonly isSecure: boolean
  /** Login is allowed without encryption: load tests on this computer only. */
  readonly isPlaintextAllowed: boolean
  /** Bytes that were written and that the network has not taken yet. */
  readonly waitingBytes: number
  /** Types of channel binding that this connection can prove (XEP-0440); none without TLS. */
  readonly channelBindings: readonly string[]
  /** The data of one of these types (RFC 5929, RFC 9266). */
  channelBinding(type: string): Buffer | undefined
  /** Writes first-level elements, all at once. With mode 'document' each part is one element. */
  write(parts: readonly Buffer[]): void
  /** Sends a sign of life that needs no answer from the app: a blank (RFC 6120 §4.6.1), a WebSocket ping. */
  keepAlive(): void
  /** Stops and goes on reading; nothing that arrives is lost. */
  pause(): void
  resume(): void
  /** Ends the connection once everything is written. */
  finish(): void
  /** Ends the connection now. */
  destroy(): void
  /** Begins TLS as its server, at once; undefined where STARTTLS is not offered. */
  readonly startTls: (() => void) | undefined
}

/** What a connection tells its stream. */
export interface TransportListener {
  /** Bytes arrived; the chunk is the stream's from now on. */
  received(chunk: Buffer): void
  /** Something came from the other side that is not data (a WebSocket pong). */
  heard(): void
  /** The other side broke the rules of the transport. */
  violated(text: string): void
  /** The connection is over. Called once. */
  closed(): void
}
