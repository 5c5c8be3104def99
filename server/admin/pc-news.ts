/** What happens among the PCs, as sentences: told once, when it happens, on every PC. */
import type { Wellness } from './contract/endpoint.ts'
import type { Node } from './contract/nodes.ts'

/** One sentence for Home. */
export interface PcNews {
  readonly state: Wellness
  readonly sentence: string
}

const works = (state: Node['state']): boolean => state === 'on' || state === 'paused'

/** Compares what is known of the PCs with what was known before. */
export class PcWatch {
  readonly #now: () => number
  /** When each PC that does not work was last seen to. */
  readonly #lost = new Map<string, number>()
  /** PCs that have joined and did not work yet: they are not back, they have come. */
  readonly #fresh = new Set<string>()
  #before: Map<string, Node> | undefined

  constructor(now: () => number) {
    this.#now = now
  }

  /** @returns what is new since the last call; the first call only remembers */
  look(nodes: readonly Node[]): PcNews[] {
    const before = this.#before
    this.#before = new Map(nodes.map(node => [node.name, node]))
    if (!before) return []
    const news = nodes.flatMap(node => this.#compare(before.get(node.name), node))
    const gone = [...before.keys()].filter(name => !this.#before?.has(name))
    for (const name of gone) {
      this.#lost.delete(name)
      this.#fresh.delete(name)
    }
    return [
      ...news,
      ...gone.map(name => ({ state: 'ok' as const, sentence: `${name} does not belong to the office any more.` })),
    ]
  }

  #compare(before: Node | undefined, { name, state, here }: Node): PcNews[] {
    if (!before) {
      if (!works(state)) this.#fresh.add(name)
      return [{ state: 'ok', sentence: `${name} is a PC of the office now.` }]
    }
    if (here || before.state === state) return []
    if (works(before.state) && !works(state)) this.#lost.set(name, this.#now())
    if (works(state) && this.#fresh.delete(name)) return []
    if (works(state) && !works(before.state)) {
      const since = this.#lost.get(name)
      this.#lost.delete(name)
      const after = since === undefined ? '' : ` after ${lasting(this.#now() - since)}`
      return [{ state: 'ok', sentence: `${name} is back${after}.` }]
    }
    if (state === 'off') return [{ state: 'warn', sentence: `${name} is off.` }]
    if (state === 'away') return [{ state: 'warn', sentence: `${name} does not answer.` }]
    return []
  }
}

/** What of the PCs matters for their checks and for what is told; their figures change all the time and do not. */
export function digestOf(nodes: readonly Node[]): string {
  return JSON.stringify(
    nodes.map(({ name, state, version, member, membersMissing, settings, database, links }) => [
      name,
      state,
      version,
      member,
      membersMissing,
      settings,
      database,
      links.map(link => [link.to, link.state === 'cut']),
    ]),
  )
}

function lasting(milliseconds: number): string {
  const seconds = Math.max(1, Math.round(milliseconds / 1000))
  if (seconds < 90) return seconds === 1 ? 'a second' : `${seconds} seconds`
  const minutes = Math.round(seconds / 60)
  if (minutes < 90) return `${minutes} minutes`
  const hours = Math.round(minutes / 60)
  return hours < 36 ? `${hours} hours` : `${Math.round(hours / 24)} days`
}
