import { hostname } from 'node:os'
import type { RouteParts } from '../admin.ts'
import { checkDatabase, checkDomain, createOffice, getRecovery, getSetup, keepRecovery } from '../contract/setup.ts'
import { checkDomainName } from '../domain.ts'
import { Refusal, refusal } from '../problem.ts'
import { callerOf, type Desk } from '../serve.ts'
import { ownAddresses } from '../setup.ts'
import { sessionOf } from './session.ts'

export function setupRoutes(desk: Desk, routeParts: RouteParts): void {
  const { parts, setup, gate, office } = routeParts

  desk.serve(getSetup, ({ request }) => {
    const isOver = setup.stage === 'ready'
    const suggestedDomain = isOver ? undefined : parts.setup.suggestedDomain()
    const here = gate.maySetUp(request)
    // A stranger on the network learns no more than a sign-in page needs.
    const tells = here || isOver
    return {
      state: setup.stage,
      steps: isOver ? [] : setup.steps.map(step => (tells ? step : { id: step.id, state: step.state })),
      ...(tells && setup.problem && { problem: setup.problem }),
      here,
      pc: { name: parts.pc, address: ownAddresses()[0] ?? hostname() },
      ...(here && suggestedDomain !== undefined && { suggestedDomain }),
      ...(isOver && { office: office().parts.name }),
      version: parts.version,
    }
  })

  desk.serve(checkDomain, ({ body }) => checkDomainName(body.domain))

  desk.serve(checkDatabase, ({ body }) => parts.setup.checkDatabase(body.url))

  desk.serve(createOffice, async ({ body, request, reply }) => {
    const { state, sentence, domain } = await checkDomainName(body.domain)
    if (state === 'bad') throw refusal('refused', sentence, { field: 'domain' })
    const { database, ...rest } = body
    await setup.make({ ...rest, office: body.office.trim(), domain, ...(database && { database }) })
    const { parts: made, browserSessions, history, signIn } = office()
    const { address } = request.origin
    // Checked, because an own database may have brought the account along, with another password.
    const result = await signIn.check(body.person.username, body.person.password, address)
    if (!('account' in result)) throw new Refusal(result.problem)
    const { account } = result
    const { secret, session } = await browserSessions.open(account, address)
    gate.giveSession(request, reply, secret)
    await history.add({
      by: account.name,
      kind: 'office',
      sentence: `Made the office ${made.name} (${made.domain}).`,
      address,
    })
    return {
      session: sessionOf(routeParts, account, browserSessions.expiresAt(session)),
      recovery: await made.recovery.sheet(),
    }
  })

  desk.serve(getRecovery, async call => {
    const { name, address, kind } = callerOf(call)
    if (kind === 'token') throw refusal('refused', 'The recovery sheet is for people only: sign in to read it.')
    await office().history.add({ by: name, kind: 'office', sentence: 'Read the recovery sheet.', address })
    return office().parts.recovery.sheet()
  })

  desk.serve(keepRecovery, async call => {
    const { name, address } = callerOf(call)
    await office().parts.recovery.keep()
    await office().history.add({ by: name, kind: 'office', sentence: 'Said that the recovery sheet is kept.', address })
    return {}
  })
}
