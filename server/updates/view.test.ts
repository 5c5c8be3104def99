import { describe, expect, test } from 'vitest'
import { aManifest } from '../../test/updates/publisher.ts'
import { desktopOf, type Standpoint, standingOf } from './view.ts'

const now = Date.parse('2026-11-22T12:00:00.000Z')
const free = { epoch: 3, holder: undefined, version: undefined, isOver: false, ordered: undefined, stopped: undefined }
const at = (changes: Partial<Standpoint> = {}) =>
  standingOf({
    ...{ canBeOn: true, feed: 'https://updates.example', automatic: false, newest: aManifest(), trouble: undefined },
    ...{ turn: free, versions: ['0.1.0', '0.1.0'], byHand: undefined, now },
    ...changes,
  })

describe('what is said of updates', () => {
  test('nothing to worry about while they are off, or cannot be on', () => {
    expect(at({ feed: '' })).toEqual({ state: 'off', wellness: 'ok', sentence: 'Nobody looks for updates.' })
    expect(at({ canBeOn: false })).toMatchObject({ state: 'off', wellness: 'ok' })
  })

  test('one that is there waits for somebody, the night, or a person with a set-up; a week later it is a warning', () => {
    expect(at()).toEqual({
      ...{ state: 'available', wellness: 'ok' },
      sentence: 'Version 0.2.0 is there since 2026-11-20. It is installed when you say so.',
    })
    expect(at({ automatic: true }).sentence).toMatch(/It is installed at night\.$/)
    expect(at({ byHand: 'Run setup.exe here.' }).sentence).toMatch(/Run setup\.exe here\.$/)
    expect(at({ now: now + 6 * 24 * 60 * 60_000 }).wellness).toBe('warn')
  })

  test('one that is being installed, was stopped, or is on all PCs', () => {
    const holder = { id: 'x', name: 'cellar', since: new Date(now) }
    expect(at({ turn: { ...free, holder, version: '0.2.0' } }).sentence).toBe(
      'cellar is being updated to version 0.2.0.',
    )
    expect(at({ turn: { ...free, stopped: 'Anna has stopped updating.' } })).toMatchObject({
      ...{ state: 'failed', wellness: 'warn', sentence: 'Version 0.2.0 is not on all PCs. Anna has stopped updating.' },
    })
    const done = { versions: ['0.2.0', '0.2.0'], turn: { ...free, stopped: 'Anna has stopped updating.' } }
    expect(at(done)).toEqual({ state: 'current', wellness: 'ok', sentence: 'All PCs have the newest version, 0.2.0.' })
    expect(at({ versions: ['0.2.0'] }).sentence).toBe('This PC has the newest version, 0.2.0.')
  })

  test('a feed that cannot be read is a warning after two days', () => {
    const trouble = { sentence: 'Nothing answers there.', since: now }
    const lost = { newest: undefined, trouble }
    expect(at(lost)).toMatchObject({ state: 'current', wellness: 'ok' })
    expect(at({ ...lost, now: now + 3 * 24 * 60 * 60_000 })).toMatchObject({
      wellness: 'warn',
      sentence: 'For 3 days it is not known whether there are updates: Nothing answers there.',
    })
  })

  test('the tray names the version only while it is news', () => {
    expect(desktopOf(at(), aManifest())).toMatchObject({ state: 'available', version: '0.2.0' })
    expect(desktopOf(at({ versions: ['0.2.0'] }), aManifest())).not.toHaveProperty('version')
  })
})
