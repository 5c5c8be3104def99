/** Which PC is updated next: one after the other, while all others are on and well, the one with the main database last. Pure. */
import { areNeighbours, isNewer } from '../versions.ts'
import type { Turn } from './turn.ts'

/** One PC, as far as it matters here. */
export interface PlannedPc {
  readonly name: string
  /** Undefined: it does not say. */
  readonly version: string | undefined
  readonly state: 'on' | 'starting' | 'paused' | 'away' | 'off'
  readonly hasMainDatabase: boolean
  /** `itself`: it can install by itself · `by-hand`: a person has to go there · undefined: it does not answer. */
  readonly way: 'itself' | 'by-hand' | undefined
  /** What is not as it should be there, as a sentence. */
  readonly trouble: string | undefined
}

export interface Situation {
  /** The PC that asks. */
  readonly here: string
  /** The newest version. */
  readonly version: string
  readonly pcs: readonly PlannedPc[]
  readonly turn: Pick<Turn, 'holder' | 'stopped'>
}

/** `mine`: this PC may be updated now · `wait`: not now, the sentence says why · `done`: no PC is left that could be. */
export interface Plan {
  readonly kind: 'mine' | 'wait' | 'done'
  readonly sentence: string
}

const wait = (sentence: string): Plan => ({ kind: 'wait', sentence })

/** Decides it. Whoever may take the turn by this still has to take it (turn.ts). */
export function planOf({ here, version, pcs, turn }: Situation): Plan {
  if (turn.stopped !== undefined) return wait(turn.stopped)
  if (turn.holder) return wait(`${turn.holder.name} is being updated.`)
  const silent = pcs.find(pc => pc.version === undefined || (isOlder(pc, version) && pc.way === undefined))
  const waiting = pcs.filter(pc => isOlder(pc, version) && pc.way === 'itself').toSorted(order)
  if (waiting.length === 0 && !silent) return { kind: 'done', sentence: endOf(pcs, version) }
  const missing = pcs.find(pc => pc.state !== 'on')
  if (missing) return wait(`${missing.name} ${states[missing.state]}: updates wait until all PCs are on.`)
  if (silent) return wait(`${silent.name} does not say how it is: updates wait until it does.`)
  const far = waiting.find(pc => !areNeighbours(pc.version ?? '', version))
  if (far)
    return wait(
      `Version ${version} is too far from ${far.version} on ${far.name}: there would be no way back. Install a version in between first.`,
    )
  const unwell = pcs.find(pc => pc.trouble !== undefined)
  if (unwell) return wait(`Updates wait for ${unwell.name}: ${unwell.trouble}`)
  const [next] = waiting
  if (next?.name === here) return { kind: 'mine', sentence: `${here} is updated now.` }
  return wait(`${next?.name} is updated next.`)
}

const isOlder = (pc: PlannedPc, version: string): boolean => pc.version !== undefined && isNewer(version, pc.version)

/** The rest of the office goes on without the main database only while its PC is updated: that moment comes last. */
function order(one: PlannedPc, other: PlannedPc): number {
  return Number(one.hasMainDatabase) - Number(other.hasMainDatabase) || one.name.localeCompare(other.name, 'en')
}

function endOf(pcs: readonly PlannedPc[], version: string): string {
  const left = pcs.filter(pc => isOlder(pc, version)).map(({ name }) => name)
  if (left.length === 0) return `Version ${version} is on all PCs.`
  return `Version ${version} has to be installed by hand on ${new Intl.ListFormat('en').format(left)}.`
}

const states: Record<PlannedPc['state'], string> = {
  on: 'is on',
  starting: 'is only just starting',
  paused: 'is taken out for maintenance',
  away: 'cannot be reached',
  off: 'is off',
}
