import type { RouteParts } from '../admin.ts'
import { getHealth, mendHealth, recheckHealth } from '../contract/health.ts'
import { callerOf, type Desk } from '../serve.ts'

export function healthRoutes(desk: Desk, { office }: RouteParts): void {
  desk.serve(getHealth, () => {
    const { health } = office()
    return health.report.checks.length > 0 ? health.report : health.check()
  })

  desk.serve(recheckHealth, () => office().health.recheck())

  desk.serve(mendHealth, async call => {
    const { health, history } = office()
    const { name, address } = callerOf(call)
    const report = await health.mend(call.body.run)
    await history.add({
      by: name,
      kind: 'office',
      sentence: `Pressed the button of the check “${call.body.run}”.`,
      address,
    })
    return report
  })
}
