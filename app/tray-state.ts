/** What the icon says: from what is known of the server to a shape, a dot and a few words. Pure. */
import type { Desktop } from '../server/admin/contract/desktop.ts'
import type { LinkState } from './server-link.ts'
import type { OwnState } from './server-process.ts'

/** All that the tray can be about. `failed`: our own server says why it cannot start. */
export type Situation = LinkState | { readonly at: 'failed'; readonly sentence: string }

/** `ok` a green check · `warn` an amber ! · `bad` a red ✕ · `off` three grey dots. */
export type Icon = 'ok' | 'warn' | 'bad' | 'off'

export interface Look {
  readonly icon: Icon
  /** A PC waits for Accept: a blue dot on top. */
  readonly isAwaited: boolean
  /** The first line of the menu. */
  readonly headline: string
  /** The hover text, which says why. */
  readonly tooltip: string
}

/** What is true when the link and our own server are taken together: who answers is up, whoever says otherwise. */
export function situationOf(link: LinkState, own: OwnState): Situation {
  if (link.at === 'up' || link.at === 'fresh' || link.at === 'locked') return link
  if (own.at === 'failed') return own
  // Our child is there before its run.json is; after a crash people cannot chat until it answers again.
  if (link.at === 'stopped' && (own.at === 'running' || own.at === 'waiting')) return { at: 'starting' }
  return link
}

/** How it is shown. */
export function lookOf(situation: Situation): Look {
  if (situation.at === 'up') return lookOfOffice(situation.desktop)
  const { icon, headline, sentence } = words(situation)
  const office = 'office' in situation ? situation.office : undefined
  return { icon, isAwaited: false, headline: `${office ?? 'Lanthorn'} — ${headline}`, tooltip: sentence }
}

function lookOfOffice({ state, office, headline, sentence, requests }: Desktop): Look {
  return {
    icon: state === 'paused' ? 'off' : state,
    isAwaited: requests.length > 0,
    headline: `${office} — ${headline}`,
    tooltip: `${office}: ${sentence}`,
  }
}

function words(situation: Exclude<Situation, { at: 'up' }>): { icon: Icon; headline: string; sentence: string } {
  switch (situation.at) {
    case 'starting':
      return { icon: 'off', headline: 'one moment…', sentence: 'Chat on this PC is starting or stopping.' }
    case 'fresh':
      return { icon: 'warn', headline: 'ready to be set up', sentence: 'Chat is not set up on this PC yet.' }
    case 'lost':
      return {
        icon: 'bad',
        headline: 'chat is off',
        sentence: 'Chat on this PC does not answer: people cannot chat here.',
      }
    case 'stopped':
      return { icon: 'off', headline: 'stopped', sentence: 'Chat on this PC is stopped.' }
    case 'locked':
      return { icon: 'off', headline: 'not yours to manage', sentence: 'Chat runs on this PC under another account.' }
    case 'failed':
      return { icon: 'bad', headline: 'chat cannot start', sentence: situation.sentence }
    default:
      return situation satisfies never
  }
}
