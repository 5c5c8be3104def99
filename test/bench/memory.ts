/** Memory that the server needs for each session that is bound and silent. */
import type { Appliance } from '../support/appliance.ts'
import { memoryOf } from './accounting.ts'
import type { Account, Connection, Target } from './connection.ts'
import { logInAll } from './crowd.ts'

const sessions = 1_000
const settleMs = 3_000

/**
 * Kibibytes for one session: how much the resident memory grows by a second thousand of them. The first thousand fills what
 * logging in had needed for a moment and the heap has kept, which is no session's own.
 */
export async function measureMemory(appliance: Appliance, target: Target, people: Account[]): Promise<number> {
  const first = await silentSessions(target, people, 'first')
  const from = await memoryOf(appliance.pid)
  const second = await silentSessions(target, people, 'second')
  const to = await memoryOf(appliance.pid)
  for (const connection of [...first, ...second]) connection.destroy()
  return (to - from) / sessions / 1024
}

async function silentSessions(target: Target, people: Account[], name: string): Promise<Connection[]> {
  const connections = await logInAll(target, people, sessions, name)
  await settle()
  return connections
}

async function settle(): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, settleMs))
}
