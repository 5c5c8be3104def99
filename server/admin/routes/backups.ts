import type { RouteParts } from '../admin.ts'
import { listBackups, makeBackup, proveBackup, restoreBackup } from '../contract/backups.ts'
import type { OpenOffice } from '../open-office.ts'
import { refusal } from '../problem.ts'
import { type Call, callerOf, type Desk } from '../serve.ts'

export function backupRoutes(desk: Desk, { office }: RouteParts): void {
  const note = async (call: Pick<Call<unknown>, 'request'>, sentence: string): Promise<void> => {
    const { name, address } = callerOf(call)
    await office().history.add({ by: name, kind: 'office', sentence, address })
  }

  desk.serve(listBackups, async () => {
    const { backups } = office().parts
    const { folder, nextAt, job } = backups
    const all = await backups.list()
    return {
      folder,
      ...stateOf(all),
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
    const { parts } = office()
    if (call.body.confirm !== parts.domain)
      throw refusal('refused', `To restore, type the domain of the office: ${parts.domain}.`, { field: 'confirm' })
    await note(call, `Started to restore the backup ${call.params.name}.`)
    return parts.backups.restore(call.params.name, call.body.url)
  })
}

function stateOf([newest]: Awaited<ReturnType<OpenOffice['parts']['backups']['list']>>) {
  if (!newest) return { state: 'warn' as const, sentence: 'There is no backup yet.' }
  return { state: newest.state, sentence: `The newest backup is ${newest.name}. ${newest.sentence}` }
}
