/** What the PCs tell each other of themselves every two seconds: for the pages, which any PC can show of all. */
import type { Logger } from 'pino'
import type { Bus } from '../cluster/bus.ts'
import type { NodeStatus } from './status.ts'

const TELL_MS = 2_000
/** Words that others may need a moment earlier than the pages are told. */
const SETTLE_MS = 500

/** Ports and hosts where people can connect there instead, and who waits to join there. */
export interface GossipWord extends NodeStatus {
  readonly host?: string
  readonly ports?: Readonly<Record<string, number | undefined>>
  readonly requests?: readonly unknown[]
}

/** What was heard of a node, and when (milliseconds since 1970). */
export interface Heard {
  readonly word: GossipWord
  readonly at: number
}

export class Gossip {
  readonly #bus: Bus
  readonly #read: () => Promise<GossipWord>
  readonly #log: Logger
  readonly #heard = new Map<string, Heard>()
  readonly #undo: (() => void)[]
  readonly #timer: NodeJS.Timeout
  readonly #listeners = new Set<() => void>()
  #own: GossipWord | undefined
  #soon: NodeJS.Timeout | undefined

  constructor(options: { bus: Bus; read: () => Promise<GossipWord>; log: Logger }) {
    this.#bus = options.bus
    this.#read = options.read
    this.#log = options.log
    this.#undo = [
      this.#bus.onTell('status', (word: GossipWord, from) => {
        this.#heard.set(from.name, { word, at: Date.now() })
        this.stir()
      }),
      this.#bus.onNode(() => this.stir()),
    ]
    this.#timer = setInterval(() => void this.tell(), TELL_MS)
    this.#timer.unref()
    void this.tell()
  }

  /** What this node says of itself. */
  get own(): GossipWord | undefined {
    return this.#own
  }

  heard(node: string): Heard | undefined {
    return this.#heard.get(node)
  }

  /** Reads what this node is like, and tells the others. */
  async tell(): Promise<void> {
    try {
      this.#own = await this.#read()
      this.#bus.tell(undefined, 'status', this.#own)
      this.stir()
    } catch (error) {
      this.#log.warn({ err: error }, 'the state of this PC could not be told')
    }
  }

  /** One of the words is another one at once: whoever asks next here is told so, and so is who gets the next answer from here. */
  amend(change: Partial<GossipWord>): void {
    if (!this.#own) return
    this.#own = { ...this.#own, ...change }
    this.#bus.tell(undefined, 'status', this.#own)
    this.stir()
  }

  /** Something changed: listeners hear of it, at most twice a second. */
  stir(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined
      for (const listener of this.#listeners) listener()
    }, SETTLE_MS)
    this.#soon.unref()
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    clearInterval(this.#timer)
    clearTimeout(this.#soon)
    for (const undo of this.#undo) undo()
    this.#listeners.clear()
  }
}
