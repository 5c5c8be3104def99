/** One node that was heard of: what it has proven, and when it must prove it again. */
import { plainHost, printAddress, readAddress } from '../pairing/address.ts'
import type { About } from '../pairing/dial.ts'
import type { Beacon } from './packet.ts'

/** A node is there for so long after it was heard; then it is asked. */
export const freshMs = 10_000
/** A proof is repeated while the node is heard. */
const proofMs = 60_000
/** One that never answered is forgotten when it is not heard. */
const forgetMs = 30_000
const [retryMinMs, retryMaxMs] = [1_000, 60_000]
const addressesMax = 8

interface Address {
  readonly text: string
  readonly host: string
  heardAtMs: number
  toldAtMs: number
  /** Proofs in a row that failed there. */
  failures: number
}

export class SeenNode {
  readonly officeId: string
  readonly nodeId: string
  /** Of whom it may have been made up. */
  readonly firstHost: string
  readonly sinceMs: number
  #epoch = -1
  #counter = -1
  #heardAtMs = Number.NEGATIVE_INFINITY
  readonly #addresses = new Map<string, Address>()
  #about: About | undefined
  #provenAtMs = Number.NEGATIVE_INFINITY
  #dueAtMs = 0
  #failures = 0
  isAsked = false

  constructor(officeId: string, nodeId: string, firstHost: string, now: number) {
    this.officeId = officeId
    this.nodeId = nodeId
    this.firstHost = firstHost
    this.sinceMs = now
  }

  /** What it said of itself when it last proved to be there. */
  get about(): About | undefined {
    return this.#about
  }

  /** Milliseconds since 1970. */
  get seenAtMs(): number {
    return Math.max(this.#heardAtMs, this.#provenAtMs)
  }

  get failures(): number {
    return this.#failures
  }

  /** Whether an announcement is newer than all that were heard of it: a former one that is sent again is not. */
  isNews({ epoch, counter }: Beacon): boolean {
    return epoch > this.#epoch || (epoch === this.#epoch && counter > this.#counter)
  }

  /**
   * Takes an announcement that is signed, and news.
   * @returns the address when it was not told for `tellMs`
   */
  hear(beacon: Beacon, from: string, now: number, tellMs: number): string | undefined {
    this.#epoch = beacon.epoch
    this.#counter = beacon.counter
    this.#heardAtMs = now
    const host = plainHost(from)
    const text = printAddress({ host, port: beacon.port })
    this.#moveTo(beacon.port)
    // What failed elsewhere says nothing about a place where it was not asked yet.
    if (!this.#addresses.has(text)) this.#dueAtMs = 0
    const address = this.#addressAt(text, host)
    address.heardAtMs = now
    if (this.#addresses.size > addressesMax) {
      const [oldest] = [...this.#addresses.values()].toSorted((a, b) => a.heardAtMs - b.heardAtMs)
      if (oldest) this.#addresses.delete(oldest.text)
    }
    if (now - address.toldAtMs < tellMs) return undefined
    address.toldAtMs = now
    return text
  }

  /** Where it is to be asked: where that failed least, best first. */
  address(now: number): string | undefined {
    const last = this.#about?.address
    const known = [...this.#addresses.values()].filter(one => one.text === last || now - one.heardAtMs < freshMs)
    const [best] = known.toSorted(
      (a, b) =>
        a.failures - b.failures || Number(b.text === last) - Number(a.text === last) || rankOf(a.host) - rankOf(b.host),
    )
    return best?.text
  }

  /** Whether it must prove now that it is there. */
  isDue(now: number): boolean {
    if (this.isAsked || now < this.#dueAtMs) return false
    return !this.#about || now - this.#provenAtMs >= proofMs || now - this.seenAtMs >= freshMs
  }

  /** A node has one port: at another one it is something else than before, a candidate that has an office now. */
  #moveTo(port: number): void {
    const former = [...this.#addresses.values()].filter(({ text }) => readAddress(text)?.port !== port)
    if (former.length === 0) return
    for (const { text } of former) this.#addresses.delete(text)
    this.doubt()
  }

  /** It says that it is something else now, or asks to be looked at. */
  doubt(): void {
    this.#dueAtMs = 0
    this.#provenAtMs = Number.NEGATIVE_INFINITY
  }

  /** Not now: too much is asked already. */
  postpone(now: number): void {
    this.#dueAtMs = now + retryMinMs
  }

  /** It has proven to be there. */
  prove(about: About, now: number): void {
    this.#about = about
    this.#provenAtMs = now
    this.#failures = 0
    this.#dueAtMs = 0
    this.#addressAt(about.address, readAddress(about.address)?.host ?? '').failures = 0
  }

  /** It did not prove it at this address. @returns whether it is to be forgotten */
  fail(address: string, now: number): boolean {
    const asked = this.#addresses.get(address)
    if (asked) asked.failures += 1
    this.#failures += 1
    this.#dueAtMs = now + Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(10, this.#failures))
    const isHeard = now - this.#heardAtMs < freshMs
    // Announcements alone show nothing: two proofs that failed are enough.
    if (this.#failures >= 2) this.#about = undefined
    return !isHeard && (this.#about !== undefined || this.#failures >= 2)
  }

  #addressAt(text: string, host: string): Address {
    const never = Number.NEGATIVE_INFINITY
    const address = this.#addresses.get(text) ?? { text, host, heardAtMs: never, toldAtMs: never, failures: 0 }
    this.#addresses.set(text, address)
    return address
  }

  /** Neither proven nor heard for long. */
  isForgotten(now: number): boolean {
    return !this.#about && !this.isAsked && now - Math.max(this.#heardAtMs, this.sinceMs) >= forgetMs
  }
}

/** People read IPv4 addresses most easily; link-local ones work between two PCs only. */
function rankOf(host: string): number {
  if (!host.includes(':')) return host.startsWith('169.254.') ? 2 : 0
  return host.startsWith('fe80') ? 3 : 1
}
