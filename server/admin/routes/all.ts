/** One file per file of the contract. */
import type { RouteParts } from '../admin.ts'
import type { Desk } from '../serve.ts'
import { backupRoutes } from './backups.ts'
import { certificateRoutes } from './certificates.ts'
import { connectionRoutes } from './connections.ts'
import { databaseRoutes } from './database.ts'
import { desktopRoutes } from './desktop.ts'
import { eventRoutes } from './events.ts'
import { healthRoutes } from './health.ts'
import { joiningRoutes } from './joining.ts'
import { logRoutes } from './logs.ts'
import { nodeRoutes } from './nodes.ts'
import { officeRoutes } from './office.ts'
import { peopleRoutes } from './people.ts'
import { sessionRoutes } from './session.ts'
import { settingRoutes } from './settings.ts'
import { setupRoutes } from './setup.ts'
import { updateRoutes } from './updates.ts'

export const allRoutes: readonly ((desk: Desk, parts: RouteParts) => void)[] = [
  setupRoutes,
  joiningRoutes,
  sessionRoutes,
  officeRoutes,
  peopleRoutes,
  connectionRoutes,
  settingRoutes,
  certificateRoutes,
  logRoutes,
  healthRoutes,
  nodeRoutes,
  databaseRoutes,
  backupRoutes,
  desktopRoutes,
  updateRoutes,
  eventRoutes,
]
