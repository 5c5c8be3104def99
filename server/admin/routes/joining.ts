import type { RouteParts } from '../admin.ts'
import { getJoining, getMerging, startJoining, startMerging, stopJoining, stopMerging } from '../contract/joining.ts'
import type { JoinDesk } from '../parts.ts'
import { refusal } from '../problem.ts'
import { callerOf, type Desk } from '../serve.ts'

export function joiningRoutes(desk: Desk, { parts, setup, gate, office }: RouteParts): void {
  desk.serve(getJoining, ({ request }) => {
    if (!gate.maySetUp(request))
      throw refusal('not-here', 'Set-up is only done on the PC itself: open this page there.')
    const { offices, joining } = parts.setup.join
    return { offices: setup.stage === 'fresh' ? offices.slice(0, 32) : [], joining }
  })

  desk.serve(startJoining, ({ body }) => {
    if (setup.stage !== 'fresh') throw refusal('refused', 'An office is being made on this PC already.')
    return parts.setup.join.start(oneWay(body))
  })

  desk.serve(stopJoining, async () => {
    await parts.setup.join.stop()
    return {}
  })

  desk.serve(getMerging, async () => {
    const { merge, name, domain, accounts } = office().parts
    return {
      offices: merge.offices.slice(0, 32),
      joining: merge.joining,
      own: { office: name, domain, people: await accounts.count() },
    }
  })

  desk.serve(startMerging, async call => {
    const { parts: own, history } = office()
    const { people, typed, ...way } = call.body
    if (typed.trim().toLowerCase() !== own.name.toLowerCase())
      throw refusal('refused', `Type ${own.name} to leave this office.`, { field: 'typed' })
    if (own.nodes.nodes.length > 1)
      throw refusal(
        'refused',
        'Other PCs carry this office too. Remove this PC here first; then it can join the other office.',
      )
    const { name, address } = callerOf(call)
    const joining = await own.merge.start(oneWay(way), people)
    const along = people === 'bring' ? 'brings its people along' : 'leaves its people behind'
    await history.add({
      by: name,
      kind: 'pc',
      sentence: `${parts.pc} asks to join another office and ${along}.`,
      address,
    })
    return joining
  })

  desk.serve(stopMerging, async call => {
    const { parts: own, history } = office()
    await own.merge.stop()
    const { name, address } = callerOf(call)
    await history.add({ by: name, kind: 'pc', sentence: `${parts.pc} stays in ${own.name} after all.`, address })
    return {}
  })
}

/** Exactly one of the two ways into an office. @throws Refusal */
function oneWay(body: { address?: string; code?: string }): Parameters<JoinDesk['start']>[0] {
  const address = body.address?.trim()
  const code = body.code?.trim()
  if (address && !code) return { address }
  if (code && !address) return { code }
  if (address && code)
    throw refusal('refused', 'Give the address of the office or a join code, not both.', { field: 'code' })
  throw refusal('refused', 'Give the address of a PC of the office, or a join code.', {
    field: body.code === undefined ? 'address' : 'code',
  })
}
