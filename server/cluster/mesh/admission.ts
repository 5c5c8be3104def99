/**
 * Who may begin a handshake. Nobody is authenticated yet, so only the address is known: known peers' addresses have a share of their own, and when a share
 * is used up the connection that has waited longest makes room, because a real handshake takes milliseconds.
 */
import type net from 'node:net'
import type { MeshLimits } from './timings.ts'

interface Waiting {
  readonly socket: net.Socket
  readonly address: string
  readonly isPeer: boolean
}

/** Addresses whose last second is remembered. */
const addressesMax = 4_096

export class Admission {
  readonly #limits: MeshLimits
  readonly #isPeerAddress: (address: string) => boolean
  /** Oldest first. */
  readonly #waiting = new Set<Waiting>()
  readonly #bySocket = new Map<net.Socket, Waiting>()
  #second = 0
  #handshakes = new Map<string, number>()
  #refused = 0

  constructor(limits: MeshLimits, isPeerAddress: (address: string) => boolean) {
    this.#limits = limits
    this.#isPeerAddress = isPeerAddress
  }

  /** Connections that were turned away since the start. */
  get refused(): number {
    return this.#refused
  }

  /** @returns false when this connection must be closed; otherwise it counts until `leave` or its end. */
  enter(socket: net.Socket, now = performance.now()): boolean {
    const address = plainAddress(socket.remoteAddress)
    const isPeer = this.#isPeerAddress(address)
    if (!this.#hasTurn(address, isPeer, now)) {
      this.#refused++
      return false
    }
    this.#makeRoom(address, isPeer)
    const waiting = { socket, address, isPeer }
    this.#waiting.add(waiting)
    this.#bySocket.set(socket, waiting)
    socket.once('close', () => this.leave(socket))
    return true
  }

  /** It is a node of the office: it does not count any more, and neither does its handshake. */
  authenticated(socket: net.Socket): void {
    const address = this.#bySocket.get(socket)?.address
    this.leave(socket)
    const count = address === undefined ? undefined : this.#handshakes.get(address)
    if (address !== undefined && count !== undefined && count > 0) this.#handshakes.set(address, count - 1)
  }

  /** It is over, or somebody else keeps its limits now. */
  leave(socket: net.Socket): void {
    const waiting = this.#bySocket.get(socket)
    if (!waiting) return
    this.#bySocket.delete(socket)
    this.#waiting.delete(waiting)
  }

  #hasTurn(address: string, isPeer: boolean, now: number): boolean {
    const second = Math.floor(now / 1_000)
    if (second !== this.#second || this.#handshakes.size > addressesMax) {
      this.#second = second
      this.#handshakes = new Map()
    }
    const count = (this.#handshakes.get(address) ?? 0) + 1
    this.#handshakes.set(address, count)
    return count <= (isPeer ? this.#limits.handshakesPerSecondOfPeers : this.#limits.handshakesPerSecond)
  }

  #makeRoom(address: string, isPeer: boolean): void {
    const same = [...this.#waiting].filter(one => one.address === address)
    if (same.length >= this.#limits.strangersPerAddress) this.#drop(same[0])
    if (isPeer) return
    const strangers = [...this.#waiting].filter(one => !one.isPeer)
    if (strangers.length >= this.#limits.strangers) this.#drop(strangers[0])
  }

  #drop(waiting: Waiting | undefined): void {
    if (!waiting) return
    this.#refused++
    this.leave(waiting.socket)
    waiting.socket.destroy()
  }
}

/** An address as people write it: IPv4 without the prefix that a double socket puts in front. */
export function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:/, '')
}
