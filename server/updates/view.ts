/** What is shown of updates: on their page, on Health, and in the tray. Pure. */
import type { DesktopUpdate } from '../admin/contract/desktop.ts'
import type { Wellness } from '../admin/contract/endpoint.ts'
import type { UpdatePc, UpdateState } from '../admin/contract/updates.ts'
import { isNewer } from '../versions.ts'
import { KEYLESS } from './lookout.ts'
import type { Manifest } from './manifest.ts'
import type { ReportedPc } from './reports.ts'
import type { Turn } from './turn.ts'

const DAY_MS = 24 * 60 * 60_000
/** An update that waits so long for somebody is worth a warning; and a feed that cannot be read for so long. */
const WAITING_DAYS = 7
const SILENT_DAYS = 2

/** Everything it depends on. */
export interface Standpoint {
  readonly canBeOn: boolean
  readonly feed: string
  readonly automatic: boolean
  readonly newest: Manifest | undefined
  readonly trouble: { readonly sentence: string; readonly since: number } | undefined
  readonly turn: Turn | undefined
  /** The versions that run on the PCs that can be asked. */
  readonly versions: readonly string[]
  /** What a person has to do on this PC, if it cannot be updated by itself. */
  readonly byHand: string | undefined
  /** Milliseconds since 1970. */
  readonly now: number
}

export interface Standing {
  readonly state: UpdateState
  readonly wellness: Wellness
  readonly sentence: string
}

/** How the office stands as a whole. */
export function standingOf(at: Standpoint): Standing {
  const { newest, turn, trouble } = at
  if (!at.canBeOn) return { state: 'off', wellness: 'ok', sentence: KEYLESS }
  if (at.feed === '') return { state: 'off', wellness: 'ok', sentence: 'Nobody looks for updates.' }
  if (turn?.holder) {
    const sentence = `${turn.holder.name} is being updated to version ${turn.version}.`
    return { state: 'installing', wellness: 'ok', sentence }
  }
  if (newest && at.versions.some(version => isNewer(newest.version, version))) return waiting(at, newest)
  if (trouble) {
    const days = Math.floor((at.now - trouble.since) / DAY_MS)
    const since = days < SILENT_DAYS ? 'It' : `For ${days} days it`
    const sentence = `${since} is not known whether there are updates: ${trouble.sentence}`
    return { state: 'current', wellness: days < SILENT_DAYS ? 'ok' : 'warn', sentence }
  }
  if (!newest) return { state: 'current', wellness: 'ok', sentence: 'Nobody has looked for updates yet.' }
  const who = at.versions.length > 1 ? 'All PCs have' : 'This PC has'
  return { state: 'current', wellness: 'ok', sentence: `${who} the newest version, ${at.versions[0]}.` }
}

function waiting({ turn, automatic, now, byHand }: Standpoint, newest: Manifest): Standing {
  const { version, publishedAt } = newest
  if (turn?.stopped !== undefined)
    return {
      state: 'failed',
      wellness: 'warn',
      sentence: `Version ${version} is not on all PCs. ${turn.stopped}`,
    }
  if (turn?.ordered === version)
    return {
      state: 'available',
      wellness: 'ok',
      sentence: `Version ${version} is installed on one PC after the other.`,
    }
  const isLong = now - Date.parse(publishedAt) > WAITING_DAYS * DAY_MS
  const how = byHand ?? (automatic ? 'It is installed at night.' : 'It is installed when you say so.')
  const sentence = `Version ${version} is there since ${publishedAt.slice(0, 10)}. ${how}`
  return { state: 'available', wellness: isLong ? 'warn' : 'ok', sentence }
}

/** One PC in the list. */
export function pcView(pc: ReportedPc, newest: Manifest | undefined, turn: Turn | undefined): UpdatePc {
  const { name, version, byHand } = pc
  if (turn?.holder?.name === name)
    return { name, state: 'installing', sentence: `Is being updated to version ${turn.version}.`, ...known(version) }
  if (version === undefined) return { name, state: 'unknown', sentence: 'Cannot be asked at the moment.' }
  if (!newest || !isNewer(newest.version, version))
    return { name, version, state: 'current', sentence: `Has version ${version}.` }
  if (pc.way === 'by-hand')
    return { name, version, state: 'by-hand', sentence: byHand ?? `Install version ${newest.version} there by hand.` }
  const trouble = pc.trouble === undefined ? '' : ` ${pc.trouble}`
  return { name, version, state: 'waiting', sentence: `Has version ${version}.${trouble}` }
}

const known = (version: string | undefined) => (version === undefined ? {} : { version })

/** What the tray shows. */
export function desktopOf({ state, sentence }: Standing, newest: Manifest | undefined): DesktopUpdate {
  const isNews = state === 'available' || state === 'installing' || state === 'failed'
  return { state, sentence, ...(isNews && newest && { version: newest.version }) }
}
