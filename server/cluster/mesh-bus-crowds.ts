import type { Peer } from './mesh.ts'

/** So much may wait for a link before those who write to it are slowed down; at half of it they go on. */
const WAITING_BYTES = 2 ** 20
/** Nobody waits longer for room. */
const ROOM_MS = 250
/** Crowded sessions of one node that are remembered. */
const TARGETS_MAX = 10_000

interface Room {
  readonly promise: Promise<void>
  readonly open: () => void
}

/** Who should be written to a little slower: sessions of other nodes that said so, and links where much waits. Nobody waits for a suspected node. */
export class Crowds {
  readonly #peer: (name: string) => Peer | undefined
  /** Crowded sessions, by node. */
  readonly #targets = new Map<string, Set<string>>()
  /** Those who wait: by node for its link, by node and target for a session. */
  readonly #rooms = new Map<string, Room>()

  constructor(peer: (name: string) => Peer | undefined) {
    this.#peer = peer
  }

  has(node: string, target: string): boolean {
    const peer = this.#peer(node)
    if (peer?.state !== 'up') return false
    return peer.waitingBytes > WAITING_BYTES || this.#targets.get(node)?.has(target) === true
  }

  /** Resolves when there is room, when the node is no longer up, or after 250 ms. */
  room(node: string, target: string): Promise<void> {
    if (!this.has(node, target)) return Promise.resolve()
    return this.#room(this.#targets.get(node)?.has(target) ? keyOf(node, target) : node)
  }

  #room(key: string): Promise<void> {
    const known = this.#rooms.get(key)
    if (known) return known.promise
    const { promise, resolve } = Promise.withResolvers<void>()
    const open = (): void => {
      clearTimeout(timer)
      this.#rooms.delete(key)
      resolve()
    }
    const timer = setTimeout(open, ROOM_MS)
    this.#rooms.set(key, { promise, open })
    return promise
  }

  /** A session of another node says that it is crowded, or no longer. */
  told(node: string, target: string, isCrowded: boolean): void {
    const targets = this.#targets.get(node) ?? new Set()
    if (isCrowded && targets.size < TARGETS_MAX) {
      targets.add(target)
      this.#targets.set(node, targets)
    } else if (!isCrowded) {
      targets.delete(target)
      this.#rooms.get(keyOf(node, target))?.open()
    }
  }

  /** A delivery was handled there. */
  settled(node: string): void {
    if (this.#rooms.size === 0) return
    const room = this.#rooms.get(node)
    if (room && (this.#peer(node)?.waitingBytes ?? 0) < WAITING_BYTES / 2) room.open()
  }

  /** A node changed: of one that is not up nobody knows what is crowded, and nobody waits for it. */
  changed(peer: Peer): void {
    if (peer.state === 'up') return
    const { name } = peer.node
    this.#targets.delete(name)
    for (const [key, room] of this.#rooms) if (key === name || key.startsWith(`${name}\n`)) room.open()
  }
}

const keyOf = (node: string, target: string): string => `${node}\n${target}`
