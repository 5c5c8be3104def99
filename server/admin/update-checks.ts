/** What the Health page says about updates. */
import type { Check, UpdatesDesk } from './parts.ts'

/** Says nothing while nobody looks for updates. */
export function updateCheck(updates: Pick<UpdatesDesk, 'health'>): Check {
  return {
    id: 'update',
    group: 'pcs',
    why: 'Newer versions mend faults, also such as strangers could use. All PCs should have the same.',
    run: () => updates.health && { ...updates.health, mend: { label: 'Open the updates', page: '/settings/updates' } },
  }
}
