/**
 * Who may begin a handshake. Nobody is authenticated yet, so only the address is known. Strangers share what there is: a neighbour gets a part of it,
 * all of them together no more than costs next to nothing. Known peers' addresses have shares of their own, which no flood of strangers touches. When
 * the places are taken, the connection that has waited longest makes room, because a real handshake takes milliseconds.
 */
import type net from 'node:net'
import { neighbourOf } from '../../net/neighbour.ts'
import { Allowance } from '../allowance.ts'
import type { MeshLimits } from './timings.ts'

interface Waiting {
  readonly socket: net.Socket
  /** Whose share it has: a peer's address, or a neighbour among strangers. */
  readonly from: string
  readonly isPeer: boolean
}

/** Neighbours whose handshakes are counted apart; all of them together are counted as well. */
const neighboursMax = 4_096

export class Admission {
  readonly #limits: MeshLimits
  readonly #isPeerAddress: (address: string) => boolean
  /** Oldest first. */
  readonly #waiting = new Set<Waiting>()
  readonly #bySocket = new Map<net.Socket, Waiting>()
  readonly #neighbours: Allowance
  readonly #strangers: Allowance
  readonly #peers: Allowance
  #refused = 0

  /** @param now milliseconds, monotonic */
  constructor(limits: MeshLimits, isPeerAddress: (address: string) => boolean, now = () => performance.now()) {
    const perSecond = (rate: number, burst: number) =>
      new Allowance({ burst, perSecond: rate, keysMax: neighboursMax, now })
    this.#limits = limits
    this.#isPeerAddress = isPeerAddress
    const { handshakesPerSecond, handshakesPerSecondOfStrangers, handshakesPerSecondOfPeers } = limits
    this.#neighbours = perSecond(handshakesPerSecond, 2 * handshakesPerSecond)
    this.#strangers = perSecond(handshakesPerSecondOfStrangers, handshakesPerSecondOfStrangers)
    this.#peers = perSecond(handshakesPerSecondOfPeers, 2 * handshakesPerSecondOfPeers)
  }

  /** Connections that were turned away since the start. */
  get refused(): number {
    return this.#refused
  }

  /** @returns false when this connection must be closed; otherwise it counts until `leave` or its end. */
  enter(socket: net.Socket): boolean {
    const address = plainAddress(socket.remoteAddress)
    const isPeer = this.#isPeerAddress(address)
    const from = isPeer ? address : neighbourOf(address)
    if (!(isPeer ? this.#peers.take(from) : this.#neighbours.take(from) && this.#strangers.take())) {
      this.#refused++
      return false
    }
    this.#makeRoom(from, isPeer)
    const waiting = { socket, from, isPeer }
    this.#waiting.add(waiting)
    this.#bySocket.set(socket, waiting)
    socket.once('close', () => this.leave(socket))
    return true
  }

  /** It is a node of the office: it does not count any more, and neither does its handshake. */
  authenticated(socket: net.Socket): void {
    const waiting = this.#bySocket.get(socket)
    if (!waiting) return
    this.leave(socket)
    if (waiting.isPeer) this.#peers.giveBack(waiting.from)
    else {
      this.#neighbours.giveBack(waiting.from)
      this.#strangers.giveBack()
    }
  }

  /** It is over, or somebody else keeps its limits now. */
  leave(socket: net.Socket): void {
    const waiting = this.#bySocket.get(socket)
    if (!waiting) return
    this.#bySocket.delete(socket)
    this.#waiting.delete(waiting)
  }

  #makeRoom(from: string, isPeer: boolean): void {
    const same = [...this.#waiting].filter(one => one.from === from)
    if (same.length >= this.#limits.strangersPerNeighbour) this.#drop(same[0])
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
