/** What the admin pages are given of an open office. */
import { backupChecks } from './admin/backup-checks.ts'
import type { JoinDesk, NodesDesk, OfficeParts, UpdatesDesk } from './admin/parts.ts'
import { createRecovery } from './admin/recovery.ts'
import { updateCheck } from './admin/update-checks.ts'
import type { Backups } from './backup/desk.ts'
import type { ClusterParts } from './chat.ts'
import { officeIdOf } from './cluster/pairing/office-id.ts'
import type { PasswordSettings } from './core/core-features.ts'
import { addressesOf } from './host.ts'
import type { MoveDesk } from './moving/desk.ts'
import type { DataFolder } from './node.ts'
import type { Office } from './office.ts'
import type { Store } from './store.ts'

export function officePartsOf(options: {
  office: Office
  store: Store
  folder: DataFolder
  backups: Backups
  database: MoveDesk
  nodes: NodesDesk
  updates: UpdatesDesk
  merge: JoinDesk
  cluster: ClusterParts | undefined
}): OfficeParts {
  const { office, store, folder, backups, database, nodes, updates, merge, cluster } = options
  const { identity, chat } = office
  const { parts } = chat
  return {
    name: identity.office,
    domain: identity.domain,
    db: parts.db,
    accounts: parts.accounts,
    sessions: parts.sessions,
    settings: parts.settings,
    hooks: parts.hooks,
    directory: parts.directory,
    ...(cluster && { bus: cluster.bus }),
    tls: office.tls,
    iterations: () => (parts.settings.of('passwords') as PasswordSettings).iterations,
    certificates: office.certificates,
    recovery: createRecovery({
      office: identity.office,
      domain: identity.domain,
      officeId: officeIdOf(office.certificates.authority),
      pc: identity.node,
      authority: () => office.certificates.authority,
      folder,
      now: Date.now,
    }),
    addresses: () => addressesOf(identity.listen.host),
    ports: () => office.ports,
    get isDatabaseOutside() {
      return store.kind === 'outside'
    },
    notReady: () => office.notReady(),
    database,
    backups,
    nodes,
    updates,
    merge,
    checks: [
      ...backupChecks(backups, {
        now: Date.now,
        isKeySaved: () => folder.secret('recovery-kept-at') !== undefined,
      }),
      updateCheck(updates),
    ],
  }
}
