/** What each PC says of itself about updates: asked of all over the bus, at the moment it matters. */
import type { Node } from '../admin/contract/nodes.ts'
import type { Bus } from '../cluster/bus.ts'
import type { PlannedPc } from './plan.ts'

/** Health is looked at anew for it. */
const ASK_MS = 15_000
/** A page does not wait so long. */
const ASK_SOON_MS = 2_000

/** What one PC says. */
export interface Report {
  readonly version: string
  readonly way: 'itself' | 'by-hand'
  /** What a person has to do there. */
  readonly byHand?: string
  readonly trouble?: string
}

/** A PC with what it said. */
export interface ReportedPc extends PlannedPc {
  readonly here: boolean
  readonly byHand: string | undefined
}

interface Question {
  /** Whether it shall look anew at how it is. */
  readonly isFresh: boolean
}

/** Answers the other PCs. @returns the function that ends it */
export function answerOthers(bus: Bus, report: (isFresh: boolean) => Promise<Report>): () => void {
  return bus.onAsk('update-report', ({ isFresh }: Question) => report(isFresh === true))
}

/** Asks all PCs of the office. @param own what this one says @param bus undefined: there are no others */
export function askAll(
  nodes: readonly Node[],
  own: Report,
  { bus, isFresh }: { bus: Bus | undefined; isFresh: boolean },
): Promise<ReportedPc[]> {
  return Promise.all(
    nodes.map(async node => {
      const report = node.here ? own : await ask(bus, node, isFresh)
      return {
        name: node.name,
        here: node.here,
        state: node.state,
        version: report?.version ?? node.version,
        hasMainDatabase: node.database === 'main',
        way: report?.way,
        byHand: report?.byHand,
        trouble: report?.trouble,
      }
    }),
  )
}

/** Undefined: it is off, late, or of a version that does not know the question. */
async function ask(bus: Bus | undefined, { name, state }: Node, isFresh: boolean): Promise<Report | undefined> {
  if (!bus || state === 'off' || state === 'away') return undefined
  const question: Question = { isFresh }
  if (!isFresh) return reportOf(await bus.askSoon(name, 'update-report', question, ASK_SOON_MS))
  try {
    return reportOf(await bus.ask(name, 'update-report', question, ASK_MS))
  } catch {
    return undefined // see above
  }
}

/** It may come from another version of the program. */
function reportOf(answer: unknown): Report | undefined {
  const { version, way, byHand, trouble } = (answer ?? {}) as Record<string, unknown>
  if (typeof version !== 'string' || (way !== 'itself' && way !== 'by-hand')) return undefined
  return {
    version,
    way,
    ...(typeof byHand === 'string' && { byHand }),
    ...(typeof trouble === 'string' && { trouble }),
  }
}
