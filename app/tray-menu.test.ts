import { describe, expect, test } from 'vitest'
import { desktop, request } from '../test/support/desktop.ts'
import { type MenuLine, menuOf, whatHappens } from './tray-menu.ts'
import type { Situation } from './tray-state.ts'

const run = { pid: 1, adminUrl: 'http://127.0.0.1:9090/', token: 't' }
const up = (changes: Parameters<typeof desktop>[0] = {}): Situation => ({ at: 'up', run, desktop: desktop(changes) })
const facts = { startsWithComputer: true, canStart: true }
const menu = (situation: Situation) => menuOf(situation, facts)

/** The menu as it is read: `—` for a separator, `›` for lines of a submenu, `✓` for a mark, brackets for what can be clicked. */
function read(lines: readonly MenuLine[]): string[] {
  return lines.flatMap(line => {
    if (line === 'separator') return ['—']
    const text = line.action ? `[${line.label}]` : line.label
    return [line.checked ? `${text} ✓` : text, ...read(line.lines ?? []).map(below => `› ${below}`)]
  })
}

const find = (lines: readonly MenuLine[], label: string) =>
  lines.find(line => line !== 'separator' && line.label === label) as Exclude<MenuLine, 'separator'> | undefined

describe('the menu of the tray', () => {
  test('of an office in good order', () => {
    expect(read(menu(up()))).toEqual([
      'ACME — everything works',
      '23 people online',
      '3 of 3 PCs',
      '—',
      '[Open ACME chat server]',
      '[Invite people…]',
      '[Show join code…]',
      '—',
      'Pause this PC',
      '› [For 30 minutes]',
      '› [Until I resume]',
      '› —',
      '› 9 people move to BACK-OFFICE.',
      '—',
      '[Start with the computer] ✓',
      '[Updates: up to date]',
      '[About]',
      '[Quit…]',
    ])
  })

  test('one person, one PC, nobody who may join, nobody here', () => {
    const lines = read(menu(up({ peopleOnline: 1, pcs: 1, pcsOn: 1, canJoin: false, peopleHere: 0 })))
    expect(lines.slice(0, 8)).toEqual([
      'ACME — everything works',
      '1 person online',
      '1 PC',
      '—',
      '[Open ACME chat server]',
      '[Invite people…]',
      '—',
      'Pause this PC',
    ])
    expect(lines.slice(8, 11)).toEqual(['› [For 30 minutes]', '› [Until I resume]', '—'])
  })

  test('pages are opened where they are, and pauses carry their minutes', () => {
    const lines = menu(up())
    expect(find(lines, 'Invite people…')?.action).toEqual({ do: 'open', page: '/people' })
    expect(find(lines, 'Show join code…')?.action).toEqual({ do: 'open', page: '/pcs?add' })
    const pauses = find(lines, 'Pause this PC')?.lines ?? []
    expect(find(pauses, 'For 30 minutes')?.action).toEqual({ do: 'pause', minutes: 30 })
    expect(find(pauses, 'Until I resume')?.action).toEqual({ do: 'pause' })
  })

  test('while it is paused it can only be resumed', () => {
    const pausedUntil = new Date(2026, 10, 22, 10, 34).toISOString()
    const lines = read(menu(up({ state: 'paused', headline: 'paused', pausedUntil })))
    expect(lines).toContainEqual(expect.stringMatching(/^This PC is paused until 10:34/))
    expect(lines).toContain('[Resume]')
    expect(lines).not.toContain('Pause this PC')
    expect(read(menu(up({ pausedUntil: null })))).toContain('This PC is paused until you resume')
  })

  test('PCs that want to join stand on top, with their code', () => {
    const trouble = 'It runs version 0.9, which cannot join: update it first.'
    const lines = menu(up({ requests: [request, { ...request, id: 'r2', name: 'ATTIC', trouble }] }))
    expect(read(lines).slice(0, 10)).toEqual([
      'BACK-OFFICE (192.168.1.31) wants to join',
      'Code 4827 · blue otter',
      '[Accept]',
      '[Refuse]',
      '—',
      'ATTIC (192.168.1.31) wants to join',
      'Code 4827 · blue otter',
      trouble,
      '[Refuse]',
      '—',
    ])
    expect(find(lines, 'Accept')?.action).toEqual({ do: 'answer', id: 'r1', accept: true })
  })

  test('an update under way cannot be clicked', () => {
    const sentence = 'Version 1.3 is being installed.'
    const lines = menu(up({ update: { state: 'installing', sentence } }))
    expect(read(lines)).toContain('Updates: version 1.3 is being installed')
  })

  test.each([
    ['stopped', ['Lanthorn — stopped', '—', '[Start chat on this PC]', '[Open Lanthorn]', '—']],
    ['lost', ['Lanthorn — chat is off', '—', '[Start chat on this PC]', '[Open Lanthorn]', '—']],
    ['starting', ['Lanthorn — one moment…', '—', '[Open Lanthorn]', '—']],
    ['fresh', ['Lanthorn — ready to be set up', '—', '[Set up chat…]', '—']],
    ['locked', ['Lanthorn — not yours to manage', '—', '[Open Lanthorn]', '—']],
  ] as const)('while the server is %s', (at, lines) => {
    expect(read(menu(at === 'fresh' ? { at, run } : { at }))).toEqual([
      ...lines,
      '[Start with the computer] ✓',
      '[About]',
      '[Quit…]',
    ])
  })

  test('where nothing can be started, no line offers it', () => {
    const lines = read(menuOf({ at: 'stopped' }, { startsWithComputer: false, canStart: false }))
    expect(lines).toEqual([
      'Lanthorn — stopped',
      '—',
      '[Open Lanthorn]',
      '—',
      '[Start with the computer]',
      '[About]',
      '[Quit…]',
    ])
  })
})

test('what a stop means for people is said in numbers', () => {
  expect(whatHappens(0, 'BACK-OFFICE')).toBe('nobody is connected to it.')
  expect(whatHappens(1, 'BACK-OFFICE')).toBe('1 person moves to BACK-OFFICE.')
  expect(whatHappens(9, 'BACK-OFFICE')).toBe('9 people move to BACK-OFFICE.')
  expect(whatHappens(9, undefined)).toBe('9 people cannot chat until it goes on.')
})
