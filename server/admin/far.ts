/** The admin sides of the other PCs: what is done or counted there stands on the pages of each of them. */
import type { Bus, FarNode } from '../cluster/bus.ts'
import type { Directory } from '../cluster/directory.ts'
import type { Connection } from './contract/connections.ts'
import type { HistoryEntry } from './contract/logs.ts'

const ASK_MS = 2_000
/** Devices that one PC tells of at most. */
const CONNECTIONS_MAX = 20_000

/** Why the sessions of an account end, as in core/sessions.ts. */
export type FarReason = 'kicked' | 'removed'

/** What each PC counts by itself and Home shows for all. */
export interface OwnFigures {
  readonly messagesToday: number
  readonly slowestMs: number | null
}

/** What this PC answers and hears. */
export interface FarOptions {
  readonly bus: Bus | undefined
  readonly directory: Directory
  now(): number
  /** Who has made the certificate that chat apps see here. */
  maker(): string
  connections(): Connection[]
  /** Ends one session here, by its full JID. @returns whether there was one */
  endOne(jid: string, reason: FarReason): Promise<boolean>
  /** Ends all sessions of an account here. */
  endAll(username: string, reason: FarReason): Promise<void>
  /** Something was done on another PC. */
  onDeed(entry: HistoryEntry): void
}

/** The line to them. Without others everything is empty and nothing is sent. */
export class FarAdmin {
  readonly #options: FarOptions
  readonly #undo: (() => void)[] = []
  readonly #figures = new Map<string, OwnFigures>()

  constructor(options: FarOptions) {
    this.#options = options
    const { bus } = options
    if (!bus) return
    this.#undo.push(
      bus.onAsk('admin-connections', () => options.connections().slice(0, CONNECTIONS_MAX)),
      bus.onAsk('admin-end', ({ jid, reason }: { jid: string; reason: FarReason }) => options.endOne(jid, reason)),
      bus.onAsk('admin-clock', () => options.now()),
      bus.onAsk('admin-maker', () => options.maker()),
      bus.onTell('admin-end-all', ({ username, reason }: { username: string; reason: FarReason }) => {
        void options.endAll(username, reason)
      }),
      bus.onTell('admin-deed', (entry: HistoryEntry) => options.onDeed(entry)),
      bus.onTell('admin-figures', (figures: OwnFigures, from: FarNode) => this.#figures.set(from.name, figures)),
    )
  }

  /** Of all other PCs that can be reached; those that do not answer in 2 s are left out. */
  async connections(): Promise<Connection[]> {
    const answers = await Promise.all(
      this.#live.map(node => this.#ask<Connection[]>(node.name, 'admin-connections', {})),
    )
    return answers.flatMap(answer => answer ?? [])
  }

  /** Ends a device that is connected to another PC. @returns false when none of them has it, or it does not answer */
  async end(jid: string, reason: FarReason): Promise<boolean> {
    const slash = jid.indexOf('/')
    const route = slash < 0 ? undefined : this.#options.directory.route(jid.slice(0, slash), jid.slice(slash + 1))
    if (!route || !this.#live.some(node => node.name === route.node)) return false
    return (await this.#ask<boolean>(route.node, 'admin-end', { jid, reason })) === true
  }

  /** Ends all devices of an account on the other PCs. */
  endAll(username: string, reason: FarReason): void {
    this.#options.bus?.tell(undefined, 'admin-end-all', { username, reason })
  }

  /** How far each other clock is ahead of this one, in milliseconds; the way there and back is taken off. */
  async clocks(): Promise<{ name: string; aheadMs: number }[]> {
    const { now } = this.#options
    const all = this.#live.map(async ({ name }) => {
      const before = now()
      const theirs = await this.#ask<number>(name, 'admin-clock', {})
      const after = now()
      if (typeof theirs !== 'number') return undefined
      const middle = (before + after) / 2
      const uncertainMs = (after - before) / 2
      const apart = theirs - middle
      return { name, aheadMs: Math.abs(apart) <= uncertainMs ? 0 : apart - Math.sign(apart) * uncertainMs }
    })
    return (await Promise.all(all)).filter(one => one !== undefined)
  }

  /** Who has made the certificate that chat apps see on each other PC. */
  async makers(): Promise<{ name: string; maker: string }[]> {
    const all = this.#live.map(async ({ name }) => {
      const maker = await this.#ask<string>(name, 'admin-maker', {})
      return typeof maker === 'string' ? { name, maker } : undefined
    })
    return (await Promise.all(all)).filter(one => one !== undefined)
  }

  /** Tells the others what this PC counts. */
  tellFigures(figures: OwnFigures): void {
    if (this.#live.length > 0) this.#options.bus?.tell(undefined, 'admin-figures', figures)
  }

  /** Tells the others what was done here. */
  tellDeed(entry: HistoryEntry): void {
    if (this.#live.length > 0) this.#options.bus?.tell(undefined, 'admin-deed', entry)
  }

  /** What the other PCs counted, as they told last. */
  get figures(): OwnFigures[] {
    return [...this.#figures.values()]
  }

  close(): void {
    for (const undo of this.#undo.splice(0)) undo()
  }

  get #live(): readonly FarNode[] {
    return this.#options.bus?.nodes.filter(node => node.state === 'up') ?? []
  }

  async #ask<T>(node: string, topic: string, body: unknown): Promise<T | undefined> {
    try {
      return (await this.#options.bus?.ask(node, topic, body, ASK_MS)) as T | undefined
    } catch {
      // Away, late, or of a version that does not know the question: the answer is the same, it is left out.
      return undefined
    }
  }
}
