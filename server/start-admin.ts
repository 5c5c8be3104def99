import { randomBytes } from 'node:crypto'
import { type Admin, startAdmin } from './admin/admin.ts'
import type { SetupParts } from './admin/parts.ts'
import type { Config, Listen } from './config.ts'
import type { Log } from './log.ts'
import type { DataFolder } from './node.ts'
import { listenFault } from './opening.ts'
import { uiFolder } from './places.ts'
import { createIds } from './xmpp/id.ts'

/** Starts the admin side of an appliance. @throws ListenFault */
export async function openAdmin(options: {
  version: string
  folder: DataFolder
  config: Config | undefined
  log: Log
  listen: Listen
  setup: SetupParts
  onStop(): void
}): Promise<Admin> {
  const { version, folder, log, setup, onStop: stop } = options
  const ids = createIds({ now: Date.now, random: bytes => randomBytes(bytes) })
  const { host, admin, adminPlain } = options.listen
  try {
    return await startAdmin({
      version,
      pc: options.config?.node ?? folder.state.nodeName,
      log: log.logger.child({ part: 'admin' }),
      recent: log.recent,
      now: Date.now,
      nextId: () => ids.next(),
      dataFolder: folder.dir,
      uiFolder: uiFolder(),
      listen: { host, admin, adminPlain },
      setup,
      stop,
    })
  } catch (error) {
    const fault = listenFault(error, 'adminPlain', adminPlain, host)
    throw fault === error ? listenFault(error, 'admin', admin, host) : fault
  }
}
