/** The tray's menu: a pure function of what is known. What a line does is data, so that it can be read and tested. */
import type { Desktop } from '../server/admin/contract/desktop.ts'
import { lookOf, type Situation } from './tray-state.ts'

/** What a click asks for. */
export type Action =
  | { readonly do: 'open'; readonly page?: string }
  | { readonly do: 'answer'; readonly id: string; readonly accept: boolean }
  | { readonly do: 'pause'; readonly minutes?: number }
  | { readonly do: 'autostart'; readonly on: boolean }
  | { readonly do: 'resume' | 'start' | 'about' | 'quit' }

/** A line without an action is only read. */
export type MenuLine =
  | 'separator'
  | {
      readonly label: string
      readonly action?: Action
      readonly checked?: boolean
      readonly lines?: readonly MenuLine[]
    }

/** What stands in it besides the server's answer. */
export interface MenuFacts {
  readonly startsWithComputer: boolean
  /** Whether the shell can start chat itself, or ask the system to. */
  readonly canStart: boolean
}

const PAUSE_MINUTES = 30

/** The whole menu, from top to bottom. */
export function menuOf(situation: Situation, { startsWithComputer, canStart }: MenuFacts): MenuLine[] {
  const office = situation.at === 'up' ? situation.desktop : undefined
  return [
    ...(office?.requests.flatMap(requestLines) ?? []),
    { label: lookOf(situation).headline },
    ...(office ? figures(office) : []),
    'separator',
    ...(office ? pages(office) : openers(situation, canStart)),
    'separator',
    ...(office ? [...pauseLines(office), 'separator' as const] : []),
    {
      label: 'Start with the computer',
      action: { do: 'autostart', on: !startsWithComputer },
      checked: startsWithComputer,
    },
    ...(office ? [updateLine(office)] : []),
    { label: 'About', action: { do: 'about' } },
    { label: 'Quit…', action: { do: 'quit' } },
  ]
}

function requestLines({ id, name, address, code, trouble }: Desktop['requests'][number]): MenuLine[] {
  const refuse: MenuLine = { label: 'Refuse', action: { do: 'answer', id, accept: false } }
  return [
    { label: `${name} (${address}) wants to join` },
    { label: `Code ${code}` },
    ...(trouble === undefined
      ? [{ label: 'Accept', action: { do: 'answer', id, accept: true } } as const, refuse]
      : [{ label: trouble }, refuse]),
    'separator',
  ]
}

function figures({ peopleOnline, pcsOn, pcs }: Desktop): MenuLine[] {
  return [
    { label: peopleOnline === 1 ? '1 person online' : `${peopleOnline} people online` },
    { label: pcs === 1 ? '1 PC' : `${pcsOn} of ${pcs} PCs` },
  ]
}

function pages({ office, canJoin }: Desktop): MenuLine[] {
  return [
    { label: `Open ${office} chat server`, action: { do: 'open' } },
    { label: 'Invite people…', action: { do: 'open', page: '/people' } },
    ...(canJoin ? [{ label: 'Show join code…', action: { do: 'open', page: '/pcs?add' } } as const] : []),
  ]
}

/** While there is no office to speak of. */
function openers({ at }: Situation, canStart: boolean): MenuLine[] {
  const isStartable = canStart && (at === 'stopped' || at === 'lost' || at === 'failed')
  return [
    ...(isStartable ? [{ label: 'Start chat on this PC', action: { do: 'start' } } as const] : []),
    { label: at === 'fresh' ? 'Set up chat…' : 'Open Lanthorn', action: { do: 'open' } },
  ]
}

function pauseLines({ pausedUntil, movesTo, peopleHere }: Desktop): MenuLine[] {
  if (pausedUntil !== undefined) {
    const until = pausedUntil === null ? 'until you resume' : `until ${clock(pausedUntil)}`
    return [{ label: `This PC is paused ${until}` }, { label: 'Resume', action: { do: 'resume' } }]
  }
  return [
    {
      label: 'Pause this PC',
      lines: [
        { label: `For ${PAUSE_MINUTES} minutes`, action: { do: 'pause', minutes: PAUSE_MINUTES } },
        { label: 'Until I resume', action: { do: 'pause' } },
        ...(peopleHere > 0 ? (['separator', { label: whatHappens(peopleHere, movesTo) }] as const) : []),
      ],
    },
  ]
}

/** What a stop, or a pause, of this PC means for people: half a sentence. */
export function whatHappens(peopleHere: number, movesTo: string | undefined): string {
  if (peopleHere === 0) return 'nobody is connected to it.'
  const who = peopleHere === 1 ? '1 person' : `${peopleHere} people`
  if (movesTo === undefined) return `${who} cannot chat until it goes on.`
  return `${who} ${peopleHere === 1 ? 'moves' : 'move'} to ${movesTo}.`
}

function updateLine({ update }: Desktop): MenuLine {
  const { state, sentence } = update
  const label = `Updates: ${sentence.charAt(0).toLowerCase()}${sentence.slice(1).replace(/\.$/, '')}`
  return state === 'installing' ? { label } : { label, action: { do: 'open', page: '/settings' } }
}

/** The time of day as this PC writes it. */
function clock(moment: string): string {
  return new Date(moment).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
}
