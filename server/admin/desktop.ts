/** What the tray of this PC shows: put together from what the office knows at the moment. Nothing is asked or waited for. */
import { standingOf } from './backup-checks.ts'
import type { Desktop, DesktopState } from './contract/desktop.ts'
import { worstFirst } from './health.ts'
import { standingOfPcs } from './node-checks.ts'
import type { OpenOffice } from './open-office.ts'
import type { CheckResult } from './parts.ts'
import { timeOf } from './words.ts'

/** What keeps this PC from being all well. */
interface Trouble {
  readonly state: 'warn' | 'bad'
  readonly sentence: string
}

const headlines: Record<DesktopState, string> = {
  ok: 'everything works',
  warn: 'chat works',
  bad: 'nobody can log in here',
  paused: 'paused',
}

/** @param now milliseconds since 1970 */
export function desktopOf(office: OpenOffice, { version, now }: { version: string; now: number }): Desktop {
  const { name, sessions, nodes, backups, updates } = office.parts
  const { node: pc, nodes: pcs, pausedUntil, enabled: canJoin } = nodes
  const trouble = pausedUntil === undefined ? troubleOf(office, now) : undefined
  const state = pausedUntil === undefined ? (trouble?.state ?? 'ok') : 'paused'
  const [movesTo] = pcs.filter(one => !one.here && one.state === 'on').toSorted((a, b) => a.people - b.people)
  return {
    state,
    office: name,
    pc,
    version,
    headline: headlines[state],
    sentence: pausedUntil === undefined ? (trouble?.sentence ?? nodes.sentence) : pausedSentence(pc, pausedUntil, now),
    peopleOnline: office.figures.peopleOnline,
    peopleHere: sessions.people,
    pcsOn: pcs.filter(one => one.state === 'on').length,
    pcs: pcs.length,
    ...(movesTo && { movesTo: movesTo.name }),
    canJoin,
    requests: nodes.requests.slice(0, 8),
    ...(pausedUntil !== undefined && { pausedUntil }),
    backupFailures: backups.trouble.failures,
    update: updates.desktop,
  }
}

/** The worst thing that is not well. What does not keep people from logging in here is a warning on an icon, however broken it is. */
function troubleOf(office: OpenOffice, now: number): Trouble | undefined {
  const { nodes, backups, updates } = office.parts
  const { checks } = office.health.report
  const sentence = office.notReady() ?? checks.find(({ stopsChat }) => stopsChat)?.sentence
  if (sentence !== undefined) return { state: 'bad', sentence }
  const all: readonly (CheckResult | undefined)[] = [
    // What is known at once is not waited for until the next look at everything.
    standingOfPcs(nodes),
    standingOf(backups, undefined, now),
    ...checks.filter(({ id }) => id !== 'pcs-off'),
    updates.desktop.state === 'failed' ? { state: 'warn', sentence: updates.desktop.sentence } : undefined,
  ]
  const [worst] = all.filter(one => one !== undefined).sort(worstFirst)
  return worst && worst.state !== 'ok' ? { state: 'warn', sentence: worst.sentence } : undefined
}

function pausedSentence(pc: string, until: string | null, now: number): string {
  return `Chat is paused on ${pc} until ${until === null ? 'somebody resumes it' : timeOf(Date.parse(until), now)}.`
}
