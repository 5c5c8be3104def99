/** What a server in good order answers the tray, for tests of what the tray makes of it. */
import type { Desktop } from '../../server/admin/contract/desktop.ts'

/** @param changes what is different this time */
export function desktop(changes: Partial<Desktop> = {}): Desktop {
  return {
    state: 'ok',
    office: 'ACME',
    pc: 'FRONT-DESK',
    version: '1.2.0',
    headline: 'everything works',
    sentence: 'Three PCs carry the office.',
    peopleOnline: 23,
    peopleHere: 9,
    pcsOn: 3,
    pcs: 3,
    movesTo: 'BACK-OFFICE',
    canJoin: true,
    requests: [],
    backupFailures: 0,
    update: { state: 'current', sentence: 'Up to date' },
    ...changes,
  }
}

/** A PC that wants to join, as the tray hears of it. */
export const request: Desktop['requests'][number] = {
  id: 'r1',
  name: 'BACK-OFFICE',
  address: '192.168.1.31',
  system: 'Windows 11',
  version: '1.2.0',
  code: '4827 · blue otter',
  fingerprint: 'AB:CD',
  at: '2026-11-22T10:04:00.000Z',
  expiresAt: '2026-11-22T10:19:00.000Z',
}
