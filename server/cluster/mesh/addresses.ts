/** Where one peer may be reached: what the office knows, and where it was seen. */
import { joinAddress, splitAddress } from './dial.ts'
import type { Hello } from './hello.ts'

/** Of addresses that no record names. */
const learnedMax = 4

export class Addresses {
  #known: readonly string[]
  #learned: string[] = []
  #dialled: string | undefined
  /** The host of the last link, as an IP address: a known address may be a name. */
  #linked: string | undefined

  constructor(known: readonly string[]) {
    this.#known = known
  }

  /** Best first: the one that has worked, the known ones, those where it was seen. */
  get list(): readonly string[] {
    return [...new Set([...(this.#dialled ? [this.#dialled] : []), ...this.#known, ...this.#learned])]
  }

  /** The address at which it was reached last from here; undefined: it has always dialled us. */
  get dialled(): string | undefined {
    return this.#dialled
  }

  has(host: string): boolean {
    return host === this.#linked || this.list.some(address => splitAddress(address)?.host === host)
  }

  /** @returns whether they are others than before */
  replace(known: readonly string[]): boolean {
    const isOther = known.join() !== this.#known.join()
    this.#known = known
    return isOther
  }

  /** There is a link. @param address where it was dialled; undefined when it has dialled us */
  worked(host: string, address: string | undefined): void {
    this.#linked = host
    if (address !== undefined) this.#dialled = address
  }

  /** It was seen there. What is no address with a port is passed over. */
  learn(address: string): void {
    if (!splitAddress(address) || this.#known.includes(address)) return
    this.#learned = [address, ...this.#learned.filter(other => other !== address)].slice(0, learnedMax)
  }

  /** It has come from there, and says which port it listens at. */
  learnFrom(host: string, hello: Hello): void {
    if (host !== '' && hello.port > 0) this.learn(joinAddress(host, hello.port))
  }
}
