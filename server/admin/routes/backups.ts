import type { RouteParts } from '../admin.ts'
import { standingOf } from '../backup-checks.ts'
import { listBackups, makeBackup, proveBackup, restoreBackup } from '../contract/backups.ts'
import { refusal } from '../problem.ts'
import { type Call, callerOf, type Desk } from '../serve.ts'

export function backupRoutes(desk: Desk, { office, parts }: RouteParts): void {
  const note = async (call: Pick<Call<unknown>, 'request'>, sentence: string): Promise<void> => {
    const { name, address } = callerOf(call)
    await office().history.add({ by: name, kind: 'office', sentence, address })
  }

  desk.serve(listBackups, async () => {
    const { backups } = office().parts
    const { folder, nextAt, job } = backups
    const all = await backups.list()
    const { state, sentence } = standingOf(backups, all[0], parts.now())
    return {
      folder,
      state,
      sentence,
      ...(nextAt && { nextAt: nextAt.toISOString() }),
      backups: all.slice(0, 500),
      ...(job && { job }),
    }
  })

  desk.serve(makeBackup, async call => {
    const job = await office().parts.backups.make()
    await note(call, 'Started a backup.')
    return job
  })

  desk.serve(proveBackup, async call => {
    const { name } = call.params
    const job = await office().parts.backups.prove(name)
    await note(call, `Started to prove the backup ${name}.`)
    return job
  })

  desk.serve(restoreBackup, async call => {
    const { domain, backups } = office().parts
    if (call.body.confirm !== domain)
      throw refusal('refused', `To restore, type the domain of the office: ${domain}.`, { field: 'confirm' })
    const job = await backups.restore(call.params.name, call.body.url)
    await note(call, `Started to restore the backup ${call.params.name}.`)
    return job
  })
}
