/** The updates of the office of this appliance: what they need of it, gathered. */
import type { Admin } from '../admin/admin.ts'
import type { Database } from '../db/pool.ts'
import type { Log } from '../log.ts'
import type { DataFolder } from '../node.ts'
import { Updates } from './desk.ts'
import type { Program } from './program.ts'

export function updatesOf(options: {
  program: Program
  folder: DataFolder
  log: Log['logger']
  admin: () => Admin
  db: () => Database
  busyWith: () => string | undefined
}): Updates {
  const { program, folder, admin, db, busyWith } = options
  const office = () => admin().inside.office()
  return new Updates({
    ...{ program, db, busyWith },
    dataDir: folder.dir,
    nodeId: folder.state.nodeId,
    log: options.log.child({ part: 'updates' }),
    now: Date.now,
    nodes: () => office().parts.nodes,
    health: async isFresh => {
      const { health } = office()
      if (isFresh) await health.recheck()
      return health.summary
    },
    note: sentence => office().history.add({ by: 'Lanthorn', kind: 'pc', sentence }),
    arguments: process.argv.slice(2),
  })
}
