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
