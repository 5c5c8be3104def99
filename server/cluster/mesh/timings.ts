/** How long the mesh waits, and how much it holds. Tests use shorter ones. */

export interface MeshTimings {
  /** Between two pings on a link. */
  readonly heartbeatMs: number
  /** A peer silent for so long is suspected. */
  readonly suspectMs: number
  /** A peer silent for so long is gone. */
  readonly goneMs: number
  /** This process stood still for so long: the others may have declared it gone. */
  readonly frozenMs: number
  /** TLS handshake, and then the hello, each. */
  readonly handshakeMs: number
  /** Until one address counts as not reachable. */
  readonly dialMs: number
  /** Between the first tries of two addresses of one peer. */
  readonly staggerMs: number
  readonly retryMinMs: number
  readonly retryMaxMs: number
  /** Between two rounds when every address refused: that costs next to nothing. */
  readonly refusedRetryMs: number
  readonly openStreamMs: number
  /** A conversation with an applicant waits for people, but not for ever. */
  readonly joinMs: number
}

export interface MeshLimits {
  readonly frameBytes: number
  /** Of frames to one peer that are not acknowledged. */
  readonly waitingBytes: number
  readonly waitingFrames: number
  /** Connections that nobody has authenticated: from one neighbour (an IPv4 address, or an IPv6 /64), and in all. Addresses of known peers are counted apart. */
  readonly strangersPerNeighbour: number
  readonly strangers: number
  /** Of one neighbour and of one known peer's address: for a moment it may be twice as many; and of all strangers together. */
  readonly handshakesPerSecond: number
  readonly handshakesPerSecondOfStrangers: number
  readonly handshakesPerSecondOfPeers: number
  readonly candidatesPerPeer: number
  readonly streamsPerPeer: number
  /** Conversations with applicants, those included that are just being ended; who among them goes first is decided by whoever takes them. */
  readonly joinsPerNeighbour: number
  readonly joins: number
  /** Calls of one peer that run here, and calls to one peer that wait for an answer. */
  readonly callsServed: number
  readonly callsWaiting: number
}

const second = 1_000
const megabyte = 1_048_576

/** All timings: the given ones, and what an office uses for the rest. */
export function timingsOf(given: Partial<MeshTimings> = {}): MeshTimings {
  const timings = {
    heartbeatMs: second,
    suspectMs: 2 * second,
    goneMs: 8 * second,
    handshakeMs: 5 * second,
    dialMs: 3 * second,
    staggerMs: 300,
    retryMinMs: 200,
    retryMaxMs: 5 * second,
    refusedRetryMs: second,
    openStreamMs: 5 * second,
    joinMs: 15 * 60 * second,
    ...given,
  }
  return { frozenMs: timings.goneMs / 2, ...timings }
}

/** All limits: the given ones, and what an office uses for the rest. */
export function limitsOf(given: Partial<MeshLimits> = {}): MeshLimits {
  return {
    frameBytes: 8 * megabyte,
    waitingBytes: 16 * megabyte,
    waitingFrames: 100_000,
    strangersPerNeighbour: 16,
    strangers: 128,
    handshakesPerSecond: 10,
    handshakesPerSecondOfStrangers: 100,
    handshakesPerSecondOfPeers: 50,
    candidatesPerPeer: 8,
    streamsPerPeer: 128,
    joinsPerNeighbour: 24,
    joins: 192,
    callsServed: 64,
    callsWaiting: 1_024,
    ...given,
  }
}
