import type { RouteParts } from '../admin.ts'
import { checkUpdates, getUpdates, installUpdates, stopUpdates } from '../contract/updates.ts'
import { type Call, callerOf, type Desk } from '../serve.ts'

export function updateRoutes(desk: Desk, { office }: RouteParts): void {
  const updates = () => office().parts.updates
  const note = async (call: Pick<Call<unknown>, 'request'>, sentence: string): Promise<void> => {
    const { name, address } = callerOf(call)
    await office().history.add({ by: name, kind: 'office', sentence, address })
  }

  desk.serve(getUpdates, () => updates().view())

  desk.serve(checkUpdates, () => updates().check())

  desk.serve(installUpdates, async call => {
    const view = await updates().install()
    await note(call, `Started to update all PCs to version ${view.newest?.version}.`)
    return view
  })

  desk.serve(stopUpdates, async call => {
    const view = await updates().stop(callerOf(call).name)
    await note(call, 'Stopped updating.')
    return view
  })
}
