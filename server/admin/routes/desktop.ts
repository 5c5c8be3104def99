import { finished } from 'node:stream'
import type { RouteParts } from '../admin.ts'
import { getDesktop, pauseHere, resumeHere, stopHere } from '../contract/desktop.ts'
import { type Call, callerOf, type Desk } from '../serve.ts'
import { counted, handedOver } from '../words.ts'

export function desktopRoutes(desk: Desk, { office, setup, parts }: RouteParts): void {
  const note = async (call: Pick<Call<unknown>, 'request'>, sentence: string): Promise<void> => {
    const { name, address } = callerOf(call)
    try {
      await office().history.add({ by: name, kind: 'pc', sentence, address })
    } catch (error) {
      // It is done all the same; the database may be why it was done.
      parts.log.warn({ err: error, sentence }, 'this is not in the history')
    }
  }

  desk.serve(getDesktop, async () => {
    const open = office()
    if (open.health.report.checks.length === 0) await open.health.check()
    return open.desktop
  })

  desk.serve(pauseHere, async call => {
    const { nodes } = office().parts
    const { minutes } = call.body
    const done = await nodes.pause(minutes)
    const time = minutes === undefined ? 'until somebody resumes it' : `for ${counted(minutes, 'minute')}`
    await note(call, `Paused chat on ${nodes.node} ${time}: ${handedOver(done)}.`)
    return done
  })

  desk.serve(resumeHere, async call => {
    const { nodes } = office().parts
    if (nodes.pausedUntil === undefined) return {}
    await nodes.resume(nodes.node, callerOf(call).name)
    await note(call, `Put ${nodes.node} back to work.`)
    return {}
  })

  desk.serve(stopHere, async call => {
    if (setup.stage === 'ready') await note(call, `Stopped chat on ${parts.pc}.`)
    finished(call.reply.raw, () => parts.stop())
    return {}
  })
}
